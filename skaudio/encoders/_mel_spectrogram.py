"""MelSpectrogram: powers in the bands of a mel filter bank."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

import numpy as np

from skaudio._validation import (
    Constraint,
    check_sample_rate,
    choice,
    is_number,
)
from skaudio.dsp import PAD_MODES, Analysis, mel_filterbank, unmix
from skaudio.encoders._encoder import Encoder
from skaudio.encoders._spectral import FramedMixin, GriffinLimMixin, framing_of, scale_of

# The p of a p-norm, infinity included.
NORM = Constraint(
    ("float",), (), ("a positive number",), is_number, lambda value: value > 0
) | choice("slaney", None)


class MelSpectrogram(GriffinLimMixin, FramedMixin, Encoder):
    """Mel spectrogram, float32 ``(n_mels, n_frames)`` per recording, logarithmic by default.

    With ``scale="linear"``, the values are those of `librosa.feature.melspectrogram`. With
    ``scale="db"``, they are those of `librosa.power_to_db` applied to it, or of
    `librosa.amplitude_to_db` with ``power=1.0``.

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
    n_mels : int, default=64
        Number of mel bands.
    fmin : float, default=0.0
        Lower edge of the first band, in Hz.
    fmax : float, default=None
        Upper edge of the last band, in Hz. None: half the sample rate.
    htk : bool, default=False
        Whether to use HTK's mel formula instead of Slaney's.
    norm : float, "slaney" or None, default="slaney"
        Normalisation of the filters: "slaney" divides each filter by half its width in Hz, a number
        p by its p-norm. None: each filter has a peak of 1.
    power : float, default=2.0
        Exponent of the magnitudes. 2.0 gives powers, 1.0 magnitudes.
    scale : {"linear", "log", "db"}, default="log"
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
        estimators of scikit-learn take: ``make_pipeline(MelSpectrogram(), FramePooling(), SVC())``.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio.encoders import MelSpectrogram
    >>> short, long = np.zeros(8000), np.zeros(12000)
    >>> frames = MelSpectrogram(n_mels=40).fit_transform([short, long])
    >>> [f.shape for f in frames]
    [(40, 51), (40, 76)]
    """

    _constraints: ClassVar[dict[str, Any]] = {
        "pad_mode": choice(*PAD_MODES),
        "norm": NORM,
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
        n_mels: int = 64,
        fmin: float = 0.0,
        fmax: float | None = None,
        htk: bool = False,
        norm: str | float | None = "slaney",
        power: float = 2.0,
        scale: str = "log",
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
        self.n_mels = n_mels
        self.fmin = fmin
        self.fmax = fmax
        self.htk = htk
        self.norm = norm
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
        return mel_analysis(self)

    def _magnitude(self, frames: np.ndarray) -> np.ndarray:
        return magnitude_of_mel(self, frames)


def mel_analysis(encoder: Any, **stages: Any) -> Analysis:
    """Return the analysis of an encoder with a mel bank, its parameters checked."""
    framing = framing_of(encoder)
    rate = check_sample_rate(encoder.sample_rate)
    nyquist = rate / 2
    fmax = nyquist if encoder.fmax is None else float(encoder.fmax)
    fmin = float(encoder.fmin)
    if fmax > nyquist:
        raise ValueError(
            f"fmax={encoder.fmax!r}: above {nyquist:g} Hz, half of sample_rate={rate}. Expected "
            "at most that (or None); is the sample rate right?"
        )
    if not 0 <= fmin < fmax:
        raise ValueError(f"fmin={encoder.fmin!r}: expected 0 <= fmin < fmax={fmax:g} Hz.")
    filters = partial(
        mel_filterbank,
        rate,
        framing.n_fft,
        int(encoder.n_mels),
        fmin,
        fmax,
        bool(encoder.htk),
        encoder.norm,
    )
    return Analysis(
        framing,
        power=float(encoder.power),
        filters=filters,
        scale=scale_of(encoder),
        target_frames=encoder.target_frames,
        **stages,
    )


def magnitude_of_mel(encoder: Any, frames: np.ndarray) -> np.ndarray:
    """Estimate the magnitudes (n_bins, n_frames) from which scaled mel frames were made."""
    import torch

    analysis = mel_analysis(encoder)
    assert analysis.filters is not None
    linear = analysis.scale.undo(torch.from_numpy(frames)).numpy()
    spectrum = unmix(linear, analysis.filters(1.0).weights)
    return spectrum ** np.float32(1 / encoder.power)
