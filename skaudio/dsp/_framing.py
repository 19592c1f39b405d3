"""Cutting a signal into windowed frames, with librosa's conventions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.signal import get_window

# np.pad's modes that make sense around a recording; the statistics ones would look at all of it.
PAD_MODES = ("constant", "edge", "linear_ramp", "reflect", "symmetric")


@dataclass(frozen=True)
class Framing:
    """How a signal is cut into frames; all lengths in samples.

    Frame ``t`` sees ``n_fft`` samples from ``t * hop_length - n_fft // 2`` (``center``) or from
    ``t * hop_length``, weighted by a window of ``win_length`` in their middle.
    """

    n_fft: int
    win_length: int
    hop_length: int
    window: Any = "hann"
    center: bool = True
    pad_mode: str = "constant"

    @property
    def lead(self) -> int:
        """Samples of a frame before its window begins."""
        return (self.n_fft - self.win_length) // 2

    @property
    def margin(self) -> int:
        """Samples of padding at either end."""
        return self.n_fft // 2 if self.center else 0

    @property
    def n_bins(self) -> int:
        """Frequencies of a spectrum, from 0 to half the sample rate."""
        return self.n_fft // 2 + 1

    @property
    def weights(self) -> np.ndarray:
        """The window as float32 of shape (win_length,)."""
        return window_weights(_hashable(self.window), self.win_length)

    def n_frames(self, n_samples: int) -> int:
        """Return the number of frames of a signal; 0 or less if it is too short for one."""
        return 1 + (n_samples + 2 * self.margin - self.n_fft) // self.hop_length

    def sees_all(self, n_samples: int, n_frames: int) -> bool:
        """Whether the windows of the first frames leave no sample of a signal out."""
        first = self.lead - self.margin
        end = first + (n_frames - 1) * self.hop_length + self.win_length
        return first <= 0 and end >= n_samples and self.hop_length <= self.win_length

    def check_length(self, n_samples: int, name: str) -> None:
        """Refuse a signal that has no frame, or that its padding mode cannot extend."""
        if self.n_frames(n_samples) < 1:
            raise ValueError(
                f"{name} has {n_samples} samples, expected at least n_fft={self.n_fft} with "
                "center=False. Pass center=True (which pads), a shorter n_fft, or leave out "
                "recordings this short."
            )

    def pad(self, waveform: np.ndarray) -> np.ndarray:
        """Return the signal with its margins, of shape (n_samples + 2 * margin,)."""
        if not self.margin:
            return waveform
        if self.pad_mode == "constant":
            padded = np.zeros(len(waveform) + 2 * self.margin, np.float32)
            padded[self.margin : self.margin + len(waveform)] = waveform
            return padded
        return np.pad(waveform, self.margin, mode=self.pad_mode)  # type: ignore[call-overload]


def _hashable(window: Any) -> Any:
    if isinstance(window, np.ndarray):
        return tuple(window.tolist())
    return tuple(window) if isinstance(window, list) else window


@lru_cache(maxsize=64)
def window_weights(window: Any, win_length: int) -> np.ndarray:
    """Return a periodic window as float32; the same names, tuples and arrays as in scipy."""
    if callable(window):
        weights = np.asarray(window(win_length))
    elif isinstance(window, tuple) and window and not isinstance(window[0], str):
        weights = np.asarray(window)
    else:
        weights = get_window(window, win_length, fftbins=True)
    if weights.shape != (win_length,):
        raise ValueError(
            f"window has shape {weights.shape}, expected (win_length,) = ({win_length},)."
        )
    weights = weights.astype(np.float32)
    weights.flags.writeable = False
    return weights
