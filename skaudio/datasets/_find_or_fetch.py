"""Find the recordings of a data set in its folder; download them if there are none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from skaudio._files import fetch_zip

# All archives are on GitHub.
HOSTS = ("codeload.github.com",)


def find_or_fetch(
    find: Callable[[], Any],
    url: str,
    folder: Path,
    *,
    max_size: int,
    max_files: int,
    within: Path,
    expected: str,
    example: Path,
    allowed: bool,
    licence: str,
    check: Callable[[Path], None],
    verbose: int,
) -> Any:
    """Return the result of ``find``, after a download if it finds nothing.

    Parameters
    ----------
    find : callable
        Function that returns the existing recordings, or an empty object.
    url, folder, max_size, max_files, allowed, licence, check, verbose
        Arguments of `fetch_zip`.
    within : Path
        Folder of the recordings. It is an error if it contains only other files.
    expected : str
        Description of the expected files, for messages.
    example : Path
        A file or folder that exists after the archive is unpacked.
    """
    found = find()
    if found:
        return found
    if within.is_dir() and any(within.iterdir()):
        raise ValueError(
            f"{within} holds files, but no {expected}: empty it, or name another data_home"
        )
    fetch_zip(
        url,
        folder,
        max_size=max_size,
        max_files=max_files,
        hosts=HOSTS,
        missing_from=within,
        allowed=allowed,
        licence=licence,
        check=check,
        by_hand=(
            f"To put the recordings there by hand, download {url} elsewhere and unpack it "
            f"so that {example} exists, or name another data_home"
        ),
        verbose=verbose,
    )
    return find()
