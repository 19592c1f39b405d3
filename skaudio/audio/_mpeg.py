"""MPEG audio, ISO 11172-3 and 13818-3, with the tags of Xing, LAME and Fraunhofer: its true length.

Frames are counted: libsndfile estimates a length where no tag tells it, and believes a tag.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from skaudio.audio._content import HEAD, Content, Damaged, Link, after_tag

# Where frames are looked for behind what is no tag.
MOST_JUNK = 1 << 16
BIT_RATES = {  # kbit/s, by version and layer
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}


@cache
def _frame_kinds() -> tuple[list[int], list[int]]:
    """Return sizes in bytes and lengths in samples, by the bits 9 to 20 of a header; 0 for none."""
    sizes, lengths = [0] * 4096, [0] * 4096
    for key in range(4096):
        code, layer = key >> 10, 4 - (key >> 8 & 3)
        bit_rate, rate, padding = key >> 3 & 15, key >> 1 & 3, key & 1
        if code == 1 or layer == 4 or not 0 < bit_rate < 15 or rate == 3:
            continue
        version = 1 if code == 3 else 2
        hertz = (44100, 48000, 32000)[rate] >> {3: 0, 2: 1, 0: 2}[code]
        bits = 1000 * BIT_RATES[version, layer][bit_rate - 1]
        if layer == 1:
            lengths[key], sizes[key] = 384, (12 * bits // hertz + padding) * 4
        else:
            lengths[key] = 576 if layer == 3 and version == 2 else 1152
            sizes[key] = lengths[key] // 8 * bits // hertz + padding
    return sizes, lengths


def mpeg_frame(head: bytes) -> tuple[int, int]:
    """Return the size in bytes and the length in samples of a frame; zeros if none begins here."""
    if len(head) < 4 or head[0] != 0xFF or head[1] < 0xE0:
        return 0, 0
    sizes, lengths = _frame_kinds()
    key = (head[1] & 31) << 7 | head[2] >> 1
    return sizes[key], lengths[key]


def mpeg_links(content: Content, start: int, stop: int) -> list[Link]:
    """Return the parts of MPEG audio, each with its number of samples where libsndfile needs one.

    Parameters
    ----------
    content : Content
    start, stop : int
        Where the first frame begins, and the last one ends.
    """
    frames = content.part(0, stop)
    *parts, (_, rest) = _mpeg_parts(frames, start)
    links: list[Link] = []
    for places, end in parts:
        links += _mpeg_part(frames, places, end)
    if any(frames[rest:]) and not (links and links[-1].is_counted):
        what = "the last frame is cut" if mpeg_frame(frames[rest:])[0] else "that is no frame"
        raise Damaged("MPEG", f"{len(frames) - rest} bytes follow the last whole frame: {what}")
    return links


def find_mpeg(content: Content) -> int | None:
    """Return where MPEG frames begin in a file that begins with something else; None if nowhere."""
    head = content.part(0, MOST_JUNK)
    at = -1
    while (at := head.find(b"\xff", at + 1)) >= 0:
        frame = at
        for _ in range(4):
            size, _ = mpeg_frame(head[frame : frame + 4])
            frame += size
            if not size:
                break
        else:
            return at
    return None


def _mpeg_parts(frames: bytes, at: int) -> Iterator[tuple[list[int], int]]:
    """Yield where the frames of each part are and where it ends; last, what follows all."""
    n = len(frames)
    while at < n:
        places: list[int] = []
        sizes: dict[bytes, int] = {}  # of the headers of this part, so that most are looked up once
        kept: tuple[int, ...] = ()
        while True:
            head = frames[at : at + 4]
            size = sizes.get(head)
            if size is None:
                size, _ = mpeg_frame(head)
                # Version, layer, rate, and whether there are two channels.
                if not size:
                    break
                kind = head[1] & 0xFE, head[2] & 0xC, head[3] >= 0xC0
                if kept and kind != kept:
                    break
                sizes[head], kept = size, kind
            if at + size > n:
                break
            # Where a tag is, there is no side information.
            if places and not frames[at + _side(head)] and _mpeg_tag(frames, at) is not None:
                break
            places.append(at)
            at += size
        if places:
            yield places, at
        elif (after := after_tag(frames, at)) > at:
            at = after
        else:
            break
    yield [], min(at, n)


class Tag(NamedTuple):
    """What the first frame of an MP3 says of those that follow; -1 where it does not say it."""

    n_frames: int
    n_bytes: int
    place: int
    """Where the number of frames is."""
    is_read: bool
    """libsndfile goes by it."""


def _mpeg_tag(frames: bytes, at: int) -> Tag | None:
    size, _ = mpeg_frame(frames[at : at + 4])
    frame = frames[at : at + min(size, 256)]
    if len(frame) < 64:
        return None
    if frame[36:40] == b"VBRI":
        n_bytes, n_frames = struct.unpack(">II", frame[46:54])
        return Tag(n_frames, n_bytes, at + 50, is_read=False)
    is_mono, is_1 = frame[3] >= 0xC0, frame[1] & 8
    begin = _side(frame) + ((17 if is_mono else 32) if is_1 else (9 if is_mono else 17))
    if frame[begin : begin + 4] not in (b"Xing", b"Info"):
        return None
    flags, n_frames, n_bytes = struct.unpack(">3I", frame[begin + 4 : begin + 16])
    if not flags & 1 or any(frame[_side(frame) : begin]):
        return Tag(-1, n_frames if flags & 2 else -1, 0, is_read=False)
    return Tag(n_frames, n_bytes if flags & 2 else -1, at + begin + 8, is_read=True)


def _side(head: bytes) -> int:
    """Return where in a frame the side information begins: behind header and checksum."""
    return 4 if head[1] & 1 else 6


def _mpeg_part(frames: bytes, places: list[int], stop: int) -> list[Link]:
    """Compare a part with its tag, if it has one."""
    first = places[0]
    tag = _mpeg_tag(frames, first)
    if tag is not None:
        places = places[1:]
    n = len(places)
    if tag is not None and tag.n_frames > n + 1:  # some encoders count the tag's frame as well
        raise Damaged("MPEG", f"{tag.n_frames} frames announced, {n} present")
    if not n:
        return []
    _, length = mpeg_frame(frames[first : first + 4])
    if tag is not None and tag.is_read:
        if tag.n_frames >= n:
            return [Link(first, stop, slack=length * (tag.n_frames - n), is_counted=True)]
        split = places[tag.n_frames]
        if abs(first + tag.n_bytes - split) > 1:
            return [Link(first, stop, ((tag.place, n.to_bytes(4)),), is_counted=True)]
        return [
            Link(first, split, is_counted=True),
            *_mpeg_part(frames, places[tag.n_frames :], stop),
        ]
    return [Link(places[0], stop, n_times=n * length, reach=32 * (stop - places[0]) + HEAD)]
