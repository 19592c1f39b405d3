"""Files and bytes to samples, by libsndfile and, for what it does not know, by PyAV.

The format is recognised by content: files are opened through a descriptor, so that libsndfile
never sees the ending. Only the asked part is decoded.
"""

from __future__ import annotations

import io
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf

from skaudio.audio._signal import to_float

# Enough to hold the last two pages of an Ogg file, each of 64 KiB at most.
OGG_TAIL = 1 << 17


def decode(
    source: str | bytes, name: str, offset: float = 0.0, duration: float | None = None
) -> tuple[np.ndarray, int]:
    """Decode a part of a file or of encoded bytes.

    Returns
    -------
    samples : ndarray of shape (n_channels, n_times), float32
    sample_rate : int
        The file's own, in Hz.
    """
    handle: Any
    if isinstance(source, bytes):
        head, handle = source[:16], io.BytesIO(source)
        _check_head(head, name)
    else:
        head, handle = _open(source, name)
    try:
        # closefd hands the descriptor over to libsndfile, also when opening fails.
        file = sf.SoundFile(handle, closefd=True)
    except sf.LibsndfileError as error:
        return _decode_otherwise(source, name, head, offset, duration, error)
    with file:
        return _read(file, source, name, offset, duration)


def _open(path: str, name: str) -> tuple[bytes, int]:
    """Return the first bytes of a file and its descriptor, or say why there are none."""
    try:
        handle = os.open(path, os.O_RDONLY)
        try:
            head = os.read(handle, 16)
            _check_head(head, name)
            os.lseek(handle, 0, os.SEEK_SET)
        except BaseException:
            os.close(handle)
            raise
    except FileNotFoundError as error:
        where = "" if Path(path).is_absolute() else f" (looked in {Path.cwd()})"
        advice = "Check the path and the working directory."
        if path.startswith("~"):
            advice = "'~' is not expanded: pass os.path.expanduser(path)."
        elif "://" in path:
            advice = "Addresses are not fetched: download the file first."
        raise ValueError(f"{name}: no such file{where}. {advice}") from error
    except IsADirectoryError as error:
        raise ValueError(
            f"{name} is a folder, expected an audio file. "
            "skaudio.datasets.load_audio_files lists the recordings of a folder."
        ) from error
    except OSError as error:
        raise ValueError(f"{name} cannot be read: {error.strerror}.") from error
    return head, handle


def _check_head(head: bytes, name: str) -> None:
    if not head:
        raise ValueError(f"{name} is empty: 0 bytes. A failed download or copy is the usual cause.")


def _read(
    file: sf.SoundFile, source: str | bytes, name: str, offset: float, duration: float | None
) -> tuple[np.ndarray, int]:
    rate, n_frames = file.samplerate, file.frames
    _check_is_whole(file, name)
    is_whole, n_last = _last_ogg_page(source) if file.format == "OGG" else (True, 0)
    if n_frames == 0:
        if not is_whole:
            raise _truncated(name, "Ogg", "the stream has no last page")
        raise ValueError(f"{name} is empty: its {file.format} header announces 0 samples.")
    start = round(offset * rate)
    if start >= n_frames:
        raise ValueError(
            f"{name}: offset={offset:g} s is past the end, the recording lasts "
            f"{n_frames / rate:g} s."
        )
    wanted = n_frames - start if duration is None else round(duration * rate)
    wanted = min(max(wanted, 1), n_frames - start)
    # libsndfile counts the samples of Vorbis' last page from its end, though that is cut, and so
    # seeks up to a block too far: begin in the page before.
    lead = 0
    if file.subtype == "VORBIS" and start >= n_frames - n_last:
        lead = start - max(n_frames - n_last - 1, 0)
    try:
        if start - lead:
            file.seek(start - lead)
        # libsndfile takes ten times as long for floats of 16-bit samples as for the integers.
        dtype = "int16" if file.subtype == "PCM_16" else "float32"
        samples = file.read(lead + wanted, dtype=dtype, always_2d=True)[lead:]
    except sf.LibsndfileError as error:
        raise _truncated(name, file.format, f"decoding fails ({error})") from error
    if len(samples) < wanted:
        found = start + len(samples)
        raise _truncated(
            name, file.format, f"{n_frames} samples announced, {found} could be decoded"
        )
    if start + wanted == n_frames and not is_whole:
        raise _truncated(name, "Ogg", "the stream has no last page")
    return to_float(samples, name).T, rate


