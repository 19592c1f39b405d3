"""Reduction to two dimensions: PCA, t-SNE, UMAP, or any transformer."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.utils import check_array

# UMAP cannot build a graph of neighbours with fewer points.
FEWEST_FOR_UMAP = 4
# Rows are usual if their differences are larger than this (also relative to the largest value), and
# smaller than its inverse.
USUAL = 1e-6


def check_rows(embeddings: Any) -> np.ndarray:
    """Return embeddings as a table of finite numbers, or raise an error."""
    if np.ndim(embeddings) != 2:
        raise ValueError(
            f"embeddings of shape {np.shape(embeddings)}, expected (n_recordings, n_features), one "
            "row per recording. Frames and sequences of chunks are pooled first, for example by "
            "FramePooling."
        )
    rows: np.ndarray = check_array(embeddings, dtype=np.float64, ensure_min_samples=2)
    return rows


def project(rows: np.ndarray, method: Any, random_state: Any) -> tuple[np.ndarray, list[str]]:
    """Return coordinates ``(n, 2)`` and the labels of the axes.

    Parameters
    ----------
    rows : ndarray of shape (n, d)
    method : {"pca", "tsne", "umap"}, transformer, or None
        Method of reduction. None: rows of two numbers are returned unchanged.
    random_state : int, RandomState instance or None
    """
    if method is None:
        if rows.shape[1] != 2:
            raise ValueError(
                f"method=None takes rows of two numbers as they are, these have {rows.shape[1]}: "
                "expected method='pca', 'tsne', 'umap' or a transformer."
            )
        return rows, ["Feature 1", "Feature 2"]
    if rows.shape[1] < 2:
        raise ValueError("embeddings of one feature only, expected two or more to make a plane of.")
    reducer, name = _reducer(rows, method, random_state)
    scaled, size = _scaled(rows)
    # A transformer of the user may depend on the scale, so its input is not scaled.
    coordinates = np.asarray(reducer.fit_transform(scaled if isinstance(method, str) else rows))
    if coordinates.shape != (len(rows), 2):
        raise ValueError(
            f"method={method!r:.100} returns shape {coordinates.shape}, expected {(len(rows), 2)}: "
            "set its number of components to 2."
        )
    labels = [f"{name} {i}" for i in (1, 2)]
    shares = getattr(reducer, "explained_variance_ratio_", None)
    if shares is not None:
        labels = [
            f"{label} ({100 * share:.0f} %)" for label, share in zip(labels, shares, strict=True)
        ]
    if method == "pca":  # in units of the features
        coordinates = coordinates * size
    return coordinates.astype(np.float64), labels


def _scaled(rows: np.ndarray) -> tuple[np.ndarray, float]:
    """Return rows whose squares are finite and distinct, and the factor of their scale.

    Usual rows are returned unchanged. Others are centred and scaled to at most 1, because t-SNE
    ends the process if squares overflow. It also does so if all rows are equal, which is an error
    here.
    """
    largest = max(float(np.abs(rows).max()), np.finfo(float).tiny)
    centered = rows / largest
    centered -= centered.mean(axis=0)
    spread = float(np.abs(centered).max())
    if spread < 4 * np.finfo(float).eps:
        raise ValueError(
            f"embeddings: all {len(rows)} rows are equal, so that there is no plane to lay them "
            "out in. Are all recordings silent, or does a network map them to one point?"
        )
    if USUAL < largest * spread < 1 / USUAL and spread > USUAL:
        return rows, 1.0
    return centered / spread, largest * spread


def _reducer(rows: np.ndarray, method: Any, random_state: Any) -> tuple[Any, str]:
    if hasattr(method, "fit_transform"):
        return clone(method), type(method).__name__
    if method == "pca":
        return PCA(2, random_state=random_state), "Principal component"
    # Both methods use the nearest neighbours of each point. Small collections have fewer than the
    # default.
    n_neighbors = min(30.0, (len(rows) - 1) / 3)
    if method == "tsne":
        return TSNE(perplexity=max(n_neighbors, 0.5), random_state=random_state), "t-SNE"
    if method == "umap":
        try:
            from umap import UMAP
        except ImportError as error:
            raise ImportError(
                'method="umap" needs umap-learn: pip install "skaudio[umap]"'
            ) from error
        if len(rows) < FEWEST_FOR_UMAP:
            raise ValueError(
                f"method='umap' of {len(rows)} recordings: expected {FEWEST_FOR_UMAP} or more. "
                "method='pca' takes two."
            )
        n_neighbors = min(15, len(rows) - 1)
        return UMAP(n_neighbors=n_neighbors, random_state=random_state, n_jobs=1), "UMAP"
    raise ValueError(f"method={method!r}: expected 'pca', 'tsne', 'umap', a transformer or None.")
