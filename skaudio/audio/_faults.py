"""Errors and warnings about several recordings that cannot be read."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from skaudio._parallel import map_in_threads
from skaudio.audio import _errors
from skaudio.audio._recording import Recording

# The errors that reading raises because of the recording itself.
READING_ERRORS = (ValueError, TypeError, ImportError, OSError)
# Number of errors that are listed. The search for errors stops there: all files may be missing.
SHOWN = 10
# Number of recordings that are checked at a time, in threads.
STEP = 64


def raise_all(
    recordings: Sequence[Recording],
    error: Exception,
    read: Callable[[Recording], Any],
    *,
    first: int = 0,
    n: int | None = None,
) -> NoReturn:
    """Raise one error about all recordings that cannot be read, up to ten.

    Parameters
    ----------
    recordings : sequence of Recording
    error : Exception
        The error of the first of them. It is raised unchanged if `read` raises none, or if there
        is only one recording.
    read : callable
        Function that reads one recording, and raises an error if it cannot be read.
    first : int
        Position of the first recording to check; those before it have been read.
    n : int, optional
        Number of all recordings, if ``recordings`` are only some of them.
    """
    n = len(recordings) if n is None else n
    errors: list[Exception] = []
    start = first
    while start < len(recordings) and len(errors) < SHOWN:
        errors += find_errors(recordings[start : start + STEP], read).values()
        start += STEP
    if not errors or n == 1:
        raise error
    is_all = start >= len(recordings) and len(errors) <= SHOWN
    if len(errors) == 1:
        message = f"{errors[0]}\nThe other {n - 1} of {n} recordings can be read."
    else:
        message = listed([str(e) for e in errors[:SHOWN]], n, is_all=is_all)
    raise kind_of(errors)(message) from errors[0]


def kind_of(errors: Sequence[Exception]) -> type[Exception]:
    """Return the type of the error that is raised for several errors."""
    kinds: list[type[Exception]] = [TypeError, ImportError, OSError]
    same = (kind for kind in kinds if all(isinstance(error, kind) for error in errors))
    return next(same, ValueError)


def find_errors(
    recordings: Sequence[Recording], read: Callable[[Recording], Any]
) -> dict[int, Exception]:
    """Return the errors of the recordings that cannot be read, by position."""

    def error_of(i: int) -> Exception | None:
        try:
            read(recordings[i])
        except READING_ERRORS as error:
            return error
        return None

    found = map_in_threads(error_of, len(recordings), threaded=True)
    return {i: error for i, error in enumerate(found) if error is not None}


def listed(reasons: Sequence[str], n: int, *, is_all: bool = True) -> str:
    """Return a message: how many of n recordings cannot be read, and the first ten reasons."""
    count = f"{len(reasons)}" if is_all else f"At least {len(reasons)}"
    more = ["..."] if len(reasons) > SHOWN or not is_all else []
    return "\n".join([f"{count} of {n} recordings cannot be read:", *reasons[:SHOWN], *more])


def warn_of_nan(reasons: Sequence[str], n: int) -> None:
    """Warn about recordings whose results are NaN (``on_error="nan"``)."""
    _errors.warn(listed(reasons, n) + '\nThe result is NaN in their place (on_error="nan").')


def reason_of(error: object) -> str:
    """Return the message of an error about one recording in a line, without position and name."""
    text = re.sub(r"^recording \d+( \('.*?'(, [^)]*)?\))?:? ", "", str(error))
    return "; ".join(line.strip() for line in text.splitlines() if line.strip())


def each_or_reason(
    function: Callable[..., list[Any]],
    recordings: Sequence[Recording],
    first: int = 0,
    place: Any = None,
) -> list[Any]:
    """Call a function of a block of recordings with each recording separately.

    The result of a recording that cannot be read is the message of its error, a str.
    """
    results: list[Any] = []
    for i, recording in enumerate(recordings):
        try:
            results += function([recording], first + i, place)
        except READING_ERRORS as error:
            results.append(str(error))
    return results
