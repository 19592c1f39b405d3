"""Data that travel to workers and back, and the tables of a part."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from skaudio.audio import READING_ERRORS, Recording, Recordings
from skaudio.scale._identity import content_of
from skaudio.scale._parts import EVENT_COLUMNS, PartTables, add_rows, columns_of


class Job(NamedTuple):
    """Settings of a run, which are the same for all parts."""

    folder: str
    kind: str
    method: str
    options: dict[str, Any]
    dtype: str
    key: str
    """Hash of the model."""
    keep_failed: bool


class Task(NamedTuple):
    """A part to compute."""

    part: int
    start: int
    """Position of its first recording in X."""
    recordings: Recordings
    retry: bool
    """Compute only what failed before."""


class Receipt(NamedTuple):
    """Result of computing a part."""

    part: int
    n: int
    n_failed: int
    version: str
    """Of skaudio, where the part was computed."""


class Found(NamedTuple):
    """Result for a recording."""

    position: int
    """In the part."""
    seconds: float | None
    result: Any
    """A row, a table of events, or the reason of a failure as a str."""


class BuiltModel(NamedTuple):
    """An estimator that is ready for use, and the names of its columns."""

    estimator: Any
    names: list[str] | None


def make_tables(job: Job, model: BuiltModel, task: Task, found: Sequence[Found]) -> PartTables:
    """Return the tables of a part."""
    done = [one for one in found if not isinstance(one.result, str)]
    failed = [one for one in found if isinstance(one.result, str)]
    reasons = {"reason": [one.result for one in failed]}
    failures = columns_of(_facts(task, failed) | reasons)
    main = columns_of(_facts(task, done))
    if job.kind == "rows":
        width = len(model.names or "1")
        rows = np.stack([x.result for x in done]) if done else np.empty((0, width), job.dtype)
        names = model.names if rows.shape[1] == width else None
        return PartTables(add_rows(main, rows, names), None, failures)
    columns: dict[str, list[Any]] = {name: [] for name in EVENT_COLUMNS}
    for one in done:
        n_events = len(one.result)
        columns["recording"] += [task.start + one.position] * n_events
        columns["file"] += [task.recordings[one.position].path] * n_events
        for name in EVENT_COLUMNS[2:]:
            columns[name] += one.result[name].tolist()
    labels = np.asarray(getattr(model.estimator, "labels_", "text"))
    whole = labels.dtype.kind in "iu"
    if not whole:
        columns["event_label"] = list(map(str, columns["event_label"]))
    events = columns_of(columns, whole_labels=whole)
    return PartTables(main, events, failures)


def _facts(task: Task, found: Sequence[Found]) -> dict[str, list[Any]]:
    """Return the columns that name recordings."""
    recordings = [task.recordings[one.position] for one in found]
    ends = [
        None if one.seconds is None else recording.start + one.seconds
        for recording, one in zip(recordings, found, strict=True)
    ]
    return {
        "recording": [task.start + one.position for one in found],
        "file": [recording.path for recording in recordings],
        "onset": [recording.start for recording in recordings],
        "offset": ends,
        "content": [_content(recording) for recording in recordings],
    }


def _content(recording: Recording) -> str | None:
    try:
        return content_of(recording)
    except READING_ERRORS:
        return None
