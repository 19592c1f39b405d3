"""Download a file over HTTP: resumable, checked and atomic."""

from __future__ import annotations

import os
import sys
import warnings
from contextlib import ExitStack
from pathlib import Path

from skaudio._files.local import file_hash, file_lock, full_disk, is_full
from skaudio._files.transfer import OtherFileError, RemoteFile, StoppedError, Transfer


def fetch_file(
    url: str,
    path: Path,
    *,
    known_hash: str | None,
    size: int | None,
    by_hand: str,
    verbose: int = 1,
    max_size: int | None = None,
    hosts: tuple[str, ...] = (),
) -> None:
    """Download a file by `download_file`; warn if no reference hash is known.

    ``url``, ``known_hash``, ``size``, ``max_size`` and ``hosts`` are those of a `RemoteFile`.
    """
    source = RemoteFile(url, known_hash, size, max_size, hosts)
    download_file(source, path, by_hand=by_hand, verbose=verbose)
    if known_hash is None:
        checked = "its size was" if size is not None else "its length as announced was"
        warnings.warn(
            f"no reference hash is known for {url}: {checked} checked, its hash is "
            f"sha256:{file_hash(path)}",
            stacklevel=3,
        )


def is_offline() -> bool:
    """Return whether ``SKAUDIO_OFFLINE`` forbids downloads."""
    return os.environ.get("SKAUDIO_OFFLINE", "").lower() not in ("", "0", "false", "no", "off")


def download_file(source: RemoteFile, path: Path, *, by_hand: str, verbose: int) -> None:
    """Download a file, check it, and move it to its path.

    If the connection is interrupted, the received bytes are kept in ``.<name>.part`` beside
    ``path``, and their version of the file in ``.<name>.part.json``. The next call, in any process,
    requests the rest if the server still has this version. A wrong file is deleted. If several
    processes need the same file, one downloads it and the others wait.

    Parameters
    ----------
    source : RemoteFile
    path : Path
        File to create, with its folder. Its suffix determines the expected first bytes.
    by_hand : str
        Advice for a machine that is offline, part of the error message.
    verbose : int
        Whether to show a progress bar.

    Raises
    ------
    ConnectionError
        If the download fails, or ``SKAUDIO_OFFLINE`` is set.
    ValueError
        If the file is not the expected one.
    PermissionError
        If the folder cannot be written to.
    OSError
        If the disk is full; nothing is kept.
    """
    url = source.url
    if is_offline():
        raise ConnectionError(f"{path} is missing, and SKAUDIO_OFFLINE is set. {by_hand}")
    part, side = (path.with_name(f".{path.name}{end}") for end in (".part", ".part.json"))
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
            print(f"Downloading {url}", file=sys.stderr)
        try:
            from tqdm.auto import tqdm  # slow to import, and not needed for local files

            with file:
                bar = held.enter_context(
                    tqdm(unit="B", unit_scale=True, total=source.size, disable=not verbose)
                )
                Transfer(source, file, side, path.suffix, bar).run()
        except StoppedError as error:
            kept = ""
            if n_bytes := part.stat().st_size:
                kept = f" {n_bytes} bytes are kept, and the next call goes on from there."
            else:
                _remove(part, side)
            raise ConnectionError(
                f"{url} could not be downloaded ({error}).{kept} {by_hand}"
            ) from error
        except OtherFileError as error:
            _remove(part, side)
            raise ValueError(
                f"{url} is not the expected file: {error}. Was it changed at the source, or "
                f"did a proxy answer in its place? Nothing was kept. {by_hand}"
            ) from error
        except (OSError, ValueError) as error:
            _remove(part, side)
            if isinstance(error, OSError) and is_full(error):
                raise full_disk(url, path.parent, error) from error
            raise
        os.replace(part, path)
        _remove(side)


def _remove(*paths: Path) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
