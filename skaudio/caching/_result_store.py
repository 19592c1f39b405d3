"""Store of arrays on disk: one file per result, atomic writes, locks, counts, maximum size.

::

    folder/
        state.json                        bytes in all files, and who was counted where
        MFCC-1f0a.../transformer.json     what the key was made of, for people to read
        MFCC-1f0a.../counts.json          found, computed, evicted
        MFCC-1f0a.../7c/7c41....npy       one result: a .npy file, then the CRC-32 of it and its key
"""

from __future__ import annotations

import functools
import io
import itertools
import json
import os
import struct
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from skaudio._files import file_lock, is_full, remove_left, write_whole
from skaudio.audio import warn
from skaudio.caching._cache_info import CacheInfo

# Fraction of the maximum size to which results are removed, below 1 to avoid frequent removal.
EVICT_TO = 0.9


class Store:
    """The results of one transformer, by keys of recordings.

    Parameters
    ----------
    folder : Path
        Folder of all transformers.
    name : str
        Name of the sub-folder of this transformer.
    facts : str
        Description of the transformer that distinguishes it from others, as JSON.
    max_bytes : number or None
        Maximum size of all results in ``folder``.

    Attributes
    ----------
    is_full : bool
        Whether the disk was full, or what was computed could not be written. From then on nothing
        is locked or written: results are computed and returned.
    """

    def __init__(self, folder: Path, name: str, facts: str, max_bytes: float | None):
        self.folder = folder
        self.own = folder / name
        self.facts = facts
        self.max_bytes = max_bytes
        self.is_full = False

    def prepare(self) -> None:
        """Create the folders.

        Raises
        ------
        OSError
            If they cannot be made or written to, for another reason than a full disk.
        """
        try:
            self.own.mkdir(parents=True, exist_ok=True)
            if not (self.own / "transformer.json").exists():
                write_whole(self.own / "transformer.json", self.facts.encode())
        except OSError as error:
            self._stop_if_full(error)
        _clean_at_times(self.folder, self.own)

    def _stop_writing(self, error: OSError) -> None:
        """Warn once, and write no more."""
        self.is_full = True
        warn(
            f"memory: results cannot be stored in {self.folder} ({error.strerror or error}). They "
            "are computed and returned, and the next call computes them again. Free some space, or "
            "pass another folder."
        )

    def _stop_if_full(self, error: OSError) -> None:
        """Stop writing if the disk is full; else raise: nothing has been computed yet."""
        if is_full(error):
            self._stop_writing(error)
            return
        raise OSError(
            f"memory: results cannot be kept in {self.folder} ({error.strerror or error}). "
            "Expected the name of a folder that is there, or can be made, and be written to."
        ) from error

    def path_of(self, key: str) -> Path:
        return self.own / key[:2] / f"{key}.npy"

    def load(self, key: str) -> np.ndarray | None:
        """Return a result, or None if there is none or the file is damaged."""
        path = self.path_of(key)
        try:
            with open(path, "rb", buffering=0) as file:
                content = bytearray(os.fstat(file.fileno()).st_size)
                file.readinto(content)
        except OSError:
            return None
        array = _decode(content, key)
        if array is not None:
            with suppress(OSError):
                os.utime(path)  # time of last use, for eviction
        return array

    @contextmanager
    def locked(self, keys: Iterable[str], n: int) -> Iterator[list[str]]:
        """Lock up to ``n`` results that no other process has locked; yield their keys.

        It does not wait for locks. Locks end with their process. A full disk has no room for locks:
        without
        them, others may compute the same.
        """
        with ExitStack() as held:
            batch = []
            try:
                batch = [] if self.is_full else self._lock(keys, n, held)
            except OSError as error:
                self._stop_if_full(error)
            yield list(itertools.islice(keys, n)) if self.is_full else batch

    def _lock(self, keys: Iterable[str], n: int, held: ExitStack) -> list[str]:
        batch: list[str] = []
        for key in keys:
            if len(batch) == n:
                break
            path = self.path_of(key).with_suffix(".lock")
            path.parent.mkdir(exist_ok=True)
            with suppress(Timeout):
                held.enter_context(file_lock(path, timeout=0))
                batch.append(key)
        return batch

    def save(self, results: dict[str, np.ndarray]) -> None:
        """Write results, count them, and remove old results if the maximum size is exceeded.

        Whatever prevents it is a warning: what was computed is returned all the same.
        """
        if self.is_full:
            return
        written = 0
        try:
            for key, array in results.items():
                content = _encode(array, key)
                path = self.path_of(key)
                path.parent.mkdir(exist_ok=True)
                write_whole(path, content)
                written += len(content)
            self.count(misses=len(results), written=written)
        except OSError as error:
            with suppress(OSError):  # some may be written and not counted: all are counted anew
                (self.folder / "state.json").unlink()
            self._stop_writing(error)

    def count(self, *, hits: int = 0, misses: int = 0, written: int = 0) -> None:
        """Add to the counts of all processes."""
        if written:
            self._count(hits, misses, written)
        elif hits and os.access(self.own, os.W_OK):
            with suppress(OSError):  # full disk: counts are not essential
                self._count(hits, misses, written)

    def _count(self, hits: int, misses: int, written: int) -> None:
        with FileLock(self.folder / "state.lock"):
            counts = _read(self.own / "counts.json")
            counts["hits"] = counts.get("hits", 0) + hits
            counts["misses"] = counts.get("misses", 0) + misses
            write_whole(self.own / "counts.json", json.dumps(counts).encode())
            if not written:
                return
            state = _read(self.folder / "state.json")
            # If the state is missing or incomplete, sizes are summed again.
            total = state["bytes"] + written if "bytes" in state else self._total()
            if self.max_bytes is not None and total > self.max_bytes:
                total = self._evict(EVICT_TO * self.max_bytes)
            write_whole(self.folder / "state.json", json.dumps({"bytes": total}).encode())

    def info(self) -> CacheInfo:
        counts = _read(self.own / "counts.json")
        sizes = [status.st_size for _, status in _entries(self.own)]
        return CacheInfo(
            counts.get("hits", 0),
            counts.get("misses", 0),
            counts.get("evicted", 0),
            len(sizes),
            sum(sizes),
            self.max_bytes,
        )

    def _total(self) -> int:
        return sum(status.st_size for own in self._all() for _, status in _entries(own))

    def _all(self) -> list[Path]:
        return [path.parent for path in self.folder.glob("*/transformer.json")]

    def _evict(self, target: float) -> int:
        """Remove the least recently used results; return the number of bytes that remain."""
        for own in self._all():
            _clean(self.folder, own)
        entries = [
            (status.st_mtime_ns, status.st_size, path, own)
            for own in self._all()
            for path, status in _entries(own)
        ]
        total = sum(size for _, size, _, _ in entries)
        gone: dict[Path, int] = {}
        for _, size, path, own in sorted(entries):
            if total <= target:
                break
            with suppress(OSError):
                path.unlink()
                total -= size
                gone[own] = gone.get(own, 0) + 1
        for own, n in gone.items():
            counts = _read(own / "counts.json")
            counts["evicted"] = counts.get("evicted", 0) + n
            write_whole(own / "counts.json", json.dumps(counts).encode())
        return total


