"""Frames of a long recording, kept on disk and read in pieces."""

from __future__ import annotations

import tempfile
from typing import Protocol

import numpy as np


class Frames(Protocol):
    """Frames that can be read piece by piece."""

    n_frames: int

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return frames (stop - start, n_features), float32."""


class FrameFile:
    """Rows of float32 in a temporary file that vanishes with the object.

    Read and written by calls, not mapped: mapped pages would count as memory of the process.
    """

    def __init__(self, width: int):
        self.n_frames = 0
        self._width = width
        self._file = tempfile.TemporaryFile()  # noqa: SIM115

    def write(self, start: int, rows: np.ndarray) -> None:
        """Put rows (n, width) where row number ``start`` belongs."""
        self._file.seek(4 * self._width * start)
        self._file.write(np.ascontiguousarray(rows, dtype=np.float32).tobytes())
        self.n_frames = max(self.n_frames, start + len(rows))

    def read(self, start: int, stop: int) -> np.ndarray:
        self._file.seek(4 * self._width * start)
        content = self._file.read(4 * self._width * (stop - start))
        return np.frombuffer(content, np.float32).reshape(-1, self._width).copy()

    def __del__(self) -> None:
        self._file.close()


class ArrayFrames:
    """Frames (n_features, n_frames) that are in memory anyway."""

    def __init__(self, frames: np.ndarray):
        self.n_frames = frames.shape[1]
        self._frames = frames

    def read(self, start: int, stop: int) -> np.ndarray:
        return np.ascontiguousarray(self._frames[:, start:stop].T)
