"""Containers of chunks (WAV, AIFF, CAF...): check that all announced samples are present.

The announced size of the samples is compared with the bytes in the file. Programs that write to a
pipe write a size that means "unknown"; such sizes are not compared.
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
    """The layout of a container of chunks.

    Attributes
    ----------
    kind : str
        Name in messages.
    size : str
        Format of the size of a chunk, for `struct`.
    samples : bytes
        Name of the chunk that holds the samples.
    facts : bytes
        Name (or its beginning) of the chunk with the number of channels and similar facts.
    first : int
        Position of the first chunk.
    align : int
        Chunks begin at multiples of this number of bytes.
    outer : int or None
        Position of the size of the whole file, which has the same format.
    self_sized : bool
        The size of a chunk includes its name and the size itself.
    names : bytes
        Regular expression of the names of chunks.
    """

    kind: str
    size: str
    samples: bytes
    facts: bytes
    first: int = 12
    align: int = 2
    outer: int | None = 4
    self_sized: bool = False
    names: bytes = rb"[ -~]{4}"

    @cached_property
    def head(self) -> int:
        """Number of bytes of a chunk's name and size."""
        return len(self.samples) + struct.calcsize(self.size)

    @cached_property
    def order(self) -> Literal["little", "big"]:
        """The byte order."""
        return "little" if self.size[0] == "<" else "big"


_GUID = bytes.fromhex("f3acd3118cd100c04f8edb8a")
_RIFF = Chunked("WAV", "<I", b"data", b"fmt ")
_RIFX = Chunked("WAV", ">I", b"data", b"fmt ")
_AIFF = Chunked("AIFF", ">I", b"SSND", b"COMM")
_SVX = Chunked("SVX", ">I", b"BODY", b"VHDR")
_CAF = Chunked("CAF", ">Q", b"data", b"desc", first=8, align=1, outer=None)
_W64 = Chunked(
    "W64",
    "<Q",
    b"data" + _GUID,
    b"fmt ",
    first=40,
    align=8,
    outer=16,
    self_sized=True,
    names=rb"(?s:.{10})(\x00\xc0\x4f\x8e\xdb\x8a|\xdb\x04\xc1\x00\x00)",
)

# Sizes that mean "unknown", by width: programs that write to a pipe state a size near these.
LARGEST = {4: (0x7FFFFFFF, 0xFFFFFFFF), 8: (1 << 63, 1 << 64)}
# Up to this number of zeros after the samples is padding.
MOST_PADDING = 1 << 12
# Chunks after the samples that may be truncated.
METADATA = re.compile(rb"LIST|id3 |ID3 |fact|cue |bext|iXML|_PMX|afsp|smpl|inst|PEAK|DISP|ANNO")
MOST_CHUNKS = 1000
# Codecs of AIFF that are PCM: that of AIFF itself, which states none, and those of AIFC.
AIFF_PCM = {bytes(4), b"NONE", b"twos", b"sowt", b"in24", b"42ni", b"in32", b"23ni", b"raw "}
AIFF_PCM |= {b"fl32", b"FL32", b"fl64", b"FL64"}


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


def chunked_links(content: Content, start: int, head: bytes, layout: Chunked) -> list[Link]:
    """Return the container of chunks with a ``head`` at ``start``, and those joined to it."""
    file = _ChunkedFile(content, start, head, layout)
    if (at := head.find(layout.samples)) >= 0:
        begin = at + layout.head
        size = int.from_bytes(head[at + len(layout.samples) : begin], layout.order)
        size -= layout.self_sized * layout.head
        if begin + size == content.size - start:  # true of nearly all files, and quick
            return [file.whole(content.size, start + begin, size)]
    links = []
    while link := file.link():
        links.append(link)
        head = content.part(link.stop, link.stop + HEAD)
        if layout_of(head) is not layout:
            break
        file = _ChunkedFile(content, link.stop, head, layout)
    return links


def mpeg_in_wav(content: Content, start: int, head: bytes) -> int | None:
    """Return the position of the frames in a WAV of MPEG audio; None if it has another codec."""
    is_mpeg = False
    for at, name, _ in _ChunkedFile(content, start, head, _RIFF).chunks(start + _RIFF.first):
        if name == b"fmt ":
            is_mpeg = content.part(at + 8, at + 10) in (b"\x50\0", b"\x55\0")
        if name == b"data":
            return at + 8 if is_mpeg else None
    return None


