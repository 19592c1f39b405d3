"""Chunks of recordings that are too long to be decoded at once."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np

from skaudio.audio import Recording, seconds_of, stream
from skaudio.pretrained._chunking import Chunking
from skaudio.pretrained._level import gain_to

# Recordings longer than this, in seconds, are decoded in pieces.
LONG = 600.0
# Files smaller than this, in bytes, are not opened to read their duration. At 8 kbit/s, they last
# LONG.
SMALL = 600_000
# Number of samples decoded at once, at the sample rate of the recording.
PIECE = 1 << 20


def is_long(recording: Recording, sample_rate: float) -> bool:
    """Return whether a recording is long, and can be decoded in pieces."""
    source = recording.source
    if isinstance(source, str):
        try:
            if os.path.getsize(source) < SMALL:
                return False
        except OSError:
            return False  # reading it raises the error
    elif isinstance(source, bytes) and len(source) < SMALL:
        return False
    seconds = seconds_of(recording, sample_rate)
    return seconds is not None and seconds > LONG


def chunks_of_long(
    recording: Recording, chunking: Chunking, sample_rate: float, level: float | None = None
) -> Iterator[tuple[list[np.ndarray], int | None]]:
    """Yield the chunks of a long recording, as ``chunking.cut`` returns them for the whole.

    Parameters
    ----------
    recording : Recording
    chunking : Chunking
        Chunking of fixed length.
    sample_rate : float
        Sample rate in Hz to which the recording is resampled.
    level : float or None
        Level in dB to which quieter recordings are amplified, see `gain_to`. The recording is then
        decoded twice.

    Yields
    ------
    chunks : list of ndarray
        The next chunks.
    n_samples : int or None
        Number of samples of the recording, with the last chunks; else None.
    """
    cutter = ChunkCutter(chunking)
    gain = np.float32(1.0)
    if level is not None:
        gain = gain_to(level, stream(recording, sample_rate, block=PIECE))
    for piece in stream(recording, sample_rate, block=PIECE):
        yield cutter.push(piece if gain == 1.0 else piece * gain), None
    yield cutter.finish(), cutter.n_samples


class ChunkCutter:
    """Cut a signal that arrives in pieces into chunks.

    Parameters
    ----------
    chunking : Chunking
        Chunking of fixed length.

    Attributes
    ----------
    n_samples, n_chunks : int
        Number of samples received and of chunks returned so far.
    """

    def __init__(self, chunking: Chunking) -> None:
        self._chunking = chunking
        # The last samples, from the start of the next chunk, its margin included.
        self._held = np.empty(0, np.float32)
        self.n_chunks = 0
        self.n_samples = 0

    def push(self, piece: np.ndarray) -> list[np.ndarray]:
        """Return the chunks that are complete with the next samples."""
        begin = max(self.n_chunks * self._chunking.hop - self._chunking.margin, 0)
        done = max(begin - self.n_samples + len(self._held), 0)
        self._held = np.concatenate([self._held[done:], piece])
        self.n_samples += len(piece)
        certain = self._chunking.n_certain(self.n_samples)
        return self._cut(self._chunking.bounds_of(self.n_chunks, certain))

    def finish(self) -> list[np.ndarray]:
        """Return the remaining chunks."""
        if not self.n_samples:
            return []
        return self._cut(self._chunking.bounds(self.n_samples)[self.n_chunks :])

    def _cut(self, bounds: list[tuple[int, int]]) -> list[np.ndarray]:
        self.n_chunks += len(bounds)
        return self._chunking.take(self._held, self.n_samples - len(self._held), bounds)