def _truncated(name: str, kind: str, found: str) -> ValueError:
    return ValueError(
        f"{name} is truncated or damaged ({kind}): {found}. Copy or download it again, or repair "
        "it by re-encoding what is there."
    )


def _check_is_whole(file: sf.SoundFile, name: str) -> None:
    """Compare the size in a WAV or AIFF header with what is there; libsndfile only logs it."""
    if file.format not in ("WAV", "WAVEX", "AIFF"):
        return
    size = re.search(r"^ ?(?:data|SSND) : (\d+) \(should be (\d+)\)", file.extra_info, re.MULTILINE)
    if size is None:
        return
    announced, present = int(size[1]), int(size[2])
    # Programs that write into a pipe cannot know the size and announce (nearly) the largest one.
    streamed = announced == 0 or announced >= 0x7FFF0000
    if present < announced and not streamed:
        raise _truncated(
            name, file.format, f"{announced} bytes of samples announced, {present} present"
        )


def _last_ogg_page(source: str | bytes) -> tuple[bool, int]:
    """Look at the last page of an Ogg file (RFC 3533).

    Returns
    -------
    is_whole : bool
        The page is whole and marked as the last of its stream.
    n_samples : int
        Samples that end in it.
    """
    if isinstance(source, bytes):
        tail = source[-OGG_TAIL:]
    else:
        with Path(source).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - OGG_TAIL))
            tail = file.read()
    at = tail.rfind(b"OggS")
    if at < 0 or len(tail) < at + 27:
        return False, 0
    n_segments = tail[at + 26]
    lacing = tail[at + 27 : at + 27 + n_segments]
    is_whole = len(lacing) == n_segments and len(tail) >= at + 27 + n_segments + sum(lacing)
    before = tail.rfind(b"OggS", 0, at)
    while before >= 0 and _granule(tail, before) < 0:  # a page in which no packet ends
        before = tail.rfind(b"OggS", 0, before)
    n_samples = _granule(tail, at) - (_granule(tail, before) if before >= 0 else 0)
    return is_whole and bool(tail[at + 5] & 4), n_samples


def _granule(tail: bytes, at: int) -> int:
    """Count the samples up to the end of the page, for Opus at 48 kHz; -1 if no packet ends."""
    return int.from_bytes(tail[at + 6 : at + 14], "little", signed=True)


def _decode_otherwise(
    source: str | bytes,
    name: str,
    head: bytes,
    offset: float,
    duration: float | None,
    error: sf.LibsndfileError,
) -> tuple[np.ndarray, int]:
    """Try PyAV on what libsndfile does not open; explain what remains."""
    from skaudio.audio import _ffmpeg

    if error.code != 1:  # recognised; what libsndfile says of a stub is no help
        found = "it begins like an audio file, but does not go on like one"
        raise _truncated(name, "header", found) from error
    container = _ffmpeg.container_of(head)
    if container is not None:
        return _ffmpeg.decode(source, name, container, offset, duration)
    looks_like_text = all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in head)
    cause = "it looks like text" if looks_like_text else f"it begins with {head[:8]!r}"
    raise ValueError(
        f"{name} is no audio that can be decoded: {cause}. Expected WAV, FLAC, Ogg, Opus, MP3 or "
        "another format of libsndfile, or MP4/M4A, 3GP, WebM and the like."
    ) from error
