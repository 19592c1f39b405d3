"""Downloads: one archive over HTTP, unpacked and put in place as a whole or not at all."""

from __future__ import annotations

import os
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pooch


def fetch_zip(
    url: str,
    folder: Path,
    *,
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
    check : callable
        Called with the unpacked folder; raises ValueError if it is not what was expected.
    by_hand : str
        Advice for a machine that is offline, part of the error message.
    verbose : bool
        Print a progress bar and the sha256 of the archive.
    """
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
