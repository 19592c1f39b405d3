"""Conversion of probabilities over time to a table of events, and back."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.ndimage import median_filter as median_of

from skaudio._validation import counted
from skaudio.audio import AudioBatch, clip_rows
from skaudio.events._event_table import COLUMNS, check_events, natural

# Tolerance in frames for comparing durations in seconds with numbers of frames.
ROUNDING = 1e-6
# Filter parameters that are durations in seconds.
SECONDS = ("median_filter", "min_duration", "max_gap")


def frames_to_events(
    probabilities: Any,
    frame_times: Any,
    labels: Sequence[Any],
    *,
    threshold: Any = 0.5,
    hysteresis: Any = 1.0,
    median_filter: Any = 0.0,
    min_duration: Any = 0.0,
    max_gap: Any = 0.0,
    frame_duration: float | None = None,
    file: Any = 0,
) -> pd.DataFrame:
    """Convert probabilities over time to events.

    For each label: smooth the probabilities by a median filter; find runs of frames at or above
    ``hysteresis * threshold`` that reach the threshold; merge events with short gaps between them;
    remove short events.

    Parameters
    ----------
    probabilities : array of shape (n_labels, n_frames)
        Probability of each label in each frame.
    frame_times : array of shape (n_frames,)
        Centre of each frame in seconds, evenly spaced.
    labels : sequence of length n_labels
        Names of the labels.
    threshold : float, or array of shape (n_labels,), default=0.5
        Probability at which an event begins, between 0 and 1.
    hysteresis : float, or array of shape (n_labels,), default=1.0
        An event ends when the probability is below this fraction of the threshold.
    median_filter : float, or array of shape (n_labels,), default=0.0
        Length of the median filter in seconds, rounded to an odd number of frames.
    min_duration : float, or array of shape (n_labels,), default=0.0
        Events shorter than this are removed, in seconds.
    max_gap : float, or array of shape (n_labels,), default=0.0
        Events with a gap of up to this length between them are merged, in seconds.
    frame_duration : float, default=None
        Time between successive frames in seconds. None: computed from two or more ``frame_times``.
    file : default=0
        Value of the column ``file``.

    Returns
    -------
    events : DataFrame
        Events, sorted by onset, with the columns ``file``, ``onset``, ``offset``, ``event_label``
        and ``score`` (the mean probability of the frames of the event, before the median filter).
        An event begins half a frame before the centre of its first frame, but not before 0, and
        ends half a frame after the centre of its last frame.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio.events import frames_to_events
    >>> dog = [0.1, 0.6, 0.9, 0.4, 0.1, 0.1, 0.7, 0.2]
    >>> frames_to_events([dog], 0.1 * np.arange(8), ["dog"], threshold=0.6, hysteresis=0.5)
       file  onset  offset event_label     score
    0     0   0.05    0.35         dog  0.633333
    1     0   0.55    0.65         dog  0.700000
    """
    probabilities = np.asarray(probabilities)
    times = np.asarray(frame_times, dtype=float)
    if probabilities.shape != (len(labels), len(times)):
        raise ValueError(
            f"probabilities has shape {probabilities.shape}, expected (n_labels, n_frames) = "
            f"({len(labels)}, {len(times)})."
        )
    step = _step(times, frame_duration)
    thresholds = check_thresholds(threshold, labels)
    filters = _check_filters(
        labels,
        hysteresis=hysteresis,
        median_filter=median_filter,
        min_duration=min_duration,
        max_gap=max_gap,
    )
    rows = []
    for i, label in enumerate(labels):
        values, high = probabilities[i], thresholds[i]
        own = {name: filters[name][i] / step for name in SECONDS}
        starts, stops = find_runs(
            smooth(values, own["median_filter"]),
            high,
            high * filters["hysteresis"][i],
            min_frames=own["min_duration"],
            max_gap=own["max_gap"],
        )
        for start, stop in zip(starts, stops, strict=True):
            onset = max(times[start] - step / 2, 0.0)
            score = float(values[start:stop].mean())
            rows.append((file, onset, times[stop - 1] + step / 2, label, score))
    rows.sort(key=lambda row: row[1:3])
    return _table(rows)


def _table(rows: list[Any]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=[*COLUMNS, "score"], dtype=object)
    return natural(table).astype({"onset": float, "offset": float, "score": float})


def events_to_frames(events: Any, frame_times: Any, labels: Sequence[Any]) -> np.ndarray:
    """Convert the events of one recording to the activity of labels over time.

    Parameters
    ----------
    events : DataFrame
        Events of one file; see `check_events`.
    frame_times : array of shape (n_frames,)
        Centre of each frame in seconds.
    labels : sequence of length n_labels
        Names of the labels.

    Returns
    -------
    active : ndarray of bool, shape (n_labels, n_frames)
        True where ``onset <= time < offset`` for an event of the label.

    Examples
    --------
    >>> from skaudio.events import events_to_frames
    >>> dog = [{"file": 0, "onset": 0.1, "offset": 0.3, "event_label": "dog"}]
    >>> events_to_frames(dog, [0.0, 0.1, 0.2, 0.3], ["cat", "dog"]).astype(int).tolist()
    [[0, 0, 0, 0], [0, 1, 1, 0]]
    """
    table = check_events(events, labels=labels)
    files = table["file"].unique()
    if len(files) > 1:
        raise ValueError(f"events is of {len(files)} files, expected one: {files[:2].tolist()}...")
    times = np.asarray(frame_times, dtype=float)
    active = np.zeros((len(labels), len(times)), dtype=bool)
    rows = {label: i for i, label in enumerate(labels)}
    for label, onset, offset in table[["event_label", "onset", "offset"]].itertuples(index=False):
        active[rows[label]] |= (times >= onset) & (times < offset)
    return active


class Span(NamedTuple):
    """A recording in tables of events: its file, and the part of the file in seconds."""

    name: Any
    start: float = 0.0
    end: float = math.inf

    @property
    def is_clip(self) -> bool:
        """Whether the recording is a part of its file."""
        return self.start > 0 or self.end < math.inf


def file_names(X: Any) -> list[Any]:
    """Return the value of the column ``file`` for each recording: its path, or else its position.

    Parameters
    ----------
    X : sequence of recordings, or of frames

    Returns
    -------
    names : list of str or int
        Paths as in X (relative paths stay relative), or positions. For an `AudioBatch`, its
        ``names``.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio.events import file_names
    >>> file_names(["a.wav", "b.wav"]), file_names(np.zeros((2, 16000)))
    (['a.wav', 'b.wav'], [0, 1])
    """
    return [span.name for span in file_spans(X)]


def file_spans(X: Any) -> list[Span]:
    """Return the file (or the position) of each recording, and its part of the file."""
    if isinstance(X, AudioBatch):
        return [Span(i if name is None else name) for i, name in enumerate(X.names)]
    rows = None if isinstance(X, (list, tuple, np.ndarray)) else clip_rows(X)
    if rows is not None:
        return [Span(str(os.fsdecode(r.file)), float(r.onset), float(r.offset)) for r in rows]
    if hasattr(X, "iloc"):
        X = X if X.ndim == 1 else X.iloc[:, 0]
        X = X.tolist()
    return [_span(X[i], i) for i in range(len(X))]


def _span(item: Any, position: int) -> Span:
    if hasattr(item, "as_py"):  # an element of an Arrow array
        item = item.as_py()
    if isinstance(item, (str, os.PathLike)):
        return Span(str(os.fsdecode(item)))
    keys = ("path", "start", "duration")
    of: Any = item.get if isinstance(item, Mapping) else lambda key: getattr(item, key, None)
    path, start, duration = map(of, keys)
    if path is None:
        return Span(position)
    end = math.inf if duration is None else (start or 0.0) + duration
    return Span(str(os.fsdecode(path)), start or 0.0, end)


def smooth(values: np.ndarray, n_frames: float) -> np.ndarray:
    """Return the median over ``n_frames``, rounded to an odd number; ends are repeated."""
    size = 2 * round((n_frames - 1) / 2) + 1
    return values if size <= 1 else median_of(values, size, mode="nearest")


def find_runs(
    values: np.ndarray, high: float, low: float, *, min_frames: float = 0.0, max_gap: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Return (starts, stops) of the runs at or above ``low`` that reach ``high``.

    Runs with gaps of at most ``max_gap`` frames are merged; then runs shorter than ``min_frames``
    are removed.
    """
    edges = np.diff(np.concatenate([[False], values >= low, [False]]).astype(np.int8))
    starts, stops = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    if len(starts):
        ends = np.stack([starts, stops], axis=1).ravel()
        reached = np.maximum.reduceat(np.append(values, -np.inf), ends)[::2] >= high
        starts, stops = starts[reached], stops[reached]
    if len(starts):
        apart = starts[1:] - stops[:-1] > max_gap + ROUNDING
        starts, stops = starts[np.append(True, apart)], stops[np.append(apart, True)]
    long = stops - starts >= min_frames - ROUNDING
    return starts[long], stops[long]


