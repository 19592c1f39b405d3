"""Waveform: decode recordings to mono waveforms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from skaudio._validation import check_length
from skaudio.audio import AudioBatch, Recording, Recordings
from skaudio.encoders._encoder import Encoder, is_quick, read_waveform
from skaudio.frames import pack


class Waveform(Encoder):
    """Decode recordings to mono waveforms of one sample rate.

    Use it as the first step of a Pipeline to select a part of each recording, or to normalise the
    level, before augmentation. It also decodes recordings once for several encoders. The order of
    the steps is: select the part, mix down to mono, resample, normalise.

    Parameters
    ----------
    sample_rate : float, default=16000
        Sample rate in Hz. Files and mappings are resampled to it; bare arrays must have it already.
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
        Number of samples to which the result is trimmed, or padded with zeros. None: the length of
        the recording.
    on_error : {"raise", "nan"}, default="raise"
        Action for unreadable recordings (missing or damaged files, NaN samples). "raise": raise one
        error that lists up to ten of them. "nan": return a frame, or a row, of NaN for each, and
        warn.
    n_jobs : int, default=None
        Number of joblib workers. None means 1 unless a joblib backend is active.
    device : str, default="cpu"
        Has no effect: waveforms are decoded on the CPU. All encoders have this parameter.
    verbose : int, default=0
        Whether to show a progress bar.

    Attributes
    ----------
    n_features_in_ : int
        Number of samples per clip; only set where `fit` was given a 2-D array.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio.encoders import Waveform
    >>> stereo = {"array": np.ones((2, 8000)), "sampling_rate": 8000}
    >>> Waveform().fit_transform([stereo])
    AudioBatch(1 recording, 16000 Hz, 16000 samples)
    """

    def __init__(
        self,
        *,
        sample_rate: float = 16000,
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
        self.offset = offset
        self.duration = duration
        self.normalize = normalize
        self.resample_quality = resample_quality
        self.target_frames = target_frames
        self.on_error = on_error
        self.n_jobs = n_jobs
        self.device = device
        self.verbose = verbose

    def transform(self, X: Any) -> Any:
        """Decode recordings.

        Parameters
        ----------
        X : sequence of recordings

        Returns
        -------
        waveforms : AudioBatch, or ndarray of shape (n_recordings, n_times) for a 2-D X
        """
        return super().transform(X)

    def _encode(self, recordings: Recordings, analysis: Any, progress: Callable[[int], Any]) -> Any:
        read: list[Any] = [None] * len(recordings)
        self._run(
            partial(_read_block, self),
            recordings,
            progress,
            read.__setitem__,
            threaded=not is_quick(recordings, self.sample_rate),
        )
        n_times = self._n_times(recordings[0].source.size) if recordings.is_array else 1
        missing = np.full(self.target_frames or n_times, np.nan, np.float32)
        waveforms = [missing if isinstance(item, str) else item for item in read]
        if recordings.is_array:
            array = pack((w[np.newaxis] for w in waveforms), len(recordings))[:, 0]
            return self._wrap(
                array, recordings.index, lambda: self._names(array.shape[1]), table=True
            )
        batch = AudioBatch(
            waveforms,
            self.sample_rate,
            names=[r.path for r in recordings],
            labels=recordings.index,
            warp_factors=[r.warp_factor for r in recordings],
        )
        cells = (
            Recording(w, r.name, r.path, self.sample_rate, r.warp_factor).as_item()
            for w, r in zip(batch, recordings, strict=True)
        )
        return self._wrap(batch, recordings.index, self.get_feature_names_out, cells=cells)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the output's columns.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        names : ndarray of str
            One per sample after fitting on a 2-D array, else the one name "waveform".
        """
        n_times = getattr(self, "n_features_in_", None)
        if n_times is None:
            return np.array(["waveform"], dtype=object)
        return self._names(self.target_frames or self._n_times(n_times))

    def frame_times(self, n_frames: Any = None) -> np.ndarray:
        """Return the time of each sample, in seconds from the recording's beginning.

        Parameters
        ----------
        n_frames : int or ndarray of shape (..., n_times), optional
            Number of samples, or an array of samples, whose last axis is counted. Optional if
            ``target_frames`` is set.

        Returns
        -------
        times : ndarray of shape (n_times,)
        """
        n_frames = self.target_frames if n_frames is None else n_frames
        if n_frames is None:
            raise TypeError("frame_times() needs to know how many samples: pass their number.")
        return self.offset + np.arange(check_length("n_frames", n_frames)) / self.sample_rate

    def _analysis(self) -> None:
        """Return None: nothing is computed from the samples."""

    def _n_times(self, n_times: int) -> int:
        """Return how many of ``n_times`` samples are read."""
        rate = self.sample_rate
        start = round(self.offset * rate)
        stop = n_times if self.duration is None else start + max(round(self.duration * rate), 1)
        return min(stop, n_times) - start

    @staticmethod
    def _names(n_times: int) -> np.ndarray:
        return np.array([f"waveform{i}" for i in range(n_times)], dtype=object)


def _read_block(
    encoder: Waveform, recordings: Sequence[Recording], first: int = 0, place: Any = None
) -> list[np.ndarray]:
    """Return the waveforms of some recordings, trimmed or padded to ``target_frames``."""
    n_times = encoder.target_frames
    waveforms = [read_waveform(encoder, recording, None) for recording in recordings]
    if n_times is None:
        return waveforms
    return [np.pad(w[:n_times], (0, max(n_times - len(w), 0))) for w in waveforms]
