"""Whether a file is whole: what its header announces, how an Ogg stream ends."""

from __future__ import annotations

import os
import re
from pathlib import Path

import soundfile as sf

from skaudio.audio import _errors

# A header's size and the true one.
SIZE_IN_LOG = re.compile(r"^ ?(?:data|SSND) : (\d+) \(should be (\d+)\)", re.MULTILINE)
# Enough to hold the last two pages of an Ogg file, each of 64 KiB at most.
OGG_TAIL = 1 << 17


def check_size(file: sf.SoundFile, name: str) -> None:
    """Compare the size in a WAV or AIFF header with what is there; libsndfile only logs it."""
    if file.format not in ("WAV", "WAVEX", "AIFF"):
        return
    size = SIZE_IN_LOG.search(file.extra_info)
    if size is None:
        return
    announced, present = int(size[1]), int(size[2])
    # Programs that write into a pipe cannot know the size and announce (nearly) the largest one.
    streamed = announced == 0 or announced >= 0x7FFF0000
    if present < announced and not streamed:
        found = f"{announced} bytes of samples announced, {present} present"
        raise _errors.truncated(name, file.format, found)


def last_ogg_page(source: str | bytes) -> tuple[bool, int]:
    """Look at the last page of an Ogg file (RFC 3533).

    Returns
    -------
    is_whole : bool
        The page is whole and marked as the last of its stream.
    n_samples : int
        Samples that end in it.
    """
    if isinstance(source, bytes):
        tail = source[-OGG_TAIL:]
    else:
        with Path(source).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - OGG_TAIL))
            tail = file.read()
    at = tail.rfind(b"OggS")
    if at < 0 or len(tail) < at + 27:
        return False, 0
    n_segments = tail[at + 26]
    lacing = tail[at + 27 : at + 27 + n_segments]
    is_whole = len(lacing) == n_segments and len(tail) >= at + 27 + n_segments + sum(lacing)
    before = tail.rfind(b"OggS", 0, at)
    while before >= 0 and _granule(tail, before) < 0:  # a page in which no packet ends
        before = tail.rfind(b"OggS", 0, before)
    n_samples = _granule(tail, at) - (_granule(tail, before) if before >= 0 else 0)
    return is_whole and bool(tail[at + 5] & 4), n_samples


def _granule(tail: bytes, at: int) -> int:
    """Count the samples up to the end of the page, for Opus at 48 kHz; -1 if no packet ends."""
    return int.from_bytes(tail[at + 6 : at + 14], "little", signed=True)
