"""Read and write files of events: CSV, TSV, labels of Audacity and Raven."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pandas as pd

from skaudio.events._delimited import SEPARATORS, read_delimited, write_delimited
from skaudio.events._event_table import sorted_events
from skaudio.events._label_files import (
    RAVEN_NAME,
    is_raven,
    read_audacity,
    read_raven,
    recording_of,
    write_audacity,
    write_raven,
)


def read_events(
    path: str | os.PathLike[str], *, file: Any = None, label_column: str | None = None
) -> pd.DataFrame:
    r"""Read events from a file, or the labels of many recordings from a folder.

    Parameters
    ----------
    path : str or path-like
        File or folder to read, in UTF-8. .csv or .tsv: a table with the columns ``file`` (or
        ``filename``), ``onset``, ``offset`` and ``event_label``. .txt: labels exported by Audacity,
        ``start<TAB>end<TAB>label``, or a selection table of Raven. A folder: its .txt files, one
        per recording.
    file : default=None
        Name of the recording of a .txt file. None: the name in a selection table (``Begin Path`` or
        ``Begin File``), or else the name of the file without .txt.
    label_column : str, default=None
        Name of the column of labels in a selection table. None: ``Annotation`` or another common
        name.

    Returns
    -------
    events : DataFrame
        Events; see `check_events`. Events of one label can overlap; `merge_events` merges them.
        Names and labels are read as text, also ``007`` and ``NA``. Other columns are kept, as
        numbers if all their values are numbers.

    Raises
    ------
    ValueError
        If the file is not UTF-8, lacks a column, or contains an event that is invalid for
        `check_events`. The message names the file.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skaudio.events import read_events
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "yard.wav.txt")
    ...     _ = path.write_text("0.5\t2.25\tdog\n")
    ...     read_events(path)
           file  onset  offset event_label
    0  yard.wav    0.5    2.25         dog
    """
    path = Path(path)
    if path.is_dir():
        found = sorted(path.glob("*.txt"))
        if not found:
            raise ValueError(f"{path} holds no .txt files, expected labels of Audacity or Raven.")
        tables = [_read_labels(one, None, label_column) for one in found]
        table = pd.concat([one for one in tables if len(one)] or tables[:1], ignore_index=True)
    else:
        _check_suffix(path)
        if path.suffix.lower() == ".txt":
            table = _read_labels(path, file, label_column)
        else:
            table = read_delimited(path)
    try:
        return sorted_events(table).reset_index(drop=True)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def write_events(events: Any, path: str | os.PathLike[str]) -> None:
    """Write events to a file, or the labels of many recordings to a folder.

    Parameters
    ----------
    events : DataFrame
        Events; see `check_events`. Events of one label may overlap.
    path : str or path-like
        File or folder to write. .csv or .tsv: the table with all of its columns. .selections.txt: a
        selection table of Raven, of one recording. .txt: labels of Audacity, of one recording. An
        existing folder: labels of Audacity, with a .txt file for each recording with events, named
        after the recording.

    Raises
    ------
    ValueError
        If `read_events` could not read the result: with tabs or line breaks in labels of .txt
        files, names that are not UTF-8, or events without a file in a folder.

    Notes
    -----
    Spreadsheets evaluate text that begins with ``=``, ``+``, ``-`` or ``@``. In .csv and .tsv
    files, such names and labels are prefixed with ``'``, unless they are numbers. `read_events`
    removes the prefix.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skaudio.events import write_events
    >>> dog = [{"file": "yard.wav", "onset": 0.5, "offset": 2.25, "event_label": "dog"}]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_events(dog, folder)
    ...     print(*(p.name for p in Path(folder).iterdir()))
    yard.wav.txt
    """
    table = sorted_events(events)
    path = Path(path)
    if path.is_dir():
        _write_folder(table, path)
        return
    _check_suffix(path)
    if path.suffix.lower() != ".txt":
        write_delimited(table, path)
        return
    n_files = table["file"].nunique(dropna=False)
    if n_files > 1:
        raise ValueError(
            f"The labels in a .txt file belong to one recording, these events to {n_files}: pass a "
            "folder that exists, or write .csv."
        )
    write = write_raven if RAVEN_NAME.search(path.name) else write_audacity
    write(table, path)


def _check_suffix(path: Path) -> None:
    if path.suffix.lower() not in (*SEPARATORS, ".txt"):
        raise ValueError(
            f"{str(path)!r}: expected .csv, .tsv, .txt (labels of Audacity or Raven) or a folder "
            "that exists."
        )


def _read_labels(path: Path, file: Any, label_column: str | None) -> pd.DataFrame:
    if is_raven(path):
        return read_raven(path, file, label_column)
    return read_audacity(path, recording_of(path) if file is None else file)


def _write_folder(table: pd.DataFrame, folder: Path) -> None:
    nameless = table["file"].isna() | (table["file"].astype(str) == "")
    if nameless.any():
        row = table[nameless].iloc[0]
        raise ValueError(
            f"events: {row['event_label']!r} at {row['onset']:g} s has no file, and labels in a "
            "folder are named after their recordings: write .csv, or fill the column 'file'."
        )
    names = {name: f"{Path(str(name)).name}.txt" for name in table["file"].unique()}
    if len(set(names.values())) < len(names):
        raise ValueError(
            "Two recordings have one name in different folders: their labels would go into "
            f"one file of {folder}. Write them one by one, or as .csv."
        )
    for name, rows in table.groupby("file", sort=False):
        write_audacity(rows, folder / names[name])
