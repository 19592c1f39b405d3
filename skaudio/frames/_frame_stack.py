"""FrameStack: collect the frames of many recordings from several threads."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Any

import numpy as np


class FrameStack:
    """Collect n arrays ``(n_features, n_frames)`` in a 3-D array, or in an object array.

    The result is 3-D if all shapes agree. Memory for n arrays of the first shape is allocated at
    once, and arrays of that shape are written into it without a copy. Allocated memory that is
    never written takes no physical memory.

    Parameters
    ----------
    n : int
        Number of arrays.
    dtype : dtype, default=float32
        Type of the result.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio.frames import FrameStack
    >>> stack = FrameStack(2)
    >>> stack.put(1, np.ones((2, 3), np.float32))
    >>> stack.place(0, (2, 3))[...] = 0
    >>> stack.gathered().sum(axis=(1, 2)).tolist()
    [0.0, 6.0]
    """

    def __init__(self, n: int, dtype: Any = np.float32):
        self._n = n
        self._dtype = dtype
        self._same: np.ndarray | None = None
        self._others: dict[int, np.ndarray] = {}
        self._lock = Lock()

    def place(self, i: int, shape: tuple[int, ...]) -> np.ndarray:
        """Return an empty array of this shape, which becomes array i. Thread-safe."""
        place = self._reserved(i, shape)
        if place is None:
            place = self._others[i] = np.empty(shape, self._dtype)
        return place

    def put(self, i: int, array: np.ndarray) -> None:
        """Store array i: a copy, or the array itself if its shape is not that of the first."""
        if self._same is not None and array.base is self._same:
            return  # already written by the caller of `place`
        place = self._reserved(i, array.shape)
        if place is None:
            self._others[i] = array
        else:
            place[...] = array
            self._others.pop(i, None)

    def gathered(self) -> np.ndarray:
        """Return all n arrays."""
        if self._same is None:
            return np.empty((0, 0, 0), self._dtype)
        if not self._others:
            return self._same
        return as_object_array([self._others.get(i, same) for i, same in enumerate(self._same)])

    def _reserved(self, i: int, shape: tuple[int, ...]) -> np.ndarray | None:
        with self._lock:
            if self._same is None:
                try:
                    self._same = np.empty((self._n, *shape), self._dtype)
                except MemoryError:  # one long recording among many short ones
                    self._same = np.empty((self._n, 0, 0), self._dtype)
        return self._same[i] if shape == self._same.shape[1:] else None


def as_object_array(items: Sequence[Any]) -> np.ndarray:
    """Return a 1-D object array of items of any shape.

    ``np.array(items, dtype=object)`` would make an array of more dimensions if shapes agree.

    Parameters
    ----------
    items : sequence
        Any objects, arrays included.

    Returns
    -------
    array : ndarray of shape (len(items),), object

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio.frames import as_object_array
    >>> as_object_array([np.zeros((2, 3)), np.zeros((2, 3))]).shape
    (2,)
    """
    out = np.empty(len(items), dtype=object)
    for i, item in enumerate(items):
        out[i] = item
    return out
