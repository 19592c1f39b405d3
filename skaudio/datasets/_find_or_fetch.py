"""What is in the folder of a data set, downloaded if nothing is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from skaudio._files import fetch_zip

# All are archives of GitHub's repositories.
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
    """Return what ``find`` finds, after a download if it finds nothing.

    Parameters
    ----------
    find : callable
        Returns the recordings that are there, or something empty.
    url, folder, max_size, max_files, allowed, licence, check, verbose
        As `fetch_zip` takes them.
    within : Path
        Where the recordings belong. If there are other files only, that is an error.
    expected : str
        What was looked for there.
    example : Path
        A file or folder that exists once the archive is unpacked in its place.
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
