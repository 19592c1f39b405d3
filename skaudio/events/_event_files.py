"""Events to and from files: CSV and TSV tables, Audacity's labels."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pandas as pd

from skaudio.events._event_table import COLUMNS, check_events

SEPARATORS = {".csv": ",", ".tsv": "\t"}


def read_events(path: str | os.PathLike[str], *, file: Any = None) -> pd.DataFrame:
    r"""Read events from a file, or the labels of many recordings from a folder.

    Parameters
    ----------
    path : str or path-like
        .csv or .tsv: a table with the columns ``file`` (or ``filename``), ``onset``, ``offset``
        and ``event_label``. .txt: labels exported by Audacity, ``start<TAB>end<TAB>label``. A
        folder: its .txt files, one per recording.
    file : default=None
        Name of the recording of an Audacity file; None: the name of the file without .txt.

    Returns
    -------
    events : DataFrame
        See `check_events`.

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
            raise ValueError(f"{path} holds no .txt files, expected Audacity's labels.")
        rows = [row for one in found for row in _read_audacity(one, one.stem)]
        return check_events(pd.DataFrame(rows, columns=COLUMNS))
    if path.suffix == ".txt":
        rows = _read_audacity(path, path.stem if file is None else file)
        return check_events(pd.DataFrame(rows, columns=COLUMNS))
    return check_events(pd.read_csv(path, sep=_separator(path)))


def write_events(events: Any, path: str | os.PathLike[str]) -> None:
    """Write events to a file, or the labels of many recordings to a folder.

    Parameters
    ----------
    events : DataFrame
        See `check_events`.
    path : str or path-like
        .csv or .tsv: the table. .txt: Audacity's labels, of one recording. A folder that exists:
        Audacity's labels, a .txt file for each recording with events, named after it.

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
    table = check_events(events)
    path = Path(path)
    if path.is_dir():
        names = {name: f"{Path(str(name)).name}.txt" for name in table["file"].unique()}
        if len(set(names.values())) < len(names):
            raise ValueError(
                "Two recordings have one name in different folders: their labels would go into "
                f"one file of {path}. Write them one by one, or as .csv."
            )
        for name, rows in table.groupby("file", sort=False):
            _write_audacity(rows, path / names[name])
    elif path.suffix == ".txt":
        files = table["file"].unique()
        if len(files) > 1:
            raise ValueError(
                f"Audacity's labels belong to one recording, events is of {len(files)}: pass a "
                "folder that exists, or write .csv."
            )
        _write_audacity(table, path)
    else:
        table.to_csv(path, sep=_separator(path), index=False)


def _separator(path: Path) -> str:
    if path.suffix not in SEPARATORS:
        raise ValueError(
            f"{str(path)!r}: expected .csv, .tsv, .txt (Audacity's labels) or a folder that exists."
        )
    return SEPARATORS[path.suffix]


def _read_audacity(path: Path, file: Any) -> list[Any]:
    rows: list[Any] = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        # A line that begins with a backslash holds the frequencies of the previous label.
        if not line.strip() or line.startswith("\\"):
            continue
        parts = line.split("\t")
        try:
            onset, offset = float(parts[0]), float(parts[1])
        except (ValueError, IndexError) as error:
            raise ValueError(
                f"{path}, line {number}: {line!r}, expected start<TAB>end<TAB>label in seconds."
            ) from error
        rows.append((file, onset, offset, parts[2] if len(parts) > 2 else ""))
    return rows


def _write_audacity(table: pd.DataFrame, path: Path) -> None:
    lines = [
        f"{onset:.6f}\t{offset:.6f}\t{label}\n"
        for onset, offset, label in table[COLUMNS[1:]].itertuples(index=False)
    ]
    path.write_text("".join(lines), encoding="utf-8")
