"""Tables of events: columns, checks, merging."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

COLUMNS = ["file", "onset", "offset", "event_label"]


def check_events(
    events: Any, *, labels: Sequence[Any] | None = None, files: Sequence[Any] | None = None
) -> pd.DataFrame:
    """Validate a table of events.

    Parameters
    ----------
    events : DataFrame, or sequence of mappings
        Events with the columns ``file`` (or ``filename``), ``onset`` and ``offset`` in seconds, and
        ``event_label``. Other columns are kept. A row without onset, offset and label is removed:
        in DCASE's tables, it means that its file has no events.
    labels : sequence, default=None
        The allowed labels. None: any labels.
    files : sequence, default=None
        The allowed files. None: any files. Names and labels that were read from a file are text;
        the text "3" is converted to the file or label 3 if that is allowed.

    Returns
    -------
    events : DataFrame
        A copy, sorted by file (in the order of ``files`` or of appearance), onset and offset.
        Events without a file (None, NaN) are last.

    Raises
    ------
    ValueError
        If a column is missing, a time is not a number, an onset is below 0, an offset is before its
        onset, events of one label and file overlap, or a label or file is unknown. The message
        names the row.

    Examples
    --------
    >>> from skaudio.events import check_events
    >>> check_events([{"file": "a.wav", "onset": 0.5, "offset": 2, "event_label": "dog"}])
        file  onset  offset event_label
    0  a.wav    0.5     2.0         dog
    >>> check_events([{"file": "a.wav", "onset": 2, "offset": 0.5, "event_label": "dog"}])
    Traceback (most recent call last):
    ...
    ValueError: events: row 0 ('dog' in 'a.wav') has offset=0.5 before its onset=2...
    """
    table = sorted_events(events, labels=labels, files=files)
    _check_overlap(table)
    return table.reset_index(drop=True)


def sorted_events(
    events: Any, *, labels: Sequence[Any] | None = None, files: Sequence[Any] | None = None
) -> pd.DataFrame:
    """Validate a table as `check_events` does, but allow overlapping events of one label.

    The index of the result contains the positions of rows in ``events``.
    """
    table = _as_table(events)
    for name in ("onset", "offset"):
        table[name] = _as_seconds(table, name)
    empty = table[["onset", "offset", "event_label"]].isna().all(axis=1)
    table = table[~empty]
    _check_times(table)
    if labels is not None:
        table = match_names(table, "event_label", labels)
        _check_known(table, "event_label", list(labels), "Is it misspelt, or missing in training?")
    if files is None:
        files = table["file"].dropna().unique()
    else:
        table = match_names(table, "file", files)
        cause = "Files are called as in X: by their whole paths, or by position."
        _check_known(table, "file", list(files), cause)
    order = {name: i for i, name in enumerate(files)}
    places = [order.get(name, len(order)) for name in table["file"].astype(object)]
    in_order = np.lexsort([table["offset"], table["onset"], places])
    return table.iloc[in_order]


def match_names(table: pd.DataFrame, column: str, known: Iterable[Any]) -> pd.DataFrame:
    """Replace the names in one column by the elements of ``known`` with the same text.

    In a file of events, all names and labels are text, and "3" may mean recording 3.
    """
    known = list(known)
    own = set(known)
    by_text = {str(name): name for name in known}
    replaced = {
        name: by_text[str(name)]
        for name in table[column].dropna().unique()
        if name not in own and str(name) in by_text
    }
    if not replaced:
        return table
    names = [replaced.get(name, name) for name in table[column].astype(object)]
    return table.assign(**{column: _natural(pd.Series(names, table.index, dtype=object))})


def merge_events(events: Any, *, max_gap: float = 0.0) -> pd.DataFrame:
    """Merge events of one label and file that overlap or are close to each other.

    Parameters
    ----------
    events : DataFrame, or sequence of mappings
        Events; see `check_events`. Events may overlap.
    max_gap : float, default=0.0
        Longest gap between two events that are merged, in seconds.

    Returns
    -------
    events : DataFrame
        Merged events with the columns ``file``, ``onset``, ``offset``, ``event_label``.

    Raises
    ------
    ValueError, TypeError
        If a table is not a table of events (`check_events`).

    Examples
    --------
    >>> from skaudio.events import merge_events
    >>> dogs = [(0.0, 1.0), (0.5, 2.0), (2.1, 3.0), (5.0, 6.0)]
    >>> rows = [{"file": 0, "onset": a, "offset": b, "event_label": "dog"} for a, b in dogs]
    >>> merge_events(rows, max_gap=0.2)
       file  onset  offset event_label
    0     0    0.0     3.0         dog
    1     0    5.0     6.0         dog
    """
    if not max_gap >= 0:
        raise ValueError(f"max_gap={max_gap!r}: expected seconds, 0 or more.")
    table = sorted_events(events)[COLUMNS]
    # Sort by pairs of label and recording; within a pair, the order by onset is kept.
    table = table.iloc[np.argsort(_event_groups(table), kind="stable")]
    groups = _event_groups(table)
    latest = table["offset"].groupby(groups).cummax().groupby(groups).shift()
    apart = ~(table["onset"] <= latest + max_gap)  # True if latest is NaN (first of a group)
    ends = table["offset"].groupby(apart.cumsum()).max()
    merged = table[apart].assign(offset=ends.to_numpy())
    return check_events(merged)


def _as_table(events: Any) -> pd.DataFrame:
    if isinstance(events, pd.DataFrame):
        table = events.copy()
    elif isinstance(events, (str, bytes)):
        raise TypeError(f"events={events!r}: expected a table; read_events(path) reads a file.")
    else:
        table = natural(pd.DataFrame(list(events), dtype=object))
        if not len(table):
            table = pd.DataFrame(columns=COLUMNS)
    if "file" not in table and "filename" in table:
        table = table.rename(columns={"filename": "file"})
    missing = [name for name in COLUMNS if name not in table]
    if missing:
        raise ValueError(
            f"events lacks the columns {missing}, expected {', '.join(COLUMNS)}; it has "
            f"{list(map(str, table.columns))}."
        )
    for name in ("file", "event_label"):
        table[name] = _without_float_positions(table[name])
    return table.reset_index(drop=True)


def natural(table: pd.DataFrame) -> pd.DataFrame:
    """Convert columns of objects to other types if no value changes or is lost.

    pandas would convert the name 1 to the number 1.0 if another name is missing.
    """
    return pd.DataFrame({name: _natural(table[name]) for name in table}, index=table.index)


def _natural(column: pd.Series) -> pd.Series:
    try:
        typed = column.infer_objects()
    except UnicodeEncodeError:  # pyarrow's text is UTF-8, but the name of a file may not be
        return column
    return column if typed.dtype.kind == "f" and column.map(type).eq(int).any() else typed


def _without_float_positions(column: pd.Series) -> pd.Series:
    """Convert positions back to integers: pandas makes them floats if one is missing."""
    if column.dtype.kind != "f" or column.notna().all() or (column.dropna() % 1 != 0).any():
        return column
    whole = [None if number != number else int(number) for number in column]
    return pd.Series(whole, column.index, dtype=object)


def _event_groups(table: pd.DataFrame) -> Any:
    """Return a number for each row's pair of file and label; a missing file counts as a file."""
    numbers: dict[Any, int] = {}
    files = table["file"].astype(object).where(table["file"].notna(), None)
    pairs = zip(files, table["event_label"].astype(object), strict=True)
    return np.array([numbers.setdefault(pair, len(numbers)) for pair in pairs], dtype=int)


