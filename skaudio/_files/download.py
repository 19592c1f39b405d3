"""Download a file over HTTP: resumed, checked, and put in place whole or not at all."""

from __future__ import annotations

import hashlib
import os
import time
import warnings
from contextlib import ExitStack
from io import BufferedRandom
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from skaudio._files.local import file_hash, file_lock

# Seconds to wait for a server that is silent, and between attempts; attempts that bring nothing.
TIMEOUT = 30.0
PAUSE = 1.0
ATTEMPTS = 3
BLOCK = 1 << 16


class _Stopped(ConnectionError):
    """The connection ended before the file did; asking for the rest may help."""


def fetch_file(
    url: str,
    path: Path,
    *,
    known_hash: str | None,
    size: int | None,
    by_hand: str,
    verbose: int = 1,
) -> None:
    """Download a file as `download_file` does; warn where no reference hash is known."""
    download_file(url, path, known_hash=known_hash, size=size, by_hand=by_hand, verbose=verbose)
    if known_hash is None:
        warnings.warn(
            f"no reference hash is known for {url}: its size was checked, its hash is "
            f"sha256:{file_hash(path)}",
            stacklevel=3,
        )


def download_file(
    url: str,
    path: Path,
    *,
    known_hash: str | None,
    size: int | None,
    by_hand: str,
    verbose: int,
) -> None:
    """Download a file, check it, and put it in place whole.

    When the connection breaks, the bytes that have arrived are kept in ``.<name>.part`` beside
    ``path``, and the next call, in whatever process, asks the server for the rest only. A file that
    turns out to be another one is deleted. Processes that want the same file wait for each other,
    and one downloads it.

    Parameters
    ----------
    url : str
    path : Path
        The file to make. Its folder is made too.
    known_hash : str or None
        What the content must hash to, with the kind: "sha256:..." or "md5:...".
    size : int or None
        Its size in bytes. The download stops when there are more.
    by_hand : str
        Advice for a machine that is offline, part of the error message.
    verbose : bool
        Show a progress bar.

    Raises
    ------
    ConnectionError
        If the file does not arrive.
    ValueError
        If it is not the one that was expected.
    PermissionError
        If the folder cannot be written to.
    """
    part = path.with_name(f".{path.name}.part")
    with ExitStack() as held:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            held.enter_context(file_lock(path.with_name(f".{path.name}.lock")))
            if path.exists():  # another process has been faster
                return
            file = held.enter_context(part.open("a+b"))
        except OSError as error:
            raise PermissionError(
                f"{path} is missing, and cannot be downloaded to its folder ({error}). {by_hand}"
            ) from error
        if verbose:
            print(f"Downloading {url}")
        try:
            with file:
                _fill(url, file, known_hash, size, by_hand, verbose)
        except _Stopped as error:
            kept = ""
            if n_bytes := part.stat().st_size:
                kept = f" {n_bytes} bytes are kept, and the next call goes on from there."
            else:
                part.unlink()
            raise ConnectionError(
                f"{url} could not be downloaded ({error}).{kept} {by_hand}"
            ) from error
        except ConnectionError as error:
            part.unlink()
            raise ConnectionError(f"{url} could not be downloaded ({error}). {by_hand}") from error
        except (OSError, ValueError):
            part.unlink()
            raise
        os.replace(part, path)


def _fill(
    url: str,
    file: BufferedRandom,
    known_hash: str | None,
    size: int | None,
    by_hand: str,
    verbose: int,
) -> None:
    """Append to a file what it lacks, and check it."""
    resumed = file.seek(0, os.SEEK_END) > 0
    _receive(url, file, size, verbose)
    wrong = _what_is_wrong(file, known_hash, size)
    if wrong and resumed:  # it began with the bytes of another file
        file.truncate(0)
        _receive(url, file, size, verbose)
        wrong = _what_is_wrong(file, known_hash, size)
    if wrong:
        raise ValueError(
            f"{url} is not the expected file: {wrong}. Was it changed at the source, or "
            f"did a proxy answer in its place? Nothing was kept. {by_hand}"
        )


def _receive(url: str, file: BufferedRandom, size: int | None, verbose: int) -> None:
    """Append to a file what it lacks; try again after a break, as long as that helps."""
    # Slow to import.
    import requests

    progress = tqdm(unit="B", unit_scale=True, total=size, disable=not verbose)
    with requests.Session() as session, progress as bar:
        attempts, furthest = ATTEMPTS, file.seek(0, os.SEEK_END)
        while True:
            cause = None
            try:
                if _receive_rest(session, url, file, size, bar):
                    return
            except requests.exceptions.RequestException as error:
                cause = error
            attempts = ATTEMPTS if file.tell() > furthest else attempts - 1
            furthest = max(furthest, file.tell())
            if attempts <= 0:
                reason = cause or f"the connection ended after {file.tell()} bytes"
                raise _Stopped(str(reason)) from cause
            time.sleep(PAUSE)


def _receive_rest(session: Any, url: str, file: BufferedRandom, size: int | None, bar: Any) -> bool:
    """Ask for the bytes that follow those of the file; return whether all have arrived."""
    start = file.seek(0, os.SEEK_END)
    # Bytes as they are on the server: a compressed transfer could not be resumed.
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    with session.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if start and response.status_code == 416:  # the server has no bytes after ``start``
            stated = response.headers.get("Content-Range", "").rpartition("/")[2]
            if start == (int(stated) if size is None and stated.isdecimal() else size):
                return True
            file.seek(file.truncate(0))  # whether this is all of it cannot be told: begin again
            return False
        if not response.ok:
            raise ConnectionError(f"{response.status_code} {response.reason}")
        if start and response.status_code != 206:  # a server that cannot resume sends it all
            start = file.seek(file.truncate(0))
        expected = response.headers.get("Content-Length")
        if expected is not None:
            bar.total = start + int(expected)
        bar.update(start - bar.n)
        for block in response.iter_content(BLOCK):
            file.write(block)
            bar.update(len(block))
            if size is not None and file.tell() > size:  # not the file; it may have no end
                return True
        return expected is None or file.tell() == start + int(expected)


def _what_is_wrong(file: BufferedRandom, known_hash: str | None, size: int | None) -> str:
    """Say why a file is not the expected one; return "" if it is."""
    n_bytes = file.seek(0, os.SEEK_END)
    if size is not None and n_bytes > size:
        return f"it has more than {size} bytes"
    if size is not None and n_bytes < size:
        return f"{n_bytes} bytes, expected {size}"
    if known_hash is not None:
        kind, _, expected = known_hash.partition(":")
        file.seek(0)
        found = hashlib.file_digest(file, kind).hexdigest()
        if found != expected:
            return f"{kind} {found}, expected {expected}"
    return ""
