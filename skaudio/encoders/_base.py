"""What all encoders share: reading X, running the analysis, packing frames."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from skaudio.audio import check_recordings
from skaudio.audio._signal import check_part, check_sample_rate
from skaudio.encoders import _run
from skaudio.frames import FrameOutputMixin, pack


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
        recordings = check_recordings(self, X, reset=False)
        encoded = _run.encode(recordings, job, n_jobs=self.n_jobs, verbose=self.verbose)
        frames = pack(encoded, len(recordings), job.analysis.dtype)
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

    def _job(self) -> _run.Job:
        """Check the shared parameters and put the work into one picklable object."""
        check_part(self.offset, self.duration)
        if self.normalize not in (None, "max", "rms"):
            raise ValueError(f"normalize={self.normalize!r}: expected None, 'max' or 'rms'.")
        if self.target_frames is not None:
            check_count("target_frames", self.target_frames)
        return _run.Job(
            analysis=self._analysis(),
            sample_rate=check_sample_rate(self.sample_rate),
            offset=self.offset,
            duration=self.duration,
            normalize=self.normalize,
            device=str(self.device),
        )

    def _analysis(self) -> _run.Analysis:
        raise TypeError(f"{type(self).__name__} does not say what it computes.")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def check_count(name: str, value: Any, minimum: int = 1) -> int:
    """Return an integer parameter, or say what is wrong with it."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        hint = " (did you pass seconds?)" if isinstance(value, float) and 0 < value < 1 else ""
        raise TypeError(f"{name}={value!r}: expected an integer{hint}.")
    if value < minimum:
        raise ValueError(f"{name}={value!r}: expected {minimum} or more.")
    return int(value)
