"""Volume: make recordings louder or softer."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from skaudio._validation import check_range, number_or_range, optional
from skaudio.augmentation._augmentation import Operation, WaveformAugmentation
from skaudio.augmentation._seeds import note


class Volume(WaveformAugmentation):
    """Multiply each recording by a gain.

    Nothing is clipped: float waveforms may exceed 1.

    Parameters
    ----------
    gain_db : float or (low, high), default=(-6, 6)
        Gain in dB. From a range, one value per recording is drawn uniformly.
    factor : float or (low, high), default=None
        Gain as a factor of 0 or more, used in place of ``gain_db`` if given.
    p : float, default=1.0
        Probability that a recording is altered.
    random_state : int, RandomState instance or None, default=None
        Seed of the draws of `fit_transform`.

    Attributes
    ----------
    n_features_in_ : int
        Number of samples per clip; only set where `fit` was given a 2-D array.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio.augmentation import Volume
    >>> clips = np.ones((2, 8000))
    >>> Volume(factor=0.5).fit_transform(clips)[:, 0]
    array([0.5, 0.5], dtype=float32)
    >>> Volume().transform(clips)[:, 0]
    array([1., 1.])
    """

    _constraints: ClassVar[dict[str, Any]] = {
        "gain_db": number_or_range(-200, 200, unit=" in dB"),
        "factor": optional(number_or_range(0)),
    }

    def __init__(
        self,
        gain_db: Any = (-6, 6),
        *,
        factor: Any = None,
        p: float = 1.0,
        random_state: Any = None,
    ) -> None:
        self.gain_db = gain_db
        self.factor = factor
        self.p = p
        self.random_state = random_state

    def _make_operation(self) -> Operation:
        in_db = self.factor is None
        if in_db:
            gains = check_range("gain_db", self.gain_db)
        else:
            gains = check_range("factor", self.factor)

        def scale(waveform: np.ndarray, rate: Any, gain: float, seed: int) -> np.ndarray:
            note(**{"gain_db" if in_db else "factor": gain})
            return waveform * (10 ** (gain / 20) if in_db else gain)

        return gains, scale
