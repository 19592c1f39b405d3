"""Whether a file is still the same: its path, size, time of change, and hash."""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from typing import NamedTuple


class FileState(NamedTuple):
    """What tells that a file has changed, without reading it."""

    path: str
    """Absolute."""
    size: int
    """In bytes."""
    mtime_ns: int
    """Time of the last change."""


def file_state(path: str | os.PathLike[str]) -> FileState:
    """Return the present state of a file.

    Raises
    ------
    OSError
        If there is no such file, or it may not be looked at.
    """
    status = os.stat(path)
    return FileState(os.path.abspath(path), status.st_size, status.st_mtime_ns)


def file_hash(path: str | os.PathLike[str], kind: str = "sha256") -> str:
    """Return the hash of a file's content, computed once per state of it."""
    return _hash_of(file_state(path), kind)


@lru_cache(maxsize=256)
def _hash_of(state: FileState, kind: str) -> str:
    with open(state.path, "rb") as file:
        return hashlib.file_digest(file, kind).hexdigest()
