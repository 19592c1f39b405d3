"""X of any size, taken some recordings at a time: nothing is kept of those that are done."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from skaudio.audio import Recording, Recordings, check_recordings
from skaudio.datasets import recordings_below
from skaudio.scale._identity import Digest, samples_digest
from skaudio.scale._parts import parquet

# Recordings that are recognised at a time to tell one X from another.
STEP = 10_000
# What has a length, but is one recording at most.
SINGLE = (str, bytes, bytearray, Mapping)


class Collection:
    """Recordings by position.

    Parameters
    ----------
    X : path of a folder or of a Parquet file, or sequence of recordings
    """

    def __init__(self, X: Any) -> None:
        self.items = X
        if isinstance(X, (str, os.PathLike)) and os.path.isdir(X):
            self.items = [str(path) for path in recordings_below(Path(X))]
            if not self.items:
                raise ValueError(f"X={os.fspath(X)!r} is a folder without recordings.")
        elif isinstance(X, (str, os.PathLike)) and Path(X).suffix == ".parquet":
            self.items = ParquetRows(Path(X))
        X = self.items
        if not (hasattr(X, "__len__") and hasattr(X, "__getitem__")) or isinstance(X, SINGLE):
            check_recordings(None, X, reset=False)  # raises an error that names the cause
        self.n = len(self.items)
        if self.n == 0:
            raise ValueError("X holds no recordings: found 0 sample(s), expected at least one.")

    def part(self, start: int, stop: int) -> Recordings:
        """Return some recordings, named by their positions in all of X."""
        items = _cut(self.items, start, min(stop, self.n))
        # A table of numbers is checked by scikit-learn, which asks for an estimator.
        found = check_recordings(BaseEstimator(), items, reset=True, finite=False)
        if start == 0:
            return found
        named = (_renamed(r, i, start + i) for i, r in enumerate(found))
        return Recordings(named, is_array=found.is_array, n_all=self.n)

    def parts(self, size: int) -> Iterator[Recordings]:
        """Yield all recordings, some at a time."""
        for start in range(0, self.n, size):
            yield self.part(start, start + size)

    def count(self, parts: Iterable[int], size: int) -> int:
        """Return how many recordings are in parts of so many."""
        return sum(min(size, self.n - part * size) for part in parts)

    def digest(self) -> str:
        """Return what tells this X from another one: paths and times of clips, or samples."""
        digest = Digest()
        for recordings in self.parts(STEP):
            for recording in recordings:
                digest.add(json.dumps(_facts(recording)).encode())
        return digest.hex()


class ParquetRows:
    """The recordings that a Parquet file lists, of which some row groups are in memory at a time.

    Parameters
    ----------
    path : Path
        Of a table with the column ``file``, and ``onset`` and ``offset`` if these are clips.
    """

    def __init__(self, path: Path) -> None:
        arrow = parquet()
        try:
            self._file = arrow.parquet.ParquetFile(path)
        except (arrow.ArrowInvalid, OSError) as error:
            raise ValueError(
                f"X={str(path)!r} is no Parquet file that can be read: {error}."
            ) from (error)
        names = self._file.schema_arrow.names
        self._columns = [name for name in ("file", "onset", "offset") if name in names]
        if "file" not in names or len(self._columns) == 2:
            raise ValueError(
                f"X={str(path)!r} has the columns {names}, expected file, or file, onset and "
                "offset."
            )
        facts = self._file.metadata
        sizes = [facts.row_group(i).num_rows for i in range(facts.num_row_groups)]
        self._starts = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
        self._held: tuple[int, int, Any] = (0, 0, None)

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, position: int) -> Any:
        return self.slice(position, 1)

    def slice(self, start: int, length: int) -> Any:
        """Return some rows as a DataFrame."""
        first = int(np.searchsorted(self._starts, start, "right")) - 1
        stop = int(np.searchsorted(self._starts, start + length, "left"))
        if self._held[:2] != (first, stop):
            groups = self._file.read_row_groups(list(range(first, stop)), columns=self._columns)
            self._held = first, stop, groups
        return self._held[2].slice(start - self._starts[first], length).to_pandas()


def _cut(X: Any, start: int, stop: int) -> Any:
    if hasattr(X, "iloc"):
        return X.iloc[start:stop]
    if hasattr(X, "slice"):  # tables and columns of polars and Arrow
        return X.slice(start, stop - start)
    if isinstance(X, (list, tuple, np.ndarray)) or hasattr(X, "sample_rates"):
        return X[start:stop]
    return [X[i] for i in range(start, stop)]  # a slice of other sequences may be anything


def _renamed(recording: Recording, local: int, position: int) -> Recording:
    name = recording.name.replace(f"recording {local}", f"recording {position}", 1)
    return replace(recording, name=name)


def _facts(recording: Recording) -> list[Any]:
    source = recording.source
    named = os.path.abspath(source) if isinstance(source, str) else samples_digest(source)
    return [named, recording.start, recording.duration, recording.sample_rate]
