"""Containers of chunks, and others with one header: whether the samples they announce are there.

A length in a header is a claim. What is announced exactly is compared with the bytes that are
there; what a program that wrote into a pipe left open is not.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from skaudio.audio._content import HEAD, Content, Damaged, Link


@dataclass(frozen=True, eq=False)
class Chunked:
    """How a container of chunks is laid out.

    Attributes
    ----------
    kind : str
        What messages call it.
    size : str
        Format of a chunk's size, by `struct`.
    samples : bytes
        Name of the chunk that holds the samples.
    first : int
        Where the first chunk begins.
    align : int
        Chunks begin at multiples of so many bytes.
    outer : int or None
        Where the size of the whole is, of the same format.
    self_sized : bool
        Sizes include the name and the size.
    names : bytes
        Regular expression for the names of chunks.
    """

    kind: str
    size: str
    samples: bytes
    first: int = 12
    align: int = 2
    outer: int | None = 4
    self_sized: bool = False
    names: bytes = rb"[ -~]{4}"

    @cached_property
    def head(self) -> int:
        """How many bytes the name and the size of a chunk take."""
        return len(self.samples) + struct.calcsize(self.size)

    @cached_property
    def order(self) -> Literal["little", "big"]:
        """The order of bytes."""
        return "little" if self.size[0] == "<" else "big"


_GUID = bytes.fromhex("f3acd3118cd100c04f8edb8a")
_RIFF = Chunked("WAV", "<I", b"data")
_RIFX = Chunked("WAV", ">I", b"data")
_AIFF = Chunked("AIFF", ">I", b"SSND")
_SVX = Chunked("SVX", ">I", b"BODY")
_CAF = Chunked("CAF", ">Q", b"data", first=8, align=1, outer=None)
_W64 = Chunked(
    "W64",
    "<Q",
    b"data" + _GUID,
    first=40,
    align=8,
    outer=16,
    self_sized=True,
    names=rb"(?s:.{10})(\x00\xc0\x4f\x8e\xdb\x8a|\xdb\x04\xc1\x00\x00)",
)

# Near the largest sizes are those of programs that write into a pipe and cannot know.
LARGEST = {4: (0x7FFFFFFF, 0xFFFFFFFF), 8: (1 << 63, 1 << 64)}
# Zeros up to here behind the samples are padding.
MOST_PADDING = 1 << 12
# Chunks behind the samples that may be cut.
METADATA = re.compile(rb"LIST|id3 |ID3 |fact|cue |bext|iXML|_PMX|afsp|smpl|inst|PEAK|DISP|ANNO")
MOST_CHUNKS = 1000


def layout_of(head: bytes) -> Chunked | None:
    """Recognise a container of chunks by its first 40 bytes."""
    outer, inner = head[:4], head[8:12]
    if inner == b"WAVE" and outer in (b"RIFF", b"RF64", b"BW64"):
        return _RIFF
    if inner == b"WAVE" and outer == b"RIFX":
        return _RIFX
    if outer == b"FORM" and inner in (b"AIFF", b"AIFC"):
        return _AIFF
    if outer == b"FORM" and inner in (b"8SVX", b"16SV"):
        return _SVX
    if outer == b"riff" and head[28:40] == _GUID:
        return _W64
    return _CAF if outer == b"caff" else None


def chunked_links(content: Content, start: int) -> list[Link]:
    """Return the files that are joined where a container of chunks begins: one, as a rule."""
    head = content.part(start, start + HEAD)
    layout = layout_of(head)
    if layout is None:
        return []
    frame = _frame_bytes(head, layout)
    if (at := head.find(layout.samples)) >= 0:
        begin = at + layout.head
        size = int.from_bytes(head[at + len(layout.samples) : begin], layout.order)
        size -= layout.self_sized * layout.head
        if begin + size == content.size - start:  # what nearly all files are
            if layout is _CAF:
                size -= 4  # the number of edits
            elif layout is _AIFF:
                _check_aiff(head, size - 8 - int.from_bytes(head[begin : begin + 4]))
            return [Link(start, content.size, n_times=size // frame if frame else None)]
    links = []
    while link := _ChunkedFile(content, start, layout).link(frame):
        links.append(link)
        start = link.stop
        if layout_of(content.part(start, start + 40)) is not layout:
            break
        frame = _frame_bytes(content.part(start, start + HEAD), layout)
    return links


def mpeg_in_wav(head: bytes) -> int | None:
    """Return where the frames begin in a WAV of MPEG audio; None if it is of another codec."""
    at = head.find(b"fmt ") + 8
    if at < 20 or int.from_bytes(head[at : at + 2], "little") not in (0x50, 0x55):
        return None
    begin = head.find(b"data", at) + 8
    return begin if begin > at else None


def _frame_bytes(head: bytes, layout: Chunked) -> int:
    """Return how many bytes a sample of all channels takes in PCM; 0 if that is not told.

    PCM whose samples do not fit into these bytes is refused.
    """
    if layout is _CAF:
        codec, _, align, _, channels, bits = struct.unpack(">4s5I", head[28:52].ljust(24))
        is_pcm = codec == b"lpcm"
    elif layout is _RIFF or layout is _W64:
        at = head.find(b"fmt ") + layout.head
        if at < layout.first or len(head) < at + 16:
            return 0
        codec, channels, rate, speed, align, bits = struct.unpack("<HHIIHH", head[at : at + 16])
        is_pcm = codec in (1, 3, 0xFFFE)
        if is_pcm and 8 * speed == rate * channels * bits:  # stated twice
            return int(channels * bits) // 8
    else:
        return 0
    if not is_pcm:
        return 0
    # 24 bits in 4 bytes, and 8 in 2, are unusual and possible.
    width, rest = divmod(align, max(channels, 1))
    is_odd = width not in (1, 2, 3, 4, 8) and bits <= 32
    if rest or is_odd or not bits <= 8 * width <= 2 * bits:
        found = f"{channels} channels of {bits} bits do not take {align} bytes"
        raise Damaged(layout.kind, found)
    return int(align)


def _check_aiff(head: bytes, n_bytes: int) -> None:
    """Compare the number of samples that AIFF announces with the bytes that they take."""
    at = head.find(b"COMM") + 8
    if head[8:12] != b"AIFF" or at < 20 or len(head) < at + 8:
        return
    channels, n_times, bits = struct.unpack(">HIH", head[at : at + 8])
    if n_times * channels * -(-bits // 8) not in (n_bytes, n_bytes - 1):
        found = f"{n_times} samples of {channels} channels do not take {n_bytes} bytes"
        raise Damaged("AIFF", found)


class _ChunkedFile:
    """One file of chunks, which begins at ``start`` and goes on to the end of the content."""

    def __init__(self, content: Content, start: int, layout: Chunked):
        self.content, self.start, self.layout = content, start, layout
        self.stop = content.size
        if layout.outer is not None:
            width = struct.calcsize(layout.size)
            size = content.part(start + layout.outer, start + layout.outer + width)
            (outer,) = struct.unpack(layout.size, size.ljust(width, b"\0"))
            self.stop = start + outer + (0 if layout.self_sized else 8)

    def link(self, frame: int) -> Link | None:
        """Compare the size of the samples with what is there; None if there are no samples.

        ``frame`` is how many bytes a sample of all channels takes, or 0.
        """
        content, layout = self.content, self.layout
        large = None
        for at, name, size in self.chunks(self.start + layout.first):
            begin = at + layout.head
            if name == b"ds64" and size >= 16:
                outer, large = struct.unpack("<QQ", content.part(begin, begin + 16).ljust(16))
                self.stop = self.start + outer + 8
            if name == layout.samples:
                break
        else:
            return None
        width = struct.calcsize(layout.size)
        is_open = any(n - 0x10000 < size < n + 0x1000 for n in LARGEST[width])
        if large is not None and size == 0xFFFFFFFF:
            size, is_open = large, False
        present = content.size - begin
        if size > present:
            # Some programs write the size of the file into the place of the samples' own.
            is_told = layout.outer is not None and (
                abs(self.stop - content.size) <= 1 or size in (content.size, content.size - 8)
            )
            if is_open and layout is _CAF:  # which libsndfile does not take as it is
                return Link(self.start, content.size, ((begin - width, present.to_bytes(8)),))
            if is_open or is_told:
                return Link(self.start, content.size)
            raise Damaged(layout.kind, f"{size} bytes of samples announced, {present} present")
        end = begin + size
        padded = end + -(end - self.start) % layout.align
        if self.is_tail(padded) or self.is_tail(end):
            next_start = self.stop if self.stop > padded else padded
            is_joined = layout_of(content.part(next_start, next_start + 40)) is layout
            stop = next_start if is_joined else content.size
            size -= 4 * (layout is _CAF)
            return Link(self.start, stop, n_times=size // frame if frame else None)
        if size == 0:  # the program was stopped before it knew
            known = struct.pack(layout.size, min(present, LARGEST[width][-1] - 1))
            return Link(self.start, content.size, patches=((begin - width, known),))
        found = f"{size} bytes of samples announced, what follows them is no chunk"
        raise Damaged(layout.kind, found)

    def is_tail(self, at: int) -> bool:
        """Whether here begins what may follow samples: chunks, padding, the end or another file."""
        content, layout = self.content, self.layout
        rest = content.size - at
        if rest < layout.align or at == self.stop:
            return True
        if rest < layout.head:
            return not any(content.part(at, content.size))
        if layout_of(content.part(at, at + 40)) is layout:
            return True
        if rest <= MOST_PADDING and not any(content.part(at, content.size)):
            return True
        for begin, name, size in self.chunks(at):
            if begin >= self.stop > at:
                return True
            if not re.fullmatch(layout.names, name):
                return False
            if begin + layout.head + size > content.size + layout.align:
                return METADATA.match(name) is not None
        return True

    def chunks(self, at: int) -> Iterator[tuple[int, bytes, int]]:
        """Yield where each chunk begins, its name, and the size of what it holds."""
        n_name = len(self.layout.samples)
        for _ in range(MOST_CHUNKS):
            head = self.content.part(at, at + self.layout.head)
            if len(head) < self.layout.head:
                return
            (size,) = struct.unpack(self.layout.size, head[n_name:])
            if self.layout.self_sized:
                size = max(size - self.layout.head, 0)
            yield at, head[:n_name], size
            at += self.layout.head + size
            at += -(at - self.start) % self.layout.align
