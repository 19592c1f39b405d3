"""The best threshold and filters of each label, chosen with strong labels."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from skaudio.events import find_runs, smooth
from skaudio.metrics import count_events, count_segments, f1_of

Spans = tuple[np.ndarray, np.ndarray]
NONE: Spans = np.empty(0), np.empty(0)
# Candidate thresholds of each label: from 0.001 to 0.999, evenly spaced in log-odds.
CANDIDATES = 1.0 / (1.0 + np.exp(-np.linspace(-7, 7, 57)))
# Functions that compare the events of one label in one recording, by the name of the metric.
COUNTS: dict[str, Callable[[Any, Any], tuple[int, int, int]]] = {
    "segment": lambda true, pred: count_segments(true, pred, 1.0),
    "event": lambda true, pred: count_events(true, pred, 0.2, 0.2),
}


# Candidate filters of each label with ``filters=True``; durations in seconds. One parameter is
# changed at a time.
FILTERS: dict[str, tuple[float, ...]] = {
    "hysteresis": (1.0, 0.7, 0.4, 0.2),
    "median_filter": (0.0, 0.2, 0.5, 1.0),
    "max_gap": (0.0, 0.2, 0.5, 1.0),
    "min_duration": (0.0, 0.1, 0.2, 0.4, 0.8),
}
# Smallest increase of F1 for which a filter is changed.
MARGIN = 0.003


@dataclass
class Tuning:
    """Data and metric by which thresholds and filters are chosen.

    Attributes
    ----------
    probabilities : sequence of ndarray of shape (n_labels, n_frames)
    times : sequence of ndarray of shape (n_frames,)
    names : sequence
        Names of the recordings in ``events``.
    events : DataFrame
        Strong labels, checked.
    metric : {"segment", "event"}
        F1 of segments of one second, or of events with a collar of 0.2 s.
    step : float
        Time between successive frames, in seconds.
    """

    probabilities: Sequence[np.ndarray]
    times: Sequence[np.ndarray]
    names: Sequence[Any]
    events: pd.DataFrame
    metric: str
    step: float

    def __post_init__(self) -> None:
        if self.metric not in COUNTS:
            raise ValueError(f"metric={self.metric!r}: expected 'segment' or 'event'.")

    def best(
        self, labels: Sequence[Any], default: np.ndarray, filters: dict[str, float], search: bool
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Return the threshold with the highest F1, and the filters, of each label.

        Parameters
        ----------
        labels : sequence
        default : ndarray of shape (n_labels,)
            Thresholds of labels that do not occur in ``events``.
        filters : dict
            ``hysteresis``, ``median_filter``, ``min_duration``, ``max_gap``.
        search : bool
            Whether to choose filters too. One parameter is changed at a time, to the candidate with
            the highest F1 at its best threshold; every fourth threshold is tried.
        """
        thresholds = np.array(default, dtype=float)
        chosen = {name: np.full(len(labels), float(value)) for name, value in filters.items()}
        for i, label in enumerate(labels):
            own = self.events[self.events["event_label"] == label]
            if not len(own):
                warnings.warn(
                    f"events has none of the label {label!r}: its threshold stays at "
                    f"{thresholds[i]:g}.",
                    stacklevel=3,
                )
                continue
            spans = {
                name: (group["onset"].to_numpy(), group["offset"].to_numpy())
                for name, group in own.groupby("file", sort=False)
            }
            known = self._search(i, spans, dict(filters)) if search else filters
            scores = self._scores(i, spans, known, CANDIDATES)
            best = np.flatnonzero(scores == scores.max())
            thresholds[i] = CANDIDATES[best[len(best) // 2]]
            for name, value in known.items():
                chosen[name][i] = value
        return thresholds, chosen

    def _search(
        self, i: int, spans: dict[Any, Spans], filters: dict[str, float]
    ) -> dict[str, float]:
        """Return filters of one label with a high F1, by changing one parameter at a time."""
        few = CANDIDATES[::4]
        best = self._scores(i, spans, filters, few).max()
        for name, values in FILTERS.items():
            for value in values:
                tried = {**filters, name: value}
                score = self._scores(i, spans, tried, few).max()
                if score > best + MARGIN:
                    best, filters = score, tried
        return filters

    def _scores(
        self, i: int, spans: dict[Any, Spans], filters: dict[str, float], candidates: np.ndarray
    ) -> np.ndarray:
        """Return the F1 of one label at each of the candidate thresholds."""
        counts = np.zeros((len(candidates), 3), dtype=int)
        for name, values, times in zip(self.names, self.probabilities, self.times, strict=True):
            found = _events_by_threshold(values[i], times, self.step, filters, candidates)
            true = spans.get(name, NONE)
            counts += [COUNTS[self.metric](true, pred) for pred in found]
        return np.array([f1_of(*row) for row in counts.tolist()])


def check_onsets(events: pd.DataFrame, ends: dict[Any, float], *, tolerance: float) -> None:
    """Raise an error for an event that begins after the end of its recording, both in seconds."""
    late = events[events["onset"] > events["file"].map(ends).astype(float) + tolerance]
    if len(late):
        row = late.iloc[0]
        raise ValueError(
            f"events: {row['event_label']!r} in {row['file']!r} begins at {row['onset']:g} s, "
            f"but the recording ends at {ends[row['file']]:.3f} s. Are times in seconds?"
        )


def _events_by_threshold(
    values: np.ndarray,
    times: np.ndarray,
    step: float,
    filters: dict[str, float],
    candidates: np.ndarray,
) -> Iterator[Spans]:
    """Yield the onsets and offsets of one label in one recording for each candidate threshold."""
    smoothed = smooth(values, filters["median_filter"] / step)
    highest = smoothed.max()
    for high in candidates:
        if high > highest:
            yield NONE
            continue
        starts, stops = find_runs(
            smoothed,
            high,
            high * filters["hysteresis"],
            min_frames=filters["min_duration"] / step,
            max_gap=filters["max_gap"] / step,
        )
        yield np.maximum(times[starts] - step / 2, 0), times[stops - 1] + step / 2
