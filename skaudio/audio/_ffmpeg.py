"""What libsndfile does not open: by PyAV, the extra ``ffmpeg``, or an error that says why not.

PyAV decodes what phones and cameras record: AAC in MP4, 3GP, WebM and others.
"""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf

from skaudio.audio import _errors

# Decoding starts this much before the asked part, in seconds: lossy codecs carry state over. Opus
# needs the most. What never converges is noise that a codec draws itself (AAC at low bit rates).
PREROLL = 0.5

# How much less than a WebM header announces may be decoded, in seconds.
SLACK = 0.5

# Frames of these codecs vary, but begin at multiples of so many samples.
GRID = {"opus": 120, "vorbis": 64}


def container_of(head: bytes) -> str | None:
    """Name the container format whose signature the first bytes bear, or None."""
    if head[4:8] == b"ftyp":
        brand = head[8:12].decode("latin-1").strip()
        if brand.startswith("3g"):
            return "3GP"
        return "M4A (AAC in MP4)" if brand.startswith("M4") else "MP4/M4A"
    if head[4:8] in (b"moov", b"mdat", b"wide", b"free"):
        return "QuickTime"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "AVI"
    signatures = {
        b"\x1aE\xdf\xa3": "WebM/Matroska",
        b"#!AMR": "AMR",
        b"0&\xb2u": "WMA/ASF",
        b"FLV": "Flash video",
        b"\x00\x00\x01\xba": "MPEG video",
        b"wvpk": "WavPack",
        b"MAC ": "Monkey's Audio",
    }
    for signature, container in signatures.items():
        if head.startswith(signature):
            return container
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        return "AAC (ADTS)"
    return None


def decode(
    source: str | bytes,
    name: str,
    error: OSError | sf.LibsndfileError,
    offset: float,
    duration: float | None,
) -> tuple[np.ndarray, int, int]:
    """Decode a part of the first audio stream of what libsndfile did not open.

    Parameters
    ----------
    source : str or bytes
    name : str
        What messages call it.
    error : OSError or LibsndfileError
        What opening raised.
    offset, duration : float
        Part to decode, in seconds.

    Returns
    -------
    samples : ndarray of shape (n_channels, n_times), float32
        The asked part, as far as there is one, and often more on both sides of it.
    first : int
        Which sample of the recording the first one is.
    sample_rate : int
    """
    head = _head(source, name)
    if isinstance(error, OSError):
        raise _errors.not_readable(str(source), name, error) from error
    if error.code != 1:  # recognised; what libsndfile says of a stub is no help
        found = "it begins like an audio file, but does not go on like one"
        raise _errors.truncated(name, "header", found) from error
    container = container_of(head)
    if container is None:
        raise _errors.not_audio(head, name) from error
    try:
        import av
    except ImportError as missing:
        raise ImportError(
            f"{name} is {container}, which libsndfile cannot decode. PyAV can: "
            'pip install "skaudio[ffmpeg]"; or convert the recording to WAV, FLAC or MP3.'
        ) from missing

    try:
        for seek in (True, False):
            with av.open(io.BytesIO(source) if isinstance(source, bytes) else source) as file:
                if not file.streams.audio:
                    raise ValueError(f"{name} ({container}) has no audio stream.")
                decoded = _decode_stream(av, file, name, container, offset, duration, seek)
            if decoded is not None:
                break
    except av.FFmpegError as failure:
        raise _damaged(name, container, str(failure.strerror)) from failure
    assert decoded is not None
    return decoded


def _head(source: str | bytes, name: str) -> bytes:
    """Return the first bytes of a file, by which its format is recognised."""
    try:
        with io.BytesIO(source) if isinstance(source, bytes) else Path(source).open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise _errors.not_readable(str(source), name, error) from error
    if not head:
        raise ValueError(f"{name} is empty: 0 bytes. A failed download or copy is the usual cause.")
    return head


def _damaged(name: str, container: str, found: str) -> ValueError:
    return ValueError(
        f"{name} ({container}) is truncated or damaged: {found}. Copy or download it again, or "
        "repair it by re-encoding what is there."
    )


def _decode_stream(
    av: Any, file: Any, name: str, container: str, offset: float, duration: float | None, seek: bool
) -> tuple[np.ndarray, int, int] | None:
    """Decode the asked part, or return None if seeking went past its beginning."""
    stream = file.streams.audio[0]
    stream.thread_type = "NONE"  # threads are the caller's: one per block of recordings
    frames = file.decode(stream)
    first = next(frames, None)
    if first is None:
        raise ValueError(f"{name} is empty: its audio stream holds 0 samples.")
    rate = first.sample_rate
    start = round(offset * rate)
    stop = math.inf if duration is None else start + max(round(duration * rate), 1)
    position = 0  # of the first sample in hand, counted from the beginning of the stream
    frames = itertools.chain([first], frames)
    lead = PREROLL + first.samples / rate
    if seek and offset > 2 * lead and first.pts is not None:
        frames = _frames_from(file, stream, first, offset - lead)
        here = next(frames, None)
        if here is None or here.pts is None:
            return None
        position = _position(here, first, stream)
        frames = itertools.chain([here], frames)
    if position > start:
        return None
    to_float = av.AudioResampler(format="fltp")
    parts: list[np.ndarray] = []
    total = 0
    for frame in frames:
        for converted in to_float.resample(frame):
            block = converted.to_ndarray()
            parts.append(block)
            total += block.shape[1]
        if position + total >= stop:
            break
    else:
        _check_is_whole(file, name, container, (position + total) / rate)
    samples = np.concatenate(parts, axis=1) if parts else np.empty((1, 0), np.float32)
    return samples, position, rate


def _check_is_whole(file: Any, name: str, container: str, seconds: float) -> None:
    """Compare what was decoded with the duration in a header; FFmpeg takes a cut WebM for whole."""
    if "matroska" not in file.format.name or len(file.streams) > 1 or file.duration is None:
        return
    announced = file.duration / 1e6  # of the longest stream, padding included
    if seconds < announced - SLACK:
        raise _damaged(name, container, f"{announced:g} s announced, {seconds:g} s present")


def _frames_from(file: Any, stream: Any, first: Any, seconds: float) -> Iterator[Any]:
    """Yield the frames from some seconds after the first one; an index may lead to earlier ones."""
    target = first.pts + int(seconds / stream.time_base)
    file.seek(target, stream=stream)
    for packet in file.demux(stream):
        if packet.pts is None or packet.pts >= target:
            yield from packet.decode()


def _position(frame: Any, first: Any, stream: Any) -> int:
    """Count the samples before a frame from its time.

    WebM, ASF and Flash state times in milliseconds. There the frame has to begin a whole number of
    frames (Opus: of 2.5 ms) after the first one ended, which tells the sample.
    """
    rate, tick = first.sample_rate, stream.time_base
    guess: int = round((frame.pts - first.pts) * tick * rate)
    step = GRID.get(stream.codec_context.name, frame.samples)
    snapped: int = first.samples + round((guess - first.samples) / step) * step
    return snapped if abs(snapped - guess) < tick * rate else guess
