"""ESC-50: fifty classes of environmental sounds."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

from sklearn.utils import Bunch

from skaudio._files import get_data_home
from skaudio.datasets._bunch import make_bunch, read_description
from skaudio.datasets._find_or_fetch import find_or_fetch

_URL = "https://github.com/karolpiczak/ESC-50/archive/refs/heads/master.zip"
_N_RECORDINGS, _N_CLASSES = 2000, 50
_COLUMNS = ("filename", "fold", "target", "category", "esc10", "src_file", "take")
_LICENCE = (
    "ESC-50, https://github.com/karolpiczak/ESC-50, licence CC BY-NC 3.0: not for commercial use"
    " (https://creativecommons.org/licenses/by-nc/3.0/)"
)


def fetch_esc50(
    *,
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    as_frame: bool = False,
    verbose: int = 1,
) -> Any:
    """Load ESC-50, environmental sounds, downloading it once (classification).

    ================  ==========================================================
    Recordings        2000 in the full set: 50 classes x 5 folds x 8
    Classes           50, balanced
    Groups            the 5 given folds, balanced
    Format            WAV, mono, 44.1 kHz, 5 s
    Download          about 600 MB
    Licence           CC BY-NC 3.0
    ================  ==========================================================

    The recordings in ``<data_home>/esc50/audio`` that the table
    ``<data_home>/esc50/meta/esc50.csv`` lists are used, also if they are only a part of the data
    set.

    Parameters
    ----------
    data_home : str or path-like, default=None
        Folder of data sets; see :func:`get_data_home`. None: the folder in the environment variable
        ``SKAUDIO_DATA``, or else the user's cache folder.
    download_if_missing : bool, default=True
        Whether to download the official archive if there are no recordings. If False, missing
        recordings are an error.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a Bunch. Only the Bunch contains the folds.
    as_frame : bool, default=False
        Whether to return pandas objects: ``data`` as a one-column DataFrame, ``target`` and
        ``groups`` as Series, and ``frame`` as the table of all.
    verbose : int, default=1
        With 1, a download prints the licence, a progress bar, and the size and sha256 of the
        archive. With 0, it prints nothing.

    Returns
    -------
    sklearn.utils.Bunch or tuple
        A dictionary with attributes:

        data : ndarray of str, shape (n_recordings,), or DataFrame, shape (n_recordings, 1)
            Absolute paths, sorted by class, fold, clip and take.
        target : ndarray of int, shape (n_recordings,), or Series
            Index into ``target_names``: the numbers 0 to 49 of the data set.
        target_names : ndarray of str, shape (50,)
            Names of the classes: "dog", "rooster"...
        groups : ndarray of str, shape (n_recordings,), or Series
            The fold, "1" to "5", for ``LeaveOneGroupOut`` or ``GroupKFold``. Clips cut from one
            field recording are in one fold.
        feature_names : list of str
            ``["path"]``.
        frame : DataFrame or None
            Columns path, target, label, fold, clip_id (of the field recording, at Freesound),
            take (which clip of it) and esc10 (whether the clip's class is one of ESC-10). Only
            with ``as_frame=True``.
        DESCR : str
            Origin of the recordings, the meaning of scores, and the licence.

    Raises
    ------
    FileNotFoundError
        If there are no recordings and ``download_if_missing=False``.
    ConnectionError
        If the download fails. The message contains the address, and the folder for recordings
        downloaded by hand.
    ValueError
        If the archive or the table is not as expected.

    Warns
    -----
    UserWarning
        After a download, because no reference hash of the archive is known. Checksums within the
        archive and the numbers of recordings and classes are checked instead.

    References
    ----------
    K. J. Piczak, "ESC: Dataset for Environmental Sound Classification", ACM Multimedia 2015.

    Examples
    --------
    >>> from skaudio.datasets import fetch_esc50
    >>> esc50 = fetch_esc50()  # doctest: +SKIP
    >>> esc50.data.shape  # doctest: +SKIP
    (2000,)
    """
    folder = get_data_home(data_home) / "esc50"
    table = folder / "meta" / "esc50.csv"
    names, rows = find_or_fetch(
        lambda: _find_recordings(folder),
        _URL,
        folder,
        max_size=2 << 30,
        max_files=10_000,
        within=folder,
        expected=f"recordings listed in {table}",
        example=table,
        allowed=download_if_missing,
        licence=_LICENCE,
        check=_check_archive,
        verbose=verbose,
    )
    targets, folds, clips, takes, esc10, paths = zip(*rows, strict=True)
    bunch: Bunch = make_bunch(
        {
            "path": paths,
            "target": targets,
            "label": [names[target] for target in targets],
            "fold": folds,
            "clip_id": clips,
            "take": takes,
            "esc10": esc10,
        },
        target="target",
        groups="fold",
        target_names=names,
        description=read_description("esc50.rst"),
        as_frame=as_frame,
    )
    return (bunch.data, bunch.target) if return_X_y else bunch


def _find_recordings(
    folder: Path,
) -> tuple[list[str], list[tuple[int, str, int, str, bool, str]]] | None:
    """Return the names of classes, and (target, fold, clip, take, esc10, path) of recordings."""
    table = folder / "meta" / "esc50.csv"
    if not table.is_file():
        return None
    with open(table, newline="", encoding="utf-8") as stream:
        reader = csv.DictReader(stream)
        if missing := sorted(set(_COLUMNS) - set(reader.fieldnames or ())):
            raise ValueError(f"{table} lacks the columns {missing}")
        entries = list(reader)
    categories = {int(entry["target"]): entry["category"] for entry in entries}
    if sorted(categories) != list(range(len(categories))):
        raise ValueError(f"{table}: expected targets 0, 1, 2..., found {sorted(categories)[:9]}")
    rows = []
    for entry in entries:
        path = folder / "audio" / entry["filename"]
        if path.is_file():
            is_esc10 = entry["esc10"].lower() == "true"
            clip = int(entry["src_file"])
            rows.append(
                (int(entry["target"]), entry["fold"], clip, entry["take"], is_esc10, str(path))
            )
    if not rows:
        return None
    return [categories[target] for target in range(len(categories))], sorted(rows)


def _check_archive(folder: Path) -> None:
    if not (folder / "meta" / "esc50.csv").is_file():
        raise ValueError("no meta/esc50.csv in it")
    names, rows = _find_recordings(folder) or ([], [])
    if len(rows) < _N_RECORDINGS:
        raise ValueError(f"{len(rows)} recordings, expected {_N_RECORDINGS}")
    if len(names) < _N_CLASSES:
        raise ValueError(f"{len(names)} classes, expected {_N_CLASSES}")
