"""Analysis: from waveforms to features, by one of several implementations.

`Analysis.encode` computes on the CPU: by the kernel of `skaudio.dsp._simd` if it supports the
analysis, else by torch. `Analysis.encode_batch` computes many recordings at once by torch, on any
device; it is differentiable.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from skaudio.dsp._simd import Program, prepare
from skaudio.dsp._stages import FilterBank, Scale

if TYPE_CHECKING:  # slow to import, and not always needed
    import torch

    from skaudio.dsp._torch_program import TorchProgram


# Modes of np.pad for a recording. Its statistical modes would need the whole recording.
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
        """Number of samples of a frame before its window."""
        return (self.n_fft - self.win_length) // 2

    @property
    def margin(self) -> int:
        """Number of samples of padding at either end."""
        return self.n_fft // 2 if self.center else 0

    @property
    def n_bins(self) -> int:
        """Number of frequencies of a spectrum, from 0 to half the sample rate."""
        return self.n_fft // 2 + 1

    @property
    def weights(self) -> np.ndarray:
        """The window as float32 of shape (win_length,)."""
        return window_weights(self.window, self.win_length)

    def n_frames(self, n_samples: int) -> int:
        """Return the number of frames of a signal; 0 or less if it is too short for one."""
        return 1 + (n_samples + 2 * self.margin - self.n_fft) // self.hop_length

    def sees_all(self, n_samples: int, n_frames: int) -> bool:
        """Whether the windows of the first frames cover all samples of a signal."""
        first = self.lead - self.margin
        end = first + (n_frames - 1) * self.hop_length + self.win_length
        return first <= 0 and end >= n_samples and self.hop_length <= self.win_length

    def check_length(self, n_samples: int, name: str) -> None:
        """Raise an error for a signal that is too short for one frame."""
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
        # The same values as scipy, without importing scipy.signal, which is slow.
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
class Analysis:
    """Description of what to compute from a waveform. All stages but the first are optional.

    Attributes
    ----------
    framing : Framing
    power : float or None
        Exponent of the magnitudes. None: the complex spectrum.
    filters : callable or None
        Function from a vocal-tract warp factor to a `FilterBank`.
    scale : Scale
    dct : ndarray of shape (n_mfcc, n_filters) or None
    target_frames : int or None
        Trim to, or pad with frames of silence to, this number of frames.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio.dsp import Analysis, Framing, Scale, mel_filterbank
    >>> framing = Framing(n_fft=512, win_length=400, hop_length=160)
    >>> def filters(warp_factor):
    ...     return mel_filterbank(16000, 512, 40, 0, 8000, warp_factor=warp_factor)
    >>> analysis = Analysis(framing, power=2.0, filters=filters, scale=Scale("db"))
    >>> analysis.encode(np.ones(16000, np.float32)).shape
    (40, 101)
    """

    framing: Framing
    power: float | None = 2.0
    filters: Callable[[float], FilterBank] | None = None
    scale: Scale = Scale()
    dct: np.ndarray | None = None
    target_frames: int | None = None

    @property
    def n_features(self) -> int:
        """Number of rows of the result."""
        if self.dct is not None:
            return len(self.dct)
        bank = self._bank(1.0)
        return self.framing.n_bins if bank is None else len(bank.weights)

    @property
    def dtype(self) -> type:
        """Type of the result; complex for complex spectra."""
        return np.complex64 if self.power is None else np.float32

    @property
    def warning(self) -> str:
        """Warning for users, or an empty string."""
        bank = self._bank(1.0)
        if bank is None or not len(bank.empty):
            return ""
        return (
            f"{len(bank.empty)} of n_mels={len(bank.weights)} filters see no FFT bin (the first is "
            f"filter {bank.empty[0]}) and stay silent: use fewer mels, a longer n_fft (now "
            f"{self.framing.n_fft}) or a higher fmin."
        )

    def check_warp(self, warp_factor: float | None, name: str) -> float:
        """Return the warp factor of a recording, or 1 if it has none."""
        if warp_factor is not None and self.filters is None:
            raise ValueError(
                f"{name} is marked with the warp factor {warp_factor:g} by VTLP, which needs a mel "
                "filter bank: expected MelSpectrogram or MFCC after it."
            )
        return 1.0 if warp_factor is None else warp_factor

    def n_output_frames(self, n_samples: int) -> int:
        """Return the number of frames of the result for a recording of ``n_samples`` samples."""
        if self.target_frames is not None:
            return self.target_frames
        return self.framing.n_frames(n_samples)

    @property
    def uses_torch(self) -> bool:
        """Whether `encode` uses torch, which has its own threads."""
        return self._program is None

    @property
    def period(self) -> int:
        """The rounding of a frame depends on its number modulo this value."""
        return 1 if self._program is not None else self._torch_program.chunk

    def encode(
        self, waveform: np.ndarray, warp_factor: float = 1.0, out: np.ndarray | None = None
    ) -> np.ndarray:
        """Return the features of one recording, (n_features, n_frames), in ``out`` if given."""
        return self.encode_block([waveform], [warp_factor], [out])[0][0]

    def encode_block(
        self,
        waveforms: Sequence[np.ndarray],
        warp_factors: Sequence[float],
        outs: Sequence[np.ndarray | None],
    ) -> tuple[list[np.ndarray], list[int]]:
        """Encode some recordings, on the CPU.

        Returns
        -------
        features : list of ndarray of shape (n_features, n_frames)
            Features, in the arrays of ``outs`` if they are given.
        perhaps_not_finite : list of int
            Positions of waveforms that may contain NaN or infinity. Always empty with `uses_torch`,
            because torch does not check.
        """
        features: list[np.ndarray] = []
        if self._program is None:
            for waveform, warp_factor, out in zip(waveforms, warp_factors, outs, strict=True):
                features.append(self._torch_program.encode(waveform, self._bank(warp_factor), out))
            return features, []
        perhaps_not_finite: list[int] = []
        for warp_factor, group in groupby(
            zip(warp_factors, waveforms, outs, strict=True), itemgetter(0)
        ):
            _, some, places = zip(*group, strict=True)
            found, flags = self._program.encode(some, self._bank(warp_factor), places)
            if flags.any():
                perhaps_not_finite += [int(i) + len(features) for i in np.flatnonzero(flags)]
            features += found
        return features, perhaps_not_finite

    def encode_batch(
        self,
        waveforms: Sequence[np.ndarray],
        warp_factors: Sequence[float] | None = None,
        device: str | torch.device = "cpu",
    ) -> list[torch.Tensor]:
        """Return the features of many recordings, computed together on a device."""
        banks = None
        if self.filters is not None:
            banks = [self.filters(warp) for warp in warp_factors or [1.0] * len(waveforms)]
        return self._torch_program.encode_batch(waveforms, banks, device)

    def _bank(self, warp_factor: float) -> FilterBank | None:
        return None if self.filters is None else self.filters(warp_factor)

    @cached_property  # its tables take 0.03 ms per recording
    def _program(self) -> Program | None:
        return prepare(self.framing, self.power, self.scale, self.dct, self.target_frames)

    @cached_property
    def _torch_program(self) -> TorchProgram:
        from skaudio.dsp._torch_program import TorchProgram

        return TorchProgram(self.framing, self.power, self.scale, self.dct, self.target_frames)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the programs: creating them is faster than sending them."""
        return {field.name: getattr(self, field.name) for field in fields(self)}
