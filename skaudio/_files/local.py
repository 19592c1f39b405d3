"""Files on this machine: where downloads live, whether a file is still the same, locks, writing."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import platformdirs
from filelock import FileLock, Timeout

# Seconds after which a temporary file is what a killed process left behind.
STALE = 3600


def get_data_home(data_home: str | os.PathLike[str] | None = None) -> Path:
    r"""Return the folder that holds downloaded data, one sub-folder per data set.

    The folder is the argument, or else that in the environment variable ``SKAUDIO_DATA``, or else
    the cache folder of the user (``~/.cache/skaudio`` on Linux, ``~/Library/Caches/skaudio`` on
    macOS, ``%LOCALAPPDATA%\skaudio\Cache`` on Windows).

    Unlike :func:`sklearn.datasets.get_data_home`, it does not create the folder, so a data home can
    be read-only. Functions that download data create it.

    Parameters
    ----------
    data_home : str or path-like, default=None
        The folder to use. A leading ``~`` is replaced by the home folder of the user.

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
    chosen = data_home or os.environ.get("SKAUDIO_DATA") or platformdirs.user_cache_dir("skaudio")
    return Path(chosen).expanduser().absolute()


class FileState(NamedTuple):
    """State of a file, by which a change is noticed without reading it."""

    path: str
    """Absolute."""
    size: int
    """In bytes."""
    mtime_ns: int
    """Time of the last change."""


def file_state(path: str | os.PathLike[str]) -> FileState:
    """Return the current state of a file.

    Raises
    ------
    OSError
        If the file does not exist or is not accessible.
    """
    status = os.stat(path)
    return FileState(os.path.abspath(path), status.st_size, status.st_mtime_ns)


def file_hash(path: str | os.PathLike[str], kind: str = "sha256") -> str:
    """Return the hash of the content of a file, computed once per state."""
    return _hash_of(file_state(path), kind)


@lru_cache(maxsize=256)  # takes 1 ms per MB, and weights are checked at each use
def _hash_of(state: FileState, kind: str) -> str:
    with open(state.path, "rb") as file:
        return hashlib.file_digest(file, kind).hexdigest()


@contextmanager
def file_lock(path: Path, *, timeout: float = -1) -> Iterator[None]:
    """Hold a lock against other processes and threads. It ends with the process.

    Parameters
    ----------
    path : Path
        Lock file, which is removed afterwards.
    timeout : float
        Number of seconds to wait for the lock. -1: no limit.

    Raises
    ------
    filelock.Timeout
        If another process or thread holds the lock for longer than ``timeout``.
    """
    lock = FileLock(path)
    lock.acquire(timeout=timeout)
    try:
        yield
    finally:
        # The file is removed while the lock is held. A process that has already opened it notices
        # that the file is gone, and tries again.
        with suppress(OSError):
            os.unlink(path)
        lock.release()


def is_full(error: OSError) -> bool:
    """Return whether a disk, or a user's share of it, has no room."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def full_disk(what: str, folder: Path, error: OSError) -> OSError:
    """Return the error that says what does not fit, and where."""
    return OSError(
        error.errno, f"{what} does not fit into {folder} ({error.strerror}): free some space"
    )


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole, or leave what was there.

    The content goes into a temporary file beside it, which takes its name at the end. A file that
    is replaced hands its permissions on; of a link, the file that it points to is replaced.

    Parameters
    ----------
    path : Path
        Its folder must exist.
    content : bytes

    Raises
    ------
    OSError
        If the folder cannot be written to, or the disk is full.
    """
    path = Path(os.path.realpath(path))
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(content)
        with suppress(OSError):
            os.chmod(temporary, stat.S_IMODE(os.stat(path).st_mode))
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def remove_left(folders: Iterable[Path], *, locks: bool) -> None:
    """Remove what killed processes left: parts of files, and ``locks`` that nobody holds."""
    for folder in folders:
        for path in _left_in(folder, (".tmp", ".lock") if locks else (".tmp",)):
            with suppress(OSError, Timeout):  # gone meanwhile, or held
                if path.stat().st_mtime > time.time() - STALE:
                    continue
                if path.suffix == ".tmp":
                    path.unlink()
                else:
                    with file_lock(path, timeout=0):
                        pass  # removed at the end


def _left_in(folder: Path, suffixes: tuple[str, ...]) -> Iterator[Path]:
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(suffixes):
                yield Path(entry.path)
