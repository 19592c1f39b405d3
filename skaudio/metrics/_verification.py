"""Equal error rate and threshold of scores of pairs."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import assert_all_finite, column_or_1d

from skaudio._validation import check_same_lengths


def equal_error_rate(y_true: Any, y_score: Any) -> float:
    """Return the error rate at the threshold where both kinds of error are equally frequent.

    Parameters
    ----------
    y_true : array-like of bool or of 0 and 1, shape (n_pairs,)
        Whether a pair is of one class (the same speaker...).
    y_score : array-like of shape (n_pairs,)
        Higher for pairs that are more alike: similarities, or *negative* distances.

    Returns
    -------
    rate : float
        0 if the scores separate the two kinds of pairs, 0.5 for random scores, 1 if they separate
        them in the wrong order.

    Raises
    ------
    ValueError
        If there is no pair of one kind, or a score is not finite.

    See Also
    --------
    equal_error_threshold : The threshold.
    sklearn.metrics.DetCurveDisplay, sklearn.metrics.RocCurveDisplay : The curves it is a point of.

    Notes
    -----
    Between the two thresholds around the crossing, both rates are interpolated linearly, as a curve
    drawn through the points of `sklearn.metrics.roc_curve` does.

    Examples
    --------
    >>> from skaudio.metrics import equal_error_rate
    >>> same = [True, True, False, False]
    >>> distances = [0.1, 0.7, 0.5, 0.9]
    >>> equal_error_rate(same, [-d for d in distances])
    0.5
    """
    _, misses, false_alarms = _error_rates(y_true, y_score)
    k = int(np.flatnonzero(misses >= false_alarms)[0])
    before = false_alarms[k - 1] - misses[k - 1]
    after = misses[k] - false_alarms[k]
    weight = before / (before + after)
    return float(misses[k - 1] + weight * (misses[k] - misses[k - 1]))


def equal_error_threshold(y_true: Any, y_score: Any) -> float:
    """Return the threshold at which both kinds of error are (most nearly) equally frequent.

    Parameters
    ----------
    y_true : array-like of bool or of 0 and 1, shape (n_pairs,)
        Whether a pair is of one class.
    y_score : array-like of shape (n_pairs,)
        Higher for pairs that are more alike: similarities, or *negative* distances.

    Returns
    -------
    threshold : float
        Pairs with this score or a higher one are taken to be of one class. It lies halfway between
        two neighbouring scores.

    Raises
    ------
    ValueError
        If there is no pair of one kind, or a score is not finite.

    See Also
    --------
    equal_error_rate : The rate.

    Examples
    --------
    >>> from skaudio.metrics import equal_error_threshold
    >>> equal_error_threshold([1, 1, 0, 0], [0.9, 0.8, 0.3, 0.2])
    0.55
    """
    scores, misses, false_alarms = _error_rates(y_true, y_score)
    if len(scores) == 1:
        return float(scores[0])
    # Of the thresholds between two scores; those outside accept all or none.
    k = 1 + int(np.argmin(np.abs(misses - false_alarms)[1:-1]))
    return float(scores[k - 1] + (scores[k] - scores[k - 1]) / 2)


def _error_rates(y_true: Any, y_score: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the distinct scores, ascending, and both error rates of the thresholds around them.

    Threshold k lies below score k, the last one above all scores: misses rise from 0 to 1, false
    alarms fall from 1 to 0, and every step changes at least one of them.
    """
    y_true, y_score = column_or_1d(y_true), column_or_1d(y_score).astype(float)
    check_same_lengths(y_true=y_true, y_score=y_score)
    assert_all_finite(y_score, input_name="y_score")
    if not np.isin(y_true, (0, 1)).all():
        found = np.unique(y_true).tolist()
        raise ValueError(f"y_true holds {found!r:.80}, expected True or 1 for pairs of one class, "
                         "False or 0 for the others.")  # fmt: skip
    same = y_true.astype(bool)
    if same.all() or not same.any():
        kind = "of two classes (0)" if same.all() else "of one class (1)"
        raise ValueError(
            f"y_true holds no pair {kind}: an error rate needs pairs of both kinds; there are "
            f"{len(same)} of the other."
        )
    scores, place = np.unique(y_score, return_inverse=True)
    positives = np.bincount(place[same], minlength=len(scores))
    negatives = np.bincount(place[~same], minlength=len(scores))
    misses = np.concatenate([[0], np.cumsum(positives)]) / len(place[same])
    false_alarms = 1.0 - np.concatenate([[0], np.cumsum(negatives)]) / len(place[~same])
    return scores, misses, false_alarms
