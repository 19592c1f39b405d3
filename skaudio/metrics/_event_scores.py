"""Event-based and segment-based F1, precision and recall of predicted events."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching

from skaudio._validation import check_same_labels
from skaudio.events import check_events, match_names

# Onsets and offsets, in seconds, of the events of one label in one file.
Spans = tuple[np.ndarray, np.ndarray]
# n_true, n_pred, n_found
Counts = tuple[int, int, int]
COLUMNS_OF_SCORES = ["f1", "precision", "recall", "n_true", "n_pred", "n_found"]
AVERAGES = ("macro", "micro", None)


def event_based_scores(
    events_true: Any,
    events_pred: Any,
    *,
    collar: float = 0.2,
    offset_ratio: float = 0.2,
    labels: Sequence[Any] | None = None,
) -> pd.DataFrame:
    """Compare events one by one, by label, onset and offset, with tolerances.

    A true event is found if a predicted event has the same label, an onset that differs by at most
    ``collar``, and an offset that differs by at most ``max(collar, offset_ratio * length)``, with
    the length of the true event. Events are matched one to one so that as many as possible are
    found.

    Parameters
    ----------
    events_true, events_pred : DataFrame
        True and predicted events; see `skaudio.events.check_events`.
    collar : float, default=0.2
        Tolerance of onsets and offsets in seconds.
    offset_ratio : float, default=0.2
        Tolerance of offsets as a fraction of the length of the event. 0.2 is used in DCASE and
        DESED; the default of sed_eval is 0.5.
    labels : sequence, default=None
        Labels to score. None: all labels that occur.

    Returns
    -------
    table : DataFrame
        One row per label, followed by the rows "macro" (mean of the labels with a score) and
        "micro" (all events together). Columns: ``f1``, ``precision``, ``recall``, ``n_true``,
        ``n_pred`` and ``n_found``.

    Notes
    -----
    The values are those of sed_eval 0.2.1 with optimal matching and
    ``empty_system_output_handling="zero_score"``: the precision of a label without predictions is
    0. By default, sed_eval sets it to NaN and excludes the label from the macro mean, so that a
    system that predicts nothing for a label gets a higher score. A label without true events has no
    recall and no F1; its predictions count in "micro" only.

    References
    ----------
    Mesaros, Heittola & Virtanen 2016, "Metrics for polyphonic sound event detection".

    Examples
    --------
    >>> from skaudio.metrics import event_based_scores
    >>> true = [{"file": "a.wav", "onset": 1.0, "offset": 3.0, "event_label": "dog"}]
    >>> late = [{"file": "a.wav", "onset": 1.1, "offset": 3.3, "event_label": "dog"}]
    >>> event_based_scores(true, late).loc["dog", "f1"].item()
    1.0
    """
    for name, value in (("collar", collar), ("offset_ratio", offset_ratio)):
        if not value >= 0:
            raise ValueError(f"{name}={value!r}: expected 0 or more.")

    return _scores(
        events_true,
        events_pred,
        labels,
        lambda true, pred: count_events(true, pred, collar, offset_ratio),
    )


def segment_based_scores(
    events_true: Any,
    events_pred: Any,
    *,
    segment: float = 1.0,
    labels: Sequence[Any] | None = None,
) -> pd.DataFrame:
    """Compare activity in segments of equal length: a label is active if an event overlaps.

    Parameters
    ----------
    events_true, events_pred : DataFrame
        True and predicted events; see `skaudio.events.check_events`.
    segment : float, default=1.0
        Length of a segment in seconds.
    labels : sequence, default=None
        Labels to score. None: all labels that occur.

    Returns
    -------
    table : DataFrame
        One row per label, followed by "macro" and "micro", as in `event_based_scores`. Counts are
        numbers of active segments.

    Notes
    -----
    The values are those of sed_eval; see the notes of `event_based_scores`.

    References
    ----------
    Mesaros, Heittola & Virtanen 2016, "Metrics for polyphonic sound event detection".

    Examples
    --------
    >>> from skaudio.metrics import segment_based_scores
    >>> true = [{"file": "a.wav", "onset": 1.5, "offset": 4.0, "event_label": "dog"}]
    >>> found = [{"file": "a.wav", "onset": 2.5, "offset": 3.5, "event_label": "dog"}]
    >>> segment_based_scores(true, found).loc["dog", ["precision", "recall"]].round(3).to_dict()
    {'precision': 1.0, 'recall': 0.667}
    """
    if not segment > 0:
        raise ValueError(f"segment={segment!r}: expected a positive number of seconds.")

    return _scores(
        events_true, events_pred, labels, lambda true, pred: count_segments(true, pred, segment)
    )


def event_based_f1(
    events_true: Any,
    events_pred: Any,
    *,
    collar: float = 0.2,
    offset_ratio: float = 0.2,
    labels: Sequence[Any] | None = None,
    average: str | None = "macro",
) -> Any:
    """Return the event-based F1 score.

    Parameters
    ----------
    events_true, events_pred, collar, offset_ratio, labels
        See `event_based_scores`.
    average : {"macro", "micro", None}, default="macro"
        "macro": mean over labels. "micro": all events together. None: one score per label.

    Returns
    -------
    f1 : float or Series
        The F1 score, NaN without true events. A Series with ``average=None``.

    Examples
    --------
    >>> from skaudio.metrics import event_based_f1
    >>> true = [{"file": "a.wav", "onset": 1.0, "offset": 3.0, "event_label": "dog"}]
    >>> whole = [{"file": "a.wav", "onset": 0.0, "offset": 10.0, "event_label": "dog"}]
    >>> event_based_f1(true, true), event_based_f1(true, whole)
    (1.0, 0.0)
    """
    table = event_based_scores(
        events_true, events_pred, collar=collar, offset_ratio=offset_ratio, labels=labels
    )
    return _averaged(table, average)


def segment_based_f1(
    events_true: Any,
    events_pred: Any,
    *,
    segment: float = 1.0,
    labels: Sequence[Any] | None = None,
    average: str | None = "macro",
) -> Any:
    """Return the segment-based F1 score.

    Parameters
    ----------
    events_true, events_pred, segment, labels
        See `segment_based_scores`.
    average : {"macro", "micro", None}, default="macro"
        "macro": mean over labels. "micro": all segments together. None: one score per label.

    Returns
    -------
    f1 : float or Series
        The F1 score, NaN without true events. A Series with ``average=None``.

    Examples
    --------
    >>> from skaudio.metrics import segment_based_f1
    >>> true = [{"file": "a.wav", "onset": 1.0, "offset": 3.0, "event_label": "dog"}]
    >>> whole = [{"file": "a.wav", "onset": 0.0, "offset": 6.0, "event_label": "dog"}]
    >>> segment_based_f1(true, true), segment_based_f1(true, whole)
    (1.0, 0.5)
    """
    table = segment_based_scores(events_true, events_pred, segment=segment, labels=labels)
    return _averaged(table, average)


def _scores(
    events_true: Any, events_pred: Any, labels: Any, count: Callable[[Spans, Spans], Counts]
) -> pd.DataFrame:
    true, pred = check_events(events_true), check_events(events_pred)
    true = match_names(true, "file", pred["file"].dropna().unique())
    # Labels read from a file are strings, also if those of the detector are numbers.
    pred = match_names(pred, "event_label", true["event_label"] if labels is None else labels)
    true = match_names(true, "event_label", pred["event_label"] if labels is None else labels)
    if labels is None:
        check_same_labels(
            **{"events_true['event_label']": true["event_label"]},
            **{"events_pred['event_label']": pred["event_label"]},
        )
        labels = sorted({*true["event_label"], *pred["event_label"]})
    true_spans, pred_spans = _spans(true), _spans(pred)
    none = np.empty(0), np.empty(0)
    counts = np.zeros((len(labels), 3), dtype=int)
    row = {label: i for i, label in enumerate(labels)}
    for key in true_spans.keys() | pred_spans.keys():
        if key[1] in row:
            counts[row[key[1]]] += count(true_spans.get(key, none), pred_spans.get(key, none))
    rows = [_rates(*c) for c in counts.tolist()]
    macro = pd.DataFrame(rows).mean().tolist() if rows else [np.nan] * 3
    total = counts.sum(axis=0).tolist()
    # The last two rows by position, because a label could be called "macro".
    rows += [[*macro[:3], *total], _rates(*total)]
    table = pd.DataFrame(rows, index=[*labels, "macro", "micro"], columns=COLUMNS_OF_SCORES)
    return table.astype(dict.fromkeys(COLUMNS_OF_SCORES[3:], int))


def _rates(n_true: int, n_pred: int, n_found: int) -> list[float]:
    precision = n_found / n_pred if n_pred else 0.0
    recall = n_found / n_true if n_true else float("nan")
    return [f1_of(n_true, n_pred, n_found), precision, recall, n_true, n_pred, n_found]


def _spans(table: pd.DataFrame) -> dict[Any, Spans]:
    groups = table.groupby(["file", "event_label"], sort=False, dropna=False)
    return {
        (None if pd.isna(file) else file, label): (g["onset"].to_numpy(), g["offset"].to_numpy())
        for (file, label), g in groups
    }


def _averaged(table: pd.DataFrame, average: str | None) -> Any:
    if average not in AVERAGES:
        raise ValueError(f"average={average!r}: expected 'macro', 'micro' or None.")
    if average is None:
        return table["f1"].iloc[:-2]
    return float(table["f1"].iloc[-2 if average == "macro" else -1])


def count_events(true: Spans, pred: Spans, collar: float, offset_ratio: float) -> Counts:
    """Count true events, predicted events, and matching pairs of them."""
    return len(true[0]), len(pred[0]), n_matched(true, pred, collar, offset_ratio)


def count_segments(true: Spans, pred: Spans, segment: float) -> Counts:
    """Count segments with true events, with predicted events, and with both."""
    if not len(true[0]) and not len(pred[0]):
        return 0, 0, 0
    a, b = active_segments(true, segment), active_segments(pred, segment)
    return len(a), len(b), len(np.intersect1d(a, b, assume_unique=True))


def n_matched(true: Spans, pred: Spans, collar: float, offset_ratio: float) -> int:
    """Return the size of the largest one-to-one matching of (onsets, offsets) within tolerance."""
    onset = np.abs(true[0][:, None] - pred[0]) <= collar
    tolerance = np.maximum(collar, offset_ratio * (true[1] - true[0]))
    hits = onset & (np.abs(true[1][:, None] - pred[1]) <= tolerance[:, None])
    if min(hits.shape) <= 1 or not hits.any():
        return int(hits.any())
    return int((maximum_bipartite_matching(csr_array(hits)) >= 0).sum())


def active_segments(spans: Spans, segment: float) -> np.ndarray:
    """Return the sorted numbers of the segments that contain a part of an event."""
    first = np.floor(spans[0] / segment).astype(np.int64)
    last = np.ceil(spans[1] / segment).astype(np.int64)
    touched = [np.arange(a, b) for a, b in zip(first, last, strict=True)]
    return np.unique(np.concatenate(touched)) if touched else np.empty(0, np.int64)


def f1_of(n_true: int, n_pred: int, n_found: int) -> float:
    """Return F1, or NaN without true events."""
    return 2 * n_found / (n_true + n_pred) if n_true else float("nan")
