"""Embeddings: recordings as rows; similar recordings have rows at a small distance.

NetEmbedder
    The output of a layer of a neural estimator, by default the input of its head.
SiameseEmbedder
    A network trained to distinguish classes; it applies to other classes as well.
WCCN
    Normalises rows so that the recordings of a class vary equally in all directions.
"""

from skaudio.embedders._net_embedder import NetEmbedder

# A name imported "as" itself is for the other packages. It is not public.
from skaudio.embedders._pair_verification import score_of_rows as score_of_rows
from skaudio.embedders._siamese_embedder import SiameseEmbedder
from skaudio.embedders._wccn import WCCN

__all__ = ["WCCN", "NetEmbedder", "SiameseEmbedder"]