def _frame_bytes(facts: bytes, layout: Chunked) -> tuple[int, int | None]:
    """Return the bytes per sample of all channels, and the announced number of samples.

    They are 0 and None where the container does not state them, or the codec is not PCM. PCM whose
    samples do not fit into their bytes is refused.
    """
    if layout is _AIFF:
        channels, n_times, bits, codec = struct.unpack(">HIH10x4s", facts[:22].ljust(22, b"\0"))
        is_pcm = len(facts) >= 18 and codec in AIFF_PCM
        return (channels * -(-bits // 8), n_times) if is_pcm else (0, None)
    if layout is _CAF:
        codec, _, align, _, channels, bits = struct.unpack(">8x4s5I", facts[:32].ljust(32, b"\0"))
        is_pcm = codec == b"lpcm"
    elif (layout is _RIFF or layout is _W64) and len(facts) >= 16:
        codec, channels, rate, speed, align, bits = struct.unpack("<HHIIHH", facts[:16])
        is_pcm = codec in (1, 3, 0xFFFE)
        if is_pcm and 8 * speed == rate * channels * bits:  # stated twice
            return channels * bits // 8, None
    else:
        return 0, None
    if not is_pcm:
        return 0, None
    # 24 bits in 4 bytes, and 8 in 2, are unusual and possible.
    width, rest = divmod(align, max(channels, 1))
    is_odd = width not in (1, 2, 3, 4, 8) and bits <= 32
    if rest or is_odd or not bits <= 8 * width <= 2 * bits:
        found = f"{channels} channels of {bits} bits do not take {align} bytes"
        raise Damaged(layout.kind, found)
    return align, None


class _ChunkedFile:
    """A file of chunks that begins at ``start``; other files may follow it in the same content."""

    def __init__(self, content: Content, start: int, head: bytes, layout: Chunked):
        self.content, self.start, self.head, self.layout = content, start, head, layout
        self.stop = content.size

    def link(self) -> Link | None:
        """Compare the size of the samples with what is there; None if there are no samples."""
        content, layout = self.content, self.layout
        width = struct.calcsize(layout.size)
        if layout.outer is not None:
            at = self.start + layout.outer
            outer = int.from_bytes(content.part(at, at + width), layout.order)
            self.stop = self.start + outer + (0 if layout.self_sized else 8)
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
        is_open = any(n - 0x10000 < size < n + 0x1000 for n in LARGEST[width])
        if large is not None and size == 0xFFFFFFFF:
            size, is_open = large, False
        present = content.size - begin
        if size > present:
            # Some programs state the size of the file in place of that of the samples.
            is_told = layout.outer is not None and (
                abs(self.stop - content.size) <= 1 or size in (content.size, content.size - 8)
            )
            if is_open and layout is _CAF:  # libsndfile refuses an unknown size
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
            return self.whole(stop, begin, size)
        if size == 0:  # the program that wrote the file was stopped
            known = struct.pack(layout.size, min(present, LARGEST[width][-1] - 1))
            return Link(self.start, content.size, patches=((begin - width, known),))
        found = f"{size} bytes of samples announced, what follows them is no chunk"
        raise Damaged(layout.kind, found)

    def whole(self, stop: int, begin: int, size: int) -> Link:
        """Return the link of a file whose samples are in the ``size`` bytes from ``begin`` on."""
        if self.layout is _CAF:
            size -= 4  # the number of edits
        elif self.layout is _AIFF:  # the offset of the first sample, and the size of blocks
            size -= 8 + int.from_bytes(self.content.part(begin, begin + 4))
        frame, n_times = _frame_bytes(self.facts(), self.layout)
        if n_times is not None and n_times * frame not in (max(size, 0), size - 1):
            found = f"{n_times} samples of {frame} bytes announced, {size} bytes present"
            raise Damaged(self.layout.kind, found)
        return Link(self.start, stop, n_times=size // frame if frame else None)

    def facts(self) -> bytes:
        """Return the beginning of the chunk with the number of channels and the like."""
        layout = self.layout
        chunk = self.head[layout.first : layout.first + layout.head + 32]
        if not chunk.startswith(layout.facts):  # in most files it is the first chunk
            chunks = self.chunks(self.start + layout.first)
            places = (at for at, name, _ in chunks if name.startswith(layout.facts))
            at = next(places, self.content.size)
            chunk = self.content.part(at, at + layout.head + 32)
        size = int.from_bytes(chunk[len(layout.samples) : layout.head], layout.order)
        return chunk[layout.head : layout.head + size]

    def is_tail(self, at: int) -> bool:
        """Whether samples may end here: chunks, padding, the end or another file follow."""
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
        """Yield the position, the name and the size of each chunk."""
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
