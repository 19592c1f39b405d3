"""The work of a worker: build the model once, compute a part, write it, return a receipt."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

import skaudio
from skaudio._steps import parts_of, pin_output, transform_plainly
from skaudio.audio import (
    READING_ERRORS,
    Recording,
    Recordings,
    find_errors,
    read_through,
    reason_of,
    seconds_of,
)
from skaudio.scale import _parts
from skaudio.scale._manifest import NAME
from skaudio.scale._tasks import BuiltModel, Found, Job, Receipt, Task, make_tables

# Largest number of recordings per batch, and their largest total duration in seconds: their
# features are in memory. A batch with a damaged file is computed again without it.
BATCH, BATCH_SECONDS = 128, 1200.0
# If all recordings of a part with this number fail, the cause is probably not damaged files.
SUSPICIOUS = 50


class OutputError(TypeError):
    """The output of an estimator cannot be stored, independent of the recording."""


def pack_model(estimator: Any) -> np.ndarray:
    """Return a pickle of an estimator, as an array of bytes, which joblib shares with workers.

    It is sent from this process to its workers, and is never read from files of other people.
    """
    import cloudpickle  # optional; also takes functions of a notebook

    return np.frombuffer(cloudpickle.dumps(estimator), np.uint8)


def make_model(packed: np.ndarray | bytes) -> BuiltModel:
    """Return a copy of an estimator that raises errors and returns arrays."""
    estimator = pickle.loads(bytes(packed))
    for part in (estimator, *(part for _, part in parts_of(estimator))):
        if isinstance(part, BaseEstimator) and hasattr(part, "on_error"):
            part.set_params(on_error="raise")  # failures are listed here
        if isinstance(part, BaseEstimator) and hasattr(part, "verbose"):
            part.set_params(verbose=0)
    try:
        names = [str(name) for name in estimator.get_feature_names_out()]
    except Exception:  # not every transformer has them
        names = None
    return BuiltModel(pin_output(estimator), names)


_models: dict[str, BuiltModel] = {}
_lock = threading.Lock()


def run_packed(job: Job, packed: np.ndarray | bytes, task: Task) -> Receipt:
    """Compute a part with a model that is built once in each process."""
    with _lock:
        if job.key not in _models:
            _models.clear()  # a model of another run
            _models[job.key] = make_model(packed)
        model = _models[job.key]
    return run_part(job, model, task)


def run_part(job: Job, model: BuiltModel, task: Task) -> Receipt:
    """Compute a part and write it.

    Raises
    ------
    ValueError
        If all recordings of a large part fail.
    TypeError
        If the output of the estimator cannot be stored.
    OSError
        If the part cannot be written.
    """
    folder = Path(job.folder)
    if not (folder / NAME).exists():
        raise OSError(
            f"{folder} has no {NAME} where a worker looks for it: expected a folder that all "
            "workers share."
        )
    positions = list(range(len(task.recordings)))
    before = _parts.PartTables()
    if task.retry:
        before = _parts.read_tables(folder, job.kind, task.part)
        positions = [i - task.start for i in before.failures.column("recording").to_pylist()]
    results: list[Any] = []
    lengths = [_seconds(task.recordings[i]) for i in positions]
    for batch in _batches([task.recordings[i] for i in positions], lengths):
        results += _compute(job, model, batch)
    failed = [i for i, result in zip(positions, results, strict=True) if isinstance(result, str)]
    if len(failed) == len(task.recordings) >= SUSPICIOUS and not job.keep_failed:
        raise ValueError(
            f"all {len(failed)} recordings of part {task.part} fail; the first: {results[0]} "
            "Nothing was written for this part. Are the files there, and does the estimator fit "
            'them? on_failed_part="keep" lists them as failures, and goes on.'
        )
    found = [Found(i, *pair) for i, *pair in zip(positions, lengths, results, strict=True)]
    tables = make_tables(job, model, task, found)
    _parts.write_tables(folder, job.kind, task.part, tables.after(before))
    return Receipt(task.part, len(task.recordings), len(failed), skaudio.__version__)


def _batches(
    recordings: Sequence[Recording], lengths: Sequence[float | None]
) -> Iterator[list[Recording]]:
    """Divide recordings into batches, by number and duration only."""
    batch: list[Recording] = []
    seconds = 0.0
    for recording, known in zip(recordings, lengths, strict=True):
        length = known or 0.0
        if batch and (len(batch) == BATCH or seconds + length > BATCH_SECONDS):
            yield batch
            batch, seconds = [], 0.0
        batch.append(recording)
        seconds += length
    if batch:
        yield batch


def _seconds(recording: Recording) -> float | None:
    if recording.duration is not None:
        return recording.duration
    try:
        return seconds_of(recording, 16000.0)
    except READING_ERRORS:
        return None


def _compute(job: Job, model: BuiltModel, batch: list[Recording]) -> list[Any]:
    """Return the result of each recording, or the reason of its failure, a str."""
    compute = _rows if job.kind == "rows" else _events

    def call(some: list[Recording]) -> list[Any]:
        return compute(job, model, some)

    try:
        return call(batch)
    except (OutputError, MemoryError, Warning):  # the user has turned warnings into errors
        raise
    except Exception as error:
        if len(batch) == 1:
            return [_reason(error)]
    reasons: dict[int, Any] = {i: _reason(e) for i, e in find_errors(batch, read_through).items()}
    rest = [i for i in range(len(batch)) if i not in reasons]
    if reasons and rest:  # the others together, which is faster
        return _put_together(reasons, rest, _compute(job, model, [batch[i] for i in rest]))
    return [result for recording in batch for result in _compute(job, model, [recording])]


def _put_together(reasons: dict[int, Any], rest: list[int], results: list[Any]) -> list[Any]:
    found = reasons | dict(zip(rest, results, strict=True))
    return [found[i] for i in range(len(found))]


def _reason(error: Exception) -> str:
    text = reason_of(error)
    return text if isinstance(error, READING_ERRORS) else f"{type(error).__name__}: {text}"


def _rows(job: Job, model: BuiltModel, batch: list[Recording]) -> list[np.ndarray | str]:
    name = type(model.estimator).__name__
    output = transform_plainly(model.estimator, _items(batch))
    rows = np.asarray(output) if hasattr(output, "__array__") else np.empty(0, object)
    if rows.ndim != 2 or rows.dtype.kind not in "fiub" or len(rows) != len(batch):
        raise OutputError(
            f"{name} returns {type(output).__name__} of shape {np.shape(output)} for {len(batch)} "
            "recordings, expected a row of numbers for each. Frames over time become rows by "
            "FramePooling: make_pipeline(encoder, FramePooling())."
        )
    with np.errstate(over="ignore"):
        stored = rows.astype(job.dtype)
    too_large = (np.isfinite(rows) & ~np.isfinite(stored)).any(axis=1)
    return [
        f"its row has values beyond {job.dtype}" if large else row
        for row, large in zip(stored, too_large, strict=True)
    ]


def _items(batch: list[Recording]) -> Any:
    """Return recordings in a form for any transformer: paths, mappings, arrays."""
    items = [recording.as_item() for recording in batch]
    arrays = all(isinstance(item, np.ndarray) and item.ndim == 1 for item in items)
    # A model that was fitted on a table of clips needs clips of this length.
    return np.stack(items) if arrays and len({len(item) for item in items}) == 1 else items


def _events(job: Job, model: BuiltModel, batch: list[Recording]) -> list[Any]:
    # Several recordings may be clips of one file: each is named by its position.
    named = Recordings(replace(recording, path=str(i)) for i, recording in enumerate(batch))
    method: Callable[..., Any] = getattr(model.estimator, job.method)
    table = method(named, **job.options)
    found = {int(name): events for name, events in table.groupby("file", sort=False)}
    return [found.get(i, table[:0]) for i in range(len(batch))]
