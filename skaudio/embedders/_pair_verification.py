"""Verification: distances of pairs of recordings, a threshold, decisions and a score."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
import torch
from scipy.spatial.distance import pdist
from sklearn.utils.validation import check_is_fitted, column_or_1d

from skaudio._validation import check_same_lengths, check_target
from skaudio.metrics import equal_error_rate, equal_error_threshold
from skaudio.nets import pair_distance


def check_pair_labels(left: Any, right: Any, same: Any) -> np.ndarray:
    """Return ``same`` as booleans, after checking that there is one for each pair."""
    same = column_or_1d(same)
    check_same_lengths(left=left, right=right, same=same)
    if not np.isin(same, (0, 1)).all():
        raise ValueError(
            f"same holds {np.unique(same).tolist()!r:.80}, expected True or 1 for pairs of one "
            "class, False or 0 for pairs of two."
        )
    return np.asarray(same, dtype=bool)


class PairVerifier:
    """Add methods that decide whether two recordings are of one class, by their distance."""

    # Defined by the estimator.
    distance: str
    _rows: Callable[[Any], np.ndarray]

    threshold_: float

    def pair_distance(self, left: Any, right: Any) -> np.ndarray:
        """Return the distance between the recordings of each pair.

        Parameters
        ----------
        left, right : sequence of n_pairs recordings, or of frames where ``encoder=None``
            The first of ``left`` is compared with the first of ``right``, and so on.

        Returns
        -------
        distances : ndarray of shape (n_pairs,)
            Smaller for recordings that are more alike.
        """
        check_same_lengths(left=left, right=right)
        a, b = (torch.from_numpy(self._rows(half)) for half in (left, right))
        return pair_distance(a, b, self.distance).numpy()

    def calibrate_threshold(self, left: Any, right: Any, same: Any) -> Self:
        """Set ``threshold_`` so that both kinds of error are equally frequent on these pairs.

        Parameters
        ----------
        left, right : sequence of n_pairs recordings, or of frames where ``encoder=None``
            Recordings that were not used in `fit`, preferably of other classes than those of `fit`.
        same : array-like of bool, shape (n_pairs,)
            True where both recordings of a pair are of one class.

        Returns
        -------
        self : estimator
        """
        same = check_pair_labels(left, right, same)
        self.threshold_ = -equal_error_threshold(same, -self.pair_distance(left, right))
        return self

    def predict_pairs(self, left: Any, right: Any) -> np.ndarray:
        """Decide for each pair whether its recordings are of one class.

        Parameters
        ----------
        left, right : sequence of n_pairs recordings, or of frames where ``encoder=None``

        Returns
        -------
        same : ndarray of bool, shape (n_pairs,)
            True where the distance is ``threshold_`` or less.
        """
        check_is_fitted(self)
        return self.pair_distance(left, right) <= self.threshold_

    def score(self, X: Any, y: Any) -> float:
        """Return one minus the equal error rate over all pairs of recordings.

        Parameters
        ----------
        X : sequence of recordings, or of frames where ``encoder=None``
        y : array-like of shape (n_recordings,)
            Class labels. The classes may differ from those of `fit`.

        Returns
        -------
        score : float
            1 if every pair of one class has a smaller distance than every pair of two classes; 0.5
            for chance. It is also 0.5 if all pairs are of one kind: in a fold of one class, or of
            one recording per class.
        """
        check_target(self, y)
        y = column_or_1d(y)
        check_same_lengths(X=X, y=y)
        return score_of_rows(self._rows(X), y, self.distance)


def score_of_rows(rows: np.ndarray, y: np.ndarray, distance: str) -> float:
    """Return one minus the equal error rate over all pairs of rows."""
    codes = np.unique(y, return_inverse=True)[1]
    same = np.concatenate([code == codes[i + 1 :] for i, code in enumerate(codes)])
    return verification_score(same, pdist(rows.astype(np.float64), distance))


def verification_score(same: np.ndarray, distances: np.ndarray) -> float:
    """Return one minus the equal error rate of pairs, or 0.5 if all pairs are of one kind."""
    if same.all() or not same.any():
        return 0.5
    return 1.0 - equal_error_rate(same, -distances)
