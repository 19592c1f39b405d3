"""Learning from pairs: drawn from classes, or as given."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_y, check_consistent_length

from skaudio._neural import (
    FrameSource,
    Source,
    TrainingBatches,
    ValidationBatches,
    encoded_frames,
    fit_net,
    make_source,
    reads_audio,
)
from skaudio.audio import check_recordings
from skaudio.embedders._pair_verification import check_pair_labels
from skaudio.embedders._pairs import (
    DrawnPairBatches,
    DrawnPairValidation,
    PairSource,
    check_drawable,
)
from skaudio.nets import ContrastiveLoss, PairLoss


class PairLearner(BaseEstimator):
    """`fit` and `fit_pairs` of an estimator that builds its module in ``_build(n_features)``."""

    __metadata_request__fit = {"groups": True}
    __metadata_request__fit_pairs = {"groups": True}

    net_: Any
    n_iter_: int
    encoder_: Any
    threshold_: float

    def fit(self, X, y, groups=None):
        """Train on pairs that are drawn anew in each epoch.

        Parameters
        ----------
        X : sequence of recordings, or of frames where ``encoder=None``
        y : array-like of shape (n_recordings,)
            Class labels: at least two classes, one of them with two recordings or more.
        groups : array-like of shape (n_recordings,), optional
            Speakers, machines...: ``early_stopping`` holds out whole groups.

        Returns
        -------
        self : estimator
        """
        if y is None:
            raise ValueError(
                "SiameseEmbedder requires y to be passed, but the target y is None. Pairs without "
                "class labels go to fit_pairs."
            )
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        codes = self._encode_labels(y)
        source = make_source(self, X, y, seed)
        check_consistent_length(source.lengths, codes)
        check_drawable(codes, "y")
        batches = partial(DrawnPairBatches, n_pairs=self.n_pairs)
        validation = partial(DrawnPairValidation, n_pairs=self.n_pairs)
        return self._fit(source, codes, seed, groups, codes, batches, validation)

    def fit_pairs(self, left, right, same, groups=None):
        """Train on the same pairs in each epoch.

        Parameters
        ----------
        left, right : sequence of n_pairs recordings, or of frames where ``encoder=None``
        same : array-like of bool, shape (n_pairs,)
            True where both recordings of a pair are of one class. Both kinds are needed.
        groups : array-like of shape (n_pairs,), optional
            ``early_stopping`` holds out whole groups.

        Returns
        -------
        self : estimator
        """
        same = check_pair_labels(left, right, same)
        if same.all() or not same.any():
            kind = "two classes (False)" if same.all() else "one class (True)"
            raise ValueError(f"same holds no pair of {kind}: expected pairs of both kinds.")
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        n_pairs = len(same)
        pairs = PairSource(
            self._both_halves(left, right, seed), np.arange(n_pairs), n_pairs + np.arange(n_pairs)
        )
        codes = np.column_stack([np.zeros(n_pairs, np.int64), ~same])
        return self._fit(pairs, codes, seed, groups, same, TrainingBatches, ValidationBatches)

    def _fit(self, source, targets, seed, groups, stratify, batches, validation_batches):
        loss = ContrastiveLoss(margin=self.margin, hinge=self.hinge, distance=self.distance)
        fit_net(
            self,
            source,
            targets,
            build=self._build,
            criterion=PairLoss(loss, normalize=self.normalize),
            seed=seed,
            groups=groups,
            stratify=stratify,
            batches=batches,
            validation_batches=validation_batches,
        )
        self._n_features_out = self.embedding_size
        self.threshold_ = self.margin / 2
        return self

    def _encode_labels(self, y: Any) -> np.ndarray:
        y = _check_y(y, multi_output=False, estimator=self)
        check_classification_targets(y)
        return np.unique(y, return_inverse=True)[1]

    def _both_halves(self, left: Any, right: Any, seed: int) -> Source:
        if not reads_audio(self):
            frames = encoded_frames(self, left, reset=True) + encoded_frames(self, right)
            return FrameSource(frames)
        halves = [
            check_recordings(self, left, reset=True),
            check_recordings(self, right, reset=False),
        ]
        named = [
            replace(recording, name=f"{side} {recording.name}")
            for side, half in zip(("left", "right"), halves, strict=True)
            for recording in half
        ]
        source = make_source(self, named, None, seed)
        check_recordings(self, left, reset=True)  # a table has its width remembered
        return source
