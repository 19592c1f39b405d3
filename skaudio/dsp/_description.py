"""The stages of an analysis, with librosa's conventions: frames, filters, scales."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

# np.pad's modes that make sense around a recording; the statistics ones would look at all of it.
PAD_MODES = ("constant", "edge", "linear_ramp", "reflect", "symmetric")
# librosa's floor: 1e-10 in power, 1e-5 in amplitude, -100 dB either way.
FLOOR_DB = -100.0


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
        return window_weights(self.window, self.win_length)

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
        mode: Any = self.pad_mode
        return np.pad(waveform, self.margin, mode=mode)


def window_weights(window: Any, win_length: int) -> np.ndarray:
    """Return a periodic window as float32; the same names, tuples and arrays as in scipy."""
    if isinstance(window, (np.ndarray, list)):
        window = tuple(window)
    if callable(window):
        weights = np.asarray(window(win_length))
    elif isinstance(window, tuple) and window and not isinstance(window[0], str):
        weights = np.asarray(window)
    elif window == "hann" and win_length > 1:
        # The numbers of scipy, without scipy.signal, which takes long to import.
        weights = (0.5 + 0.5 * np.cos(np.linspace(-np.pi, np.pi, win_length + 1)))[:-1]
    else:
        from scipy.signal import get_window

        weights = get_window(window, win_length, fftbins=True)
    if weights.shape != (win_length,):
        raise ValueError(
            f"window has shape {weights.shape}, expected (win_length,) = ({win_length},)."
        )
    weights = weights.astype(np.float32)
    weights.flags.writeable = False
    return weights


@dataclass(frozen=True)
class Scale:
    """Scale of magnitudes to some ``power``.

    ``kind="log"`` is ``ln(S + eps)``; ``kind="db"`` is ``10 log10(max(S, 1e-10))`` for power 2 and
    ``20 log10(max(S, 1e-5))`` for power 1, with values more than ``top_db`` below the recording's
    maximum raised to that level.
    """

    kind: str = "linear"
    power: float = 2.0
    eps: float = 1e-6
    top_db: float | None = 80.0

    def apply(self, spectrum: torch.Tensor) -> torch.Tensor:
        """Scale a spectrum, except for what depends on a whole recording (`clip`)."""
        if self.kind == "log":
            return (spectrum + self.eps).log()
        if self.kind == "db":
            floor = 10.0 ** (FLOOR_DB * self.power / 20.0)
            return spectrum.clamp(min=floor).log10() * (20.0 / self.power)
        return spectrum

    @property
    def clips(self) -> bool:
        """Whether values depend on the maximum of their recording."""
        return self.kind == "db" and self.top_db is not None

    def clip(self, spectrum: torch.Tensor) -> torch.Tensor:
        """Raise what lies more than ``top_db`` below the maximum of one recording."""
        if not self.clips or self.top_db is None:
            return spectrum
        return spectrum.maximum(spectrum.max() - self.top_db)

    def undo(self, spectrum: torch.Tensor) -> torch.Tensor:
        """Return linear values; never negative."""
        if self.kind == "log":
            return (spectrum.exp() - self.eps).clamp(min=0.0)
        if self.kind == "db":
            return (spectrum * (math.log(10.0) * self.power / 20.0)).exp()
        return spectrum.clamp(min=0.0)


@dataclass(frozen=True)
class FilterBank:
    """Triangular filters over FFT bins, dense and in the blocks the products run on.

    Attributes
    ----------
    weights : ndarray of shape (n_mels, n_bins), float32
    blocks : tuple of (start, stop, ndarray of shape (stop - start, n_filters))
        Filters in groups, each restricted to the bins its group touches.
    bands : tuple of three ndarrays
        First bin of each filter, the bin after its last, and the weights in between, filter after
        filter.
    """

    weights: np.ndarray
    blocks: tuple[tuple[int, int, np.ndarray], ...]
    bands: tuple[np.ndarray, np.ndarray, np.ndarray]

    @property
    def n_filters(self) -> int:
        """Number of filters."""
        return len(self.weights)

    @property
    def empty(self) -> np.ndarray:
        """Indices of filters that see no bin."""
        starts, stops, _ = self.bands
        return np.flatnonzero(starts == stops)
