"""Augmentations: transformers that change recordings in `fit` and not in `predict`.

Waveforms, before the encoder:

TimeShift
    Shifts recordings to earlier or later times.
Noise
    Adds white, coloured or recorded noise at a signal-to-noise ratio.
Volume
    Makes recordings louder or softer.
Convolution
    Simulates reverberation, a microphone or a telephone.
VTLP
    Simulates a shorter or longer vocal tract by warping the mel filter bank of the encoder.
Speed
    Makes recordings faster and higher, or slower and lower.
RandomSegment
    Cuts a segment at a random position out of each recording.
FunctionAugmentation
    Applies any function of a waveform.

Frames, after the encoder:

DynamicRange
    Raises quiet values to a random floor.
TimeMask
    Hides stretches of time.
FrequencyMask
    Hides bands of features.

For training loops that draw new augmentations in every epoch:

TrainingPath
    Runs a fitted Pipeline of augmentations and an encoder as in training.
epoch_seeds
    Seeds that depend on the seed, the epoch and the recording only.
"""

from skaudio.augmentation._convolution import Convolution
from skaudio.augmentation._dynamic_range import DynamicRange
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
    "DynamicRange",
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
