"""Where training finds the frames of recordings: computed once, or anew in every epoch."""

from __future__ import annotations

import tempfile
from typing import Any, Protocol

import numpy as np
from sklearn.utils import gen_batches

from skaudio.audio import AudioBatch, Recordings, read_batch
from skaudio.augmentation import TrainingPath, epoch_seeds
from skaudio.frames import check_frames

# Decoded recordings beyond this many bytes are kept in a file that is mapped into memory.
MEMORY_LIMIT = 2 << 30
DECODE_BLOCK = 256


class Source(Protocol):
    """Where the frames of training recordings come from."""

    lengths: np.ndarray

    def frames(self, index: np.ndarray, epoch: int) -> list[np.ndarray]:
        """Frames of some recordings as this epoch sees them."""

    def clean_frames(self, index: np.ndarray) -> list[np.ndarray]:
        """Frames of some recordings without augmentation."""


class FrameSource:
    """Frames computed once, the same in every epoch."""

    def __init__(self, frames: list[np.ndarray]):
        self._frames = frames
        self.lengths = np.array([f.shape[1] for f in frames])

    def frames(self, index: np.ndarray, epoch: int) -> list[np.ndarray]:
        return [self._frames[i] for i in index]

    def clean_frames(self, index: np.ndarray) -> list[np.ndarray]:
        return self.frames(index, 0)


class AudioSource:
    """Decoded recordings that are augmented and encoded anew in every epoch."""

    def __init__(self, audio: AudioBatch, path: TrainingPath, encoder: Any, seed: int):
        self._audio = audio
        self._path = path
        self._encoder = encoder
        self._seed = seed
        self.lengths = np.array([len(w) for w in audio])

    def frames(self, index: np.ndarray, epoch: int) -> list[np.ndarray]:
        seeds = epoch_seeds(self._seed, epoch, index)
        return as_frames(self._path(self._audio[index], seeds))

    def clean_frames(self, index: np.ndarray) -> list[np.ndarray]:
        return as_frames(self._encoder.transform(self._audio[index]))


def as_frames(encoded: Any) -> list[np.ndarray]:
    """Return what an encoder put out as a list of (n_features, n_frames) arrays."""
    return check_frames(None, encoded, reset=False)[0]


def decode_all(recordings: Recordings, sample_rate: float) -> AudioBatch:
    """Decode all recordings to mono at one rate; what exceeds `MEMORY_LIMIT` goes to a file."""
    waveforms: list[np.ndarray] = []
    held = 0
    for block in gen_batches(len(recordings), DECODE_BLOCK):
        decoded = list(read_batch(recordings[block], sample_rate))
        held += sum(w.nbytes for w in decoded)
        waveforms.extend(decoded if held <= MEMORY_LIMIT else _spill(decoded))
    return AudioBatch(
        waveforms,
        sample_rate,
        names=[r.path for r in recordings],
        warp_factors=[r.warp_factor for r in recordings],
    )


def _spill(waveforms: list[np.ndarray]) -> list[np.ndarray]:
    """Move waveforms to a temporary file that vanishes with its last view."""
    with tempfile.TemporaryFile() as file:
        mapped = np.memmap(file, np.float32, "w+", shape=(sum(map(len, waveforms)),))
    np.concatenate(waveforms, out=mapped)
    ends = np.cumsum([len(w) for w in waveforms])
    return np.split(mapped, ends[:-1])
