"""Downloads over HTTP: a file or an archive, checked, and put in place whole or not at all."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import pooch
from tqdm.auto import tqdm

# Seconds to wait for a server that is silent, and between attempts; attempts that bring nothing.
TIMEOUT = 30.0
PAUSE = 1.0
ATTEMPTS = 3
BLOCK = 1 << 16


def fetch_zip(
    url: str,
    folder: Path,
    *,
    missing_from: Path,
    allowed: bool,
    licence: str,
    check: Callable[[Path], None],
    by_hand: str,
    verbose: bool,
) -> None:
    """Download a zip archive and make what its one top folder holds the new ``folder``.

    Everything happens in a temporary folder beside ``folder``, which then takes its name: an
    interrupted download leaves nothing that looks like a data set.

    Parameters
    ----------
    url : str
        Address of the archive.
    folder : Path
        What to make. If it exists, only what it lacks is moved into it; an empty folder counts
        as lacking.
    missing_from : Path
        Where the recordings were looked for in vain, for the message if no download is allowed.
    allowed : bool
        ``download_if_missing``: if False, raises FileNotFoundError.
    licence : str
        Of the archive; printed with ``verbose``.
    check : callable
        Called with the unpacked folder; raises ValueError if it is not what was expected.
    by_hand : str
        Advice for a machine that is offline, part of the error message.
    verbose : bool
        Print the licence, a progress bar, and the size and sha256 of the archive.
    """
    if not allowed:
        raise FileNotFoundError(
            f"no recordings in {missing_from}, and download_if_missing=False. {by_hand}"
        )
    if verbose:
        print(licence)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as temporary:
        archive = Path(temporary, "archive.zip")
        _download(url, archive, by_hand=by_hand, verbose=verbose)
        sha256 = pooch.file_hash(str(archive))
        if verbose:
            print(f"{archive.stat().st_size} bytes, sha256 {sha256}")
        try:
            unpacked = _unpack(archive, Path(temporary, "unpacked"))
            check(unpacked)
        except (ValueError, zipfile.BadZipFile) as error:
            raise ValueError(
                f"{url}: not the expected archive (sha256 {sha256}): {error}. {by_hand}"
            ) from error
        warnings.warn(
            f"no reference hash is known for {url} (sha256 {sha256}): only the content of the"
            " archive was checked",
            stacklevel=3,
        )
        _install(unpacked, folder)


def _download(url: str, path: Path, *, by_hand: str, verbose: bool) -> None:
    # requests comes with pooch, and is slow to import.
    import requests

    if verbose:
        print(f"Downloading {url}")
    # The progress bar of pooch is counted in whole chunks, hence small ones.
    downloader = pooch.HTTPDownloader(progressbar=verbose, chunk_size=8192, timeout=30)
    try:
        downloader(url, str(path), None)
    except requests.exceptions.RequestException as error:
        raise ConnectionError(f"{url} could not be downloaded ({error}). {by_hand}") from error


def _unpack(archive: Path, folder: Path) -> Path:
    """Unpack the archive; return the one folder at its top."""
    with zipfile.ZipFile(archive) as contents:
        for name in contents.namelist():
            # ZipFile would drop the offending parts in silence; no honest archive has them.
            path = PurePosixPath(name.replace("\\", "/"))
            if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
                raise ValueError(f"the archive holds the unsafe path {name!r}")
        contents.extractall(folder)
    tops = list(folder.iterdir()) if folder.is_dir() else []
    if len(tops) != 1 or not tops[0].is_dir():
        raise ValueError(f"expected one folder at the top, found {sorted(t.name for t in tops)}")
    return tops[0]


def _install(unpacked: Path, folder: Path) -> None:
    if not folder.exists():
        try:
            os.rename(unpacked, folder)
            return
        except OSError:
            # Another process may have been faster; it has checked the same content.
            if not folder.exists():
                raise
    for path in unpacked.iterdir():
        present = folder / path.name
        if present.is_dir() and not any(present.iterdir()):
            present.rmdir()
        if not present.exists():
            os.rename(path, present)


class _Stopped(ConnectionError):
    """The connection ended before the file did; asking for the rest may help."""


def fetch_file(
    url: str,
    path: Path,
    *,
    known_hash: str | None,
    size: int | None,
    by_hand: str,
    verbose: bool = True,
) -> None:
    """Download a file, check it, and put it in place whole.

    What has come is kept in ``.<name>.part`` beside ``path`` when the connection breaks, and
    the next call, in whatever process, asks the server for the rest only. A file that turns out to
    be another one is deleted.

    Parameters
    ----------
    url : str
    path : Path
        The file to make. Its folder is made too.
    known_hash : str or None
        What the content must hash to, with the kind: "sha256:..." or "md5:...". None: the sha256 is
        part of a warning.
    size : int or None
        What it must weigh, in bytes.
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
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.part")
        file = _open_alone(part)
    except OSError as error:
        raise PermissionError(
            f"{path} is missing, and cannot be downloaded to its folder ({error}). {by_hand}"
        ) from error
    with file:
        if path.exists():  # another process has been faster
            part.unlink()
            return
        if verbose:
            print(f"Downloading {url}")
        try:
            resumed = file.seek(0, os.SEEK_END) > 0
            _receive(url, file, size, verbose)
            found, wrong = _check(file, known_hash, size)
            if wrong and resumed:  # the rest of something else
                file.truncate(0)
                _receive(url, file, size, verbose)
                found, wrong = _check(file, known_hash, size)
            if wrong:
                raise ValueError(
                    f"{url} is not the expected file: {wrong}. Was it changed at the source, or "
                    f"did a proxy answer in its place? Nothing was kept. {by_hand}"
                )
        except _Stopped as error:
            raise ConnectionError(
                f"{url} could not be downloaded ({error}). {file.tell()} bytes are kept, and the "
                f"next call goes on from there. {by_hand}"
            ) from error
        except ConnectionError as error:
            part.unlink()
            raise ConnectionError(f"{url} could not be downloaded ({error}). {by_hand}") from error
        except (OSError, ValueError):
            part.unlink()
            raise
        os.replace(part, path)
    if known_hash is None:
        warnings.warn(
            f"no reference hash is known for {url}: its size was checked, its hash is {found}",
            stacklevel=3,
        )


