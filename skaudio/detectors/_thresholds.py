"""The best threshold of each label, chosen by strong labels."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from skaudio.events import find_runs, smooth
from skaudio.metrics import count_events, count_segments, f1_of

# Tried for each label: evenly spaced in log-odds, from 0.001 to 0.999.
CANDIDATES = 1.0 / (1.0 + np.exp(-np.linspace(-7, 7, 57)))
# How the events of one label in one recording are compared, by the name of the metric.
COUNTS: dict[str, Callable[[Any, Any], tuple[int, int, int]]] = {
    "segment": lambda true, pred: count_segments(true, pred, 1.0),
    "event": lambda true, pred: count_events(true, pred, 0.2, 0.2),
}


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
    """Return the threshold of each label with the highest F1; of equal ones, the middle one.

    Parameters
    ----------
    probabilities : sequence of ndarray of shape (n_labels, n_frames)
    times : sequence of ndarray of shape (n_frames,)
    names : sequence
        The name of each recording in ``events``.
    labels : sequence
    events : DataFrame
        Strong labels, checked.
    metric : {"segment", "event"}
        F1 of segments of one second, or of events with a collar of 0.2 s.
    step : float
        From one frame to the next, in seconds.
    default : ndarray of shape (n_labels,)
        Kept for a label that ``events`` does not contain.
    filters : dict
        ``hysteresis``, ``median_filter``, ``min_duration``, ``max_gap``.
    """
    if metric not in COUNTS:
        raise ValueError(f"metric={metric!r}: expected 'segment' or 'event'.")
    none = np.empty(0), np.empty(0)
    chosen = np.array(default, dtype=float)
    for i, label in enumerate(labels):
        own = events[events["event_label"] == label]
        if not len(own):
            warnings.warn(
                f"events has none of the label {label!r}: its threshold stays at {chosen[i]:g}.",
                stacklevel=3,
            )
            continue
        spans = {
            name: (group["onset"].to_numpy(), group["offset"].to_numpy())
            for name, group in own.groupby("file", sort=False)
        }
        counts = np.zeros((len(CANDIDATES), 3), dtype=int)
        for name, values, t in zip(names, probabilities, times, strict=True):
            found = _events_by_threshold(values[i], t, step, filters)
            counts += [COUNTS[metric](spans.get(name, none), pred) for pred in found]
        scores = np.array([f1_of(*row) for row in counts.tolist()])
        best = np.flatnonzero(scores == scores.max())
        chosen[i] = CANDIDATES[best[len(best) // 2]]
    return chosen


def check_onsets(events: pd.DataFrame, ends: dict[Any, float], *, tolerance: float) -> None:
    """Raise an error for an event that begins after the end of its recording, both in seconds."""
    late = events[events["onset"] > events["file"].map(ends) + tolerance]
    if len(late):
        row = late.iloc[0]
        raise ValueError(
            f"events: {row['event_label']!r} in {row['file']!r} begins at {row['onset']:g} s, "
            f"but the recording ends at {ends[row['file']]:.3f} s. Are times in seconds?"
        )


def _events_by_threshold(
    values: np.ndarray, times: np.ndarray, step: float, filters: dict[str, float]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield onsets and offsets in one recording of one label, for each candidate threshold."""
    smoothed = smooth(values, filters["median_filter"] / step)
    for high in CANDIDATES:
        starts, stops = find_runs(
            smoothed,
            high,
            high * filters["hysteresis"],
            min_frames=filters["min_duration"] / step,
            max_gap=filters["max_gap"] / step,
        )
        yield np.maximum(times[starts] - step / 2, 0), times[stops - 1] + step / 2
