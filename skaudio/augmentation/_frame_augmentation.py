"""The base class of augmentations that alter frames, after the encoder."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.utils.validation import _check_feature_names_in

from skaudio.augmentation._augmentation import Augmentation
from skaudio.augmentation._seeds import happens
from skaudio.frames import as_object_array, is_missing, pack, validate_frames

# What `FrameAugmentation._make_operation` returns: a function of frames and a generator.
FrameOperation = Callable[[np.ndarray, np.random.Generator], np.ndarray]


class FrameAugmentation(Augmentation):
    """Base class of augmentations of frames, which keep the shape of the frames.

    A subclass returns from ``_make_operation()`` a function that alters the frames of a recording.
    """

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the features of a frame, which are those of X.

        Parameters
        ----------
        input_features : array-like of str, default=None

        Returns
        -------
        names : ndarray of str
        """
        names: np.ndarray = _check_feature_names_in(self, input_features)
        return names

    def _check_input(self, X: Any, reset: bool) -> list[np.ndarray]:
        return validate_frames(self, X, reset=reset)

    def _return_input(self, X: Any, frames: list[np.ndarray]) -> Any:
        if not _is_table(X):
            return self._in_container(X, X, frames)
        is_plain = isinstance(X, np.ndarray) and X.dtype.kind == "f"
        return self._in_container(X if is_plain else pack(frames, len(frames))[:, :, 0], X, frames)

    def _augment_recordings(
        self, X: Any, frames: list[np.ndarray], seeds: np.ndarray, operation: FrameOperation
    ) -> Any:
        def one(item: np.ndarray, seed: int, acts: bool) -> np.ndarray:
            if not acts or is_missing(item):
                return item
            return operation(item, np.random.default_rng(seed))

        done = map(one, frames, seeds.tolist(), happens(self.p, seeds))
        if isinstance(X, np.ndarray) and X.dtype.kind == "O":
            return self._in_container(as_object_array(list(done)), X, frames)
        packed = pack(done, len(frames))
        return self._in_container(packed[:, :, 0] if _is_table(X) else packed, X, frames)

    def _in_container(self, output: Any, X: Any, frames: list[np.ndarray]) -> Any:
        def names() -> Any:
            if hasattr(self, "n_features_in_"):
                return self.get_feature_names_out()
            return [f"x{i}" for i in range(len(frames[0]))]

        table = _is_table(X)
        cells = frames if output is X and not table else None
        index = X.index if hasattr(X, "iloc") else None
        return self._wrap(output, index, names, cells=cells, table=table)

    @abstractmethod
    def _make_operation(self) -> FrameOperation:
        """Check the parameters; return what is done to the frames of a recording.

        ``alter(frames, rng)`` takes float32 frames (n_features, n_frames) and returns new frames of
        the same shape. It must not write to its input.
        """

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


def _is_table(X: Any) -> bool:
    """Whether X is a 2-D table of numbers: recordings of one frame."""
    if hasattr(X, "iloc"):
        return X.ndim == 2 and all(dtype.kind != "O" for dtype in X.dtypes)
    if hasattr(X, "__array__"):
        return np.asarray(X).ndim == 2
    return not hasattr(X[0], "__array__")
