"""torch modules: networks for sequences of any length, and their parts. No scikit-learn, no skorch.

Every network takes padded frames ``x`` (n_sequences, n_features, n_frames) and their ``lengths``.
The result does not depend on the padding. ``forward_features`` returns the input of the head.

LeNet
    Convolution and pooling blocks over features and time.
GRU
    Stacked recurrent layers, in one or both directions.
StatisticsPooling
    Mean and standard deviation over time, and a linear map of them.
TDNN
    Dilated convolutions over time, and statistics over the recording.
StatisticsTDNN
    The same beside whitened statistics of the input.
ContrastiveLoss
    Contrastive loss of pairs of embeddings.
AllPairsLoss, SupervisedContrastiveLoss, AngularMarginLoss
    Losses of a batch of embeddings with classes.
CRNN
    Convolutions and recurrent layers for events: probabilities of frames, pooled over time.
TimePooling
    Pooling of frames to one vector: mean, maximum, standard deviation, last frame, attention.
WeakPooling, WeakLabelLoss
    Pooling of the probabilities of frames to those of sequences, and its loss.
MixedLabelLoss
    Loss for sequences of which some have labels of frames.
Standardize, StandardizedNet
    Per-recording and global standardisation of features, and a network preceded by it.
"""

# Names imported "as" themselves are for the other packages. They are not public.
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
from skaudio.nets._statistics_tdnn import StatisticsTDNN
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
    "StatisticsTDNN",
    "SupervisedContrastiveLoss",
    "TimePooling",
    "WeakLabelLoss",
    "WeakPooling",
    "recording_mean",
]
