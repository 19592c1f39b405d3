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
    The way recordings take through a Pipeline in training.
epoch_seeds
    Seeds that depend on (seed, epoch, recording) only.
"""

from skaudio.augmentation._draw import epoch_seeds
from skaudio.augmentation._path import TrainingPath
from skaudio.augmentation.convolution import Convolution
from skaudio.augmentation.frequency_mask import FrequencyMask
from skaudio.augmentation.function_augmentation import FunctionAugmentation
from skaudio.augmentation.noise import Noise
from skaudio.augmentation.random_segment import RandomSegment
from skaudio.augmentation.speed import Speed
from skaudio.augmentation.time_mask import TimeMask
from skaudio.augmentation.time_shift import TimeShift
from skaudio.augmentation.volume import Volume
from skaudio.augmentation.vtlp import VTLP

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
