"""Cats and dogs: recordings from Kaggle."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from sklearn.utils import Bunch

from skaudio._files import get_data_home
from skaudio.datasets._bunch import make_bunch, read_description

_SOURCE = "https://www.kaggle.com/datasets/mmoreaux/audio-cats-and-dogs"
_LABELS = ("cat", "dog")
_NUMBER = re.compile(r"(\d+)")


def load_cats_dogs(
    *,
    data_home: str | os.PathLike[str] | None = None,
    return_X_y: bool = False,
    as_frame: bool = False,
) -> Any:
    """Load recordings of cats and dogs from the data home (classification, weak labels).

    ================  ==========================================================
    Recordings        255 in the full set, of 1 to 18 s; each holds one animal,
                      somewhere
    Classes           2 (cat, dog)
    Format            WAV, 16 kHz, mono, with a few exceptions
    Licence           as given at Kaggle
    ================  ==========================================================

    Kaggle requires an account, so the data set is not downloaded. Put its recordings into
    ``<data_home>/cats_dogs/cats`` and ``<data_home>/cats_dogs/dogs``. All recordings found there
    are used, also if they are only a part of the data set.

    Parameters
    ----------
    data_home : str or path-like, default=None
        Folder of data sets; see :func:`get_data_home`. None: the folder in the environment variable
        ``SKAUDIO_DATA``, or else the user's cache folder.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a Bunch.
    as_frame : bool, default=False
        Whether to return pandas objects: ``data`` as a one-column DataFrame, ``target`` as a
        Series, and ``frame`` as the table of both.

    Returns
    -------
    sklearn.utils.Bunch or tuple
        A dictionary with attributes:

        data : ndarray of str, shape (n_recordings,), or DataFrame, shape (n_recordings, 1)
            Absolute paths, first of the cats, then of the dogs, in numeric order.
        target : ndarray of int, shape (n_recordings,), or Series
            0 for a cat, 1 for a dog.
        target_names : ndarray of str, shape (2,)
            "cat" and "dog".
        feature_names : list of str
            ``["path"]``.
        frame : DataFrame or None
            Columns path and animal. Only with ``as_frame=True``.
        DESCR : str
            Origin of the recordings.

    Raises
    ------
    FileNotFoundError
        If there are no recordings. The message says how to get them and where to put them.

    References
    ----------
    M. Moreaux, "Audio Cats and Dogs", Kaggle 2017.

    Examples
    --------
    >>> from skaudio.datasets import load_cats_dogs
    >>> pets = load_cats_dogs()  # doctest: +SKIP
    >>> pets.target_names[pets.target[0]]  # doctest: +SKIP
    'cat'
    """
    folder = get_data_home(data_home) / "cats_dogs"
    found = [sorted(_recordings(folder / f"{label}s"), key=_by_number) for label in _LABELS]
    missing = [str(folder / f"{label}s") for label, f in zip(_LABELS, found, strict=True) if not f]
    if missing:
        raise FileNotFoundError(
            f"no .wav files in {' and '.join(missing)}. Download {_SOURCE} (an account is needed) "
            f"and put the recordings of cats into {folder / 'cats'}, those of dogs into "
            f"{folder / 'dogs'}, or name another data_home."
        )
    columns = {
        "path": [str(path) for paths in found for path in paths],
        "animal": [code for code, paths in enumerate(found) for _ in paths],
    }
    bunch: Bunch = make_bunch(
        columns,
        target="animal",
        groups=None,
        target_names=list(_LABELS),
        description=read_description("cats_dogs.rst"),
        as_frame=as_frame,
    )
    return (bunch.data, bunch.target) if return_X_y else bunch


def _recordings(folder: Path) -> list[Path]:
    return [path for path in folder.glob("*.wav") if not path.name.startswith(".")]


def _by_number(path: Path) -> list[Any]:
    """Return a sort key by which cat_2 is before cat_10."""
    parts = _NUMBER.split(path.name)
    return [int(part) if i % 2 else part for i, part in enumerate(parts)]
