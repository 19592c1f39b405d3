"""Label files of the annotation programs Audacity and Raven."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from skaudio.events._delimited import read_text, typed_column, write_text
from skaudio.events._event_table import COLUMNS

# The file name of Raven Pro for the table of yard.wav is yard.Table.1.selections.txt.
RAVEN_NAME = re.compile(r"(\.Table\.\d+)?\.selections?(\.table)?\.txt$", re.IGNORECASE)
BEGIN, END = "Begin Time (s)", "End Time (s)"
IN_FILE = "File Offset (s)"
LABEL = "Annotation"
RESERVED = {"Selection", "View", BEGIN, END, "Begin Path", "Begin File", IN_FILE, LABEL}
# Users choose the names of label columns in Raven. These names are common.
RAVEN_LABELS = (LABEL, "Label", "Tag", "Species", "Common Name", "Class", "Call Type")
# Frequencies of a selection in Hz, in columns that Raven needs. The values cover the audible range.
FREQUENCIES = {"Low Freq (Hz)": 0.0, "High Freq (Hz)": 20000.0}


def is_raven(path: Path) -> bool:
    """Return whether a .txt file is a selection table of Raven, by its first line."""
    return BEGIN in _lines(read_text(path))[0].split("\t")


def recording_of(path: Path) -> str:
    """Return the name of the recording of a label file, from the name of the file."""
    return RAVEN_NAME.sub("", path.name) or path.stem if is_raven(path) else path.stem


def read_audacity(path: Path, file: Any) -> pd.DataFrame:
    """Read a file of Audacity labels."""
    rows: list[Any] = []
    for number, line in enumerate(_lines(read_text(path)), 1):
        # A line that begins with a backslash contains the frequencies of the previous label.
        if not line.strip() or line.startswith("\\"):
            continue
        parts = line.split("\t")
        try:
            onset, offset = float(parts[0]), float(parts[1])
        except (ValueError, IndexError) as error:
            raise ValueError(
                f"{path}, line {number}: {line!r}, expected start<TAB>end<TAB>label in seconds."
            ) from error
        rows.append((file, onset, offset, "\t".join(parts[2:])))
    return pd.DataFrame(rows, columns=COLUMNS)


def write_audacity(table: pd.DataFrame, path: Path) -> None:
    """Write the labels of one recording for Audacity, with all digits of the times."""
    rows = table[COLUMNS[1:]].itertuples(index=False)
    lines = [[_seconds(onset), _seconds(offset), str(label)] for onset, offset, label in rows]
    _write_lines(lines, path, "Audacity's labels")


def read_raven(path: Path, file: Any, label_column: str | None) -> pd.DataFrame:
    """Read a selection table of Raven; other columns are kept."""
    header, *lines = [line.split("\t") for line in _lines(read_text(path)) if line]
    wrong = next((i for i, line in enumerate(lines, 2) if len(line) > len(header)), None)
    if wrong is not None:
        raise ValueError(
            f"{path}, line {wrong}: {len(lines[wrong - 2])} cells, expected {len(header)}."
        )
    cells = [line + [""] * (len(header) - len(line)) for line in lines]
    table = pd.DataFrame(cells, columns=header, dtype=object)
    column = _label_column(path, header, label_column)
    onset, offset = (_times(path, table, name) for name in (BEGIN, END))
    names: Any = [file] * len(table)
    given = next((name for name in ("Begin Path", "Begin File") if name in table), None)
    if file is None:
        names = table[given] if given else [recording_of(path)] * len(table)
    # If several recordings are open in sequence in Raven, times are relative to the first one.
    if IN_FILE in table:
        begin = _times(path, table, IN_FILE)
        offset = np.where(begin == onset, offset, begin + (offset - onset))
        onset = begin
    elif given and table[given].nunique() > 1:
        raise ValueError(
            f"{path} is of {table[given].nunique()} recordings and lacks the column {IN_FILE!r}: "
            "the times in each cannot be told. Add that column in Raven (Choose Measurements)."
        )
    events = pd.DataFrame(
        {
            "file": list(names),
            "onset": onset,
            "offset": offset,
            "event_label": list(table[column]),
        }
    )
    for name in header:
        if name not in RESERVED and name != column:
            events[name] = typed_column(name, tuple(table[name]))
    # A selection has one row for each view.
    if {"View", "Selection"} <= set(header):
        drawn = events[COLUMNS].assign(selection=table["Selection"])
        again = drawn.duplicated() & ~drawn.assign(view=table["View"]).duplicated()
        events = events[~again]
    return events


def write_raven(table: pd.DataFrame, path: Path) -> None:
    """Write the events of one recording as a selection table of Raven."""
    columns: dict[str, Any] = {
        "Selection": range(1, len(table) + 1),
        "View": "Spectrogram 1",
        "Channel": table.get("Channel", 1),
        BEGIN: table["onset"].map(_seconds),
        END: table["offset"].map(_seconds),
        **{name: table.get(name, default) for name, default in FREQUENCIES.items()},
        LABEL: table["event_label"],
    }
    clash = [str(name) for name in table if name in RESERVED]
    if clash:
        raise ValueError(
            f"events has the columns {clash}, which Raven's tables have for something else: rename "
            "or drop them."
        )
    if table["file"].notna().all():
        columns |= {"Begin Path": table["file"], IN_FILE: columns[BEGIN]}
    columns |= {str(name): table[name] for name in table if name not in {*columns, *COLUMNS}}
    made = pd.DataFrame(columns, index=table.index)
    cells = [["" if pd.isna(cell) else str(cell) for cell in made[name]] for name in made]
    _write_lines([list(made), *map(list, zip(*cells, strict=True))], path, "Raven's tables")


def _lines(text: str) -> list[str]:
    """Split a text at line feeds only; str.splitlines would also split at other characters."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _write_lines(rows: list[list[str]], path: Path, kind: str) -> None:
    for row in rows:
        for cell in row:
            if any(character in cell for character in "\t\r\n"):
                raise ValueError(
                    f"{path}: {cell!r} holds a tab or a line break, which {kind} cannot hold. "
                    "Rename it, or write .csv."
                )
    write_text(path, "".join("\t".join(row) + "\n" for row in rows))


def _seconds(time: float) -> str:
    """Return a time with all of its digits, and at least six decimals, as the programs do."""
    return np.format_float_positional(time, unique=True, trim="k", min_digits=6)


def _label_column(path: Path, header: list[str], chosen: str | None) -> str:
    if chosen is not None:
        if chosen not in header:
            raise ValueError(f"{path} has no column {chosen!r}, expected one of {header}.")
        return chosen
    known = [name for name in RAVEN_LABELS if name in header]
    if not known:
        raise ValueError(
            f"{path} has none of the columns {', '.join(RAVEN_LABELS)}, but {header}: pass the one "
            "that holds the labels as label_column=."
        )
    return known[0]


def _times(path: Path, table: pd.DataFrame, name: str) -> Any:
    if name not in table:
        raise ValueError(f"{path} lacks the column {name!r}; it has {list(table.columns)}.")
    try:
        return table[name].astype(float).to_numpy()
    except ValueError as error:
        raise ValueError(f"{path}: {name} is not a number of seconds ({error}).") from error
