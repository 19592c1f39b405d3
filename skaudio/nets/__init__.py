"""torch modules: networks for sequences of any length, and their parts. No scikit-learn, no skorch.

Every network takes padded frames ``x`` (n_sequences, n_features, n_frames) and their ``lengths``,
and gives the same result whatever the padding. ``forward_features`` ends before the head.

LeNet
    Convolution and pooling blocks over features and time.
GRU
    Stacked recurrent layers, in one or both directions.
StatisticsPooling
    Mean and deviation over time, mapped linearly.
TDNN
    Dilated convolutions over time, and statistics over the recording.
ContrastiveLoss
    Loss of pairs of embeddings.
AllPairsLoss, SupervisedContrastiveLoss, AngularMarginLoss
    Losses of a batch of embeddings and their classes.
CRNN
    Convolutions, recurrent layers, and a probability for each frame, pooled for each sequence.
TimePooling
    Frames to one vector: mean, max, standard deviation, last, attention.
WeakPooling, WeakLabelLoss
    Probabilities of frames to those of sequences: mean, max, softmaxes, attention; their loss.
MixedLabelLoss
    The loss where some sequences have labels of frames.
Standardize, StandardizedNet
    Per-recording and global standardisation of features, and a network behind it.
"""

# Names that are imported as themselves are for the other packages: no part of the public interface.
from skaudio.nets._crnn import CRNN, MixedLabelLoss, WeakLabelLoss, WeakPooling
from skaudio.nets._crnn import EPS as EPS
from skaudio.nets._gru import GRU
from skaudio.nets._lenet import LeNet
from skaudio.nets._losses import (
    AllPairsLoss,
    AngularMarginLoss,
    ContrastiveLoss,
    SupervisedContrastiveLoss,
)
from skaudio.nets._losses import (
    PairLoss as PairLoss,
)
from skaudio.nets._losses import (
    pair_distance as pair_distance,
)
from skaudio.nets._recording_copy import recording_copy as recording_copy
from skaudio.nets._sequence_layers import (
    LOUDNESS_WEIGHT,
    Standardize,
    StandardizedNet,
    recording_mean,
)
from skaudio.nets._sequence_layers import (
    STEP as STEP,
)
from skaudio.nets._statistics_pooling import StatisticsPooling
from skaudio.nets._tdnn import TDNN
from skaudio.nets._time_pooling import (
    POOLINGS as POOLINGS,
)
from skaudio.nets._time_pooling import (
    TimePooling,
)

__all__ = [
    "CRNN",
    "GRU",
    "LOUDNESS_WEIGHT",
    "TDNN",
    "AllPairsLoss",
    "AngularMarginLoss",
    "ContrastiveLoss",
    "LeNet",
    "MixedLabelLoss",
    "Standardize",
    "StandardizedNet",
    "StatisticsPooling",
    "SupervisedContrastiveLoss",
    "TimePooling",
    "WeakLabelLoss",
    "WeakPooling",
    "recording_mean",
]