def _as_seconds(table: pd.DataFrame, name: str) -> pd.Series:
    try:
        return table[name].astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"events: {name} is not a number of seconds ({error}).") from error


def _row(table: pd.DataFrame, i: int) -> str:
    row = table.iloc[i]
    label, file = _plain(row["event_label"]), _plain(row["file"])
    return f"events: row {table.index[i]} ({label!r} in {file!r})"


def _plain(value: Any) -> Any:
    """Convert scalars of numpy to Python objects, whose repr is shorter."""
    return value.item() if isinstance(value, np.generic) else value


def _first(bad: Any) -> int | None:
    positions = np.flatnonzero(np.asarray(bad))
    return int(positions[0]) if len(positions) else None


def _check_times(table: pd.DataFrame) -> None:
    onset, offset = table["onset"].to_numpy(), table["offset"].to_numpy()
    if (i := _first(table["event_label"].isna())) is not None:
        raise ValueError(f"{_row(table, i)} has no label.")
    if (i := _first(~np.isfinite(onset) | ~np.isfinite(offset))) is not None:
        raise ValueError(
            f"{_row(table, i)} has onset={onset[i]:g}, offset={offset[i]:g}: expected seconds."
        )
    if (i := _first(onset < 0)) is not None:
        raise ValueError(f"{_row(table, i)} has onset={onset[i]:g}: expected 0 or more seconds.")
    if (i := _first(offset < onset)) is not None:
        raise ValueError(
            f"{_row(table, i)} has offset={offset[i]:g} before its onset={onset[i]:g}. Are the "
            "columns exchanged, or is it a duration?"
        )


def _check_known(table: pd.DataFrame, column: str, known: list[Any], cause: str) -> None:
    allowed = set(known)
    if (i := _first([name not in allowed for name in table[column].astype(object)])) is not None:
        some = ", ".join(map(repr, known[:8])) + (", ..." if len(known) > 8 else "")
        raise ValueError(
            f"{_row(table, i)} has {column}={_plain(table[column].iloc[i])!r}, expected one of "
            f"{some}. "
            f"{cause}"
        )


def _check_overlap(table: pd.DataFrame) -> None:
    """Raise an error for an event that overlaps an earlier one of its label and file."""
    groups = _event_groups(table)
    before = table["offset"].groupby(groups).cummax().groupby(groups).shift()
    bad = (table["onset"] < before).to_numpy()
    if (i := _first(bad)) is not None:
        raise ValueError(
            f"{_row(table, i)} begins at {table['onset'].iloc[i]:g} s, before another of its label "
            f"ends at {before.iloc[i]:g} s. Events of one label may not overlap: "
            "skaudio.events.merge_events joins them."
        )
