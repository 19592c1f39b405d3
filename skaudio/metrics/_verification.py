"""Scores of pairs: normalised by a cohort, their equal error rate, the threshold there."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.preprocessing import normalize
from sklearn.utils import gen_batches
from sklearn.utils.validation import assert_all_finite, check_array, column_or_1d

from skaudio._validation import check_count, check_same_lengths

# Rows that are compared with a cohort at once.
ROWS_AT_ONCE = 1024


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


def normalized_scores(
    left: Any, right: Any, cohort: Any, *, n_nearest: int | None = None, pairwise: bool = False
) -> np.ndarray:
    """Return cosine similarities of pairs of rows, normalised by their similarities to a cohort.

    Some recordings are similar to all others: noisy ones, say. One threshold is then too low for
    them and too high for the rest. Here the similarity of a pair is compared with those of its
    left row to a cohort of other classes, and of its right row to the same cohort: from the
    similarity their mean is subtracted, and the difference is divided by their standard deviation.
    The result is the mean of both (symmetric score normalisation, S-norm).

    Parameters
    ----------
    left, right : array-like of shape (n_left, n_features) and (n_right, n_features)
        Embeddings; means of several rows where there are several recordings of one side.
    cohort : array-like of shape (n_cohort, n_features)
        Embeddings of other classes, a hundred or more: those of the training data do.
    n_nearest : int, default=None
        Compare each row only with so many rows of the cohort, those that are most similar to it.
        None: with all.
    pairwise : bool, default=False
        True: score each row of ``left`` with each of ``right``. False: score the first of ``left``
        with the first of ``right``, and so on; both have the same number of rows.

    Returns
    -------
    scores : ndarray of shape (n_left,), or (n_left, n_right) with ``pairwise=True``
        Higher for rows that are more alike.

    Raises
    ------
    ValueError
        If a row is equally similar to all of the cohort that it is compared with.

    See Also
    --------
    equal_error_threshold : A threshold of such scores.
    skaudio.embedders.WCCN : Normalisation of the rows, before.

    References
    ----------
    Shum, Dehak, Dehak & Glass 2010, "Unsupervised speaker adaptation based on the cosine similarity
    for text-independent speaker verification"; Matejka et al. 2017, "Analysis of score
    normalization in multilingual speaker recognition", for ``n_nearest``.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio.metrics import normalized_scores
    >>> cohort = np.random.default_rng(0).normal(size=(200, 8))
    >>> rows = np.eye(8)[:3] + 0.1
    >>> normalized_scores(rows, rows, cohort, pairwise=True).argmax(axis=1)
    array([0, 1, 2])
    >>> normalized_scores(rows, rows[[1, 2, 0]], cohort).shape
    (3,)
    """
    sides = [normalize(check_array(side, dtype=np.float64)) for side in (left, right)]
    cohort = normalize(check_array(cohort, dtype=np.float64, ensure_min_samples=2))
    if n_nearest is not None:
        n_nearest = min(check_count("n_nearest", n_nearest, 2), len(cohort))
    (left, right), names = sides, ("left", "right")
    moments = [_cohort_moments(*side, cohort, n_nearest) for side in zip(sides, names, strict=True)]
    if not pairwise:
        check_same_lengths(left=left, right=right)
        similarity = np.einsum("ij,ij->i", left, right)
    else:
        similarity = left @ right.T
        moments[0] = [values[:, np.newaxis] for values in moments[0]]
    both = sum((similarity - mean) / deviation for mean, deviation in moments)
    scores: np.ndarray = both / 2
    return scores


def _cohort_moments(
    rows: np.ndarray, name: str, cohort: np.ndarray, n_nearest: int | None
) -> list[np.ndarray]:
    """Return the mean and deviation of the similarities of each row to a cohort."""
    means, deviations = [], []
    for part in gen_batches(len(rows), ROWS_AT_ONCE):
        similarity = rows[part] @ cohort.T
        if n_nearest is not None:
            similarity = np.partition(similarity, -n_nearest, axis=1)[:, -n_nearest:]
        means.append(similarity.mean(axis=1))
        deviations.append(similarity.std(axis=1))
    deviation = np.concatenate(deviations)
    if not deviation.all():
        i = int(np.argmin(deviation))
        raise ValueError(
            f"{name}: row {i} is equally similar to all rows of the cohort that it is compared "
            "with. Expected a cohort of different rows, and no row of zeros."
        )
    return [np.concatenate(means), deviation]


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
