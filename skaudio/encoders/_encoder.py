"""What all encoders share: reading X, running the analysis, packing frames."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache, lru_cache
from operator import attrgetter
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from skaudio._parallel import progress_bar
from skaudio._validation import check_count, check_device, check_part, check_sample_rate
from skaudio.audio import RESAMPLE_QUALITIES, Recordings, check_recordings
from skaudio.encoders._jobs import FrameAnalysis, Job, encode
from skaudio.frames import FrameOutputMixin, FrameStack


class Encoder(FrameOutputMixin, TransformerMixin, BaseEstimator):
    """Recordings to frames, without learned state.

    A subclass stores its parameters and says in ``_analysis()`` what to compute.
    """

    def fit(self, X, y=None):
        """Check the parameters and the container of X; nothing is learned or decoded.

        Parameters
        ----------
        X : sequence of recordings
        y : ignored

        Returns
        -------
        self : estimator
        """
        self._job()
        check_recordings(self, X, reset=True)
        return self

    def transform(self, X):
        """Encode recordings.

        Parameters
        ----------
        X : sequence of recordings
            Paths, waveforms, mappings...: see the user guide.

        Returns
        -------
        frames : ndarray of shape (n_recordings, n_features, n_frames)
            A 1-D object array of ``(n_features, n_frames)`` arrays if lengths differ.
        """
        job = self._job()
        return self._encode_all(check_recordings(self, X, reset=False, finite=False), job)

    def fit_transform(self, X, y=None):
        """Do what `fit` and `transform` do, but look at the samples once.

        Parameters
        ----------
        X : sequence of recordings
        y : ignored

        Returns
        -------
        frames : ndarray
            See `transform`.
        """
        job = self._job()
        return self._encode_all(check_recordings(self, X, reset=True, finite=False), job)

    def transform_batches(self, X, *, batch_size=1000):
        """Encode more recordings than fit into memory: batch after batch, in order.

        Parameters
        ----------
        X : sequence of recordings
            Paths, or memory-mapped arrays, take no memory until they are read.
        batch_size : int, default=1000
            Recordings per batch. What is held at a time is the output of one batch.

        Yields
        ------
        frames : ndarray
            What `transform` returns for the next ``batch_size`` recordings; equal to its output
            for all, cut in pieces. With ``verbose=1`` one progress bar runs over all of them.

        Examples
        --------
        Into an array on disk, which `numpy.load` opens with ``mmap_mode="r"``:

        >>> import os, tempfile
        >>> import numpy as np
        >>> from skaudio.encoders import MelSpectrogram
        >>> clips = [np.zeros(8000)] * 5  # usually paths
        >>> encoder = MelSpectrogram(target_frames=50)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = os.path.join(folder, "features.npy")
        ...     out = np.lib.format.open_memmap(file, "w+", np.float32, shape=(5, 64, 50))
        ...     done = 0
        ...     for frames in encoder.transform_batches(clips, batch_size=2):
        ...         out[done : done + len(frames)] = frames
        ...         done += len(frames)
        ...     np.load(file, mmap_mode="r").shape
        (5, 64, 50)
        """
        check_count("batch_size", batch_size)
        job = self._job()
        recordings = check_recordings(self, X, reset=False, finite=False)

        def batches():
            with progress_bar(len(recordings), self.verbose) as progress:
                for start in range(0, len(recordings), batch_size):
                    part = slice(start, start + batch_size)
                    index = None if recordings.index is None else recordings.index[part]
                    batch = Recordings(recordings[part], is_array=recordings.is_array, index=index)
                    yield self._encode(batch, job, progress)

        return batches()  # a generator of its own: what is wrong with X is said at once

    def _encode_all(self, recordings: Recordings, job: Job) -> Any:
        with progress_bar(len(recordings), self.verbose) as progress:
            return self._encode(recordings, job, progress)

    def _encode(self, recordings: Recordings, job: Job, progress: Any) -> Any:
        stack = FrameStack(len(recordings), job.analysis.dtype)
        frames = stack.fill(
            encode(recordings, job, n_jobs=self.n_jobs, place=stack.place, progress=progress)
        )
        return self._wrap(frames, recordings.index, self.get_feature_names_out)

    def get_feature_names_out(self, input_features=None):
        """Return the names of the features of a frame (axis 0 of each recording's frames).

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        names : ndarray of str, of shape (n_features,)
        """
        prefix = type(self).__name__.lower()
        n_features = self._analysis().n_features
        return np.array([f"{prefix}{i}" for i in range(n_features)], dtype=object)

    def _job(self) -> Job:
        """Return the work as one picklable object, its parameters checked."""
        kind: Any = type(self)
        values = _parameters_of(kind)(self)
        try:
            hash(values)
        except TypeError:  # a window given as an array
            job = self._make_job()
        else:
            job = _made_job(kind, *values)
        if job.analysis.caution:
            warnings.warn(job.analysis.caution, stacklevel=3)
        return job

    def _make_job(self) -> Job:
        check_part(self.offset, self.duration)
        if self.normalize not in (None, "max", "rms"):
            raise ValueError(f"normalize={self.normalize!r}: expected None, 'max' or 'rms'.")
        if self.resample_quality not in RESAMPLE_QUALITIES:
            raise ValueError(
                f"resample_quality={self.resample_quality!r}: expected one of soxr's names, "
                f"{', '.join(RESAMPLE_QUALITIES)}."
            )
        if self.target_frames is not None:
            check_count("target_frames", self.target_frames)
        return Job(
            analysis=self._analysis(),
            sample_rate=check_sample_rate(self.sample_rate),
            offset=self.offset,
            duration=self.duration,
            normalize=self.normalize,
            resample_quality=self.resample_quality,
            device=check_device(self.device),
        )

    def _analysis(self) -> FrameAnalysis:
        raise TypeError(f"{type(self).__name__} does not say what it computes.")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


@cache
def _parameters_of(kind: Any) -> Callable[[Any], tuple[Any, ...]]:
    return attrgetter(*kind._get_param_names())


@lru_cache(maxsize=64, typed=True)
def _made_job(kind: Any, *values: Any) -> Job:
    """Check parameters and make tables once; for a short recording they would cost the most."""
    return kind(**dict(zip(kind._get_param_names(), values, strict=True)))._make_job()
