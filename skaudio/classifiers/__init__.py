"""Neural classifiers of recordings, or of sequences of frames.

LeNetClassifier
    Convolution and pooling over features and time.
GRUClassifier
    Stacked gated recurrent units.
NetClassifier
    Any torch module.
"""

from skaudio.classifiers._gru_classifier import GRUClassifier
from skaudio.classifiers._lenet_classifier import LeNetClassifier
from skaudio.classifiers._net_classifier import NetClassifier

__all__ = ["GRUClassifier", "LeNetClassifier", "NetClassifier"]
