"""True and predicted events of one label and file: pairs, active segments, F1."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

# Onsets and offsets, in seconds.
Spans = tuple[np.ndarray, np.ndarray]


def n_matched(true: Spans, pred: Spans, collar: float, offset_ratio: float) -> int:
    """Return the size of the largest one-to-one matching of (onsets, offsets) within tolerance."""
    onset = np.abs(true[0][:, None] - pred[0]) <= collar
    tolerance = np.maximum(collar, offset_ratio * (true[1] - true[0]))
    hits = onset & (np.abs(true[1][:, None] - pred[1]) <= tolerance[:, None])
    if not hits.any():
        return 0
    return int((maximum_bipartite_matching(csr_array(hits)) >= 0).sum())


def active_segments(spans: Spans, segment: float) -> np.ndarray:
    """Return the numbers of the segments that some event touches, sorted."""
    first = np.floor(spans[0] / segment).astype(np.int64)
    last = np.ceil(spans[1] / segment).astype(np.int64)
    touched = [np.arange(a, b) for a, b in zip(first, last, strict=True)]
    return np.unique(np.concatenate(touched)) if touched else np.empty(0, np.int64)


def f1_of(n_true: int, n_pred: int, n_found: int) -> float:
    """Return F1, NaN where there is nothing to find."""
    return 2 * n_found / (n_true + n_pred) if n_true else float("nan")
