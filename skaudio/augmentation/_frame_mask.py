"""What TimeMask and FrequencyMask share: frames in, frames out."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import _check_feature_names_in

from skaudio._validation import check_choice, check_counts, check_range, is_number
from skaudio.augmentation._augmentation import Augmentation
from skaudio.augmentation._random import draw_count, happens
from skaudio.frames import as_object_array, check_frames, pack


class Mask(Augmentation):
    """Overwrites stripes of frames; a subclass says along which axis.

    Attributes
    ----------
    axis : int
        0 for features, 1 for time.
    counted_in : str
        The unit of a width that is no fraction.
    """

    axis = 0
    counted_in = ""

    def get_feature_names_out(self, input_features=None):
        """Return the names of the features of a frame, which are those of X.

        Parameters
        ----------
        input_features : array-like of str, default=None

        Returns
        -------
        names : ndarray of str
        """
        return _check_feature_names_in(self, input_features)

    def _check(self, X: Any, reset: bool) -> list[np.ndarray]:
        frames, names = check_frames(self, X, reset=reset)
        n_features = len(frames[0])
        if reset:
            self.n_features_in_ = n_features
            if names is not None:
                self.feature_names_in_ = np.array(names, dtype=object)
        elif n_features != getattr(self, "n_features_in_", n_features):
            raise ValueError(
                f"X has {n_features} features, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} features as input. Were the frames encoded differently?"
            )
        return frames

    def _unchanged(self, X: Any, frames: list[np.ndarray]) -> Any:
        if not _is_table(X):
            return self._in_container(X, X, frames)
        is_plain = isinstance(X, np.ndarray) and X.dtype.kind == "f"
        return self._in_container(X if is_plain else pack(frames, len(frames))[:, :, 0], X, frames)

    def _augmented(self, X: Any, frames: list[np.ndarray], seeds: np.ndarray) -> Any:
        mask = self._effect()

        def one(item: np.ndarray, seed: int, acts: bool) -> np.ndarray:
            return mask(item, np.random.default_rng(seed)) if acts else item

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

    def _effect(self) -> Any:
        if check_choice("unit", self.unit, ("fraction", self.counted_in)) == "fraction":
            hint = f" Did you mean unit={self.counted_in!r}?"
            widths = check_range("width", self.width, minimum=0, maximum=1, hint=hint)
        else:
            widths = check_counts("width", self.width)
        counts = check_counts("n_masks", self.n_masks)
        fill = self.fill
        if not is_number(fill) and not (isinstance(fill, str) and fill == "mean"):
            raise ValueError(f"fill={fill!r}: expected 'mean' or a number.")

        def mask(frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
            n = frames.shape[self.axis]
            value = frames.mean(axis=self.axis, keepdims=True) if fill == "mean" else fill
            masked = frames.copy()
            for _ in range(draw_count(counts, rng)):
                if self.unit == "fraction":
                    width = round(rng.uniform(*widths) * n)
                else:
                    width = min(draw_count(widths, rng), n)
                start = int(rng.integers(n - width + 1))
                stripe = slice(start, start + width)
                masked[(slice(None), stripe) if self.axis else stripe] = value
            return masked

        return mask

    def __sklearn_tags__(self):
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
