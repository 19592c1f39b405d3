"""STFT: the short-time Fourier transform and its inverse."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from skaudio._validation import choice
from skaudio.audio import AudioBatch
from skaudio.dsp import PAD_MODES, Analysis, check_invertible, istft
from skaudio.encoders._encoder import Encoder
from skaudio.encoders._spectral import FramedMixin, as_lengths, framing_of


class STFT(FramedMixin, Encoder):
    """Short-time Fourier transform, complex64 ``(1 + n_fft // 2, n_frames)`` per recording.

    The values are those of `librosa.stft` for the same parameters.

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
    >>> from skaudio.encoders import STFT
    >>> clips = np.random.default_rng(0).uniform(-1, 1, (2, 16000))
    >>> stft = STFT()
    >>> spectra = stft.fit_transform(clips)
    >>> spectra.shape, spectra.dtype
    ((2, 257, 101), dtype('complex64'))
    >>> back = stft.inverse_transform(spectra, lengths=16000)
    >>> bool(np.abs(np.asarray(back) - clips).max() < 1e-5)
    True
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
        self.offset = offset
        self.duration = duration
        self.normalize = normalize
        self.resample_quality = resample_quality
        self.target_frames = target_frames
        self.on_error = on_error
        self.n_jobs = n_jobs
        self.device = device
        self.verbose = verbose

    def inverse_transform(self, X: Any, *, lengths: Any = None) -> AudioBatch:
        """Return the waveforms of these spectra, exact where frames cover the signal.

        Parameters
        ----------
        X : complex array of shape (n_recordings, n_bins, n_frames), or object array of such
        lengths : int or sequence of int, optional
            Number of samples of each waveform. The default with ``center`` is ``hop_length *
            (n_frames - 1)``, which can be up to one hop shorter than the recording.

        Returns
        -------
        waveforms : AudioBatch
            Waveforms at the encoder's sample rate.
        """
        import torch

        framing = framing_of(self)
        check_invertible(framing)
        spectra = X.iloc[:, 0].tolist() if hasattr(X, "iloc") else list(X)
        waveforms = []
        for i, (spectrum, length) in enumerate(
            zip(spectra, as_lengths(lengths, len(spectra)), strict=True)
        ):
            spectrum = np.asarray(spectrum)
            if spectrum.ndim == 2 and spectrum.dtype.kind != "c":
                raise TypeError(
                    f"recording {i} has a spectrum of {spectrum.dtype}, expected complex numbers: "
                    "the phases are missing. Spectrogram().inverse_transform estimates them."
                )
            if spectrum.ndim != 2 or len(spectrum) != framing.n_bins or not spectrum.shape[1]:
                raise ValueError(
                    f"recording {i} has a spectrum of shape {spectrum.shape}, expected "
                    f"({framing.n_bins}, n_frames) with these parameters. A single one goes in "
                    "as [spectrum]."
                )
            tensor = torch.from_numpy(spectrum.astype(np.complex64))
            waveforms.append(istft(tensor, framing, length).numpy())
        return AudioBatch(waveforms, self.sample_rate)

    def _analysis(self) -> Analysis:
        return Analysis(framing_of(self), power=None, target_frames=self.target_frames)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []  # real in, complex out
        return tags
