"""Spectrogram: magnitudes of the short-time Fourier transform."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from skaudio._validation import choice
from skaudio.dsp import PAD_MODES, Analysis
from skaudio.encoders._encoder import Encoder
from skaudio.encoders._spectral import FramedMixin, GriffinLimMixin, framing_of, scale_of


class Spectrogram(GriffinLimMixin, FramedMixin, Encoder):
    """Magnitudes of the short-time Fourier transform, float32 ``(1 + n_fft // 2, n_frames)``.

    The values are those of ``numpy.abs(librosa.stft(...)) ** power``.

    Parameters
    ----------
    sample_rate : float, default=16000
        Sample rate in Hz. Files and mappings are resampled to it; bare arrays must have it already.
    n_fft : int, default=None
        Length of the FFT, in samples. None: the first power of two that holds the window.
    win_length : int, default=None
        Length of the window, in samples. None: 25 ms.
    hop_length : int, default=None
        Number of samples between successive frames. None: 10 ms.
    window : str, tuple, float or array of shape (win_length,), default="hann"
        Window function, as in `scipy.signal.get_window`, in its periodic form.
    center : bool, default=True
        Whether to pad the recording so that frame t is centred on sample ``t * hop_length``.
    pad_mode : {"constant", "edge", "linear_ramp", "reflect", "symmetric"}, default="constant"
        Padding mode of `numpy.pad`, used with ``center=True``.
    power : float, default=2.0
        Exponent of the magnitudes. 2.0 gives powers, 1.0 magnitudes.
    scale : {"linear", "log", "db"}, default="linear"
        "log" is ``ln(S + eps)``; "db" is ``10 log10(max(S, 1e-10))`` for powers and
        ``20 log10(max(S, 1e-5))`` for magnitudes.
    eps : float, default=1e-6
        Constant that is added before the logarithm; used with ``scale="log"``.
    top_db : float or None, default=80.0
        Dynamic range in dB; used with ``scale="db"``. Values more than ``top_db`` below the maximum
        of the recording are raised to that level. None: no limit.
    offset : float, default=0.0
        Start of the part to read, in seconds.
    duration : float, default=None
        Length of the part to read, in seconds. None, or more than remains, reads to the end.
    normalize : {None, "max", "rms"}, default=None
        Scale each waveform to a peak ("max") or a root mean square ("rms") of 1. None: no scaling.
    resample_quality : {"QQ", "LQ", "MQ", "HQ", "VHQ"}, default="HQ"
        Quality of the resampling by soxr: quick, low, medium, high (20 bits) or very high (28
        bits).
    target_frames : int, default=None
        Number of frames to which the result is trimmed, or padded with frames of silence. None: the
        number of frames depends on the recording.
    on_error : {"raise", "nan"}, default="raise"
        Action for unreadable recordings (missing or damaged files, NaN samples). "raise": raise one
        error that lists up to ten of them. "nan": return a frame, or a row, of NaN for each, and
        warn.
    n_jobs : int, default=None
        Number of joblib workers. None means 1 unless a joblib backend is active. It does not affect
        the threads in this process, whose number the user guide describes.
    device : str, default="cpu"
        torch device to compute on, such as "cpu" or "cuda".
    verbose : int, default=0
        Whether to show a progress bar.

    Attributes
    ----------
    n_features_in_ : int
        Number of samples per clip; only set where `fit` was given a 2-D array.

    See Also
    --------
    skaudio.pooling.FramePooling : Turn the frames into one row per recording, the table that
        estimators of scikit-learn take: ``make_pipeline(Spectrogram(), FramePooling(), SVC())``.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio.encoders import Spectrogram
    >>> tone = np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000)
    >>> frames = Spectrogram(scale="db").fit_transform([tone])
    >>> frames.shape
    (1, 257, 101)
    >>> int(frames[0, :, 50].argmax()) * 16000 / 512  # Hz
    1000.0
    """

    _constraints: ClassVar[dict[str, Any]] = {
        "pad_mode": choice(*PAD_MODES),
    }

    def __init__(
        self,
        *,
        sample_rate: float = 16000,
        n_fft: int | None = None,
        win_length: int | None = None,
        hop_length: int | None = None,
        window: Any = "hann",
        center: bool = True,
        pad_mode: str = "constant",
        power: float = 2.0,
        scale: str = "linear",
        eps: float = 1e-6,
        top_db: float | None = 80.0,
        offset: float = 0.0,
        duration: float | None = None,
        normalize: str | None = None,
        resample_quality: str = "HQ",
        target_frames: int | None = None,
        on_error: str = "raise",
        n_jobs: int | None = None,
        device: str = "cpu",
        verbose: int = 0,
    ) -> None:
        self.sample_rate = sample_rate
        self.n_fft = n_fft
        self.win_length = win_length
        self.hop_length = hop_length
        self.window = window
        self.center = center
        self.pad_mode = pad_mode
        self.power = power
        self.scale = scale
        self.eps = eps
        self.top_db = top_db
        self.offset = offset
        self.duration = duration
        self.normalize = normalize
        self.resample_quality = resample_quality
        self.target_frames = target_frames
        self.on_error = on_error
        self.n_jobs = n_jobs
        self.device = device
        self.verbose = verbose

    def _analysis(self) -> Analysis:
        return Analysis(
            framing_of(self),
            power=float(self.power),
            scale=scale_of(self),
            target_frames=self.target_frames,
        )

    def _magnitude(self, frames: np.ndarray) -> np.ndarray:
        import torch

        linear = scale_of(self).undo(torch.from_numpy(frames)).numpy()
        return linear ** np.float32(1 / self.power)
