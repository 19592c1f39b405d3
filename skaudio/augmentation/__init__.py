"""Augmentations: transformers that act in `fit` and leave recordings alone in `predict`.

Waveforms, before the encoder:

TimeShift
    Earlier or later.
Noise
    White, coloured or recorded noise at a signal-to-noise ratio.
Volume
    Louder or softer.
Convolution
    The sound of a room, a microphone or a telephone.
VTLP
    A shorter or longer vocal tract, by warping the mel filter bank of the encoder.
Speed
    Faster and higher, or slower and lower.
RandomSegment
    A part of each recording.
FunctionAugmentation
    Any function of a waveform.

Frames, after the encoder:

TimeMask
    Stretches of time hidden.
FrequencyMask
    Bands of features hidden.

For training loops, which draw afresh in every epoch:

TrainingPath
    A fitted encoder as it runs in training.
epoch_seeds
    Seeds that depend on (seed, epoch, recording) only.
"""

from skaudio.augmentation._convolution import Convolution
from skaudio.augmentation._function_augmentation import FunctionAugmentation
from skaudio.augmentation._masks import FrequencyMask, TimeMask
from skaudio.augmentation._noise import Noise
from skaudio.augmentation._random_segment import RandomSegment
from skaudio.augmentation._seeds import TrainingPath, epoch_seeds
from skaudio.augmentation._speed import Speed
from skaudio.augmentation._time_shift import TimeShift
from skaudio.augmentation._volume import Volume
from skaudio.augmentation._vtlp import VTLP

__all__ = [
    "VTLP",
    "Convolution",
    "FrequencyMask",
    "FunctionAugmentation",
    "Noise",
    "RandomSegment",
    "Speed",
    "TimeMask",
    "TimeShift",
    "TrainingPath",
    "Volume",
    "epoch_seeds",
]
