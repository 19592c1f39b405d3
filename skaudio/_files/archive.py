"""Download a zip archive, and unpack it completely or not at all."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from skaudio._files.download import download_file
from skaudio._files.local import file_hash, file_lock, full_disk, is_full
from skaudio._files.transfer import RemoteFile


def fetch_zip(
    url: str,
    folder: Path,
    *,
    missing_from: Path,
    allowed: bool,
    licence: str,
    check: Callable[[Path], None],
    by_hand: str,
    verbose: int,
    max_size: int | None = None,
    max_files: int | None = None,
    hosts: tuple[str, ...] = (),
) -> None:
    """Download a zip archive and make the content of its one top folder the new ``folder``.

    The archive is unpacked in a temporary folder beside ``folder``, which then takes its name: an
    interruption leaves nothing that looks like a data set. An interrupted download is resumed by
    the next call.

    Parameters
    ----------
    url : str
        Address of the archive.
    folder : Path
        Folder to create. If it exists, only missing files and folders are moved into it; empty
        folders count as missing.
    missing_from : Path
        Folder without recordings, for the message if no download is allowed.
    allowed : bool
        ``download_if_missing``: if False, raises FileNotFoundError.
    licence : str
        Licence of the archive; printed with ``verbose``.
    check : callable
        Function of the unpacked folder that raises ValueError if the content is not as expected.
    by_hand : str
        Advice for a machine that is offline, part of the error message.
    verbose : bool
        Whether to print the licence, a progress bar, and the size and sha256 of the archive.
    max_size, max_files : int or None
        Largest size of the archive and its content in bytes, and largest number of files and
        folders.
    hosts : tuple of str
        Other hosts to which the server may redirect.

    Raises
    ------
    FileNotFoundError
        If no download is allowed.
    ConnectionError
        If the download fails.
    ValueError
        If the archive is damaged or has another content.
    """
    if not allowed:
        raise FileNotFoundError(
            f"no recordings in {missing_from}, and download_if_missing=False. {by_hand}"
        )
    if verbose:
        print(licence, file=sys.stderr)
    folder.parent.mkdir(parents=True, exist_ok=True)
    archive = folder.with_name(f".{folder.name}.zip")
    with file_lock(folder.with_name(f".{folder.name}.lock")):
        if _is_complete(folder, check):  # downloaded by another process meanwhile
            return
        prefix = f".{folder.name}.unpacking-"
        for left in folder.parent.glob(f"{prefix}*"):  # from a process that was killed
            shutil.rmtree(left, ignore_errors=True)
        source = RemoteFile(url, max_size=max_size, hosts=hosts)
        download_file(source, archive, by_hand=by_hand, verbose=verbose)
        sha256 = file_hash(archive)
        if verbose:
            print(f"{archive.stat().st_size} bytes, sha256 {sha256}", file=sys.stderr)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=prefix) as temporary:
            try:
                unpacked = _unpack(archive, Path(temporary), max_size, max_files)
                check(unpacked)
            except ValueError as error:
                archive.unlink()
                raise ValueError(
                    f"{url}: not the expected archive (sha256 {sha256}): {error}. {by_hand}"
                ) from error
            archive.unlink()
            _install(unpacked, folder)
    warnings.warn(
        f"no reference hash is known for {url} (sha256 {sha256}): only the content of the"
        " archive was checked",
        stacklevel=4,
    )


def _is_complete(folder: Path, check: Callable[[Path], None]) -> bool:
    if not folder.is_dir():
        return False
    try:
        check(folder)
    except ValueError:
        return False
    return True


def _unpack(
    archive: Path, folder: Path, max_bytes: int | None = None, max_files: int | None = None
) -> Path:
    """Unpack a zip archive; return the one folder at its top.

    Parameters
    ----------
    archive, folder : Path
    max_bytes, max_files : int or None
        Limits of the content; None: no limit. Nothing is unpacked if a limit is exceeded.

    Raises
    ------
    ValueError
        If the archive is damaged, exceeds a limit, or contains an unsafe path. The message names
        it.
    OSError
        If the disk is full.
    """
    try:
        return _extract(archive, folder, max_bytes, max_files)
    except Exception as error:  # a damaged archive can raise any error
        if isinstance(error, OSError) and is_full(error):
            raise full_disk(f"the content of {archive}", folder, error) from error
        raise ValueError(f"{archive} cannot be unpacked ({error or repr(error)})") from error


def _extract(archive: Path, folder: Path, max_bytes: int | None, max_files: int | None) -> Path:
    with zipfile.ZipFile(archive) as contents:
        # Entries cannot contain more bytes than announced here.
        n_files, n_bytes = len(contents.infolist()), sum(i.file_size for i in contents.infolist())
        for what, found, most in (("files", n_files, max_files), ("bytes", n_bytes, max_bytes)):
            if most is not None and found > most:
                raise ValueError(f"it holds {found} {what}, expected at most {most}")
        for name in contents.namelist():
            # ZipFile would silently remove the unsafe parts, which do not occur in valid archives.
            path = PurePosixPath(name.replace("\\", "/"))
            drive = ":" in "".join(path.parts[:1])
            if path.is_absolute() or ".." in path.parts or drive:
                raise ValueError(f"the archive holds the unsafe path {name!r}")
        contents.extractall(folder)
    tops = list(folder.iterdir())
    if len(tops) != 1 or not tops[0].is_dir():
        raise ValueError(f"expected one folder at the top, found {sorted(t.name for t in tops)}")
    return tops[0]


def _install(unpacked: Path, folder: Path) -> None:
    """Rename the unpacked folder, or move its files to ``folder`` if they are missing there."""
    if not folder.exists():
        os.rename(unpacked, folder)
        return
    for path in unpacked.iterdir():
        present = folder / path.name
        if present.is_dir() and not any(present.iterdir()):
            present.rmdir()
        if not present.exists():
            os.rename(path, present)
