"""Pretrained networks: features, and the classes of AudioSet, of recordings of any length.

Networks by name, and any network: a torch module, a model of transformers, an ONNX file.
"""

from skaudio.pretrained._audio_tagger import AudioTagger
from skaudio.pretrained._fine_tuned_classifier import FineTunedClassifier
from skaudio.pretrained._offline import download
from skaudio.pretrained._onnx_embedder import OnnxEmbedder
from skaudio.pretrained._pretrained_embedder import PretrainedEmbedder
from skaudio.pretrained._torch_embedder import TorchEmbedder
from skaudio.pretrained._transformers_embedder import TransformersEmbedder

__all__ = [
    "AudioTagger",
    "FineTunedClassifier",
    "OnnxEmbedder",
    "PretrainedEmbedder",
    "TorchEmbedder",
    "TransformersEmbedder",
    "download",
]
