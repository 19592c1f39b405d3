"""How a signal is cut into frames, and the window of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

# np.pad's modes that make sense around a recording; the statistics ones would look at all of it.
PAD_MODES = ("constant", "edge", "linear_ramp", "reflect", "symmetric")


@dataclass(frozen=True)
class Framing:
    """How a signal is cut into frames.

    Frame ``t`` sees ``n_fft`` samples from ``t * hop_length - n_fft // 2`` (``center=True``) or
    from ``t * hop_length``, weighted by a window of ``win_length`` in their middle.

    Parameters
    ----------
    n_fft : int
        Length of the Fourier transform in samples.
    win_length : int
        Length of the window in samples, at most ``n_fft``.
    hop_length : int
        Samples from one frame to the next.
    window : str, tuple, callable or array, default="hann"
        As in `window_weights`.
    center : bool, default=True
        Pad the signal, so that frame 0 is centred at sample 0.
    pad_mode : str, default="constant"
        Mode of ``numpy.pad``: one of `PAD_MODES`.

    References
    ----------
    The conventions are those of ``librosa.stft``.

    Examples
    --------
    >>> from skaudio.dsp import Framing
    >>> framing = Framing(n_fft=512, win_length=400, hop_length=160)
    >>> framing.n_bins, framing.n_frames(16000)
    (257, 101)
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
        """Refuse a signal that is too short for one frame."""
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
    """Return a periodic window.

    Parameters
    ----------
    window : str, tuple, callable or array
        A name, or a name with parameters, of ``scipy.signal.get_window``; a function of the length;
        or the weights themselves.
    win_length : int
        Number of samples.

    Returns
    -------
    weights : ndarray of shape (win_length,), float32, read-only

    Raises
    ------
    ValueError
        If an array, or what a function returns, has another length.

    References
    ----------
    The numbers are those of ``scipy.signal.get_window(window, win_length, fftbins=True)``.

    Examples
    --------
    >>> from skaudio.dsp import window_weights
    >>> window_weights("hann", 4).tolist()
    [0.0, 0.5, 1.0, 0.5]
    """
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