def check_thresholds(threshold: Any, labels: Sequence[Any]) -> np.ndarray:
    """Return one threshold per label, or raise an error."""
    if hasattr(threshold, "keys"):
        strange = [name for name in threshold if name not in list(labels)]
        missing = [name for name in labels if name not in threshold]
        if strange or missing:
            raise ValueError(
                f"threshold is given for {list(threshold)}, expected the labels {list(labels)}."
            )
        threshold = [threshold[name] for name in labels]
    values = _for_each("threshold", threshold, labels)
    if not np.all((values >= 0) & (values <= 1)):
        raise ValueError(f"threshold={threshold!r}: expected probabilities between 0 and 1.")
    return values


def _check_filters(labels: Sequence[Any], **filters: Any) -> dict[str, np.ndarray]:
    """Return each filter with a value for each label, or raise an error."""
    checked = {name: _for_each(name, value, labels) for name, value in filters.items()}
    hysteresis = checked["hysteresis"]
    if not np.all((hysteresis > 0) & (hysteresis <= 1)):
        raise ValueError(
            f"hysteresis={filters['hysteresis']!r}: expected a share of the threshold, above 0 and "
            "at most 1."
        )
    for name in SECONDS:
        if not np.all((checked[name] >= 0) & (checked[name] < np.inf)):
            raise ValueError(f"{name}={filters[name]!r}: expected seconds, 0 or more.")
    return checked


def _for_each(name: str, value: Any, labels: Sequence[Any]) -> np.ndarray:
    """Return one number per label."""
    values = np.asarray(value, dtype=float)
    if values.ndim and values.shape != (len(labels),):
        raise ValueError(
            f"{name} has shape {values.shape}, expected one number or one per label, "
            f"({len(labels)},)."
        )
    return np.broadcast_to(values, len(labels))


def _step(times: np.ndarray, frame_duration: float | None) -> float:
    if frame_duration is not None:
        return float(frame_duration)
    if len(times) < 2:
        raise ValueError(
            f"frame_times has {counted(len(times), 'frame')}: how long one is cannot be told. Pass "
            "frame_duration=."
        )
    return float(times[-1] - times[0]) / (len(times) - 1)
