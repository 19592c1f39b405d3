"""Containers with one header: whether the samples that it announces are there.

libsndfile reads what there is, and writes what it misses into its log.
"""

from __future__ import annotations

import re

import soundfile as sf

from skaudio.audio._chunks import LARGEST
from skaudio.audio._content import HEAD, Content, Damaged, Link

# Other containers: what libsndfile's log says is announced, in samples or bytes, and what is there.
LOGGED = {
    "AU": r"Data Size +: (\d+) \(should be (\d+)\)",
    "AVR": r"Frames +: (\d+)",
    "MAT4": r"Cols +: (\d+)\n.*\n Name +: wavedata",
    "MAT5": r"Cols : (\d+)\n.*\n +Name : wavedata",
    "MPC2K": r"Frames +: (\d+)",
    "WVE": r"Data length (\d+) should be (\d+)",
    "VOC": r"(Seems to be a truncated file)",
}
# Where the samples begin, in those that do not announce how many there are.
HEADERS = {"IRCAM": 1024, "PAF": 2048}
WIDTHS = {"PCM_S8": 1, "PCM_U8": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8}
ONLY_LOGGED = {*LOGGED, *HEADERS, "NIST"}


def check_log(file: sf.SoundFile, content: Content, link: Link, kind: str, codec: str) -> None:
    """Compare what the header announces with what is there, which libsndfile only logs."""
    if kind in LOGGED and (found := re.search(LOGGED[kind], file.extra_info)):
        if not found[1].isdigit():
            raise Damaged(kind, "its last block is cut")
        announced = int(found[1])
        present = int(found[2]) if found.re.groups == 2 else file.frames
        largest = LARGEST[4][0] - 0x10000
        is_open = announced >= (largest if found.re.groups == 2 else largest // file.channels // 8)
        if present < announced and not is_open:
            raise Damaged(kind, f"{announced} samples or bytes announced, {present} present")
    if kind == "AU" and int.from_bytes(content.part(link.start + 4, link.start + 8)) < 24:
        little = content.part(link.start, link.start + 4) == b"dns."
        if not little:
            raise Damaged(kind, "its samples begin in the header")
    if kind == "NIST":
        head = content.part(link.start, link.start + HEAD)
        count = re.search(rb"\nsample_count -i (\d+)", head)
        if count and int(count[1]) > file.frames:
            raise Damaged(kind, f"{int(count[1])} samples announced, {file.frames} present")
    if kind in HEADERS and codec in WIDTHS:
        n_bytes = link.stop - link.start - HEADERS[kind]
        if n_bytes % (WIDTHS[codec] * file.channels):
            raise Damaged(kind, "the last sample is cut")
