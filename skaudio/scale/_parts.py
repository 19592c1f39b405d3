"""Parts on disk: written whole or not at all, told by their names; Parquet by pyarrow.

::

    folder/
        manifest.json                      what was computed of what
        rows/part-00000012.parquet         rows of the recordings 12000 to 12999 that could be read
        failures/part-00000012.parquet     the others, with reasons; only where there are any

A folder of events has ``recordings/`` in place of ``rows/``, and ``events/`` beside it. The file of
a part in the first of these folders is written last: the part is finished if it is there.
"""

from __future__ import annotations

import io
import json
import os
import re
import secrets
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

# The folders of a kind of results, the one that is written last first.
FOLDERS = {"rows": ("rows",), "events": ("recordings", "events")}
FAILURES = "failures"
# All rows as one array, for memory mapping.
MAPPED = "rows.npy"
# Seconds after which a temporary file of another machine is what a killed process left.
STALE = 24 * 3600
NAMES_KEY = b"skaudio_feature_names"
EVENT_COLUMNS = ("recording", "file", "onset", "offset", "event_label", "score")


class PartTables(NamedTuple):
    """The tables of a part; None for one that there is not."""

    main: Any = None
    events: Any = None
    failures: Any = None

    def after(self, before: PartTables) -> PartTables:
        """Return these with what was there before; the failures are these alone."""
        if before.main is None:
            return self
        return PartTables(
            _merged(before.main, self.main), _merged(before.events, self.events), self.failures
        )


def parquet() -> Any:
    """Return pyarrow with its Parquet module."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError(
            'Parquet needs pyarrow: install it with pip install "skaudio[scale]".'
        ) from error
    return pyarrow


def part_path(folder: Path, name: str, part: int) -> Path:
    """Return the path of the file of a part."""
    return folder / name / f"part-{part:08d}.parquet"


def parts_in(folder: Path, name: str) -> Iterator[int]:
    """Yield the numbers of the parts that are in a folder, in any order."""
    with suppress(FileNotFoundError), os.scandir(folder / name) as entries:
        for entry in entries:
            if found := re.fullmatch(r"part-(\d+)\.parquet", entry.name):
                yield int(found[1])


@contextmanager
def written_whole(path: Path) -> Iterator[IO[bytes]]:
    """Give a file to write to, which appears at its path when it is whole and on the disk.

    Raises
    ------
    OSError
        With the path and the likely cause; what was at the path stays.
    """
    owner = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
    name = path.parent / f".{path.name}-{owner}.tmp"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(name, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
        _sync_folder(path.parent)
    except OSError as error:
        _remove(name)
        raise OSError(
            f"{path} cannot be written ({error.strerror or error}). What was written before is "
            "kept: make room, or let the folder be written to, and call again to go on."
        ) from error
    except BaseException:
        _remove(name)
        raise


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole, or leave what was there; it is on the disk afterwards."""
    with written_whole(path) as file:
        file.write(content)


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()


def _sync_folder(folder: Path) -> None:
    """Make a renaming last through a loss of power, where the system can."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of processes that have ended."""
    host = re.escape(socket.gethostname())
    for path in folder.glob("**/.*.tmp"):
        with suppress(OSError):
            found = re.match(rf".*-{host}-(\d+)-[^-]*\.tmp$", path.name)
            ended = found is not None and not _runs(int(found[1]))
            if ended or path.stat().st_mtime < time.time() - STALE:
                path.unlink()


def _runs(process: int) -> bool:
    if os.name != "posix":  # on Windows, signal 0 would end the process
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True


def columns_of(columns: Mapping[str, Sequence[Any]], *, whole_labels: bool = False) -> Any:
    """Return a table of Arrow with the types of the columns that all parts share.

    Labels of events are text, or whole numbers.
    """
    arrow = parquet()
    types = {
        "recording": arrow.int64(),
        "onset": arrow.float64(),
        "offset": arrow.float64(),
        "score": arrow.float64(),
        "event_label": arrow.int64() if whole_labels else arrow.string(),
    }
    return arrow.table(
        {
            name: arrow.array(values, types.get(name, arrow.string()), from_pandas=True)
            for name, values in columns.items()
        }
    )


def add_rows(table: Any, rows: np.ndarray, names: Sequence[str] | None) -> Any:
    """Return a table with a column of rows, a list of numbers of one length each."""
    arrow = parquet()
    values = arrow.array(np.ascontiguousarray(rows).reshape(-1))
    table = table.append_column("row", arrow.FixedSizeListArray.from_arrays(values, rows.shape[1]))
    if names is None:
        return table
    return table.replace_schema_metadata({NAMES_KEY: json.dumps(list(names)).encode()})


def write_table(path: Path, table: Any) -> None:
    """Write a table whole, or leave what was there."""
    stream = io.BytesIO()
    parquet().parquet.write_table(table, stream, compression="zstd", use_dictionary=["file"])
    write_whole(path, stream.getvalue())


def read_table(path: Path, columns: Sequence[str] | None = None) -> Any:
    """Read a table, or some columns; a file that is damaged is named, with what to do."""
    arrow = parquet()
    try:
        # Of the file alone: a name of a folder such as "key=value" would become a column.
        return arrow.parquet.ParquetFile(path).read(columns=columns)
    except (arrow.ArrowInvalid, OSError) as error:
        raise ValueError(
            f"{path} is damaged ({error}). Remove it, and call again: this part is computed anew."
        ) from error


def read_tables(folder: Path, kind: str, part: int) -> PartTables:
    """Return the tables of a part that is finished."""
    main, *more = (read_table(part_path(folder, name, part)) for name in FOLDERS[kind])
    path = part_path(folder, FAILURES, part)
    return PartTables(main, more[0] if more else None, read_table(path) if path.exists() else None)


def write_tables(folder: Path, kind: str, part: int, tables: PartTables) -> None:
    """Write the tables of a part, the one that tells that it is finished last."""
    path = part_path(folder, FAILURES, part)
    if tables.failures.num_rows:
        write_table(path, tables.failures)
    elif path.exists():  # of another try
        path.unlink()
    for name, table in reversed(list(zip(FOLDERS[kind], tables, strict=False))):
        write_table(part_path(folder, name, part), table)


def _merged(before: Any, now: Any) -> Any:
    """Return the rows of two tables of a part, in the order of recordings."""
    if now is None or not now.num_rows:
        return before
    if not before.num_rows:
        return now
    both = parquet().concat_tables([before, now])
    return both.sort_by("recording").combine_chunks()


def rows_of(table: Any) -> np.ndarray:
    """Return the column of rows as an array (n_rows, n_columns)."""
    column = table.column("row").combine_chunks()
    width = column.type.list_size
    values: np.ndarray = column.flatten().to_numpy(zero_copy_only=False).reshape(-1, width)
    return values


def names_in(table: Any) -> list[str] | None:
    """Return the names of the columns of rows, or None."""
    found = (table.schema.metadata or {}).get(NAMES_KEY)
    return None if found is None else list(json.loads(found))
