"""Pretrained networks: features, and the classes of AudioSet, of recordings of any length."""

from skaudio.pretrained.embedder import PretrainedEmbedder
from skaudio.pretrained.tagger import AudioTagger

__all__ = ["AudioTagger", "PretrainedEmbedder"]
