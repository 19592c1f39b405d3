"""The recordings of a command, and their processing in batches."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from skaudio.audio import READING_ERRORS, reason_of
from skaudio.cli._printing import list_failures, note
from skaudio.datasets import recordings_below

# Number of recordings per batch. If the user stops the command, finished batches are printed.
BATCH = 32


class Done(NamedTuple):
    """Results and failures of the recordings of a command."""

    table: pd.DataFrame
    """The rows of the recordings that could be read."""
    code: int
    """The exit code."""


def find_recordings(names: Iterable[str]) -> list[str]:
    """Return the given files, and the recordings in given folders at any depth."""
    found: list[str] = []
    for name in names:
        if os.path.isdir(name):
            inside = recordings_below(Path(name))
            if not inside:
                raise ValueError(f"{name!r} is a folder without recordings.")
            found += map(str, inside)
        else:
            found.append(name)
    return found


def with_workers(jobs: int | None) -> AbstractContextManager[Any]:
    """Use a number of worker processes; None: the threads of this process."""
    if jobs is None:
        return nullcontext()
    from joblib import parallel_config

    workers: AbstractContextManager[Any] = parallel_config(backend="loky", n_jobs=jobs)
    return workers


def run_over(
    files: list[str], work: Callable[[list[str]], pd.DataFrame], *, jobs: int | None = None
) -> Done:
    """Call a function for batches of recordings; continue if one cannot be read.

    Parameters
    ----------
    files : list of str
    work : callable
        Function that returns the rows of a list of recordings.
    jobs : int or None
        See `with_workers`.
    """
    from tqdm import tqdm

    tables: list[pd.DataFrame] = []
    failures: list[tuple[str, str]] = []
    n_done = code = 0
    # disable=None: no bar if stderr is not a terminal
    with tqdm(total=len(files), unit="recording", disable=None) as bar, with_workers(jobs):
        try:
            for start in range(0, len(files), BATCH):
                batch = files[start : start + BATCH]
                try:
                    tables.append(work(batch))
                except READING_ERRORS:
                    _one_by_one(batch, work, tables, failures)
                n_done += len(batch)
                bar.update(len(batch))
        except KeyboardInterrupt:
            code = 130
    if code:
        note(f"interrupted after {n_done} of {len(files)} recordings")
    if len(failures) == len(files) == 1:
        raise ValueError(": ".join(failures[0]))
    list_failures(failures, len(files))
    if len(failures) == len(files):
        raise ValueError("none of the recordings could be processed, see above.")
    filled = [table for table in tables if len(table)] or tables[:1] or [pd.DataFrame()]
    return Done(pd.concat(filled, ignore_index=True), code or (1 if failures else 0))


def _one_by_one(
    batch: list[str],
    work: Callable[[list[str]], pd.DataFrame],
    tables: list[pd.DataFrame],
    failures: list[tuple[str, str]],
) -> None:
    for file in batch:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # already shown for the batch
                tables.append(work([file]))
        except READING_ERRORS as error:
            failures.append((file, reason_of(error)))


def text_rows(files: list[str], values: np.ndarray, names: Iterable[Any]) -> pd.DataFrame:
    """Return a table of files and values (n_files, n_names)."""
    table = pd.DataFrame(values, columns=[str(name) for name in names])
    table.insert(0, "file", files)
    return table
