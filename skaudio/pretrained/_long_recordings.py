"""The chunks of a recording that is too long to be held whole."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np

from skaudio.audio import Recording, seconds_of, stream
from skaudio.pretrained._chunking import Chunking

# Recordings that are longer, in seconds, are decoded piece by piece.
LONG = 600.0
# Files of fewer bytes are not opened to ask for their duration: at 8 kbit/s they last LONG.
SMALL = 600_000
# Samples decoded at once, at the recording's own rate.
PIECE = 1 << 20


def is_long(recording: Recording, sample_rate: float) -> bool:
    """Return whether a recording is long, and can be decoded piece by piece."""
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
    recording: Recording, chunking: Chunking, sample_rate: float
) -> Iterator[tuple[list[np.ndarray], int | None]]:
    """Yield the chunks of a long recording, as ``chunking.cut`` returns them for the whole.

    Parameters
    ----------
    recording : Recording
    chunking : Chunking
        Of a fixed length.
    sample_rate : float
        Rate to resample to, in Hz.

    Yields
    ------
    chunks : list of ndarray
        The next ones.
    n_samples : int or None
        With the last ones: the samples of the recording.
    """
    held = np.empty(0, np.float32)  # from the first sample of the next chunk on
    begin = n_samples = n_done = 0
    for piece in stream(recording, sample_rate, block=PIECE):
        held = np.concatenate([held[max(begin - n_samples + len(held), 0) :], piece])
        n_samples += len(piece)
        # Of what is known now only the last chunk can change: it may be followed by others.
        certain = chunking.bounds(n_samples)[n_done:-1]
        first = n_samples - len(held)
        chunks = [held[a - first : b - first] for a, b in certain]
        n_done += len(chunks)
        begin = n_done * chunking.hop
        yield chunks, None
    first = n_samples - len(held)
    rest = [held[a - first : b - first] for a, b in chunking.bounds(n_samples)[n_done:]]
    yield chunking.padded(rest), n_samples
