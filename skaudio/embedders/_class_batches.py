"""Batches with several recordings of each of several classes, drawn in each epoch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from skaudio._neural import FRAME_STEP, TrainingSet, pad
from skaudio.embedders._pairs import check_drawable, with_copied_classes

# Largest number of frames in training: 4 s with a hop of 10 ms. Longer sequences are cut at a
# random position. Batches hold recordings of all lengths, and one long recording would pad all
# others to its length.
LONGEST = 400


class ClassBatches:
    """Iterate over augmented batches with several recordings of each of several classes.

    Each recording occurs once per epoch, on average. Classes, and the recordings of a class, are
    taken in turn, so small classes occur as often as large ones.

    Parameters
    ----------
    dataset : TrainingSet
        Training set, whose targets are the classes of the recordings.
    batch_size : int
        Largest number of recordings per batch.
    n_per_class : int
        Number of recordings per class in a batch. It is increased if there are too few classes to
        reach ``batch_size``.
    n_copies : int, default=0
        Number of copies of each recording, see `with_copied_classes`.
    """

    part = "y, without the part that early_stopping holds out,"

    def __init__(
        self, dataset: TrainingSet, batch_size: int, *, n_per_class: int, n_copies: int = 0
    ) -> None:
        self.dataset = dataset
        self.epoch = dataset.first_epoch
        check_drawable(dataset.targets[dataset.index], self.part)
        self._index, codes = with_copied_classes(dataset, n_copies)
        self._codes = np.unique(codes)
        self._members = [self._index[codes == code] for code in self._codes]
        self._n_classes = min(max(batch_size // n_per_class, 2), len(self._members))
        self._n_each = max(batch_size // self._n_classes, 2)

    def __len__(self) -> int:
        return -(-len(self._index) // (self._n_classes * self._n_each))

    def __iter__(self) -> Iterator[tuple[dict[str, torch.Tensor], torch.Tensor]]:
        epoch = self.epoch
        self.epoch += 1
        rng = np.random.default_rng([self.dataset.seed, epoch, 1])
        for index, codes in self._drawn(rng):
            frames = [_cut(f, rng) for f in self.dataset.source.frames(index, epoch)]
            longest = max(f.shape[1] for f in frames)
            x, lengths = pad(frames, -(-longest // FRAME_STEP) * FRAME_STEP)
            yield {"x": x, "lengths": lengths}, torch.from_numpy(codes)

    def _drawn(self, rng: np.random.Generator) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the positions and the classes of the recordings of each batch."""
        turns = [_Turns(members, rng) for members in self._members]
        classes = _Turns(np.arange(len(turns)), rng)
        for _ in range(len(self)):
            chosen = classes.take(self._n_classes)
            parts = [turns[i].take(self._n_each) for i in chosen]
            yield np.concatenate(parts), np.repeat(self._codes[chosen], list(map(len, parts)))


class ClassValidation(ClassBatches):
    """Iterate over batches without augmentation, the same in every epoch."""

    part = "the part of y that early_stopping holds out"

    def __iter__(self) -> Iterator[tuple[dict[str, torch.Tensor], torch.Tensor]]:
        for index, codes in self._drawn(np.random.default_rng([self.dataset.seed, 0, 1])):
            x, lengths = pad(self.dataset.source.clean_frames(index))
            yield {"x": x, "lengths": lengths}, torch.from_numpy(codes)


class _Turns:
    """Return items in random order; all items occur once before any item occurs again."""

    def __init__(self, items: np.ndarray, rng: np.random.Generator) -> None:
        self._items = items
        self._rng = rng
        self._queue = items[:0]

    def take(self, n: int) -> np.ndarray:
        """Return n different items, or all items if there are fewer."""
        n = min(n, len(self._items))
        first = self._queue[:n]
        self._queue = self._queue[n:]
        if len(first) < n:
            shuffled = self._rng.permutation(self._items)
            fresh = shuffled[~np.isin(shuffled, first)]
            missing = n - len(first)
            self._queue = np.concatenate([fresh[missing:], first])
            first = np.concatenate([first, fresh[:missing]])
        return first


def _cut(frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a random part of `LONGEST` frames of longer frames (n_features, n_frames)."""
    if frames.shape[1] <= LONGEST:
        return frames
    start = rng.integers(frames.shape[1] - LONGEST + 1)
    return frames[:, start : start + LONGEST]
