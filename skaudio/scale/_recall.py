"""What share of the true nearest rows an approximate search finds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from skaudio.scale._inverted_lists import InvertedLists


class ExactNeighbours:
    """The nearest rows of some queries, found by comparison with all rows, which come in blocks.

    Parameters
    ----------
    queries : ndarray of shape (n, n_features)
        float32.
    k : int
    centre : ndarray of shape (n_features,)
        A point amid the rows. It is subtracted, since distances of points that are far from the
        origin would lose digits.
    """

    def __init__(self, queries: np.ndarray, k: int, centre: np.ndarray) -> None:
        self._centre = centre
        self._queries = queries - centre
        self._lengths = (self._queries**2).sum(axis=1, keepdims=True)
        self.distances = np.full((len(queries), k), np.inf, np.float32)
        self.positions = np.full((len(queries), k), -1)

    def add(self, rows: np.ndarray, start: int) -> None:
        """Compare with rows, the first of which is at the position ``start``."""
        rows = rows - self._centre
        new = (rows**2).sum(axis=1) + self._lengths
        new -= 2 * (self._queries @ rows.T)
        k = self.distances.shape[1]
        near = np.argpartition(new, k - 1, axis=1)[:, :k] if k < len(rows) else None
        if near is None:
            near = np.broadcast_to(np.arange(len(rows)), new.shape)
        distances = np.hstack([self.distances, np.take_along_axis(new, near, 1)])
        positions = np.hstack([self.positions, near + start])
        order = np.argsort(distances, axis=1, kind="stable")[:, :k]
        self.distances = np.take_along_axis(distances, order, 1)
        self.positions = np.take_along_axis(positions, order, 1)

    def recall_of(self, distances: np.ndarray, positions: np.ndarray, part: slice) -> np.ndarray:
        """Return the share of the nearest that a search has found, for each query of a part.

        A row that is as near as the k-th nearest, such as a copy of it, counts as found.
        """
        true = self.positions[part]
        last = self.distances[part][:, -1:]
        tie = distances <= last + 1e-5 * (np.abs(last) + self._lengths[part])
        found = (positions[:, :, None] == true[:, None]).any(axis=2) | tie
        share: np.ndarray = found.mean(axis=1)
        return share


def measure_recall(
    lists: InvertedLists,
    queries: np.ndarray,
    exact: ExactNeighbours,
    n_probes: Any,
    min_recall: float,
) -> tuple[int, float]:
    """Return how many lists to search, and the recall of it on the second half of the queries.

    Parameters
    ----------
    lists : InvertedLists
    queries : ndarray of shape (n, n_features)
        Some of the rows.
    exact : ExactNeighbours
        Of these queries, themselves included.
    n_probes : int or "auto"
        "auto": as many as the first half of the queries needs for ``min_recall``.
    min_recall : float
    """
    k = exact.distances.shape[1]
    if k == 1:  # a single row has no neighbours
        return 1, 1.0
    half = len(queries) // 2

    def recalls(n: int, part: slice) -> np.ndarray:
        share = exact.recall_of(*lists.search(queries[part], k, n), part)
        # Without the row itself, which is always found.
        others: np.ndarray = np.maximum(share * k - 1, 0) / (k - 1)
        return others

    n = 1 if n_probes == "auto" else min(int(n_probes), lists.n_lists)
    while n_probes == "auto" and n < lists.n_lists:
        found = recalls(n, slice(0, half))
        # Two standard errors more, so that other rows do not fall short by chance.
        if found.mean() - 2 * found.std() / math.sqrt(half) >= min_recall:
            break
        n = min(2 * n, lists.n_lists)
    return n, float(recalls(n, slice(half, None)).mean())
