"""Tables of recordings: pandas, and the columns of other libraries (polars, Arrow)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from skaudio.audio._mappings import ClipRow

# Columns of tables of clips, which are those of tables of events.
FILE_COLUMNS = ("file", "filename")
TIME_COLUMNS = ("onset", "offset")


def pandas_items(X: Any) -> tuple[list[Any], Any] | None:
    """Return the recordings in a pandas object and its index, or None for numbers."""
    if X.ndim == 1:
        # One number per row is not a recording: scikit-learn raises a clear error.
        return None if X.dtype.kind in "fiuc" else (X.tolist(), X.index)
    rows = clip_rows(X)
    if rows is not None:
        return rows, X.index
    kinds = [dtype.kind for dtype in X.dtypes]
    if X.shape[1] == 1 and kinds[0] not in "fiucb":
        return X.iloc[:, 0].tolist(), X.index
    names = [name for name, kind in zip(X.columns, kinds, strict=True) if kind not in "fiucb"]
    if names and X.shape[1] > 1:
        _refuse(X.columns, names)
    return None


def table_items(X: Any) -> list[Any] | np.ndarray:
    """Return the recordings in a table of another library, or an array of numbers."""
    names = _names(X)
    rows = clip_rows(X)
    if rows is not None:
        return rows
    columns = [np.asarray(X[name]) for name in names]
    other = [n for n, c in zip(names, columns, strict=True) if c.dtype.kind not in "fiucb"]
    if not other and names:
        return np.stack(columns, axis=1)
    if len(names) != 1:
        _refuse(names, other)
    return list(X[names[0]])


def clip_rows(X: Any) -> list[ClipRow] | None:
    """Return the rows of a table of clips (file names, onset, offset), or None for other tables."""
    if not hasattr(X, "columns") and not hasattr(X, "column_names"):
        return None
    names = _names(X)
    file = next((name for name in FILE_COLUMNS if name in names), None)
    if file is None or not set(TIME_COLUMNS) <= set(names):
        return None
    columns = [_plain(X[name]) for name in (file, *TIME_COLUMNS)]
    if not any(isinstance(value, (str, os.PathLike)) for value in columns[0]):
        return None  # files by position, as in tables of events of bare arrays
    return [ClipRow(*row) for row in zip(*columns, strict=True)]


def _plain(column: Any) -> list[Any]:
    """Return a column as a list of Python objects."""
    for method in ("tolist", "to_list", "to_pylist"):
        if hasattr(column, method):
            values: list[Any] = getattr(column, method)()
            return values
    return list(column)


def _names(X: Any) -> list[Any]:
    return list(X.column_names if hasattr(X, "column_names") else X.columns)


def _refuse(columns: Sequence[Any], other: Sequence[Any]) -> None:
    chosen = f"[{str(other[0])!r}]"
    raise ValueError(
        f"X is a table with the columns {list(map(str, columns))}, expected one column of "
        "recordings, or clips of files (the columns file, onset and offset, in seconds). Select "
        f"the column of recordings, X[{chosen}], or use a ColumnTransformer with the column list "
        f"{chosen}."
    )
