"""Pretrained networks: features and AudioSet classes of recordings of any length."""

from skaudio.pretrained._audio_tagger import AudioTagger
from skaudio.pretrained._fine_tuned_classifier import FineTunedClassifier
from skaudio.pretrained._offline import download
from skaudio.pretrained._pretrained_embedder import PretrainedEmbedder

__all__ = ["AudioTagger", "FineTunedClassifier", "PretrainedEmbedder", "download"]
