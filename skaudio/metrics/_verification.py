"""Verification: normalised scores of pairs, the equal error rate and its threshold."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.preprocessing import normalize
from sklearn.utils import gen_batches
from sklearn.utils.validation import assert_all_finite, check_array, column_or_1d

from skaudio._validation import check_count, check_same_lengths

# Number of rows that are compared with a cohort at once.
ROWS_AT_ONCE = 1024


def equal_error_rate(y_true: Any, y_score: Any) -> float:
    """Return the equal error rate: the rate at which both kinds of error are equally frequent.

    Parameters
    ----------
    y_true : array-like of bool or of 0 and 1, shape (n_pairs,)
        Whether a pair is of one class (the same speaker...).
    y_score : array-like of shape (n_pairs,)
        Scores that are higher for more similar pairs: similarities, or *negative* distances.

    Returns
    -------
    rate : float
        0 if the scores separate the two kinds of pairs, 0.5 for random scores, 1 if they separate
        them in the wrong order.

    Raises
    ------
    ValueError
        If there are no pairs of one kind, or if a score is not finite.

    See Also
    --------
    equal_error_threshold : The threshold.
    sklearn.metrics.DetCurveDisplay, sklearn.metrics.RocCurveDisplay : Curves with this point.

    Notes
    -----
    Both rates are interpolated linearly between the two thresholds around their crossing, as in a
    curve through the points of `sklearn.metrics.roc_curve`.

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
    """Return the threshold at which both kinds of error are as equally frequent as possible.

    Parameters
    ----------
    y_true : array-like of bool or of 0 and 1, shape (n_pairs,)
        Whether a pair is of one class.
    y_score : array-like of shape (n_pairs,)
        Scores that are higher for more similar pairs: similarities, or *negative* distances.

    Returns
    -------
    threshold : float
        Pairs with at least this score are predicted to be of one class. The threshold is halfway
        between two neighbouring scores.

    Raises
    ------
    ValueError
        If there are no pairs of one kind, or if a score is not finite.

    See Also
    --------
    equal_error_rate : The error rate.

    Examples
    --------
    >>> from skaudio.metrics import equal_error_threshold
    >>> equal_error_threshold([1, 1, 0, 0], [0.9, 0.8, 0.3, 0.2])
    0.55
    """
    scores, misses, false_alarms = _error_rates(y_true, y_score)
    if len(scores) == 1:
        return float(scores[0])
    # Only thresholds between two scores: the first and last threshold accept all or no pairs.
    k = 1 + int(np.argmin(np.abs(misses - false_alarms)[1:-1]))
    return float(scores[k - 1] + (scores[k] - scores[k - 1]) / 2)


def normalized_scores(
    left: Any, right: Any, cohort: Any, *, n_nearest: int | None = None, pairwise: bool = False
) -> np.ndarray:
    """Return cosine similarities of pairs of rows, normalised by their similarities to a cohort.

    Some recordings, such as noisy ones, are similar to all others. A single threshold is then too
    low for them and too high for the other recordings. Symmetric score normalisation (S-norm) uses
    a cohort of recordings of other classes. The mean of the similarities of the left row to the
    cohort is subtracted from the similarity of the pair, and the difference is divided by their
    standard deviation. The same is done with the right row. The result is the mean of both values.

    Parameters
    ----------
    left, right : array-like of shape (n_left, n_features) and (n_right, n_features)
        Embeddings. If there are several recordings of one side, pass the mean of their rows.
    cohort : array-like of shape (n_cohort, n_features)
        At least about a hundred embeddings of other classes, such as those of the training data.
    n_nearest : int, default=None
        Number of rows of the cohort to use for each row: those that are most similar to it. None:
        all rows.
    pairwise : bool, default=False
        If True, each row of ``left`` is compared with each row of ``right``. If False, the first
        row of ``left`` is compared with the first row of ``right``, and so on.

    Returns
    -------
    scores : ndarray of shape (n_left,), or (n_left, n_right) with ``pairwise=True``
        Normalised scores, higher for more similar rows.

    Raises
    ------
    ValueError
        If a row is equally similar to all rows of the cohort that are used for it.

    See Also
    --------
    equal_error_threshold : A threshold for such scores.
    skaudio.embedders.WCCN : Normalisation of the rows, to be applied before.

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
    """Return the mean and standard deviation of the similarities of each row to a cohort."""
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
    """Return the distinct scores, ascending, and both error rates at the thresholds between them.

    Threshold k is below score k, and the last threshold is above all scores. The rate of misses
    increases from 0 to 1, that of false alarms decreases from 1 to 0, and each step changes at
    least one of them.
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
