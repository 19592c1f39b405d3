"""Gathering the frames of many recordings in one array."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from threading import Lock
from typing import Any

import numpy as np


class FrameStack:
    """n arrays ``(n_features, n_frames)`` becoming one: 3-D if all shapes agree, else of objects.

    The first shape that comes is taken as everyone's, so that nothing is held twice: memory that
    turns out not to be needed is never touched, and costs nothing.
    """

    def __init__(self, n: int, dtype: Any = np.float32):
        self._n = n
        self._dtype = dtype
        self._same: np.ndarray | None = None
        self._lock = Lock()

    def place(self, i: int, shape: tuple[int, ...]) -> np.ndarray | None:
        """Return where to write array i, or None if its shape is not everyone's. Thread-safe."""
        with self._lock:
            if self._same is None:
                try:
                    self._same = np.empty((self._n, *shape), self._dtype)
                except MemoryError:  # one long recording among many: no shape is everyone's
                    self._same = np.empty((self._n, 0, 0), self._dtype)
        return self._same[i] if shape == self._same.shape[1:] else None

    def fill(self, frames: Iterable[np.ndarray]) -> np.ndarray:
        """Gather the n arrays in order; those that are in their places already stay there."""
        ragged: list[np.ndarray] | None = None
        for i, item in enumerate(frames):
            place = self.place(i, item.shape)
            if place is None and ragged is None:
                assert self._same is not None
                ragged = list(self._same[:i])
            if place is not None and item.base is not self._same:
                place[...] = item
            if ragged is not None:
                ragged.append(item if place is None else place)
        if ragged is not None:
            return as_object_array(ragged)
        return np.empty((0, 0, 0), self._dtype) if self._same is None else self._same


def pack(frames: Iterable[np.ndarray], n: int, dtype: Any = np.float32) -> np.ndarray:
    """Gather n arrays ``(n_features, n_frames)`` as they come: 3-D if all shapes agree."""
    return FrameStack(n, dtype).fill(frames)


def as_object_array(items: Sequence[Any]) -> np.ndarray:
    """Return a 1-D object array, whatever shapes the items have."""
    out = np.empty(len(items), dtype=object)
    for i, item in enumerate(items):
        out[i] = item
    return out