def _entries(own: Path) -> list[tuple[Path, os.stat_result]]:
    """List the results of a transformer."""
    found = []
    for path in own.glob("??/*.npy"):
        with suppress(OSError):  # gone meanwhile
            found.append((path, path.stat()))
    return found


# Time from which the folder of a transformer may be cleaned again.
_next_look: dict[Path, float] = {}


def _clean_at_times(folder: Path, own: Path) -> None:
    """Remove files of killed processes; use at most a twentieth of the time for it."""
    began = time.monotonic()
    if began >= _next_look.get(own, began):
        _clean(folder, own)
        _next_look[own] = time.monotonic() + 20 * (time.monotonic() - began)


def _clean(folder: Path, own: Path) -> None:
    remove_left([folder, own], locks=False)  # of these locks, others may be about to hold one
    remove_left(own.glob("??"), locks=True)


def _encode(array: np.ndarray, key: str) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.ascontiguousarray(array), allow_pickle=False)
    content = stream.getvalue()
    return content + struct.pack("<I", zlib.crc32(key.encode(), zlib.crc32(content)))


def _decode(content: bytearray, key: str) -> np.ndarray | None:
    """Return the array, or None if the bytes are damaged or belong to another key."""
    if len(content) < 14:
        return None
    checksum = zlib.crc32(key.encode(), zlib.crc32(memoryview(content)[:-4]))
    if struct.unpack("<I", content[-4:])[0] != checksum:
        return None
    length = 10 + int.from_bytes(content[8:10], "little")  # version 1.0: two bytes of length
    try:
        shape, _, dtype = _parse_header(bytes(content[:length]))
        array = np.frombuffer(memoryview(content)[:-4], dtype, offset=length)
        array = array.reshape(shape)  # _encode writes rows one after another
    except Exception:  # a file of another program can raise any error
        return None
    return array if array.ndim and dtype.kind in "fiucb" else None


@functools.lru_cache(maxsize=256)
def _parse_header(header: bytes) -> Any:
    # Cached, as most results have the same header: parsing takes 0.07 ms, loading a row 0.1 ms.
    stream = io.BytesIO(header)
    np.lib.format.read_magic(stream)
    return np.lib.format.read_array_header_1_0(stream)


def _read(path: Path) -> dict[str, int]:
    """Return the counts in a file; damaged counts start at 0 again."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {name: n for name, n in content.items() if type(n) is int and n >= 0}
