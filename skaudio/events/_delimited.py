"""Read and write tables of events as CSV and TSV, with names and labels as text."""

from __future__ import annotations

import csv
import functools
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from skaudio._files import write_whole

SEPARATORS = {".csv": ",", ".tsv": "\t"}
# Spreadsheets evaluate text that begins with these characters, unless it is a number (list of
# OWASP, "CSV injection").
FORMULA = tuple("=+-@\t\r\n＝＋－＠")
NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+|inf)([eE][+-]?\d+)?")
# Text that is read as a number. Text with leading zeros is a name: 007.
PLAIN = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?|-?inf")
NAMES = ("file", "filename", "event_label")
TIMES = ("onset", "offset")


def read_text(path: Path) -> str:
    """Return the content of a text file, without a byte order mark.

    Raises
    ------
    ValueError
        If the file is not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not UTF-8 text ({error.reason} at byte {error.start}): save it as UTF-8. "
            "Did a spreadsheet or an old program write it?"
        ) from error


def write_text(path: Path, text: str) -> None:
    """Write a text file as UTF-8, whole: if the disk is full, what was there is left.

    Raises
    ------
    ValueError
        If the text cannot be encoded as UTF-8.
    """
    try:
        write_whole(path, text.encode("utf-8"))
    except UnicodeEncodeError as error:
        line = text[text.rfind("\n", 0, error.start) + 1 :].partition("\n")[0]
        raise ValueError(
            f"{path}: {line!r} cannot be written as UTF-8. Is the name of the recording not UTF-8? "
            "Rename it."
        ) from error


def read_delimited(path: Path) -> pd.DataFrame:
    """Return a CSV or TSV table; names and labels are text, other columns are converted."""
    header, *rows = _read_rows(path)
    table = pd.DataFrame(
        {name: typed_column(name, [row[i] for row in rows]) for i, name in enumerate(header)}
    )
    if {*TIMES, "event_label"} <= {*header}:
        # A row without times and label is a recording without events, as in DCASE. Otherwise, an
        # empty label is a label.
        nothing = table[[*TIMES]].isna().all(axis=1) & (table["event_label"] == "")
        if nothing.any():
            labels = zip(table["event_label"].astype(object), nothing, strict=True)
            table["event_label"] = [None if empty else label for label, empty in labels]
    return table


def write_delimited(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV or TSV, see `delimited`."""
    write_text(path, delimited(table, SEPARATORS[path.suffix.lower()]))


def delimited(table: pd.DataFrame, separator: str) -> str:
    """Return a table as text; a ' is put before text that a spreadsheet would evaluate."""
    special = re.compile(f'["\\r\\n{separator}]')

    def cell(value: Any) -> str:
        text = _cell(value)
        return f'"{text.replace(chr(34), chr(34) * 2)}"' if special.search(text) else text

    def column(values: pd.Series) -> list[str]:
        if values.dtype == float:
            return ["" if value != value else repr(value) for value in values.tolist()]
        once = functools.cache(cell) if values.dtype.kind != "O" else cell
        return [once(value) for value in values.astype(object)]

    rows = zip(*[column(table[name]) for name in table], strict=True)
    lines = [[cell(str(name)) for name in table], *rows]
    return "".join(separator.join(line) + "\n" for line in lines)


def _read_rows(path: Path) -> list[tuple[str, ...]]:
    """Return the rows of a table; all must have the length of the first row."""
    text = read_text(path)
    separator = SEPARATORS[path.suffix.lower()]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows: list[tuple[str, ...]] = []  # tuples of text do not slow the garbage collector down
    width = 0
    try:
        for row in map(tuple, reader):
            if row and len(row) == width:
                rows.append(row)
            elif len(row) > width and rows:
                raise ValueError(
                    f"{path}, line {reader.line_num}: {len(row)} cells, expected {width}. Does a "
                    "label hold a separator, and is not quoted?"
                )
            elif row:
                width = width or len(row)
                rows.append(row + ("",) * (width - len(row)))
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: no valid table ({error}).") from error
    if "'" in text:
        rows = [tuple(map(_unguarded, row)) for row in rows]
    if not rows:
        raise ValueError(f"{path} is empty, expected a table with a line of column names.")
    twice = {name for name in rows[0] if rows[0].count(name) > 1}
    if twice:
        raise ValueError(f"{path} has the columns {sorted(twice)} more than once.")
    return rows


def typed_column(name: str, cells: Sequence[str]) -> Any:
    """Convert a column of text to numbers or booleans if this loses nothing."""
    if name == "event_label":
        return list(cells)
    if name in NAMES:
        return [cell or None for cell in cells]
    filled = {cell for cell in cells if cell}
    if name in TIMES or all(map(PLAIN.fullmatch, filled)):
        return _numbers(cells)
    if filled <= {"True", "False"} and "" not in cells:
        return [cell == "True" for cell in cells]
    return [cell or None for cell in cells]


def _numbers(cells: Sequence[str]) -> Any:
    try:
        return [int(cell) for cell in cells]
    except ValueError:
        pass
    try:
        return [float(cell) if cell else float("nan") for cell in cells]
    except ValueError:
        return [cell or None for cell in cells]


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return _guarded(value)
    if pd.isna(value):
        return ""
    return _guarded(str(value))


def _guarded(text: str) -> str:
    return f"'{text}" if _is_formula(text) else text


def _unguarded(text: str) -> str:
    return text[1:] if text[:1] == "'" and _is_formula(text[1:]) else text


def _is_formula(text: str) -> bool:
    inner = text.lstrip("' ")
    return inner.startswith(FORMULA) and not NUMBER.fullmatch(inner)
