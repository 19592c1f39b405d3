"""RandomSegment: a part of each recording."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from skaudio._validation import (
    check_range,
    choice,
    number_or_range,
    optional,
    sample_rate,
)
from skaudio.augmentation._augmentation import Operation, WaveformAugmentation, known
from skaudio.augmentation._seeds import note


class RandomSegment(WaveformAugmentation):
    """Cut a segment at a random position from each recording.

    Parameters
    ----------
    duration : float or (low, high), default=0.5
        Length of the segment. From a range, one value per recording is drawn uniformly.
    unit : {"fraction", "seconds"}, default="fraction"
        Unit of ``duration``: a fraction of the recording's length, or seconds.
    sample_rate : float, default=None
        Sample rate of bare arrays in Hz, needed for ``unit="seconds"``. Files and mappings have
        their own.
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
    A recording shorter than its segment is returned unchanged. Lengths change, so a 2-D array
    becomes an AudioBatch.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio.augmentation import RandomSegment
    >>> segments = RandomSegment(0.25).fit_transform([np.zeros(8000), np.zeros(12000)])
    >>> [len(s) for s in segments]
    [2000, 3000]
    """

    keeps_length = False

    _constraints: ClassVar[dict[str, Any]] = {
        "duration": number_or_range(0),
        "unit": choice("fraction", "seconds"),
        "sample_rate": optional(sample_rate()),
    }

    def __init__(
        self,
        duration: Any = 0.5,
        *,
        unit: str = "fraction",
        sample_rate: float | None = None,
        p: float = 1.0,
        random_state: Any = None,
    ) -> None:
        self.duration = duration
        self.unit = unit
        self.sample_rate = sample_rate
        self.p = p
        self.random_state = random_state

    def _make_operation(self) -> Operation:
        seconds = self.unit == "seconds"
        low, high = check_range(
            "duration",
            self.duration,
            minimum=0,
            maximum=math.inf if seconds else 1,
            unit=f" ({self.unit})",
            hint="" if seconds else " Did you mean unit='seconds'?",
        )
        if low == 0:
            raise ValueError(f"duration={self.duration!r}: expected more than 0.")

        def cut(waveform: np.ndarray, rate: float | None, duration: float, seed: int) -> np.ndarray:
            scale = known(rate, "RandomSegment(unit='seconds')") if seconds else len(waveform)
            n = max(round(duration * scale), 1)
            if n >= len(waveform):
                note(duration=duration, start=0)
                return waveform
            start = int(np.random.default_rng(seed).integers(len(waveform) - n + 1))
            note(duration=duration, start=start)
            return waveform[start : start + n].copy()  # a view would keep it all in memory

        return (low, high), cut
