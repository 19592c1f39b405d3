"""Embeddings: recordings as rows whose distances tell how alike they are.

NetEmbedder
    The output of a layer of a neural estimator, by default the input of its head.
SiameseEmbedder
    A network trained to tell classes apart, also others than those of the training data.
WCCN
    Scales rows so that recordings of one class vary equally in all directions.
"""

from skaudio.embedders._net_embedder import NetEmbedder
from skaudio.embedders._siamese_embedder import SiameseEmbedder
from skaudio.embedders._wccn import WCCN

__all__ = ["WCCN", "NetEmbedder", "SiameseEmbedder"]
