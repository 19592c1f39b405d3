"""MFCC: mel-frequency cepstral coefficients."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from skaudio._validation import choice, count, number
from skaudio.dsp import PAD_MODES, Analysis, dct_matrix, undo_dct
from skaudio.encoders._encoder import Encoder
from skaudio.encoders._mel_spectrogram import NORM, magnitude_of_mel, mel_analysis
from skaudio.encoders._spectral import FramedMixin, GriffinLimMixin


class MFCC(GriffinLimMixin, FramedMixin, Encoder):
    """Mel-frequency cepstral coefficients, float32 ``(n_mfcc, n_frames)`` per recording.

    The cosine transform of a mel spectrogram in dB. The values are those of `librosa.feature.mfcc`
    for the same parameters; librosa's ``norm`` is called ``dct_norm`` here.

    Parameters
    ----------
    sample_rate : float, default=16000
        Sample rate in Hz. Files and mappings are resampled to it; bare arrays must have it already.
    n_mfcc : int, default=20
        Number of coefficients, including the zeroth, which is the level.
    dct_type : {1, 2, 3}, default=2
        Type of the cosine transform.
    dct_norm : {"ortho", None}, default="ortho"
        Normalisation of the cosine transform. librosa has none for ``dct_type=1``.
    lifter : float, default=0
        Length of the sinusoidal lifter. 0: no liftering.
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
    n_mels : int, default=40
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
    scale : {"linear", "log", "db"}, default="db"
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
        estimators of scikit-learn take: ``make_pipeline(MFCC(), FramePooling(), SVC())``.

    References
    ----------
    Davis & Mermelstein 1980, "Comparison of parametric representations for monosyllabic word
    recognition in continuously spoken sentences".

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio.encoders import MFCC
    >>> clips = np.random.default_rng(0).uniform(-1, 1, (3, 16000))
    >>> MFCC(n_mfcc=13).fit_transform(clips).shape
    (3, 13, 101)
    """

    _constraints: ClassVar[dict[str, Any]] = {
        "pad_mode": choice(*PAD_MODES),
        "norm": NORM,
        "n_mfcc": count(),
        "dct_type": choice(1, 2, 3),
        "dct_norm": choice("ortho", None),
        "lifter": number(0),
    }

    def __init__(
        self,
        *,
        sample_rate: float = 16000,
        n_mfcc: int = 20,
        dct_type: int = 2,
        dct_norm: str | None = "ortho",
        lifter: float = 0,
        n_fft: int | None = None,
        win_length: int | None = None,
        hop_length: int | None = None,
        window: Any = "hann",
        center: bool = True,
        pad_mode: str = "constant",
        n_mels: int = 40,
        fmin: float = 0.0,
        fmax: float | None = None,
        htk: bool = False,
        norm: str | float | None = "slaney",
        power: float = 2.0,
        scale: str = "db",
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
        self.n_mfcc = n_mfcc
        self.dct_type = dct_type
        self.dct_norm = dct_norm
        self.lifter = lifter
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
        if self.n_mfcc > self.n_mels:
            raise ValueError(
                f"n_mfcc={self.n_mfcc}: more coefficients than n_mels={self.n_mels} bands, "
                "expected at most as many."
            )
        if self.dct_type == 1 and self.n_mels < 2:
            raise ValueError(f"n_mels={self.n_mels!r}: expected 2 or more with dct_type=1.")
        matrix = dct_matrix(
            int(self.n_mfcc), int(self.n_mels), self.dct_type, self.dct_norm, float(self.lifter)
        )
        return mel_analysis(self, dct=matrix)

    def _magnitude(self, frames: np.ndarray) -> np.ndarray:
        mel = undo_dct(frames, self.n_mels, self.dct_type, self.dct_norm, self.lifter)
        return magnitude_of_mel(self, mel)
