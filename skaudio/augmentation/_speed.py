"""Speed: play recordings faster and higher, or slower and lower."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import soxr

from skaudio._validation import check_range, number_or_range
from skaudio.augmentation._augmentation import Operation, WaveformAugmentation
from skaudio.augmentation._seeds import note

# Speeds are rounded to 1 / STEPS: soxr is faster with ratios of small integers, and the difference
# in pitch is inaudible.
STEPS = 1000


class Speed(WaveformAugmentation):
    """Play each recording faster or slower by resampling, which changes its pitch as well.

    Parameters
    ----------
    rate : float or (low, high), default=(0.9, 1.1)
        Speed between 0.1 and 10: values above 1 make a recording faster and shorter. From a
        range, one value per recording is drawn uniformly, in steps of 0.001.
    p : float, default=1.0
        Probability that a recording is altered.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws of `fit_transform`.

    Attributes
    ----------
    n_features_in_ : int
        Number of samples per clip; only set where `fit` was given a 2-D array.

    Notes
    -----
    A recording of n samples becomes one of about n / rate samples. A recording so short that no
    sample would remain is returned unchanged. Lengths change, so a 2-D array becomes an
    AudioBatch.

    References
    ----------
    Ko, Peddinti, Povey & Khudanpur 2015, "Audio augmentation for speech recognition".

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio.augmentation import Speed
    >>> len(Speed(1.25).fit_transform([np.zeros(10000)])[0])
    8000
    """

    heavy = True
    keeps_length = False

    _constraints: ClassVar[dict[str, Any]] = {
        "rate": number_or_range(0.1, 10),
    }

    def __init__(
        self,
        rate: Any = (0.9, 1.1),
        *,
        p: float = 1.0,
        random_state: Any = None,
    ) -> None:
        self.rate = rate
        self.p = p
        self.random_state = random_state

    def _make_operation(self) -> Operation:
        def play(waveform: np.ndarray, rate: Any, speed: float, seed: int) -> np.ndarray:
            speed = round(speed * STEPS) / STEPS
            note(rate=speed)
            return change_speed(waveform, speed)

        return check_range("rate", self.rate), play


def change_speed(waveform: np.ndarray, rate: float) -> np.ndarray:
    """Resample a waveform to 1 / rate of its length."""
    if rate == 1:
        return waveform
    resampled = soxr.resample(waveform, rate * STEPS, STEPS, quality="HQ")
    return resampled if len(resampled) else waveform
