"""Containers with one header: check that the samples it announces are there.

libsndfile reads what is there, and reports what is missing in its log only.
"""

from __future__ import annotations

import re

import soundfile as sf

from skaudio.audio._chunks import LARGEST
from skaudio.audio._content import HEAD, Content, Damaged, Link

# By container: the number of samples or bytes announced, as found in libsndfile's log, and in some
# the number present.
LOGGED = {
    "AU": r"Data Size +: (\d+) \(should be (\d+)\)",
    "AVR": r"Frames +: (\d+)",
    "MAT4": r"Cols +: (\d+)\n.*\n Name +: wavedata",
    "MAT5": r"Cols : (\d+)\n.*\n +Name : wavedata",
    "MPC2K": r"Frames +: (\d+)",
    "WVE": r"Data length (\d+) should be (\d+)",
    "VOC": r"(Seems to be a truncated file)",
}
# Size of the header in bytes, of containers that announce no number of samples.
HEADERS = {"IRCAM": 1024, "PAF": 2048}
WIDTHS = {"PCM_S8": 1, "PCM_U8": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8}
ONLY_LOGGED = {*LOGGED, *HEADERS, "NIST"}


def check_log(file: sf.SoundFile, content: Content, link: Link, kind: str, codec: str) -> None:
    """Raise `Damaged` if fewer samples are there than the header announces."""
    if kind in LOGGED and (found := re.search(LOGGED[kind], file.extra_info)):
        if not found[1].isdigit():
            raise Damaged(kind, "its last block is cut")
        announced = int(found[1])
        present = int(found[2]) if found.re.groups == 2 else file.frames
        largest = LARGEST[4][0] - 0x10000
        is_open = announced >= (largest if found.re.groups == 2 else largest // file.channels // 8)
        if present < announced and not is_open:
            raise Damaged(kind, f"{announced} samples or bytes announced, {present} present")
    if kind == "AU":
        head = content.part(link.start, link.start + 8)
        if int.from_bytes(head[4:], "little" if head[:4] == b"dns." else "big") < 24:
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
