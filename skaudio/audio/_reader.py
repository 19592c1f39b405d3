"""Decode files and bytes by libsndfile or, for other formats, by PyAV.

The length of a recording is first determined from the bytes of the file (`_chunks`,
`_other_headers`, `_streams` and `_mpeg`), and then compared with the number of decoded samples.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import soundfile as sf

from skaudio.audio import _chunks, _errors, _ffmpeg, _mpeg, _other_headers, _streams
from skaudio.audio._arrays import bounds, cut, to_float
from skaudio.audio._content import Content, Damaged, Link, skip_id3

# With more samples per byte than this, the header is probably wrong. Such files are read in pieces,
# so that memory is only used for existing samples.
PLAUSIBLE, PIECE = 64, 1 << 20
# libsndfile returns a larger number of samples if it does not know their number.
LONGEST = 1 << 60
# An MPEG frame refers to bits in up to nine frames before it, so this number of samples is decoded
# before the requested part.
MPEG_LEAD = 9 * 1152
# libsndfile's error code for a format that it does not know.
UNRECOGNISED = 1
# Time in nanoseconds after a change of a file from which another change certainly has another time.
SETTLED = 2_000_000_000


class Opened(NamedTuple):
    """A part of a recording, which is decoded during iteration."""

    rate: float | None
    """In Hz; None if it is not stated."""
    blocks: Iterable[np.ndarray]
    """Of shape (n_channels, n_times), float32."""
    header: dict[str, Any]
    """The container, codec, sample_rate and channels that the file states."""


class Part(NamedTuple):
    """An open stream of a file."""

    file: sf.SoundFile
    link: Link
    n_times: int
    container: str
    codec: str


def open_encoded(
    source: str | bytes, name: str, offset: float, duration: float | None, block: int | None
) -> Opened:
    """Open a part of a file, or of encoded bytes, to decode it in blocks.

    Parameters
    ----------
    source : str or bytes
    name : str
        Name of the recording in messages.
    offset, duration : float
        Part to decode, in seconds.
    block : int or None
        Number of samples per block. None: the part is one block.
    """
    is_part = offset > 0 or duration is not None
    try:
        with Content(source) as content:
            if content.size == 0:
                cause = "A failed download or copy is the usual cause."
                raise ValueError(f"{name} is empty: 0 bytes. {cause}")
            try:
                parts = _open_parts(content, source, is_part)
            except sf.LibsndfileError as error:
                samples, first, header = _ffmpeg.decode(content, name, error, offset, duration)
                parts = []
    except OSError as error:
        raise _errors.not_readable(str(source), name, error) from error
    except Damaged as error:
        raise _errors.truncated(name, error.kind, error.found) from error
    if not parts:
        rate = header["sample_rate"]
        check_rate(rate, name)
        start, stop = bounds(first + samples.shape[1], rate, offset, duration, name)
        return Opened(rate, cut(samples, start - first, stop - first, block, name), header)
    try:
        return _opened(parts, name, offset, duration, block)
    except BaseException:
        _close(parts)
        raise


def seconds_in(source: str | bytes) -> float | None:
    """Return the duration of a file in seconds, or None if libsndfile does not decode it."""
    try:
        with Content(source) as content:
            parts = _open_parts(content, source, is_part=True)
    except (sf.LibsndfileError, Damaged, OSError):
        return None  # PyAV may decode it; if it does not, reading raises the error
    _close(parts)
    return float(sum(part.n_times for part in parts) / parts[0].file.samplerate)


def _open_parts(content: Content, source: str | bytes, is_part: bool) -> list[Part]:
    """Open all streams of a file."""
    links = _links_of(content, source, is_part)
    try:
        return _open_links(content, links)
    except sf.LibsndfileError as error:
        # Many MP3 files begin with padding, or with a tag that is longer than it states.
        is_tagged = content.part(0, 4).startswith((b"ID3", bytes(4)))
        start = _mpeg.find_mpeg(content) if is_tagged else None
        if error.code != UNRECOGNISED or start is None:
            raise
        return _open_links(content, _mpeg.mpeg_links(content, start, content.size))


def _open_links(content: Content, links: list[Link]) -> list[Part]:
    parts: list[Part] = []
    try:
        for link in links:
            file = content.open(link)
            container, codec, n_times = file.format, file.subtype, file.frames
            parts.append(Part(file, link, link.n_times or n_times, container, codec))
            if (link.n_times or 0) > n_times:
                found = f"{link.n_times} samples announced, {n_times} present"
                raise Damaged(container, found)
            if n_times > LONGEST and not link.n_times:
                raise Damaged(container, "its length is unknown")
            if container == "MP3" and link.n_times is None and not link.is_counted:
                raise Damaged("MPEG", "the first frame is not followed by another")
            if container in _other_headers.ONLY_LOGGED:
                _other_headers.check_log(file, content, link, container, codec)
    except BaseException:
        _close(parts)
        raise
    return parts


def _close(parts: list[Part]) -> None:
    for part in parts:
        part.file.close()


def _links_of(content: Content, source: str | bytes, is_part: bool) -> list[Link]:
    if is_part and isinstance(source, str):
        changed = content.changed()
        if changed is not None and time.time_ns() - changed > SETTLED:
            return _links_of_file(os.path.abspath(source), content.size, changed)
    return _find_links(content)


@lru_cache(maxsize=256)
def _links_of_file(path: str, size: int, changed: int) -> list[Link]:
    """Find the streams of a file; cached for several parts of it."""
    with Content(path) as content:
        return _find_links(content)


def _find_links(content: Content) -> list[Link]:
    """Find the streams in a file by its first bytes after ID3 tags."""
    start, head = skip_id3(content)
    if head.startswith(b"OggS"):
        return _streams.ogg_links(content, start)
    if head.startswith(b"fLaC"):
        return _streams.flac_links(content, start)
    if (layout := _chunks.layout_of(head)) is not None:
        links = _chunks.chunked_links(content, start, head, layout)
        if len(links) == 1 and links[0].n_times is None and head.startswith(b"RIFF"):
            begin = _chunks.mpeg_in_wav(content, start, head)
            if begin is not None:
                return _mpeg.mpeg_links(content, begin, links[0].stop)
        return links or [Link(start, content.size)]
    size, _ = _mpeg.mpeg_frame(head[:4])
    if size and _mpeg.mpeg_frame(content.part(start + size, start + size + 4))[0]:
        links = _mpeg.mpeg_links(content, start, content.size)
        if len(links) == 1 and links[0].is_counted and not links[0].patches:
            return [links[0]._replace(start=0, stop=content.size)]  # libsndfile skips tags itself
        return links
    return [Link(start, content.size)]


def _opened(
    parts: list[Part], name: str, offset: float, duration: float | None, block: int | None
) -> Opened:
    file, _, n_times, container, codec = parts[0]
    rate, channels = file.samplerate, file.channels
    check_rate(rate, name)
    if len(parts) > 1:
        _check_alike(parts, name)
        n_times = sum(part.n_times for part in parts)
    if n_times == 0:
        raise ValueError(f"{name} is empty: its {container} header announces 0 samples.")
    start, stop = bounds(n_times, rate, offset, duration, name)
    blocks = _decode(parts, start, stop, block, name)
    if block is None and len(parts) > 1:
        blocks = _joined(blocks)
    header = {"container": container, "codec": codec, "sample_rate": rate, "channels": channels}
    return Opened(rate, blocks, header)


def _check_alike(parts: list[Part], name: str) -> None:
    for what in ("samplerate", "channels"):
        values = [getattr(part.file, what) for part in parts]
        if len(set(values)) > 1:
            raise ValueError(
                f"{name} holds {len(values)} recordings, one behind the other, that differ in "
                f"{what}: {values}. Split it, or convert it to one recording."
            )


def _joined(blocks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    yield np.concatenate(list(blocks), axis=1)


def _decode(
    parts: list[Part], start: int, stop: int, block: int | None, name: str
) -> Iterator[np.ndarray]:
    """Decode the samples from ``start`` to ``stop``, then close all parts."""
    try:
        for part in parts:
            if start < part.n_times and stop > 0:
                yield from _decode_part(part, max(start, 0), min(stop, part.n_times), block, name)
            start, stop = start - part.n_times, stop - part.n_times
    finally:
        _close(parts)


def _decode_part(
    part: Part, start: int, stop: int, block: int | None, name: str
) -> Iterator[np.ndarray]:
    """Decode the samples from ``start`` to ``stop`` of a stream; fewer samples are an error."""
    file, link, n_times, container, codec = part
    first = _first_to_decode(part, start)
    # libsndfile needs ten times as long to convert 16-bit samples to floats.
    dtype = "int16" if codec == "PCM_16" else "float32"
    largest = PLAUSIBLE * (link.stop - link.start) // file.channels
    early = start - first
    try:
        if first:
            file.seek(first)
        for i in range(start, stop, block or stop - start):
            wanted = min(block or stop, stop - i)
            samples = _read(file, early + wanted, dtype, largest)[early:]
            early = 0
            if len(samples) < wanted:
                found = f"{n_times} samples announced, {i + len(samples)} could be decoded"
                raise _errors.truncated(name, container, found)
            yield to_float(samples, name).T
    except sf.LibsndfileError as error:
        raise _errors.truncated(name, container, f"decoding fails ({error})") from error


def _first_to_decode(part: Part, start: int) -> int:
    """Return the first sample to decode, so that the samples from ``start`` are correct."""
    file, link, n_times, container, codec = part
    if container == "MP3":
        return max(start - MPEG_LEAD, 0)
    if container != "OGG" or link.granule is None:
        return start
    ticks = 48000 / file.samplerate if codec == "OPUS" else 1
    if abs(link.granule - n_times * ticks) > 2 * ticks:
        return 0  # libsndfile seeks to a wrong position in streams whose time begins after 0
    # libsndfile counts the samples of the last page of Vorbis from its end, also if the page is
    # cut, and so seeks up to a block too far. Begin in the page before, and drop the extra samples.
    if codec == "VORBIS" and start >= n_times - link.last_page:
        return max(n_times - link.last_page - 1, 0)
    return start


def _read(file: sf.SoundFile, n: int, dtype: str, largest: int) -> np.ndarray:
    """Read samples (n_times, n_channels); more than ``largest`` are read in pieces."""
    if n > largest:
        pieces = [_read(file, min(n, PIECE), dtype, PIECE)]
        while len(pieces[-1]) == PIECE and n > PIECE * len(pieces):
            pieces.append(_read(file, min(n - PIECE * len(pieces), PIECE), dtype, PIECE))
        return np.concatenate(pieces)
    samples = np.empty((n, file.channels), dtype)
    return samples[: file.buffer_read_into(samples, dtype)]


def check_rate(rate: float, name: str) -> None:
    """Raise an error for an impossible sample rate."""
    if not _errors.LOWEST_RATE <= rate <= _errors.HIGHEST_RATE:
        raise _errors.strange_rate(name, rate)
