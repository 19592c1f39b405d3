"""events_to_target: combine strong labels and weak labels into one target y."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd

from skaudio._validation import check_same_lengths
from skaudio.events._clip_events import events_of_clips
from skaudio.events._event_table import COLUMNS, check_events
from skaudio.events._frame_events import file_spans


def events_to_target(events: Any, X: Any, weak: Any = None) -> np.ndarray:
    """Return the target y of a detector from strong labels of some or all recordings.

    Parameters
    ----------
    events : DataFrame, or sequence of mappings
        Strong labels; see `check_events`. ``file`` holds the names that `file_names` returns. For
        each recording that occurs here, all of its events must be listed.
    X : sequence of n recordings, or of frames
    weak : array-like of length n, default=None
        Weak labels: a DataFrame of zeros and ones whose columns are the labels, or a list of lists
        of labels. They are used for the recordings without strong labels. None: recordings that do
        not occur in ``events`` have no events.

    Returns
    -------
    y : ndarray of object, shape (n,)
        The target for `EventDetector.fit`: for each recording with strong labels, a DataFrame with
        ``onset``, ``offset`` and ``event_label``; for the others, an array of labels. Times are
        relative to the start of the recording, also for clips of files. scikit-learn can split this
        array.

    Raises
    ------
    ValueError
        If the file of an event is not in X, or if a recording with strong labels has a weak label
        that does not occur in them.

    Examples
    --------
    >>> from skaudio.events import events_to_target
    >>> dog = [{"file": "a.wav", "onset": 1.0, "offset": 2.5, "event_label": "dog"}]
    >>> y = events_to_target(dog, ["a.wav", "b.wav"], weak=[["dog"], ["cat", "dog"]])
    >>> y[0]
       onset  offset event_label
    0    1.0     2.5         dog
    >>> y[1].tolist()
    ['cat', 'dog']
    """
    spans = file_spans(X)
    rows = _lists(weak, len(spans))
    table = check_events(events, files=[span.name for span in spans])
    strong = set(table["file"])
    by_position = dict(list(events_of_clips(table, spans).groupby("file", sort=False)))
    y = np.empty(len(spans), dtype=object)
    for i, span in enumerate(spans):
        if weak is not None and span.name not in strong:
            y[i] = np.array(rows[i], dtype=object)
            continue
        own = by_position.get(i, table[:0])[COLUMNS[1:]].reset_index(drop=True)
        missing = sorted(set(rows[i]) - set(own["event_label"]))
        if missing and not span.is_clip:
            raise ValueError(
                f"weak labels of recording {i} ({span.name!r}) hold {missing[0]!r}, but events has "
                "no such event of it: expected all events of a recording with strong labels."
            )
        y[i] = own
    return y


def _lists(weak: Any, n: int) -> list[list[Any]]:
    """Return the weak labels of each recording."""
    if weak is None:
        return [[] for _ in range(n)]
    check_same_lengths(X=range(n), weak=weak)
    if isinstance(weak, pd.DataFrame):
        return [weak.columns[row != 0].tolist() for row in weak.to_numpy()]
    rows = list(weak)
    for i, row in enumerate(rows):
        if isinstance(row, str) or not isinstance(row, Collection):
            raise ValueError(
                f"weak[{i}] is {row!r:.60}: expected a list of labels, or a DataFrame of zeros and "
                "ones whose columns are the labels."
            )
    return [list(row) for row in rows]
