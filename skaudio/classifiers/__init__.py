"""Neural classifiers of recordings, or of sequences of frames: estimators that hold a skorch net.

LeNetClassifier
    Convolution and pooling over features and time.
GRUClassifier
    Stacked gated recurrent units.
NetClassifier
    Any torch module.
"""

from skaudio.classifiers.gru import GRUClassifier
from skaudio.classifiers.lenet import LeNetClassifier
from skaudio.classifiers.net import NetClassifier

__all__ = ["GRUClassifier", "LeNetClassifier", "NetClassifier"]
