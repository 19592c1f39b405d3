"""MPEG audio (ISO 11172-3 and 13818-3) with the tags of Xing, LAME and Fraunhofer: its length.

The frames are counted, because libsndfile estimates the length of a file without a tag, and trusts
the tag of others.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from skaudio.audio._content import HEAD, Content, Damaged, Link, after_tag

# Frames are searched for in so many bytes, in files that begin with something else.
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
    """Return the sizes in bytes and the lengths in samples of frames.

    They are indexed by bits 11 to 22 of the header of a frame, and 0 where these are not valid.
    """
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
    """Return the size in bytes and the length in samples of a frame; zeros if it is no frame."""
    if len(head) < 4 or head[0] != 0xFF or head[1] < 0xE0:
        return 0, 0
    sizes, lengths = _frame_kinds()
    key = (head[1] & 31) << 7 | head[2] >> 1
    return sizes[key], lengths[key]


def mpeg_links(content: Content, start: int, stop: int) -> list[Link]:
    """Return the parts of MPEG audio, with the number of samples of those without a tag.

    Parameters
    ----------
    content : Content
    start, stop : int
        First byte of the first frame, and the byte after the last frame or tag.
    """
    frames = content.part(0, stop)
    *parts, (_, rest) = _mpeg_parts(frames, start)
    links: list[Link] = []
    for places, end in parts:
        links += _mpeg_part(frames, places, end)
    if any(frames[rest:]) and not (links and links[-1].is_counted):
        what = "the last frame is cut" if mpeg_frame(frames[rest:])[0] else "that is no frame"
        raise Damaged("MPEG", f"{len(frames) - rest} bytes follow the last whole frame: {what}")
    if not links:
        raise Damaged("MPEG", "it has tags but no frames with samples")
    return links


def find_mpeg(content: Content) -> int | None:
    """Return the position of the first four frames in a row in the head of a file, or None."""
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
    """Yield the positions of the frames of each part, and its end.

    The last item has no frames, and the position behind all parts and tags.
    """
    n = len(frames)
    while at < n:
        places: list[int] = []
        sizes: dict[bytes, int] = {}  # by header: most frames of a part have one of few headers
        kept: tuple[int, ...] = ()
        while True:
            head = frames[at : at + 4]
            size = sizes.get(head)
            if size is None:
                size, _ = mpeg_frame(head)
                if not size:
                    break
                # Version and layer, sample rate, mono or not: these do not change within a part.
                kind = head[1] & 0xFE, head[2] & 0xC, head[3] >= 0xC0
                if kept and kind != kept:
                    break
                sizes[head], kept = size, kind
            if at + size > n:
                break
            # A frame with a tag has zeros instead of the side information, and begins a part.
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
    """What the first frame of an MP3 states about those that follow; -1 where it does not."""

    n_frames: int
    n_bytes: int
    place: int
    """Position of the number of frames in the file."""
    is_read: bool
    """Whether libsndfile takes the length from it."""


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
    """Return the offset of the side information in a frame: behind header and checksum."""
    return 4 if head[1] & 1 else 6


def _mpeg_part(frames: bytes, places: list[int], stop: int) -> list[Link]:
    """Return the links of one part: compare the number of frames with that in its tag, if any."""
    first = places[0]
    tag = _mpeg_tag(frames, first)
    if tag is not None:
        places = places[1:]
    n = len(places)
    if tag is not None and tag.n_frames > n + 1:  # some encoders count the frame of the tag too
        raise Damaged("MPEG", f"{tag.n_frames} frames announced, {n} present")
    if not n:
        return []
    _, length = mpeg_frame(frames[first : first + 4])
    if tag is not None and tag.is_read:
        if tag.n_frames == n:
            return [Link(first, stop, is_counted=True)]
        if tag.n_frames < n and abs(first + tag.n_bytes - places[tag.n_frames]) <= 1:
            # The tag is right, and frames of another file without a tag follow.
            split = places[tag.n_frames]
            rest = _mpeg_part(frames, places[tag.n_frames :], stop)
            return [Link(first, split, is_counted=True), *rest]
        return [Link(first, stop, ((tag.place, n.to_bytes(4)),), is_counted=True)]
    return [Link(places[0], stop, n_times=n * length, reach=32 * (stop - places[0]) + HEAD)]
