"""Spoken digits: the bundled data set of ten synthetic voices."""

from __future__ import annotations

import csv
from importlib.resources import files
from pathlib import Path
from typing import Any

from sklearn.utils import Bunch

from skaudio.datasets._bunch import DIGIT_NAMES, make_bunch, read_description

_NUMERIC = {
    "digit": int,
    "take": int,
    "pitch": int,
    "speed": int,
    "tilt": float,
    "level_db": float,
    "snr_db": float,
}


def load_spoken_digits(*, return_X_y: bool = False, as_frame: bool = False) -> Any:
    """Load the spoken digits that come with the package (classification, no download).

    ================  =========================================
    Recordings        300 = 10 digits x 10 voices x 3 takes
    Classes           10 (zero to nine), balanced
    Groups            10 voices, balanced
    Length            0.27 to 0.74 s, mean 0.49 s, 146 s in all
    Format            FLAC, mono, 16 kHz, 16 bit
    ================  =========================================

    The voices are synthetic (espeak-ng). They are suited to examples, tests and teaching, but do
    not show how well a method works for human voices. ``DESCR`` describes how they were made and
    what scores to expect.

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a Bunch. Only the Bunch contains the voices,
        which ``GroupKFold`` needs.
    as_frame : bool, default=False
        Whether to return pandas objects: ``data`` as a one-column DataFrame, ``target`` and
        ``groups`` as Series, and ``frame`` as a table of all metadata of the recordings.

    Returns
    -------
    sklearn.utils.Bunch or tuple
        A dictionary with attributes:

        data : ndarray of str, shape (300,), or DataFrame, shape (300, 1)
            Absolute paths, sorted by file name: by digit, voice and take.
        target : ndarray of int, shape (300,), or Series
            The digit, 0 to 9.
        target_names : ndarray of str, shape (10,)
            "zero" to "nine".
        groups : ndarray of str, shape (300,), or Series
            The voice.
        feature_names : list of str
            ``["path"]``.
        frame : DataFrame or None
            Columns path, digit, voice, take, accent, variant (of the espeak-ng voice), pitch
            (espeak-ng's, 0 to 99), speed (words per minute), tilt (of the voice's microphone),
            level_db (peak, dB below full scale) and snr_db. Only with ``as_frame=True``.
        DESCR : str
            How the recordings were made, the meaning of scores, and the licence.

    Notes
    -----
    The recordings have the licence of this package.

    Examples
    --------
    >>> from skaudio.datasets import load_spoken_digits
    >>> digits = load_spoken_digits()
    >>> digits.data.shape, digits.target.shape
    ((300,), (300,))
    >>> digits.target_names[digits.target[[0, -1]]].tolist()
    ['zero', 'nine']
    >>> sorted(set(digits.groups.tolist()))[:4]
    ['alba', 'brook', 'clive', 'dana']
    >>> load_spoken_digits(as_frame=True).frame.groupby("voice").size().loc["alba"].item()
    30
    """
    # FLAC files are opened by name, so the package must be unpacked on disk, as pip installs it.
    folder = Path(str(files(__package__) / "data" / "spoken_digits"))
    with open(folder / "metadata.csv", newline="", encoding="utf-8") as stream:
        rows = sorted(csv.DictReader(stream), key=lambda row: row["file"])
    columns: dict[str, list[Any]] = {"path": [str(folder / row.pop("file")) for row in rows]}
    for name in rows[0]:
        columns[name] = [_NUMERIC.get(name, str)(row[name]) for row in rows]
    bunch: Bunch = make_bunch(
        columns,
        target="digit",
        groups="voice",
        target_names=list(DIGIT_NAMES),
        description=read_description("spoken_digits.rst"),
        as_frame=as_frame,
    )
    return (bunch.data, bunch.target) if return_X_y else bunch
