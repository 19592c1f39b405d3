"""Recordings block by block, all channels, with what their headers say."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import soundfile as sf

from skaudio.audio import Recording, to_float

# Samples per channel that are in memory at a time.
BLOCK = 1 << 17
# Containers whose header or last page tells whether the file is whole.
CHECKED_AT_THE_END = ("WAV", "WAVEX", "AIFF", "OGG")

# Columns of the table, sample rate in Hz, blocks of shape (n_channels, n_times).
Opened = tuple[dict[str, Any], float, Iterator[np.ndarray]]


def open_recording(recording: Recording) -> Opened:
    """Return what the header of a recording says, its sample rate, and its samples in blocks.

    The errors of a recording that is damaged or no audio are those of `Recording.read`.
    """
    if isinstance(recording.source, np.ndarray) and not recording.is_clip:
        return _open_array(recording)
    if recording.is_clip:
        return _open_otherwise(recording)
    return _open_file(recording)


def _open_array(recording: Recording) -> Opened:
    rate = recording.sample_rate
    assert rate is not None
    channels = np.atleast_2d(recording.source)
    header = {"codec": str(channels.dtype), "sample_rate": rate, "channels": len(channels)}
    n_times = channels.shape[1]
    blocks = (
        to_float(channels[:, start : start + BLOCK], recording.name)
        for start in range(0, n_times, BLOCK)
    )
    return header, rate, blocks


def _open_file(recording: Recording) -> Opened:
    source = recording.source
    try:
        # Through a descriptor, so that the content decides and not the ending of the name.
        handle: Any = (
            io.BytesIO(source) if isinstance(source, bytes) else os.open(source, os.O_RDONLY)
        )
        file = sf.SoundFile(handle, closefd=True)
    except (sf.LibsndfileError, OSError, TypeError):
        return _open_otherwise(recording)
    bits = re.search(r"_[SU]?(\d+)$", file.subtype)
    words = {"FLOAT": 32, "DOUBLE": 64, "ULAW": 8, "ALAW": 8}
    header = {
        "container": file.format,
        "codec": file.subtype,
        "sample_rate": file.samplerate,
        "channels": file.channels,
        "bits": int(bits[1]) if bits else words.get(file.subtype),
    }

    def blocks() -> Iterator[np.ndarray]:
        with file:
            dtype = "int16" if file.subtype == "PCM_16" else "float32"
            for start in range(0, file.frames, BLOCK):
                try:
                    samples = file.read(BLOCK, dtype=dtype, always_2d=True)
                except sf.LibsndfileError:
                    samples = np.empty((0, file.channels), np.float32)
                if len(samples) < min(BLOCK, file.frames - start):
                    recording.read()  # explains what is missing
                    raise ValueError("fewer samples can be decoded than the header announces")
                yield to_float(samples.T, recording.name)
        if file.frames and file.format in CHECKED_AT_THE_END:
            recording.read(offset=(file.frames - 1) / file.samplerate)

    return header, file.samplerate, blocks()


def _open_otherwise(recording: Recording) -> Opened:
    """Decode all of what libsndfile does not know: files for PyAV, decoders of other libraries."""
    waveform, rate = recording.read()
    assert rate is not None  # whatever is decoded states its rate
    header = {"sample_rate": rate, **({} if recording.is_clip else _container(recording.source))}
    starts = range(0, len(waveform), BLOCK)
    return header, rate, (waveform[np.newaxis, start : start + BLOCK] for start in starts)


def _container(source: Any) -> dict[str, Any]:
    if not isinstance(source, (str, bytes)):
        return {}
    import av

    with av.open(io.BytesIO(source) if isinstance(source, bytes) else source) as file:
        context = file.streams.audio[0].codec_context
        container = file.format.name.partition(",")[0].upper()
        return {
            "container": container,
            "codec": context.name.upper(),
            "channels": context.layout.nb_channels,
        }
