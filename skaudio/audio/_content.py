"""Encoded bytes of a file or in memory: read in parts, and opened as one or more streams."""

from __future__ import annotations

import io
import os
from typing import BinaryIO, NamedTuple

import soundfile as sf

# Bytes that are read when a file is opened. Most headers are shorter.
HEAD = 1 << 12
READING = os.O_RDONLY | getattr(os, "O_BINARY", 0)


class Damaged(Exception):
    """A file is truncated or damaged: the kind of its container, and what was found."""

    def __init__(self, kind: str, found: str):
        super().__init__(kind, found)
        self.kind, self.found = kind, found


class Content:
    """Random access to the bytes of a file, or to encoded bytes in memory."""

    def __init__(self, source: str | bytes):
        self._file = -1
        self._bytes: bytes | None = None
        if isinstance(source, bytes):
            self._bytes = source
            self.size = len(source)
            return
        self._file = os.open(source, READING)
        try:
            self._head = os.read(self._file, HEAD)
        except OSError:
            os.close(self._file)
            raise
        try:
            self.size = os.lseek(self._file, 0, os.SEEK_END)
        except OSError:  # a pipe cannot be read twice
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

    def changed(self) -> int | None:
        """Return the time of a file's last change in nanoseconds; None for bytes and pipes."""
        return os.fstat(self._file).st_mtime_ns if self._file >= 0 else None

    def part(self, start: int, stop: int) -> bytes:
        """Return the bytes from ``start`` to ``stop``, or fewer at the end of the file."""
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

    def file(self, start: int = 0) -> BinaryIO:
        """Return the content from ``start`` on as an open file, to be closed by the caller."""
        if self._bytes is not None or start > 0:
            return io.BytesIO(self.part(start, self.size))
        os.lseek(self._file, 0, os.SEEK_SET)
        return os.fdopen(os.dup(self._file), "rb")

    def open(self, link: Link) -> sf.SoundFile:
        """Open a link with libsndfile, which sees no file name and so recognises it by content.

        A whole file is handed over to libsndfile: `part` then returns bytes of the head only.
        """
        if self._bytes is None and link[:3] == (0, self.size, ()) and not link.reach:
            os.lseek(self._file, 0, os.SEEK_SET)
            file = Forward(self._file, closefd=False)  # if this fails, PyAV may read the file
            file.descriptor, self._file = self._file, -1
            return file
        content = self.part(link.start, link.stop)
        if link.patches:
            changed = bytearray(content)
            for at, value in link.patches:
                changed[at - link.start : at - link.start + len(value)] = value
            content = bytes(changed)
        return Forward(Stretched(content, link.reach) if link.reach else io.BytesIO(content))


class Forward(sf.SoundFile):  # type: ignore[misc]
    """A file that is read block by block without seeking in between.

    After each block, soundfile seeks to the position that the file already has. This resets the
    state of lossy decoders and changes the samples that follow.
    """

    descriptor = -1
    """Of the file, to be closed with it."""

    def close(self) -> None:
        """Close the file and its descriptor."""
        super().close()
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def seekable(self) -> bool:
        """Return False, so that soundfile does not seek by itself; `seek` still works."""
        return False


class Stretched(io.BytesIO):
    """Bytes that claim a larger size, for decoders that estimate the length from the size.

    Reading past the end returns nothing, except for zeros in the last 128 bytes of the claimed
    size, where decoders look for a tag.
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
    """A complete stream: a file holds one, or several if files were concatenated."""

    start: int
    """Its first byte."""
    stop: int
    """The byte after its last one."""
    patches: tuple[tuple[int, bytes], ...] = ()
    """Corrections of the header: (position in the file, new bytes)."""
    n_times: int | None = None
    """Length in samples as found in the bytes; None if libsndfile's own is used."""
    reach: int = 0
    """Size in bytes that the decoder is told; 0 for the true one."""
    last_page: int = 0
    """Number of samples in the last page (Ogg)."""
    granule: int | None = None
    """Time at the end in samples (Ogg); for Opus at 48 kHz."""
    is_counted: bool = False
    """The frames (MPEG) were counted and their number agrees with the header."""


def skip_id3(content: Content) -> tuple[int, bytes]:
    """Return the position behind the ID3 tags at the beginning, and the first bytes there."""
    start, head = 0, content.part(0, HEAD)
    while head.startswith(b"ID3") and len(head) > 10:
        start += after_tag(head, 0)
        head = content.part(start, start + HEAD)
    return start, head


def after_tag(content: bytes, at: int) -> int:
    """Return the end of the tag (ID3, APE, Lyrics3) or padding at a position; ``at`` if none."""
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
    if head[:1] == b"\0":
        return len(content) - len(content[at:].lstrip(b"\0"))
    return at
