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
    """Compare events one by one: equal labels, onsets and offsets within tolerances.

    An event is found if the onsets differ by at most ``collar`` and the offsets by at most
    ``max(collar, offset_ratio * length)``, with the length of the true event. True and predicted
    events are paired so that as many as possible are found.

    Parameters
    ----------
    events_true, events_pred : DataFrame
        See `skaudio.events.check_events`.
    collar : float, default=0.2
        In seconds.
    offset_ratio : float, default=0.2
        DCASE's and DESED's; sed_eval's own default is 0.5.
    labels : sequence, default=None
        The labels to count; None: all that occur.

    Returns
    -------
    table : DataFrame
        A row per label, and as the last two "macro" (the mean of those with a score) and "micro"
        (all events together): ``f1``, ``precision``, ``recall``, ``n_true``, ``n_pred`` and
        ``n_found``.

    Notes
    -----
    The numbers are those of sed_eval 0.2.1, with optimal matching and
    ``empty_system_output_handling="zero_score"``: precision is 0 where nothing was predicted. By
    sed_eval's default it is NaN there, which leaves the label out of the macro mean: a system that
    predicts nothing for a label would score higher. A label without true events has no recall and
    no F1, and counts in "micro" alone.

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
    """Compare activity in segments of equal length: a label is active where an event touches it.

    Parameters
    ----------
    events_true, events_pred : DataFrame
        See `skaudio.events.check_events`.
    segment : float, default=1.0
        In seconds.
    labels : sequence, default=None
        The labels to count; None: all that occur.

    Returns
    -------
    table : DataFrame
        A row per label, then "macro" and "micro", as in `event_based_scores`; what is counted are
        active segments.

    Notes
    -----
    The numbers are sed_eval's; see the notes of `event_based_scores`.

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
    """Return the F1 score of events compared one by one.

    Parameters
    ----------
    events_true, events_pred, collar, offset_ratio, labels
        See `event_based_scores`.
    average : {"macro", "micro", None}, default="macro"
        Mean over labels; all events together; or the scores of each label, a Series.

    Returns
    -------
    f1 : float or Series
        NaN where there is no true event.

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
    """Return the F1 score of activity in segments.

    Parameters
    ----------
    events_true, events_pred, segment, labels
        See `segment_based_scores`.
    average : {"macro", "micro", None}, default="macro"
        Mean over labels; all segments together; or the scores of each label, a Series.

    Returns
    -------
    f1 : float or Series
        NaN where there is no true event.

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
    # What was read from a file has text where a detector has numbers: both as `labels` has them.
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
    table = pd.DataFrame(rows, columns=COLUMNS_OF_SCORES)
    macro = table.mean() if len(table) else pd.Series(np.nan, index=COLUMNS_OF_SCORES)
    total = counts.sum(axis=0).tolist()
    # The last two rows, by position: a label may be called "macro", too.
    rows += [[*macro.iloc[:3], *total], _rates(*total)]
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
    """Count true events, predicted events, and those of them that match."""
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
    """Return F1, NaN if there are no true events."""
    return 2 * n_found / (n_true + n_pred) if n_true else float("nan")
