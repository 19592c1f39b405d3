"""Where downloaded data sets live."""

from __future__ import annotations

import os
from pathlib import Path

import pooch


def get_data_home(data_home: str | os.PathLike[str] | None = None) -> Path:
    r"""Return the folder that holds downloaded data, one sub-folder per data set.

    The first of these that is given: the argument, the environment variable ``SKAUDIO_DATA``,
    the cache folder of the user (``~/.cache/skaudio`` on Linux, ``~/Library/Caches/skaudio`` on
    macOS, ``%LOCALAPPDATA%\skaudio\Cache`` on Windows).

    Unlike :func:`sklearn.datasets.get_data_home` it makes no folder: a fetcher does when it
    has something to put there, so that a data home may also be read-only.

    Parameters
    ----------
    data_home : str or path-like, default=None
        The folder to use; a leading ``~`` stands for the home folder of the user.

    Returns
    -------
    pathlib.Path
        Absolute path of the folder, which need not exist.

    Examples
    --------
    >>> from skaudio.datasets import get_data_home
    >>> get_data_home("/data/sound").as_posix()[-11:]
    '/data/sound'
    """
    chosen = data_home or os.environ.get("SKAUDIO_DATA") or pooch.os_cache("skaudio")
    return Path(chosen).expanduser().absolute()
