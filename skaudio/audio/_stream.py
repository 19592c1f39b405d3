"""Read a long recording in pieces, with the samples of reading it at once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import soxr

from skaudio.audio._arrays import check_overflow
from skaudio.audio._reader import seconds_in
from skaudio.audio._recording import (
    Recording,
    blocks,
    check_samples,
    to_mono,
)

# Number of samples that `read_through` decodes at once.
PIECE = 1 << 18


def seconds_of(recording: Recording, sample_rate: float) -> float | None:
    """Return the duration of a recording in seconds, or None if it is unknown before decoding.

    Bare samples are assumed to have the rate ``sample_rate``.
    """
    source = recording.source
    if isinstance(source, np.ndarray):
        seconds = float(source.shape[-1] / (recording.sample_rate or sample_rate))
    elif not isinstance(source, (str, bytes)):
        return None
    else:
        found = seconds_in(source)
        if found is None:
            return None
        seconds = found
    seconds -= recording.start
    return seconds if recording.duration is None else min(seconds, recording.duration)


def stream(
    recording: Recording,
    sample_rate: float,
    *,
    block: int,
    offset: float = 0.0,
    duration: float | None = None,
    resample_quality: str = "HQ",
) -> Iterator[np.ndarray]:
    """Yield the pieces of a recording with a known duration (`seconds_of`).

    All pieces together are equal to ``recording.read(sample_rate, ...)``, up to rounding of the
    resampler. Only one piece is in memory.

    Parameters
    ----------
    recording : Recording
    sample_rate : float
        Sample rate in Hz to which the recording is resampled.
    block : int
        Number of samples per piece, at the sample rate of the recording.
    offset, duration : float
        Part to read, in seconds.
    resample_quality : str
        Quality of soxr: "QQ", "LQ", "MQ", "HQ" or "VHQ".

    Yields
    ------
    waveform : ndarray of shape (n_times,), float32
    """
    rate, pieces = blocks(recording, sample_rate, offset, duration, block)
    resampler = None
    if rate is not None and rate != sample_rate:
        resampler = soxr.ResampleStream(rate, sample_rate, 1, "float32", resample_quality)
    for piece in pieces:
        waveform = np.ascontiguousarray(to_mono(piece))
        check_samples(waveform, recording.name)
        if resampler is not None:
            resampled = resampler.resample_chunk(waveform)
            check_overflow(resampled, waveform, recording.name)
            waveform = resampled
        if len(waveform):
            yield waveform
    if resampler is not None:
        tail = resampler.resample_chunk(np.empty(0, np.float32), last=True)
        if len(tail):
            yield tail


def read_through(recording: Recording) -> None:
    """Decode a recording in pieces to raise its errors; the samples are discarded."""
    _, pieces = blocks(recording, None, 0.0, None, PIECE)
    for piece in pieces:
        check_samples(np.ascontiguousarray(to_mono(piece)), recording.name)
