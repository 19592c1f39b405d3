"""torch modules: networks for sequences of any length, and their parts. No scikit-learn, no skorch.

Every network takes padded frames ``x`` (n_sequences, n_features, n_frames) and their ``lengths``,
and gives the same result whatever the padding. ``forward_features`` ends before the head.

LeNet
    Convolution and pooling blocks over features and time.
GRU
    Stacked recurrent layers, in one or both directions.
Statistics
    Mean and deviation over time, mapped linearly.
ContrastiveLoss
    Loss of pairs of embeddings.
CRNN
    Convolutions, recurrent layers, and a probability for each frame, pooled for each sequence.
TimePooling
    Frames to one vector: mean, max, both, last, attention.
WeakPooling, WeakLabelLoss
    Probabilities of frames to those of sequences: mean, max, softmaxes, attention; their loss.
Standardize, StandardizedNet
    Per-recording and global standardisation of features, and a network behind it.
"""

from skaudio.nets.crnn import CRNN
from skaudio.nets.gru import GRU
from skaudio.nets.lenet import LeNet
from skaudio.nets.losses import ContrastiveLoss
from skaudio.nets.pooling import TimePooling
from skaudio.nets.standardization import (
    LOUDNESS_WEIGHT,
    Standardize,
    StandardizedNet,
    recording_mean,
)
from skaudio.nets.statistics import Statistics
from skaudio.nets.weak_pooling import WeakLabelLoss, WeakPooling

__all__ = [
    "CRNN",
    "GRU",
    "LOUDNESS_WEIGHT",
    "ContrastiveLoss",
    "LeNet",
    "Standardize",
    "StandardizedNet",
    "Statistics",
    "TimePooling",
    "WeakLabelLoss",
    "WeakPooling",
    "recording_mean",
]
