"""Decoded training recordings: in memory, and beyond a limit in a temporary file."""

from __future__ import annotations

import os
import tempfile

import numpy as np
from sklearn.utils import gen_batches

from skaudio.audio import READING_ERRORS, AudioBatch, Recordings, raise_all, read_batch

# If decoded recordings exceed this number of bytes, the rest is stored in a memory-mapped file.
MEMORY_LIMIT = 2 << 30
DECODE_BLOCK = 256
# Number of bytes written at once to reserve space on a disk.
ZEROS = 1 << 20


def decode_all(recordings: Recordings, sample_rate: float) -> AudioBatch:
    """Decode all recordings to mono at one sample rate; use a file beyond `MEMORY_LIMIT`."""
    waveforms: list[np.ndarray] = []
    held = 0
    for block in gen_batches(len(recordings), DECODE_BLOCK):
        try:
            decoded = list(read_batch(recordings[block], sample_rate))
        except READING_ERRORS as error:
            raise_all(recordings, error, lambda r: r.read(sample_rate), first=block.start)
        held += sum(w.nbytes for w in decoded)
        waveforms.extend(decoded if held <= MEMORY_LIMIT else _spill(decoded))
    return AudioBatch(
        waveforms,
        sample_rate,
        names=[r.path for r in recordings],
        warp_factors=[r.warp_factor for r in recordings],
    )


def _spill(waveforms: list[np.ndarray]) -> list[np.ndarray]:
    """Move waveforms to a temporary file, which is deleted with its last view."""
    n_samples = sum(map(len, waveforms))
    with tempfile.TemporaryFile() as file:
        _reserve(file.fileno(), 4 * n_samples)
        mapped = np.memmap(file, np.float32, "r+", shape=(n_samples,))
    np.concatenate(waveforms, out=mapped)
    ends = np.cumsum([len(w) for w in waveforms])
    return np.split(mapped, ends[:-1])


def _reserve(descriptor: int, n_bytes: int) -> None:
    """Reserve space for a mapped file: writing to it on a full disk would end the process."""
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(descriptor, 0, n_bytes)
        else:  # macOS, Windows: writing zeros also reserves space
            for start in range(0, n_bytes, ZEROS):
                os.write(descriptor, bytes(min(ZEROS, n_bytes - start)))
    except OSError as error:
        raise OSError(
            f"{n_bytes} bytes of decoded recordings do not fit into the temporary folder "
            f"{tempfile.gettempdir()} ({error.strerror}). What exceeds "
            f"{MEMORY_LIMIT} bytes of memory is kept there. Free some space, or set TMPDIR to "
            "another folder."
        ) from error
