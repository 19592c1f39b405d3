"""Ogg and FLAC: find the streams in a file, check that they are complete, and their lengths."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from functools import cache
from itertools import pairwise

from skaudio.audio._content import HEAD, Content, Damaged, Link, after_tag

# Ogg, RFC 3533.

PAGE_HEAD = 27
FIRST_PAGE, LAST_PAGE = 2, 4  # flags
# Ogg's CRC takes the highest bit of a byte first, zlib's the lowest: reverse the bits of each byte.
REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def ogg_checksum(page: bytes) -> int:
    """Compute the checksum of a page, ignoring the stated one."""
    page = page[:22] + bytes(4) + page[26:]
    checksum = zlib.crc32(page.translate(REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{checksum:032b}"[::-1], 2)


def ogg_links(content: Content, start: int) -> list[Link]:
    """Return the concatenated streams, after checking every page.

    libsndfile skips damaged and missing pages without an error.
    """
    pages = content.part(start, content.size)
    links: list[Link] = []
    begin = at = last = 0
    granules = [0, 0]  # of the last two pages in which a packet ends
    has_samples = False
    begins = True  # the page before was the first of its stream
    numbers: dict[bytes, int] = {}  # of the last page, by serial number of the stream
    while at < len(pages):
        if pages[at : at + 4] != b"OggS":
            if at and (pages[last + 5] & LAST_PAGE or after_tag(pages, at) == len(pages)):
                break  # a tag follows the last page
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
        # A stream that was cut out of another begins with any page number.
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
    """Describe a stream, and add a missing flag of the last page, which libsndfile needs."""
    patches: tuple[tuple[int, bytes], ...] = ()
    if not pages[last + 5] & LAST_PAGE:
        page = bytearray(pages[last:stop])
        page[5] |= LAST_PAGE
        page[22:26] = struct.pack("<I", ogg_checksum(bytes(page)))
        patches = ((start + last, bytes(page)),)
    granule, last_page = granules[1], granules[1] - granules[0]
    head = pages[begin + PAGE_HEAD + pages[begin + 26] : begin + HEAD]
    if head.startswith(b"OpusHead"):
        granule -= int.from_bytes(head[10:12], "little")  # samples to skip at the beginning
    return Link(start + begin, start + stop, patches, last_page=last_page, granule=granule)


# FLAC, RFC 9639.

FLAC_INFO = 42  # bytes of the signature and the first block of metadata
FLAC_BEGIN = re.compile(rb"fLaC[\0\x80]\0\0\x22")  # signature, and the header of that block
# In larger files, a second FLAC file is only searched for if the length in the header is wrong.
MOST_SEARCHED = 1 << 22
BLOCK_SIZES = {1: 192, **{n: 576 << n - 2 for n in range(2, 6)}}
BLOCK_SIZES.update({n: 256 << n - 8 for n in range(8, 16)})


def flac_links(content: Content, start: int) -> list[Link]:
    """Return the concatenated streams, with the lengths from their last frames."""
    head = content.part(start, start + FLAC_INFO)
    if len(head) == FLAC_INFO and content.size - start > MOST_SEARCHED:
        block_size, largest, n_times = _flac_info(head)
        tail = content.part(content.size - largest - 1024, content.size)
        if n_times and next(_flac_frames(tail, block_size), (0, 0))[1] == n_times:
            return [Link(start, content.size)]
    data = content.part(start, content.size)
    begins = [0, *(found.start() for found in FLAC_BEGIN.finditer(data, FLAC_INFO))]
    return [_flac_link(data[a:b], start + a) for a, b in pairwise([*begins, len(data)])]


def _flac_info(head: bytes) -> tuple[int, int, int]:
    """Return the samples per frame, the largest frame in bytes, and the announced length."""
    n_times = int.from_bytes(head[21:26]) & (1 << 36) - 1
    return int.from_bytes(head[10:12]), int.from_bytes(head[15:18]) or 1 << 16, n_times


def _flac_link(stream: bytes, start: int) -> Link:
    """Compare the announced length of a stream with the end of its last frame."""
    link = Link(start, start + len(stream))
    if len(stream) < FLAC_INFO:
        return link
    block_size, _, n_times = _flac_info(stream)
    ends: dict[int, int] = {}  # of frames, by their first samples
    # Some other bytes look like a frame. It is a frame if another one follows at its end.
    for first, end in _flac_frames(stream, block_size):
        last = ends.get(end, end)
        if first == 0 or last > end or (not ends and last == n_times):
            break
        ends[first] = end
    else:
        return link  # there are no frames: the decoder raises the error
    if last < n_times:
        raise Damaged("FLAC", f"{n_times} samples announced, {last} present")
    if last == n_times:
        return link
    known = bytes([stream[21] & 0xF0 | last >> 32]) + (last & 0xFFFFFFFF).to_bytes(4)
    return link._replace(patches=((start + 21, known),))


def _flac_frames(frames: bytes, block_size: int) -> Iterator[tuple[int, int]]:
    """Yield the first sample of each frame and the one after its last, the last frame first."""
    # Frames of a constant number of samples come first: a stream has only one kind.
    for sync in (b"\xff\xf8", b"\xff\xf9"):
        yield from _frames_of_kind(frames, block_size, sync)


def _frames_of_kind(frames: bytes, block_size: int, sync: bytes) -> Iterator[tuple[int, int]]:
    at = len(frames)
    while (at := frames.rfind(sync, 0, at)) >= 0:
        head = frames[at : at + 16].ljust(16, b"\0")
        size_code, rate_code = head[2] >> 4, head[2] & 0xF
        if size_code == 0 or rate_code == 15 or head[3] & 1:
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
