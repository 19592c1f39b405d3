"""Neural classifiers of recordings, or of sequences of frames: estimators that hold a skorch net.

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
from skaudio.classifiers._neural_classifier import ClassLoss as ClassLoss

__all__ = ["GRUClassifier", "LeNetClassifier", "NetClassifier"]