def _open_alone(path: Path) -> Any:
    """Open a file to append to that no other process has open in this way; wait for those."""
    import fcntl

    while True:
        file = path.open("a+b")
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            if os.stat(path).st_ino == os.fstat(file.fileno()).st_ino:
                return file
        except FileNotFoundError:  # whoever had it has finished
            pass
        file.close()


def _receive(url: str, file: Any, size: int | None, verbose: bool) -> None:
    """Append to a file what it lacks, in several attempts where some of them get on."""
    import requests

    progress = tqdm(unit="B", unit_scale=True, total=size, disable=not verbose)
    with requests.Session() as session, progress as bar:
        attempts = ATTEMPTS
        while True:
            start = file.seek(0, os.SEEK_END)
            try:
                if _receive_rest(session, url, file, start, bar):
                    return
                raise _Stopped(f"the connection ended after {file.tell()} bytes")
            except requests.exceptions.RequestException as error:
                stopped: ConnectionError = _Stopped(str(error))
                if not file.tell():
                    stopped = ConnectionError(str(error))
                stopped.__cause__ = error
            except _Stopped as error:
                stopped = error
            attempts = ATTEMPTS if file.tell() > start else attempts - 1
            if attempts <= 0:
                raise stopped
            time.sleep(PAUSE)


def _receive_rest(session: Any, url: str, file: Any, start: int, bar: Any) -> bool:
    """Ask for what follows ``start``; return whether the file has then arrived whole."""
    # Bytes as they are on the server: a compressed transfer could not be resumed.
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    with session.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
        if response.status_code == 416:  # there is nothing after ``start``
            return True
        if not response.ok:
            raise ConnectionError(f"{response.status_code} {response.reason}")
        if start and response.status_code != 206:  # a server that cannot resume sends it all
            file.truncate(start := 0)
        expected = response.headers.get("Content-Length")
        if expected is not None:
            bar.total = start + int(expected)
        bar.update(start - bar.n)
        for block in response.iter_content(BLOCK):
            file.write(block)
            bar.update(len(block))
        file.flush()
        return expected is None or file.tell() == start + int(expected)


def _check(file: Any, known_hash: str | None, size: int | None) -> tuple[str, str]:
    """Return the hash of a file, and what is wrong with it, if anything."""
    kind, _, expected = (known_hash or "sha256:").partition(":")
    file.seek(0)
    found = hashlib.file_digest(file, kind).hexdigest()
    weighs = file.seek(0, os.SEEK_END)
    wrong = ""
    if size is not None and weighs != size:
        wrong = f"{weighs} bytes, expected {size}"
    elif expected and found != expected:
        wrong = f"{kind} {found}, expected {expected}"
    return f"{kind}:{found}", wrong
