"""Embeddings: recordings as rows; similar recordings have rows at a small distance.

NetEmbedder
    The output of a layer of a neural estimator, by default the input of its head.
SiameseEmbedder
    A network trained to distinguish classes; it applies to other classes as well.
WCCN
    Normalises rows so that the recordings of a class vary equally in all directions.
"""

from skaudio.embedders._net_embedder import NetEmbedder
from skaudio.embedders._siamese_embedder import SiameseEmbedder
from skaudio.embedders._wccn import WCCN

__all__ = ["WCCN", "NetEmbedder", "SiameseEmbedder"]
