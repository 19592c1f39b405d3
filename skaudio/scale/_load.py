"""Read folders of results, for scikit-learn and pandas."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from skaudio._validation import check_choice
from skaudio.scale._manifest import folder_state, read_manifest
from skaudio.scale._parts import (
    FAILURES,
    FOLDERS,
    MAPPED,
    columns_of,
    names_in,
    parquet,
    part_path,
    parts_in,
    read_table,
    rows_of,
    written_whole,
)

FACTS = ["recording", "file", "onset", "offset", "content"]


def load_rows(
    folder: str | os.PathLike[str], *, mmap_mode: str | None = None, partial: bool = False
) -> Bunch:
    """Load the rows that `embed` has written.

    Parameters
    ----------
    folder : str or path-like
    mmap_mode : {"r", "c", None}, default=None
        "r" or "c": map the rows into memory, as :func:`numpy.load` does. The first call copies them
        to the file ``rows.npy`` in the folder. None: read them into memory.
    partial : bool, default=False
        Whether to load the finished parts of an incomplete folder instead of raising an error.

    Returns
    -------
    rows : Bunch
        ``data``, an array (n_rows, n_columns); ``recordings``, a DataFrame with the columns
        ``recording`` (position in X), ``file``, ``onset``, ``offset`` and ``content`` of each row;
        ``feature_names``, a list of str, or None if the transformer has no names; ``failures``, a
        DataFrame with the same columns and ``reason``. Rows are in the order of X; recordings that
        could not be read have none.

    Raises
    ------
    ValueError
        If the folder has no such results, is not complete, or has a damaged file.
    OSError
        If ``rows.npy`` cannot be written.

    See Also
    --------
    iterate_rows : Load one part at a time.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.neighbors import NearestNeighbors
    >>> from sklearn.pipeline import make_pipeline
    >>> from skaudio import MFCC, FramePooling, load_spoken_digits
    >>> from skaudio.scale import embed, load_rows
    >>> X = load_spoken_digits().data
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     state = embed(make_pipeline(MFCC(), FramePooling()), X, folder)
    ...     rows = load_rows(folder)
    >>> neighbors = NearestNeighbors().fit(rows.data)
    >>> rows.recordings.columns.tolist()
    ['recording', 'file', 'onset', 'offset', 'content']
    """
    check_choice("mmap_mode", mmap_mode, ("r", "c", None))
    if mmap_mode is not None and partial:
        raise ValueError("mmap_mode and partial exclude each other: rows.npy holds all rows.")
    folder = Path(folder)
    parts = _parts_of(folder, "rows", partial)
    facts, rows, names = [], [], None
    for part in parts:
        table = read_table(
            part_path(folder, "rows", part), columns=FACTS if mmap_mode is not None else None
        )
        if table.num_rows:
            names = names or names_in(table)
            facts.append(table.select(FACTS))
            if mmap_mode is None:
                rows.append(rows_of(table))
    recordings = _frame(facts, FACTS)
    if mmap_mode is not None:
        data = _mapped(folder, parts, len(recordings), mmap_mode)
    elif rows:
        data = np.concatenate(_same_widths(folder, rows))
    else:
        data = np.empty((0, 0), read_manifest(folder)["dtype"])
    failures = _failures(folder, parts)
    return Bunch(data=data, recordings=recordings, feature_names=names, failures=failures)


def iterate_rows(folder: str | os.PathLike[str], *, partial: bool = False) -> Iterator[Bunch]:
    """Load the rows that `embed` has written one part at a time.

    Parameters
    ----------
    folder : str or path-like
    partial : bool, default=False
        Whether to load the finished parts of an incomplete folder instead of raising an error.

    Yields
    ------
    rows : Bunch
        ``data`` and ``recordings`` of a part, as in the result of `load_rows`. Parts without a
        readable recording are left out.

    Raises
    ------
    ValueError
        If the folder has no such results, is not complete, or has a damaged file.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.decomposition import IncrementalPCA
    >>> from sklearn.pipeline import make_pipeline
    >>> from skaudio import MFCC, FramePooling, load_spoken_digits
    >>> from skaudio.scale import embed, iterate_rows
    >>> X = load_spoken_digits().data
    >>> pca = IncrementalPCA(2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     state = embed(make_pipeline(MFCC(), FramePooling()), X, folder, part_size=100)
    ...     for rows in iterate_rows(folder):
    ...         pca = pca.partial_fit(rows.data)
    >>> int(pca.n_samples_seen_)
    300
    """
    folder = Path(folder)
    parts = _parts_of(folder, "rows", partial)

    def loaded() -> Iterator[Bunch]:
        for part in parts:
            table = read_table(part_path(folder, "rows", part))
            if table.num_rows:
                recordings = _frame([table.select(FACTS)], FACTS)
                yield Bunch(data=rows_of(table), recordings=recordings)

    return loaded()  # a wrong folder raises an error here, before iteration


def load_events(folder: str | os.PathLike[str], *, partial: bool = False) -> Bunch:
    """Load the events that `tag` or `detect` has written.

    Parameters
    ----------
    folder : str or path-like
    partial : bool, default=False
        Whether to load the finished parts of an incomplete folder instead of raising an error.

    Returns
    -------
    events : Bunch
        ``events``, a DataFrame with the columns ``recording`` (position in X), ``file``, ``onset``,
        ``offset``, ``event_label`` and ``score``, which is a table of events for `skaudio.events`;
        ``recordings``, a DataFrame of the recordings that were read, also of those without events;
        ``failures``, a DataFrame of the others, with ``reason``.

    Raises
    ------
    ValueError
        If the folder has no such results, is not complete, or has a damaged file.

    Examples
    --------
    >>> import tempfile
    >>> from skaudio import AudioTagger, load_spoken_digits
    >>> from skaudio.scale import load_events, tag
    >>> X = load_spoken_digits().data[:4]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     state = tag(AudioTagger("mn01_as", weights="random"), X, folder, top=1)
    ...     len(load_events(folder).events)
    4
    """
    folder = Path(folder)
    parts = _parts_of(folder, "events", partial)
    facts, events = (
        [read_table(part_path(folder, name, part)) for part in parts] for name in FOLDERS["events"]
    )
    return Bunch(
        events=_frame(events, []), recordings=_frame(facts, []), failures=_failures(folder, parts)
    )


def _parts_of(folder: Path, kind: str, partial: bool) -> list[int]:
    """Return the numbers of the finished parts of a folder of such results."""
    manifest = read_manifest(folder)
    if manifest["kind"] != kind:
        other = {"rows": "load_rows", "events": "load_events"}[manifest["kind"]]
        raise ValueError(f"folder={str(folder)!r} holds {manifest['kind']}: use {other}.")
    state = folder_state(folder)
    if not state.is_complete and not partial:
        raise ValueError(
            f"folder={str(folder)!r} is not complete: {state.n_done} of {state.n_recordings} "
            "recordings are done. Make the call again that has begun it, for all shards, or pass "
            "partial=True."
        )
    return sorted(parts_in(folder, FOLDERS[kind][0]))


def _frame(tables: Sequence[Any], columns: Sequence[str]) -> Any:
    """Return tables of Arrow as one DataFrame."""
    arrow = parquet()
    table = arrow.concat_tables(tables) if tables else columns_of({name: [] for name in columns})
    return table.replace_schema_metadata(None).to_pandas()


def _failures(folder: Path, parts: Sequence[int]) -> Any:
    paths = (part_path(folder, FAILURES, part) for part in parts)
    return _frame([read_table(path) for path in paths if path.exists()], [*FACTS, "reason"])


def _same_widths(folder: Path, rows: Sequence[np.ndarray]) -> Sequence[np.ndarray]:
    widths = {part.shape[1] for part in rows}
    if len(widths) > 1:
        raise ValueError(
            f"folder={str(folder)!r} has rows of {sorted(widths)} columns, expected as many for "
            "all recordings: the transformer returns rows of different lengths."
        )
    return rows


def _mapped(folder: Path, parts: Sequence[int], n: int, mode: str) -> np.ndarray:
    """Return the rows as a mapped array, which is made if it is not there."""
    path = folder / MAPPED
    if not path.exists():
        _write_rows(path, folder, parts, n)
    data: np.ndarray = np.load(path, mmap_mode=mode)  # type: ignore[arg-type]
    if len(data) != n:
        raise ValueError(f"{path} has {len(data)} rows, the parts have {n}: remove it and retry.")
    return data


def _write_rows(path: Path, folder: Path, parts: Sequence[int], n: int) -> None:
    """Copy the rows of parts into an array file, by writing: a mapped file may not be full."""
    width = None
    dtype = np.dtype(read_manifest(folder)["dtype"])
    with written_whole(path) as file:
        for part in parts:
            rows = rows_of(read_table(part_path(folder, "rows", part)))
            if not len(rows):
                continue
            if width is None:
                width = rows.shape[1]
                shape = {"descr": dtype.str, "fortran_order": False, "shape": (n, width)}
                np.lib.format.write_array_header_1_0(file, shape)
            _same_widths(folder, [rows, np.empty((0, width))])
            file.write(rows.tobytes())
        if width is None:
            np.lib.format.write_array(file, np.empty((0, 0), dtype))
