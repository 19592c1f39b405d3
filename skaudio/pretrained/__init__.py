"""Pretrained networks: features, and the classes of AudioSet, of recordings of any length."""

from skaudio.pretrained.embedder import PretrainedEmbedder

__all__ = ["PretrainedEmbedder"]
