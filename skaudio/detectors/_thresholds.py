"""Thresholds chosen by strong labels, for each label by itself."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from skaudio.events import find_runs, smooth
from skaudio.metrics import active_segments, f1_of, n_matched

# Tried for each label: evenly spaced in log-odds, from 0.001 to 0.999.
CANDIDATES = 1.0 / (1.0 + np.exp(-np.linspace(-7, 7, 57)))
METRICS = ("segment", "event")


def best_thresholds(
    probabilities: Sequence[np.ndarray],
    times: Sequence[np.ndarray],
    names: Sequence[Any],
    labels: Sequence[Any],
    events: pd.DataFrame,
    *,
    metric: str,
    step: float,
    default: np.ndarray,
    filters: dict[str, float],
) -> np.ndarray:
    """Return the threshold of each label with the best F1; of several, the one in the middle.

    Parameters
    ----------
    probabilities : sequence of ndarray of shape (n_labels, n_frames)
    times : sequence of ndarray of shape (n_frames,)
    names : sequence
        What ``events`` calls each recording.
    labels : sequence
    events : DataFrame
        Strong labels, checked.
    metric : {"segment", "event"}
        F1 by the second, or with a collar of 0.2 s.
    step : float
        From one frame to the next, in seconds.
    default : ndarray of shape (n_labels,)
        Of labels without strong labels.
    filters : dict
        ``hysteresis``, ``median_filter``, ``min_duration``, ``max_gap``.
    """
    if metric not in METRICS:
        raise ValueError(f"metric={metric!r}: expected 'segment' or 'event'.")
    chosen = np.array(default, dtype=float)
    for i, label in enumerate(labels):
        own = events[events["event_label"] == label]
        if not len(own):
            warnings.warn(
                f"events has none of the label {label!r}: its threshold stays at {chosen[i]:g}.",
                stacklevel=3,
            )
            continue
        spans = {name: group for name, group in own.groupby("file", sort=False)}
        counts = np.zeros((len(CANDIDATES), 3), dtype=int)
        for name, values, t in zip(names, probabilities, times, strict=True):
            true = np.empty(0), np.empty(0)
            if name in spans:
                true = spans[name]["onset"].to_numpy(), spans[name]["offset"].to_numpy()
            smoothed = smooth(values[i], filters["median_filter"] / step)
            for row, high in zip(counts, CANDIDATES, strict=True):
                runs = find_runs(
                    smoothed,
                    high,
                    high * filters["hysteresis"],
                    min_frames=filters["min_duration"] / step,
                    max_gap=filters["max_gap"] / step,
                )
                pred = np.maximum(t[runs[0]] - step / 2, 0), t[runs[1] - 1] + step / 2
                row += _counts(metric, true, pred)
        scores = np.array([f1_of(*row) for row in counts.tolist()])
        best = np.flatnonzero(scores == scores.max())
        chosen[i] = CANDIDATES[best[len(best) // 2]]
    return chosen


def _counts(metric: str, true: Any, pred: Any) -> tuple[int, int, int]:
    if metric == "event":
        return len(true[0]), len(pred[0]), n_matched(true, pred, 0.2, 0.2)
    a, b = active_segments(true, 1.0), active_segments(pred, 1.0)
    return len(a), len(b), len(np.intersect1d(a, b, assume_unique=True))
