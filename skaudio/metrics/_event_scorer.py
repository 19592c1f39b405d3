"""A scorer with strong labels, for searches and cross-validation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from skaudio.events import check_events, events_within, file_spans, match_names
from skaudio.metrics._event_scores import segment_based_f1


class EventScorer:
    """The scorer that `make_event_scorer` returns: ``scorer(estimator, X, y)``."""

    def __init__(self, events: pd.DataFrame, metric: Callable[..., Any]) -> None:
        self.events = events
        self.metric = metric

    def __call__(self, estimator: Any, X: Any, y: Any = None) -> float:
        spans = file_spans(X)
        names = [span.name for span in spans]
        if any(isinstance(name, int) for name in names):
            raise ValueError(
                f"recording {names.index(next(n for n in names if isinstance(n, int)))} has no "
                "name by which to find its events: expected paths, mappings with 'path', or an "
                "AudioBatch with names."
            )
        table = match_names(self.events, "file", names)
        true = table[table["file"].isin(names)]
        if not len(true):
            raise ValueError(
                f"events has none for {names[0]!r} or any other of the {len(names)} recordings of "
                f"X; its files are called such as {self.events['file'].iloc[0]!r}."
            )
        if any(span.is_clip for span in spans):
            true = events_within(true, spans)
        return float(self.metric(true, estimator.predict_events(X)))


def make_event_scorer(events: Any, *, metric: Callable[..., Any] = segment_based_f1) -> EventScorer:
    """Make a scorer with strong labels for ``GridSearchCV(scoring=...)`` and ``cross_validate``.

    A search passes the X and the weak labels y of a fold to its scorer. This scorer contains the
    strong labels of all recordings. It selects the labels of the recordings in X by their paths,
    and compares them with ``estimator.predict_events(X)``.

    Parameters
    ----------
    events : DataFrame
        Strong labels; see `skaudio.events.check_events`. ``file`` holds the same paths as X.
    metric : callable, default=segment_based_f1
        Function of the true and the predicted events. `functools.partial` can set its parameters.

    Returns
    -------
    scorer : callable
        Function ``scorer(estimator, X, y)``. It can be pickled, so searches can run in parallel.

    Raises
    ------
    ValueError, TypeError
        If a table is not a table of events (`check_events`).

    Examples
    --------
    >>> from functools import partial
    >>> from skaudio.metrics import event_based_f1, make_event_scorer
    >>> strong = [{"file": "a.wav", "onset": 1.0, "offset": 3.0, "event_label": "dog"}]
    >>> scorer = make_event_scorer(strong, metric=partial(event_based_f1, collar=0.5))
    """
    table = check_events(events)
    if not len(table):
        raise ValueError("events is empty: expected the strong labels of the recordings.")
    return EventScorer(table, metric)
