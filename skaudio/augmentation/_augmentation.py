"""The protocol of every augmentation."""

from __future__ import annotations

import zlib
from typing import Any

from sklearn.base import BaseEstimator, TransformerMixin

from skaudio._validation import check_range
from skaudio.augmentation._random import check_seeds, seeds_of
from skaudio.frames import FrameOutputMixin


class Augmentation(FrameOutputMixin, TransformerMixin, BaseEstimator):
    """Alters recordings in `fit_transform` and `augment`; `transform` is the identity.

    `_waveform` and `_mask` say what X may be, their subclasses in ``_effect()`` what happens to a
    recording.
    """

    def fit(self, X, y=None):
        """Check the parameters and X; no recording is decoded.

        Parameters
        ----------
        X : sequence of n recordings
        y : ignored

        Returns
        -------
        self : estimator
        """
        self._check_params()
        self._check(X, reset=True)
        return self

    def transform(self, X):
        """Return X as it is, checked: an augmentation acts in training only.

        Parameters
        ----------
        X : sequence of n recordings

        Returns
        -------
        X : sequence of n recordings
            In the container it came in, unless `set_output` asks for another one.
        """
        return self._unchanged(X, self._check(X, reset=False))

    def fit_transform(self, X, y=None):
        """Check, then augment each recording once, with seeds made from ``random_state``.

        Parameters
        ----------
        X : sequence of n recordings
        y : ignored

        Returns
        -------
        augmented : sequence of n recordings
            See `augment`.
        """
        self._check_params()
        recordings = self._check(X, reset=True)
        # Two kinds of augmentation with one random_state must not draw alike.
        stream = zlib.crc32(type(self).__name__.encode())
        seeds = seeds_of(self.random_state, len(recordings), stream)
        return self._augmented(X, recordings, seeds)

    def augment(self, X, seeds):
        """Augment each recording with the draw of its seed.

        Parameters
        ----------
        X : sequence of n recordings
        seeds : array-like of int, shape (n,)
            What becomes of a recording depends on its seed and on nothing else.

        Returns
        -------
        augmented : sequence of n recordings, float32
            Waveforms: an AudioBatch at the recordings' own sample rates, or an array if X is one
            and the augmentation keeps lengths. Frames: in the container they came in.
        """
        self._check_params()
        recordings = self._check(X, reset=False)
        return self._augmented(X, recordings, check_seeds(seeds, len(recordings)))

    def _check_params(self) -> None:
        check_range("p", self.p, minimum=0, maximum=1)
        self._effect()

    def _effect(self) -> Any:
        raise TypeError(f"{type(self).__name__} does not say what it does.")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
