"""Recordings to rows whose distances mean something: of a classifier, or learned from pairs.

NetEmbedder
    What comes before the head of a neural estimator, or any of its layers.
SiameseEmbedder
    Trained so that recordings of one class are near each other, and others far.
"""

from skaudio.embedders._net_embedder import NetEmbedder
from skaudio.embedders._siamese_embedder import SiameseEmbedder

__all__ = ["NetEmbedder", "SiameseEmbedder"]
