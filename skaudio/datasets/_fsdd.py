"""The Free Spoken Digit Dataset."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from sklearn.utils import Bunch

from skaudio._files import get_data_home
from skaudio.datasets._bunch import DIGIT_NAMES, make_bunch, read_description
from skaudio.datasets._find_or_fetch import find_or_fetch

_URL = "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/refs/tags/v1.0.10.zip"
# The archive has 3000 recordings. The check finds error pages and incomplete archives.
_FEWEST_RECORDINGS = 2000
_FILE_NAME = re.compile(r"(?P<digit>[0-9])_(?P<speaker>[^_]+)_(?P<index>[0-9]+)\.wav")
_LICENCE = (
    "Free Spoken Digit Dataset, https://github.com/Jakobovski/free-spoken-digit-dataset, licence"
    " CC BY-SA 4.0 (https://creativecommons.org/licenses/by-sa/4.0/)"
)


def fetch_fsdd(
    *,
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
    as_frame: bool = False,
    verbose: int = 1,
) -> Any:
    """Load the Free Spoken Digit Dataset, downloading it once (classification).

    ================  ==========================================================
    Recordings        3000 in the full set: 10 digits x 6 speakers x 50
    Classes           10 (zero to nine), balanced
    Groups            the speakers, balanced
    Format            WAV, mono, 8 kHz, about 0.1 to 2.3 s
    Licence           CC BY-SA 4.0
    ================  ==========================================================

    The recordings found in ``<data_home>/fsdd/recordings`` are used, also if they are only a part
    of the data set. The table describes the full data set.

    Parameters
    ----------
    data_home : str or path-like, default=None
        Folder of data sets; see :func:`get_data_home`. None: the folder in the environment variable
        ``SKAUDIO_DATA``, or else the user's cache folder.
    download_if_missing : bool, default=True
        Whether to download the official archive (tag v1.0.10) if there are no recordings. If False,
        missing recordings are an error.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a Bunch. Only the Bunch contains the
        speakers, which ``GroupKFold`` needs.
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
            Absolute paths, sorted by digit, speaker and index.
        target : ndarray of int, shape (n_recordings,), or Series
            The digit, 0 to 9.
        target_names : ndarray of str, shape (10,)
            "zero" to "nine".
        groups : ndarray of str, shape (n_recordings,), or Series
            The speaker.
        feature_names : list of str
            ``["path"]``.
        frame : DataFrame or None
            Columns path, digit, speaker and index. Only with ``as_frame=True``.
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
        archive, names, the number of recordings and the presence of all ten digits are checked
        instead.

    References
    ----------
    Z. Jackson et al., Free Spoken Digit Dataset, v1.0.10, 2020.
    https://github.com/Jakobovski/free-spoken-digit-dataset

    Examples
    --------
    >>> from skaudio.datasets import fetch_fsdd
    >>> fsdd = fetch_fsdd()  # doctest: +SKIP
    >>> fsdd.data.shape  # doctest: +SKIP
    (3000,)
    """
    folder = get_data_home(data_home) / "fsdd"
    recordings = folder / "recordings"
    rows = find_or_fetch(
        lambda: _find_recordings(recordings),
        _URL,
        folder,
        max_size=200 << 20,
        max_files=10_000,
        within=recordings,
        expected="recording named such as 0_george_0.wav",
        example=recordings / "0_george_0.wav",
        allowed=download_if_missing,
        licence=_LICENCE,
        check=_check_archive,
        verbose=verbose,
    )
    digits, speakers, indices, paths = zip(*rows, strict=True)
    bunch: Bunch = make_bunch(
        {"path": paths, "digit": digits, "speaker": speakers, "index": indices},
        target="digit",
        groups="speaker",
        target_names=list(DIGIT_NAMES),
        description=read_description("fsdd.rst"),
        as_frame=as_frame,
    )
    return (bunch.data, bunch.target) if return_X_y else bunch


def _find_recordings(folder: Path) -> list[tuple[int, str, int, str]]:
    """Return (digit, speaker, index, path) of the .wav files in ``folder``, sorted."""
    rows = []
    for path in folder.glob("*.wav"):
        if path.name.startswith("."):
            continue
        match = _FILE_NAME.fullmatch(path.name)
        if match is None:
            raise ValueError(f"{path}: expected a name such as 0_george_0.wav")
        rows.append((int(match["digit"]), match["speaker"], int(match["index"]), str(path)))
    return sorted(rows)


def _check_archive(folder: Path) -> None:
    rows = _find_recordings(folder / "recordings")
    if len(rows) < _FEWEST_RECORDINGS:
        raise ValueError(f"{len(rows)} recordings, expected at least {_FEWEST_RECORDINGS}")
    if missing := sorted(set(range(10)) - {row[0] for row in rows}):
        raise ValueError(f"no recordings of the digits {missing}")
