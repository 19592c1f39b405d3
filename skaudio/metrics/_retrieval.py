"""Metrics of retrieval by nearest neighbours: precision at k, R-precision, MAP@R."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.metrics import pairwise_distances_chunked
from sklearn.utils.validation import check_array, column_or_1d

from skaudio._validation import check_labels, check_same_lengths, counted


def precision_at_k(X: Any, y: Any, *, k: int = 1, metric: Any = "euclidean") -> float:
    """Return the precision at k: the fraction of the k nearest neighbours of the same class.

    Parameters
    ----------
    X : array-like of shape (n_recordings, n_features), or (n_recordings, n_recordings)
        Embeddings, or a matrix of distances with ``metric="precomputed"``.
    y : array-like of shape (n_recordings,)
        Class labels.
    k : int, default=1
        Number of neighbours.
    metric : str or callable, default="euclidean"
        Distance, as in `sklearn.metrics.pairwise_distances`.

    Returns
    -------
    precision : float
        Mean over all recordings whose class has at least two recordings.

    Raises
    ------
    ValueError
        If every class has only one recording, or there are fewer than k neighbours.

    See Also
    --------
    r_precision : Uses as many neighbours as the class has other recordings.
    map_at_r : Gives near neighbours more weight.

    Notes
    -----
    A recording is not its own neighbour. Among neighbours at equal distance, those of other classes
    come first. The result therefore does not depend on the order of the recordings, and an
    embedding that maps all recordings to one point does not get a high score.

    Examples
    --------
    >>> from skaudio.metrics import precision_at_k
    >>> precision_at_k([[0.0], [0.1], [1.0], [1.2]], ["a", "a", "b", "b"])
    1.0
    >>> round(precision_at_k([[0.0], [0.1], [1.0], [1.2]], ["a", "a", "b", "b"], k=2), 3)
    0.5
    """

    def of_row(hits: np.ndarray, n_relevant: np.ndarray) -> np.ndarray:
        shares: np.ndarray = hits[:, :k].mean(axis=1)
        return shares

    if not 1 <= k < len(X):
        raise ValueError(
            f"k={k}: expected 1 or more, and fewer than the {counted(len(X), 'recording')}: one is "
            "no neighbour of itself."
        )
    return _mean_over_queries(X, y, metric, of_row)


def r_precision(X: Any, y: Any, *, metric: Any = "euclidean") -> float:
    """Return the R-precision: the fraction of the R nearest neighbours of the same class.

    R is the number of other recordings of the class, so the best value is 1 for every class.

    Parameters
    ----------
    X : array-like of shape (n_recordings, n_features), or (n_recordings, n_recordings)
        Embeddings, or a matrix of distances with ``metric="precomputed"``.
    y : array-like of shape (n_recordings,)
        Class labels.
    metric : str or callable, default="euclidean"
        Distance, as in `sklearn.metrics.pairwise_distances`.

    Returns
    -------
    precision : float
        Mean over all recordings whose class has at least two recordings.

    Raises
    ------
    ValueError
        If every class has only one recording.

    See Also
    --------
    precision_at_k : With a fixed number of neighbours; its notes describe ties.

    Examples
    --------
    >>> from skaudio.metrics import r_precision
    >>> r_precision([[0.0], [0.2], [0.3], [0.9]], ["a", "a", "b", "b"])
    0.5
    """

    def of_row(hits: np.ndarray, n_relevant: np.ndarray) -> np.ndarray:
        first = np.arange(hits.shape[1]) < n_relevant[:, np.newaxis]
        shares: np.ndarray = (hits & first).sum(axis=1) / n_relevant
        return shares

    return _mean_over_queries(X, y, metric, of_row)


def map_at_r(X: Any, y: Any, *, metric: Any = "euclidean") -> float:
    """Return the mean average precision at R.

    It is the R-precision in which each neighbour of the class is weighted by the precision up to
    its rank, so near neighbours have more weight.

    Parameters
    ----------
    X : array-like of shape (n_recordings, n_features), or (n_recordings, n_recordings)
        Embeddings, or a matrix of distances with ``metric="precomputed"``.
    y : array-like of shape (n_recordings,)
        Class labels.
    metric : str or callable, default="euclidean"
        Distance, as in `sklearn.metrics.pairwise_distances`.

    Returns
    -------
    precision : float
        Mean over all recordings whose class has at least two recordings.

    Raises
    ------
    ValueError
        If every class has only one recording.

    See Also
    --------
    precision_at_k : With a fixed number of neighbours; its notes describe ties.

    References
    ----------
    Musgrave, Belongie & Lim 2020, "A metric learning reality check".

    Examples
    --------
    >>> from skaudio.metrics import map_at_r
    >>> X, y = [[0.0], [0.1], [0.3], [0.9]], ["a", "b", "a", "a"]
    >>> round(map_at_r(X, y), 4)
    0.3333
    """

    def of_row(hits: np.ndarray, n_relevant: np.ndarray) -> np.ndarray:
        places = 1 + np.arange(hits.shape[1])
        first = places <= n_relevant[:, np.newaxis]
        precision = np.cumsum(hits, axis=1) / places
        means: np.ndarray = (precision * (hits & first)).sum(axis=1) / n_relevant
        return means

    return _mean_over_queries(X, y, metric, of_row)


def _mean_over_queries(
    X: Any, y: Any, metric: Any, of_row: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> float:
    """Average a metric over recordings.

    ``of_row(hits, n_relevant)`` returns the metric of a block of recordings. ``hits`` is True for
    the neighbours of the same class, with the nearest neighbour first; ``n_relevant`` is the number
    of other recordings of the class.
    """
    check_labels(y, "y")
    X, y = check_array(X), column_or_1d(y)
    check_same_lengths(X=X, y=y)
    if metric == "precomputed" and X.shape[0] != X.shape[1]:
        raise ValueError(
            f"metric='precomputed': X has shape {X.shape}, expected distances "
            "(n_recordings, n_recordings)."
        )
    classes, codes, counts = np.unique(y, return_inverse=True, return_counts=True)
    n_relevant = counts[codes] - 1
    if not n_relevant.any():
        found = f"{len(classes)} classes of one recording each" if len(y) > 1 else "one recording"
        raise ValueError(
            f"y holds {found}: there is no neighbour to find. Expected two recordings of one class "
            "at least."
        )

    def reduce(distances: np.ndarray, start: int) -> np.ndarray:
        rows = start + np.arange(len(distances))
        hits = codes[rows, np.newaxis] == codes
        itself = np.arange(len(codes)) == rows[:, np.newaxis]
        order = np.lexsort((hits, distances, itself))[:, :-1]
        return of_row(np.take_along_axis(hits, order, 1), np.maximum(n_relevant[rows], 1))

    blocks = pairwise_distances_chunked(X, metric=metric, reduce_func=reduce)
    return float(np.concatenate(list(blocks))[n_relevant > 0].mean())
