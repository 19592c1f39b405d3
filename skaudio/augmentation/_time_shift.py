"""TimeShift: shift recordings to an earlier or a later time."""

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
from skaudio.audio import Recordings
from skaudio.augmentation._augmentation import Operation, WaveformAugmentation, known
from skaudio.augmentation._seeds import note


class TimeShift(WaveformAugmentation):
    """Shift each recording to an earlier or a later time.

    Parameters
    ----------
    shift : float or (low, high), default=(-0.1, 0.1)
        Amount of the shift; positive values move the sound to a later time. From a range, one
        value per recording is drawn uniformly.
    unit : {"fraction", "seconds"}, default="fraction"
        Unit of ``shift``: a fraction of the recording's length, or seconds.
    mode : {"pad", "cut", "roll"}, default="pad"
        "pad" adds silence before the recording (positive shifts) or after it, and cuts nothing:
        recordings become longer. "cut" fills the gap with silence and drops what moves beyond the
        recording's length. "roll" fills the gap with what was moved beyond the other end.
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
    "pad" is the default because recordings of single words or calls are often trimmed: "cut" would
    remove their first or last sounds. After "pad" with a negative shift, the sound is earlier
    relative to the recording's end. For clips of fixed length, such as the 5 s of ESC-50, "cut" and
    "roll" keep the length. A 2-D array keeps its length in every mode: with "pad", what is moved
    beyond the end of its rows is dropped, as with "cut".

    With "cut", a ``shift`` that could move a whole recording out of the clip is an error,
    whichever value is drawn, because silence with a label would be a wrong training example. With
    "pad", fractions are between -1 and 1. With "roll", shifts longer than the recording wrap
    around.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio.augmentation import TimeShift
    >>> clip = np.arange(1.0, 6.0)
    >>> TimeShift(0.4).fit_transform([clip])[0]
    array([0., 0., 1., 2., 3., 4., 5.], dtype=float32)
    >>> TimeShift(0.4, mode="cut").fit_transform([clip])[0]
    array([0., 0., 1., 2., 3.], dtype=float32)
    >>> TimeShift(-0.4, mode="roll").fit_transform([clip])[0]
    array([3., 4., 5., 1., 2.], dtype=float32)
    """

    _constraints: ClassVar[dict[str, Any]] = {
        "mode": choice("pad", "cut", "roll"),
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
        return self._operation(self.mode)

    def _augment_recordings(
        self, X: Any, recordings: Any, seeds: np.ndarray, operation: Operation
    ) -> Any:
        if self.mode == "pad" and isinstance(recordings, Recordings) and recordings.is_array:
            operation = self._operation("cut")  # the rows of an array have a fixed length
        return super()._augment_recordings(X, recordings, seeds, operation)

    def _operation(self, mode: str) -> Operation:
        seconds = self.unit == "seconds"
        shifts = check_range("shift", self.shift, unit=f" ({self.unit})")
        furthest = max(map(abs, shifts))
        if mode != "roll" and not seconds and furthest >= 1:
            raise ValueError(
                f"shift={self.shift!r}: moves a recording by its whole length or more. Expected "
                "fractions between -1 and 1 (did you mean unit='seconds'?), or mode='roll'."
            )

        def move(waveform: np.ndarray, rate: float | None, shift: float, seed: int) -> np.ndarray:
            scale = known(rate, "TimeShift(unit='seconds')") if seconds else len(waveform)
            if mode == "cut" and seconds and round(furthest * scale) >= len(waveform):
                raise ValueError(
                    f"shift={self.shift!r} moves it by up to {furthest:g} s, but it lasts "
                    f"{len(waveform) / scale:g} s: only silence would be left. Expected a shorter "
                    "shift, unit='fraction' or another mode."
                )
            note(shift=shift)
            return MODES[mode](waveform, round(shift * scale))

        return shifts, move


def pad_by(waveform: np.ndarray, n: int) -> np.ndarray:
    """Add n samples of silence before a waveform, or -n samples after it."""
    return np.pad(waveform, (n, 0) if n >= 0 else (0, -n))


def cut_by(waveform: np.ndarray, n: int) -> np.ndarray:
    """Move a waveform by n samples (later if positive) inside its length; fill with silence."""
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
    """Move a waveform by n samples (later if positive); samples beyond an end wrap around."""
    cut = -n % len(waveform)
    return np.concatenate([waveform[cut:], waveform[:cut]])


MODES = {"pad": pad_by, "cut": cut_by, "roll": roll_by}
