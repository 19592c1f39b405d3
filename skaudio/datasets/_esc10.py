"""ESC-10: ten classes of environmental sounds."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from sklearn.utils import Bunch

from skaudio._files import get_data_home
from skaudio.datasets._bunch import make_bunch, read_description
from skaudio.datasets._find_or_fetch import find_or_fetch

_COMMIT = "553c8f1743b9dba6b282e1323c3ca8fa76923448"
_URL = f"https://github.com/karolpiczak/ESC-10/archive/{_COMMIT}.zip"
_N_RECORDINGS, _N_CLASSES = 400, 10
_FOLDER_NAME = re.compile(r"(?P<number>[0-9]{3}) - (?P<label>.+)")
_FILE_NAME = re.compile(r"(?P<fold>[0-9])-(?P<clip_id>[0-9]+)-(?P<take>[A-Z])\.ogg")
_LICENCE = (
    "ESC-10, https://github.com/karolpiczak/ESC-10, licence CC BY 3.0"
    " (https://creativecommons.org/licenses/by/3.0/)"
)


def fetch_esc10(
    *,
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    as_frame: bool = False,
    verbose: int = 1,
) -> Any:
    """Load ESC-10, environmental sounds, downloading it once (classification).

    ================  ==========================================================
    Recordings        400 in the full set: 10 classes x 5 folds x 8
    Classes           10, balanced
    Groups            the 5 given folds, balanced
    Format            Ogg Vorbis, mono, 44.1 kHz, 5 s
    Licence           CC BY 3.0
    ================  ==========================================================

    The recordings found in ``<data_home>/esc10`` are used, also if they are only a part of the data
    set. The table describes the full data set.

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
            Index into ``target_names``.
        target_names : ndarray of str, shape (10,)
            Names of the classes, in the set's order: "Dog bark", "Rain"...
        groups : ndarray of str, shape (n_recordings,), or Series
            The fold, "1" to "5", for ``LeaveOneGroupOut`` or ``GroupKFold``. Clips cut from one
            field recording are in one fold.
        feature_names : list of str
            ``["path"]``.
        frame : DataFrame or None
            Columns path, target, label, fold, clip_id (of the field recording, at Freesound) and
            take (which clip of it). Only with ``as_frame=True``.
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
        If the archive, or a file in the folder, is not as expected.

    Warns
    -----
    UserWarning
        After a download, because no reference hash of the archive is known. Checksums within the
        archive, names, and the numbers of recordings and classes are checked instead.

    References
    ----------
    K. J. Piczak, "ESC: Dataset for Environmental Sound Classification", ACM Multimedia 2015.

    Examples
    --------
    >>> from skaudio.datasets import fetch_esc10
    >>> esc10 = fetch_esc10()  # doctest: +SKIP
    >>> esc10.data.shape  # doctest: +SKIP
    (400,)
    """
    folder = get_data_home(data_home) / "esc10"
    rows = find_or_fetch(
        lambda: _find_recordings(folder),
        _URL,
        folder,
        max_size=200 << 20,
        max_files=2_000,
        within=folder,
        expected="recording in a folder named such as 001 - Dog bark",
        example=folder / "001 - Dog bark",
        allowed=download_if_missing,
        licence=_LICENCE,
        check=_check_archive,
        verbose=verbose,
    )
    numbers, labels, folds, clips, takes, paths = zip(*rows, strict=True)
    classes = sorted(set(zip(numbers, labels, strict=True)))
    code = {number: i for i, (number, _) in enumerate(classes)}
    bunch: Bunch = make_bunch(
        {
            "path": paths,
            "target": [code[number] for number in numbers],
            "label": labels,
            "fold": folds,
            "clip_id": clips,
            "take": takes,
        },
        target="target",
        groups="fold",
        target_names=[label for _, label in classes],
        description=read_description("esc10.rst"),
        as_frame=as_frame,
    )
    return (bunch.data, bunch.target) if return_X_y else bunch


def _find_recordings(folder: Path) -> list[tuple[int, str, str, int, str, str]]:
    """Return (class number, label, fold, clip, take, path) of the recordings, sorted."""
    rows = []
    for path in folder.glob("*/*.ogg"):
        kind = _FOLDER_NAME.fullmatch(path.parent.name)
        if kind is None or path.name.startswith("."):
            continue
        match = _FILE_NAME.fullmatch(path.name)
        if match is None:
            raise ValueError(f"{path}: expected a name such as 1-100032-A.ogg")
        fold, clip_id, take = match.groups()
        rows.append((int(kind["number"]), kind["label"], fold, int(clip_id), take, str(path)))
    return sorted(rows)


def _check_archive(folder: Path) -> None:
    rows = _find_recordings(folder)
    if len(rows) < _N_RECORDINGS:
        raise ValueError(f"{len(rows)} recordings, expected {_N_RECORDINGS}")
    if (n_classes := len({row[0] for row in rows})) < _N_CLASSES:
        raise ValueError(f"{n_classes} classes, expected {_N_CLASSES}")
