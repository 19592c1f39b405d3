"""Embeddings: recordings as rows whose distances tell how alike they are.

NetEmbedder
    The output of a layer of a neural estimator, by default the input of its head.
SiameseEmbedder
    A network trained on pairs: recordings of one class are near each other, others far.
"""

from skaudio.embedders._net_embedder import NetEmbedder
from skaudio.embedders._siamese_embedder import SiameseEmbedder

__all__ = ["NetEmbedder", "SiameseEmbedder"]
