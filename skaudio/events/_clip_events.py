"""Events of clips of files: the events of the files, cut to the clips."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from skaudio.events._frame_events import Span


def events_of_clips(events: pd.DataFrame, spans: Sequence[Span]) -> pd.DataFrame:
    """Return events with times relative to each recording; ``file`` becomes its position."""
    by_file = dict(list(events.groupby("file", sort=False)))
    parts = [events[:0]]
    for i, span in enumerate(spans):
        if span.name in by_file:
            own = _within(by_file[span.name], span.start, span.end)
            times = {name: own[name] - span.start for name in ("onset", "offset")}
            parts.append(own.assign(file=i, **times))
    return pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)


def events_within(events: pd.DataFrame, spans: Sequence[Span]) -> pd.DataFrame:
    """Return the events within the given parts of files; adjacent parts are joined."""
    covered: dict[Any, list[tuple[float, float]]] = {}
    for span in sorted(spans, key=lambda span: span.start):
        known = covered.setdefault(span.name, [])
        if known and span.start <= known[-1][1]:
            known[-1] = known[-1][0], max(known[-1][1], span.end)
        else:
            known.append((span.start, span.end))
    parts = [
        _within(own, start, end)
        for name, own in events.groupby("file", sort=False)
        for start, end in covered.get(name, ())
    ]
    return pd.concat([events[:0], *parts], ignore_index=True) if parts else events[:0]


def _within(events: pd.DataFrame, start: float, end: float) -> pd.DataFrame:
    """Cut the events of one file to a part of it."""
    own = events[(events["offset"] > start) & (events["onset"] < end)]
    return own.assign(onset=own["onset"].clip(lower=start), offset=own["offset"].clip(upper=end))
