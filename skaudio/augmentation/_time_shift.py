"""TimeShift: earlier or later."""

from __future__ import annotations

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


class TimeShift(WaveformAugmentation):
    """Shift each recording in time without changing its length.

    Parameters
    ----------
    shift : float or (low, high), default=(-0.1, 0.1)
        Amount of the shift; positive values move the sound to a later time. From a range, one
        value per recording is drawn uniformly.
    unit : {"fraction", "seconds"}, default="fraction"
        Unit of ``shift``: a fraction of the recording's length, or seconds.
    mode : {"pad", "roll"}, default="pad"
        "pad" fills the gap with silence; "roll" fills it with the samples that were shifted out
        at the other end.
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
    With ``mode="pad"``, a ``shift`` that could move a whole recording out of the clip is an error,
    whichever value is drawn, because silence with a label would be a wrong training example. With
    ``mode="roll"``, shifts longer than the recording wrap around.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio.augmentation import TimeShift
    >>> clip = np.arange(1.0, 6.0)
    >>> TimeShift(0.4).fit_transform([clip])[0]
    array([0., 0., 1., 2., 3.], dtype=float32)
    >>> TimeShift(-0.4, mode="roll").fit_transform([clip])[0]
    array([3., 4., 5., 1., 2.], dtype=float32)
    """

    _constraints: ClassVar[dict[str, Any]] = {
        "mode": choice("pad", "roll"),
        "unit": choice("fraction", "seconds"),
        "shift": number_or_range(),
        "sample_rate": optional(sample_rate()),
    }

    def __init__(
        self,
        shift: Any = (-0.1, 0.1),
        *,
        unit: str = "fraction",
        mode: str = "pad",
        sample_rate: float | None = None,
        p: float = 1.0,
        random_state: Any = None,
    ) -> None:
        self.shift = shift
        self.unit = unit
        self.mode = mode
        self.sample_rate = sample_rate
        self.p = p
        self.random_state = random_state

    def _make_operation(self) -> Operation:
        roll = self.mode == "roll"
        seconds = self.unit == "seconds"
        shifts = check_range("shift", self.shift, unit=f" ({self.unit})")
        furthest = max(map(abs, shifts))
        if not roll and not seconds and furthest >= 1:
            raise ValueError(
                f"shift={self.shift!r}: moves a recording by its whole length or more, only "
                "silence would be left. Expected fractions between -1 and 1 (did you mean "
                "unit='seconds'?), or mode='roll'."
            )

        def move(waveform: np.ndarray, rate: float | None, shift: float, seed: int) -> np.ndarray:
            scale = known(rate, "TimeShift(unit='seconds')") if seconds else len(waveform)
            if not roll and seconds and round(furthest * scale) >= len(waveform):
                raise ValueError(
                    f"shift={self.shift!r} moves it by up to {furthest:g} s, but it lasts "
                    f"{len(waveform) / scale:g} s: only silence would be left. Expected a shorter "
                    "shift, unit='fraction' or mode='roll'."
                )
            note(shift=shift)
            n = round(shift * scale)
            return roll_by(waveform, n) if roll else shift_by(waveform, n)

        return shifts, move


def shift_by(waveform: np.ndarray, n: int) -> np.ndarray:
    """Move a waveform by n samples (later if positive) and fill with silence."""
    if abs(n) >= len(waveform):
        return np.zeros_like(waveform)
    moved = np.empty_like(waveform)
    if n >= 0:
        moved[:n] = 0
        moved[n:] = waveform[: len(waveform) - n]
    else:
        moved[n:] = 0
        moved[:n] = waveform[-n:]
    return moved


def roll_by(waveform: np.ndarray, n: int) -> np.ndarray:
    """Move a waveform by n samples (later if positive); what is pushed out comes back in."""
    cut = -n % len(waveform)
    return np.concatenate([waveform[cut:], waveform[:cut]])
