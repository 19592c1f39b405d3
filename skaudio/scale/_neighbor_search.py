"""Search of nearest rows, with the API of scikit-learn."""

from __future__ import annotations

import math
from typing import Any, Self

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.utils.validation import check_is_fitted, validate_data

from skaudio._validation import check_choice, check_count
from skaudio.scale._inverted_lists import InvertedLists

FLOATS = [np.float64, np.float32, np.float16]
MODES = ("distance", "connectivity")


class NeighborSearch:
    """Add `kneighbors`, `kneighbors_graph` and `transform`."""

    n_neighbors: int
    mode: str
    metric: str
    n_samples_fit_: int
    n_lists_: int
    n_probes_: int
    _lists: InvertedLists

    def kneighbors(
        self,
        X: Any = None,
        n_neighbors: int | None = None,
        return_distance: bool = True,
        *,
        mask: Any = None,
    ) -> Any:
        """Find the nearest rows.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features), default=None
            Queries. None: all rows of the index; a row is not its own neighbour.
        n_neighbors : int, default=None
            Number of neighbours. None: the parameter of the estimator.
        return_distance : bool, default=True
        mask : array-like of bool of shape (n_samples_fit_,), default=None
            True for rows of the index that may be found, by their position in X of ``fit``. The
            fewer rows may be found, the more lists are searched.

        Returns
        -------
        distances : ndarray of shape (n_queries, n_neighbors)
            Distances as float32, the smallest first. Only with ``return_distance``.
        positions : ndarray of shape (n_queries, n_neighbors)
            Positions of the rows in X of ``fit``.

        Raises
        ------
        ValueError
            If there are fewer rows than neighbours, or fewer that may be found.
        """
        check_is_fitted(self)
        k = self.n_neighbors if n_neighbors is None else check_count("n_neighbors", n_neighbors)
        allowed = None if mask is None else _as_mask(mask, self.n_samples_fit_)
        n = self.n_samples_fit_ if allowed is None else int(allowed.sum())
        least = k + (X is None)
        if least > n:
            which = "" if allowed is None else " that mask lets through"
            raise ValueError(
                f"Expected n_neighbors <= n_samples_fit, but n_neighbors = {k}, "
                f"n_samples_fit = {self.n_samples_fit_}, of which {n}{which} can be found"
                f"{' beside the row itself' if X is None else ''}."
            )
        n_probes = min(self.n_lists_, math.ceil(self.n_probes_ * self.n_samples_fit_ / n))
        if X is None:
            found = self._among_themselves(k, n_probes, allowed)
        else:
            X = validate_data(self, X, dtype=FLOATS, reset=False, ensure_all_finite=False)
            found = self._search(
                prepare_rows(X, self.metric, self._lists.dtype), k, n_probes, allowed
            )
        return found if return_distance else found[1]

    def _search(
        self, queries: np.ndarray, k: int, n_probes: int, allowed: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        distances, positions = self._lists.search(queries, k, n_probes, allowed)
        if self.metric == "cosine":  # of rows of length 1
            return distances / 2, positions
        return np.sqrt(distances), positions

    def _among_themselves(
        self, k: int, n_probes: int, allowed: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Search the neighbours of all rows, each without the row itself."""
        n = self.n_samples_fit_
        distances, positions = np.empty((n, k), np.float32), np.empty((n, k), np.int64)
        for own, rows in self._lists.blocks():
            far, found = self._search(rows.astype(np.float32), k + 1, n_probes, allowed)
            itself = found == own[:, None]
            # Where it is not among them, behind its copies or not allowed, the last one goes.
            itself[~itself.any(axis=1), -1] = True
            distances[own] = far[~itself].reshape(-1, k)
            positions[own] = found[~itself].reshape(-1, k)
        return distances, positions

    def kneighbors_graph(
        self, X: Any = None, n_neighbors: int | None = None, mode: str = "connectivity"
    ) -> csr_matrix:
        """Return the nearest rows as a sparse matrix.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features), default=None
            Queries. None: all rows of the index; a row is not its own neighbour.
        n_neighbors : int, default=None
            Number of neighbours. None: the parameter of the estimator.
        mode : {"connectivity", "distance"}, default="connectivity"
            Values of the matrix: ones, or distances.

        Returns
        -------
        graph : sparse matrix of shape (n_queries, n_samples_fit_)
            CSR matrix of float32; the nearest neighbour is first in each row.
        """
        check_choice("mode", mode, MODES)
        distances, positions = self.kneighbors(X, n_neighbors)
        n, k = positions.shape
        values = distances.ravel() if mode == "distance" else np.ones(n * k, np.float32)
        starts = np.arange(0, n * k + 1, k)
        return csr_matrix((values, positions.ravel(), starts), shape=(n, self.n_samples_fit_))

    def transform(self, X: Any) -> csr_matrix:
        """Return the graph of the neighbours of X among the rows of ``fit``.

        Parameters
        ----------
        X : array-like of shape (n_queries, n_features)

        Returns
        -------
        graph : sparse matrix of shape (n_queries, n_samples_fit_)
            CSR matrix of float32; the nearest neighbour is first in each row. Only neighbours have
            a value. A row of ``fit`` has itself among them, at the distance 0, unless the index
            holds as many copies
            of it.
        """
        check_is_fitted(self)
        more = self.mode == "distance"
        return self.kneighbors_graph(X, self.n_neighbors + more, self.mode)

    def set_output(self, *, transform: str | None = None) -> Self:
        """Do nothing: a graph is a sparse matrix, which DataFrames cannot hold.

        Parameters
        ----------
        transform : {"default", "pandas", "polars", None}, default=None
            Ignored.

        Returns
        -------
        self : estimator
        """
        return self


def prepare_rows(rows: np.ndarray, metric: str, dtype: str, positions: Any = None) -> np.ndarray:
    """Return rows as float32 with the values that are stored: of length 1, and rounded."""
    # A number that float32 cannot hold becomes infinity, and is refused below.
    with np.errstate(over="ignore", invalid="ignore"):
        rows = np.ascontiguousarray(rows, np.float32)
        if metric == "cosine":
            lengths = np.linalg.norm(rows, axis=1, keepdims=True)
            _check_rows(lengths[:, 0] == 0, positions, "has length 0, and so no cosine")
            rows = rows / lengths
        if dtype == "float16":
            rows = rows.astype(np.float16).astype(np.float32)
    finite = np.isfinite(rows).all(axis=1)
    _check_rows(~finite, positions, f"contains NaN, infinity or a value too large for {dtype}")
    return rows


def _check_rows(bad: np.ndarray, positions: Any, what: str) -> None:
    """Raise an error that names the first row that is wrong."""
    if bad.any():
        first = int(np.argmax(bad))
        raise ValueError(f"Row {first if positions is None else positions[first]} of X {what}.")


def _as_mask(mask: Any, n: int) -> np.ndarray:
    allowed = np.asarray(mask)
    if allowed.dtype != bool or allowed.shape != (n,):
        raise ValueError(
            f"mask has shape {allowed.shape} and type {allowed.dtype}: expected a boolean for "
            f"each of the {n} rows of fit."
        )
    return allowed
