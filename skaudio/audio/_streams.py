"""Streams of pages or frames, Ogg, FLAC and MPEG audio: how many there are, how long they last."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from skaudio.audio._layout import HEAD, Content, Damaged, Link

# Ogg, RFC 3533.

PAGE_HEAD = 27
FIRST_PAGE, LAST_PAGE = 2, 4  # flags
# A checksum that runs from the high bit to the low one is zlib's of bytes with their bits reversed.
REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
CODECS = {
    b"\x01vorbis": "Vorbis",
    b"OpusHead": "Opus",
    b"\x7fFLAC": "FLAC",
    b"Speex": "Speex",
    b"\x80theora": "Theora",
    b"fishead": "Skeleton",
}


def ogg_codec(head: bytes) -> str | None:
    """Name the codec of the first stream of an Ogg file, or None."""
    packet = head[PAGE_HEAD + head[26] :] if len(head) > PAGE_HEAD else b""
    return next((name for mark, name in CODECS.items() if packet.startswith(mark)), None)


def ogg_checksum(page: bytes) -> int:
    """Return the checksum that belongs into a page."""
    page = page[:22] + bytes(4) + page[26:]
    checksum = zlib.crc32(page.translate(REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{checksum:032b}"[::-1], 2)


def ogg_links(content: Content, start: int) -> list[Link]:
    """Return the streams that follow each other, after a look at every page.

    Decoders pass over damaged and missing pages in silence.
    """
    pages = content.part(start, content.size)
    links: list[Link] = []
    begin = at = last = 0
    granules = [0, 0]  # of the last two pages in which a packet ends
    has_samples = False
    begins = True  # the pages before were those that begin streams; they come first
    numbers: dict[bytes, int] = {}  # of the last page of each stream
    while at < len(pages):
        if pages[at : at + 4] != b"OggS":
            if at and (pages[last + 5] & LAST_PAGE or after_tag(pages, at) == len(pages)):
                break  # what follows the last page is a tag
            raise Damaged("Ogg", f"no page begins at byte {start + at}")
        n_segments = pages[at + 26] if len(pages) >= at + PAGE_HEAD else 255
        stop = at + PAGE_HEAD + n_segments
        stop += sum(pages[at + PAGE_HEAD : stop])
        page = pages[at:stop]
        if stop > len(pages) or len(page) < PAGE_HEAD + n_segments:
            raise Damaged("Ogg", "the last page is cut")
        flags, serial = page[5], page[14:18]
        granule, number, checksum = struct.unpack("<6xq4xII", page[:26])
        if ogg_checksum(page) != checksum:
            raise Damaged("Ogg", f"the page at byte {start + at} has a wrong checksum")
        if flags & FIRST_PAGE and not begins:
            links.append(_ogg_link(pages, start, begin, at, last, granules))
            begin, granules = at, [0, 0]
            numbers.clear()
            has_samples = False
        # Streams that were cut out of others begin with any number.
        elif number > numbers.get(serial, number) + 1 and has_samples:
            raise Damaged("Ogg", f"pages are missing before byte {start + at}")
        begins = bool(flags & FIRST_PAGE)
        has_samples = has_samples or granule > 0
        if granule >= 0:
            granules = [granules[1], granule]
        numbers[serial] = number
        last, at = at, stop
    links.append(_ogg_link(pages, start, begin, at, last, granules))
    return links


def _ogg_link(
    pages: bytes, start: int, begin: int, stop: int, last: int, granules: list[int]
) -> Link:
    """Describe a stream; one that lacks the mark of its end gets it, libsndfile relies on it."""
    patches: tuple[tuple[int, bytes], ...] = ()
    if not pages[last + 5] & LAST_PAGE:
        page = bytearray(pages[last:stop])
        page[5] |= LAST_PAGE
        page[22:26] = struct.pack("<I", ogg_checksum(bytes(page)))
        patches = ((start + last, bytes(page)),)
    last_page = granules[1] - granules[0]
    return Link(start + begin, start + stop, patches, last_page=last_page)


# FLAC, RFC 9639.

FLAC_INFO = 42  # bytes of the mark and the block of metadata that comes first
BLOCK_SIZES = {1: 192, **{n: 576 << n - 2 for n in range(2, 6)}}
BLOCK_SIZES.update({n: 256 << n - 8 for n in range(8, 16)})


def flac_links(content: Content, start: int) -> list[Link]:
    """Return the one stream, with its true length: the last frame tells where it is."""
    head = content.part(start, start + FLAC_INFO)
    if len(head) < FLAC_INFO:
        return [Link(start, content.size)]
    block_size = int.from_bytes(head[10:12])
    largest = int.from_bytes(head[15:18]) or 1 << 16
    n_times = int.from_bytes(head[21:26]) & (1 << 36) - 1
    window = content.part(max(start + FLAC_INFO, content.size - largest - 1024), content.size)
    _, last = next(_flac_frames(window, block_size), (0, 0))
    if n_times and last == n_times:
        return [Link(start, content.size)]
    window = content.part(start + FLAC_INFO, content.size)
    joined = window.find(b"fLaC\0\0\0\x22")
    if joined >= 0:
        stop = start + FLAC_INFO + joined
        rest = flac_links(content, stop)
        return [*_flac_link(head, start, stop, window[:joined], block_size, n_times), *rest]
    return _flac_link(head, start, content.size, window, block_size, n_times)


def _flac_link(
    head: bytes, start: int, stop: int, frames: bytes, block_size: int, n_times: int
) -> list[Link]:
    seen: dict[int, int] = {}  # where frames begin, and where they end
    for first, end in _flac_frames(frames, block_size):
        last = seen.get(end, end)  # another frame goes on here: both are true
        if first == 0 or last > end:
            break
        seen[first] = end
    else:
        return [Link(start, stop)]  # no frames: the decoder says what it misses
    if last < n_times:
        raise Damaged("FLAC", f"{n_times} samples announced, {last} present")
    if last == n_times:
        return [Link(start, stop)]
    known = bytes([head[21] & 0xF0 | last >> 32]) + (last & 0xFFFFFFFF).to_bytes(4)
    return [Link(start, stop, ((start + 21, known),))]


def _flac_frames(frames: bytes, block_size: int) -> Iterator[tuple[int, int]]:
    """Yield the first sample of each frame and the one after its last, the last frame first."""
    at = len(frames)
    while (at := frames.rfind(b"\xff", 0, at)) >= 0:
        head = frames[at : at + 16].ljust(16, b"\0")
        size_code, rate_code = head[2] >> 4, head[2] & 0xF
        if head[1] & 0xFE != 0xF8 or size_code == 0 or rate_code == 15 or head[3] & 1:
            continue
        n_ones = 8 - (head[4] ^ 0xFF).bit_length()
        if n_ones in (1, 8):
            continue
        number, end = head[4] & 0x7F >> n_ones, 5 + max(n_ones - 1, 0)  # as in UTF-8
        for byte in head[5:end]:
            number = number << 6 | byte & 0x3F
        n_times = BLOCK_SIZES.get(size_code, 0)
        if not n_times:
            width = size_code - 5
            n_times = int.from_bytes(head[end : end + width]) + 1
            end += width
        end += {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
        checksum = 0
        for byte in head[:end]:
            checksum = _checksums()[checksum ^ byte]
        if checksum == head[end]:
            first = number if head[1] & 1 else number * block_size
            yield first, first + n_times


@cache
def _checksums() -> list[int]:
    """Return the table of the CRC of 8 bits with the polynomial 0x107."""
    table = list(range(256))
    for _ in range(8):
        table = [(c << 1 ^ 0x107) if c & 0x80 else c << 1 for c in table]
    return table


# MPEG audio, ISO 11172-3 and 13818-3, with the tags of Xing, LAME and Fraunhofer.

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


def mpeg_links(content: Content, start: int, is_at_start: bool = True) -> list[Link]:
    """Return the parts of an MPEG audio file, each with its number of samples where it needs one.

    libsndfile estimates a length from the size of the first frame where no tag tells it.
    """
    frames = content.part(0, content.size)
    parts = list(_mpeg_parts(frames, start))
    links: list[Link] = []
    for places, stop in parts[:-1]:
        links += _mpeg_part(frames, places, stop)
    _, stop = parts[-1]
    if any(frames[stop:]) and not (links and links[-1].n_times is None):
        what = "the last frame is cut" if mpeg_frame(frames[stop:])[0] else "it is no frame"
        raise Damaged("MPEG", f"{len(frames) - stop} bytes follow the last frame: {what}")
    if len(links) == 1 and not links[0].reach and not links[0].patches and is_at_start:
        return [links[0]._replace(start=0, stop=content.size)]
    return links


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
        return [Link(first, split, is_counted=True), *_mpeg_part(frames, places[tag.n_frames :], stop)]
    return [Link(places[0], stop, n_times=n * length, reach=32 * (stop - places[0]) + HEAD)]


def after_tag(content: bytes, at: int) -> int:
    """Return where a tag of ID3, APE or Lyrics3, or padding, ends that begins at a byte."""
    head = content[at : at + 32]
    if head[:3] == b"ID3" and len(head) > 10:
        size = 0
        for byte in head[6:10]:
            size = size << 7 | byte & 0x7F
        return at + 10 + size + (10 if head[5] & 0x10 else 0)
    if head[:3] == b"TAG":
        return at + (227 if head[3:4] == b"+" else 128)
    if head[:8] == b"APETAGEX" and len(head) == 32:
        return at + 32 + (int.from_bytes(head[12:16], "little") if head[23] & 0x20 else 0)
    if head[:11] == b"LYRICSBEGIN":
        ends = [content.find(mark, at) + 9 for mark in (b"LYRICSEND", b"LYRICS200")]
        return max(max(ends), at)
    rest = content[at:].lstrip(b"\0") if head[:1] == b"\0" else content[at:]
    return len(content) - len(rest)
