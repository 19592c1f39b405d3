"""Encoded bytes, of a file or in memory: looked at in parts, and opened as one or more streams."""

from __future__ import annotations

import io
import os
import stat
from typing import BinaryIO, NamedTuple

import soundfile as sf

# Bytes of a file that are read at once: most headers are shorter.
HEAD = 1 << 12
READING = os.O_RDONLY | getattr(os, "O_BINARY", 0)


class Damaged(Exception):
    """What is wrong with a file: the kind of its container, and what was found."""

    def __init__(self, kind: str, found: str):
        super().__init__(kind, found)
        self.kind, self.found = kind, found


class Content:
    """The bytes of a file, or encoded bytes: any part of them, without reading the others."""

    def __init__(self, source: str | bytes):
        self._file = -1
        self._bytes: bytes | None = None
        self.changed = 0  # when, in nanoseconds
        if isinstance(source, bytes):
            self._bytes = source
            self.size = len(source)
            return
        self._file = os.open(source, READING)
        try:
            status = os.fstat(self._file)
            self.size, self.changed = status.st_size, status.st_mtime_ns
            self._head = os.read(self._file, HEAD)
        except OSError:
            os.close(self._file)
            raise
        if not stat.S_ISREG(status.st_mode):  # a pipe: all there is, at once
            with os.fdopen(self._file, "rb") as pipe:
                self._file = -1
                self._bytes = self._head + pipe.read()
            self.size = len(self._bytes)

    def __enter__(self) -> Content:
        return self

    def __exit__(self, *error: object) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def part(self, start: int, stop: int) -> bytes:
        """Return the bytes from ``start`` to ``stop``, fewer where there are no more."""
        start, stop = max(start, 0), min(stop, self.size)
        if self._bytes is not None:
            return self._bytes[start:stop]
        if stop <= len(self._head):
            return self._head[start:stop]
        parts = []
        os.lseek(self._file, start, os.SEEK_SET)
        while start < stop and (read := os.read(self._file, stop - start)):
            parts.append(read)
            start += len(read)
        return b"".join(parts)

    def file(self) -> BinaryIO:
        """Return the bytes as a file."""
        if self._bytes is not None:
            return io.BytesIO(self._bytes)
        os.lseek(self._file, 0, os.SEEK_SET)
        return os.fdopen(os.dup(self._file), "rb")

    def open(self, link: Link) -> sf.SoundFile:
        """Open what a link describes with libsndfile, which goes by the content alone."""
        if self._bytes is None and link[:3] == (0, self.size, ()) and not link.reach:
            os.lseek(self._file, 0, os.SEEK_SET)
            return Forward(os.dup(self._file), closefd=True)
        content = self.part(link.start, link.stop)
        if link.patches:
            changed = bytearray(content)
            for at, value in link.patches:
                changed[at - link.start : at - link.start + len(value)] = value
            content = bytes(changed)
        return Forward(Stretched(content, link.reach) if link.reach else io.BytesIO(content))


class Forward(sf.SoundFile):  # type: ignore[misc]
    """A file that is read on from where it is.

    soundfile seeks after each block to where the file is already, after which lossy codecs do not
    go on as they would have.
    """

    def seekable(self) -> bool:
        """Return False, which makes soundfile leave the position alone; `seek` still works."""
        return False


class Stretched(io.BytesIO):
    """Bytes that seem to be more: decoders that estimate a length from the size do not stop early.

    Past the end there is nothing to read, but for the last bytes, in which decoders look for tags.
    """

    def __init__(self, content: bytes, size: int):
        super().__init__(content)
        self._size = size

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        if whence == os.SEEK_END:
            return super().seek(self._size + offset)
        return super().seek(offset, whence)

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        n = super().readinto(buffer)
        if n == 0 and self.tell() >= self._size - 128:
            buffer[:] = bytes(len(buffer))
            return len(buffer)
        return n


class Link(NamedTuple):
    """A stream that is complete by itself: one per file, or one of those that were joined."""

    start: int
    """Its first byte."""
    stop: int
    """The byte after its last one."""
    patches: tuple[tuple[int, bytes], ...] = ()
    """Bytes of the header to be corrected before decoding, and where they go."""
    n_times: int | None = None
    """Its length in samples, where the decoder cannot be asked."""
    reach: int = 0
    """The size in bytes to be shown to the decoder, if not the true one."""
    slack: int = 0
    """Samples that may be missing at the end: what encoders count differently."""
    last_page: int = 0
    """Samples in the last page of Ogg."""
    granule: int | None = None
    """The time at the end of Ogg, in samples, for Opus at 48 kHz."""
    is_counted: bool = False
    """Its frames were counted, and are as many as its header says."""


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
