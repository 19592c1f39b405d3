"""Waveform: decoded, cut, mixed down, resampled, normalised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from skaudio._validation import check_count
from skaudio.audio import AudioBatch, Recording, Recordings
from skaudio.encoders._encoder import Encoder
from skaudio.encoders._jobs import Job, encode
from skaudio.frames import pack


@dataclass(frozen=True)
class Samples:
    """The identity as an analysis: a waveform is one feature whose frames are its samples."""

    target_frames: int | None
    n_features = 1
    dtype = np.float32
    caution = ""
    uses_torch = False
    finds_nan = False

    def check_length(self, n_samples: int, name: str) -> None:
        """Any recording will do."""

    def check_warp(self, warp_factor: float | None, name: str) -> float:
        """Marks of VTLP travel on."""
        return 1.0

    def n_columns(self, n_samples: int) -> int:
        """Return the number of samples that go on."""
        """Every sample is a frame."""
        return n_samples if self.target_frames is None else self.target_frames

    def encode_block(
        self,
        waveforms: Sequence[np.ndarray],
        warp_factors: Sequence[float],
        outs: Sequence[np.ndarray | None],
    ) -> tuple[list[np.ndarray], list[int]]:
        """Return the samples of each recording as one row; nothing is looked at."""
        return [self._row(waveform) for waveform in waveforms], []

    def encode_batch(
        self, waveforms: Sequence[np.ndarray], warp_factors: Sequence[float], device: str
    ) -> list[torch.Tensor]:
        """Return the samples of each recording as one row."""
        return [torch.from_numpy(self._row(w).copy()) for w in waveforms]

    def _row(self, waveform: np.ndarray) -> np.ndarray:
        if self.target_frames is not None:
            missing = max(self.target_frames - len(waveform), 0)
            waveform = np.pad(waveform[: self.target_frames], (0, missing))
        return waveform[np.newaxis]


class Waveform(Encoder):
    """Decode recordings to mono waveforms of one sample rate.

    The first step where a part or a level is to be taken before augmenting, and a way to decode
    once what several encoders use. In order: part, downmix, resample, normalise.

    Parameters
    ----------
    sample_rate : float, default=16000
        In Hz. Files and mappings are resampled to it; bare arrays are taken to be at it.
    offset : float, default=0.0
        Where to begin, in seconds.
    duration : float, default=None
        How much to take, in seconds; None takes all. A recording that ends sooner gives less.
    normalize : {None, "max", "rms"}, default=None
        Scale each waveform to a peak, or a root mean square, of 1.
    resample_quality : {"QQ", "LQ", "MQ", "HQ", "VHQ"}, default="HQ"
        Of soxr, which resamples: quick, low, medium, high (20 bits), very high (28 bits).
    target_frames : int, default=None
        Trim to this number of samples, or pad with zeros.
    n_jobs : int, default=None
        joblib workers. None is 1 unless a joblib backend is active.
    device : str, default="cpu"
        Accepted like every encoder's; waveforms are decoded on the CPU.
    verbose : int, default=0
        Show a progress bar.

    Attributes
    ----------
    n_features_in_ : int
        Samples per clip; only where `fit` was given a 2-D array.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio.encoders import Waveform
    >>> stereo = {"array": np.ones((2, 8000)), "sampling_rate": 8000}
    >>> Waveform().fit_transform([stereo])
    AudioBatch(1 recordings, 16000 Hz, 16000 samples)
    """

    def __init__(
        self,
        *,
        sample_rate=16000,
        offset=0.0,
        duration=None,
        normalize=None,
        resample_quality="HQ",
        target_frames=None,
        n_jobs=None,
        device="cpu",
        verbose=0,
    ):
        self.sample_rate = sample_rate
        self.offset = offset
        self.duration = duration
        self.normalize = normalize
        self.resample_quality = resample_quality
        self.target_frames = target_frames
        self.n_jobs = n_jobs
        self.device = device
        self.verbose = verbose

    def transform(self, X):
        """Decode recordings.

        Parameters
        ----------
        X : sequence of recordings

        Returns
        -------
        waveforms : AudioBatch, or ndarray of shape (n_recordings, n_times) for a 2-D X
        """
        return super().transform(X)

    def _encode(self, recordings: Recordings, job: Job, progress: Any) -> Any:
        encoded = encode(recordings, job, n_jobs=self.n_jobs, progress=progress)
        if recordings.is_array:
            array = pack(encoded, len(recordings))[:, 0]
            return self._wrap(
                array, recordings.index, lambda: self._names(array.shape[1]), table=True
            )
        batch = AudioBatch(
            [frames[0] for frames in encoded],
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

    def get_feature_names_out(self, input_features=None):
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
        rate = self.sample_rate
        start = round(self.offset * rate)
        stop = n_times if self.duration is None else start + max(round(self.duration * rate), 1)
        return self._names(self.target_frames or min(stop, n_times) - start)

    def frame_times(self, n_frames=None) -> np.ndarray:
        """Return the time of each sample, in seconds from the recording's beginning.

        Parameters
        ----------
        n_frames : int or ndarray of shape (..., n_times), optional
            How many, or samples to count; may be left out when ``target_frames`` is set.

        Returns
        -------
        times : ndarray of shape (n_times,)
        """
        n_frames = self.target_frames if n_frames is None else n_frames
        if n_frames is None:
            raise TypeError("frame_times() needs to know how many samples: pass their number.")
        if np.ndim(n_frames) > 0:
            n_frames = np.shape(n_frames)[-1]
        return self.offset + np.arange(check_count("n_frames", n_frames, 0)) / self.sample_rate

    def _analysis(self) -> Samples:
        return Samples(self.target_frames)

    @staticmethod
    def _names(n_times: int) -> np.ndarray:
        return np.array([f"waveform{i}" for i in range(n_times)], dtype=object)
