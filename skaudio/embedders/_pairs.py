"""Pairs of recordings, drawn from class labels or given. Both halves are in one batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from skaudio._neural import Source, TrainingBatches, TrainingSet, ValidationBatches


def check_drawable(codes: np.ndarray, what: str) -> None:
    """Raise an error unless there are pairs of one class and pairs of two."""
    counts = np.unique(codes, return_counts=True)[1]
    if len(counts) < 2:
        raise ValueError(
            f"{what} holds one class alone: pairs of two classes cannot be drawn. Expected two "
            "classes or more."
        )
    if counts.max() < 2:
        raise ValueError(
            f"{what} holds {len(counts)} classes of one recording each: pairs of one class "
            "cannot be drawn. Expected two recordings of one class at least."
        )


def draw_pairs(
    codes: np.ndarray, n_pairs: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw random pairs: half of them of one class, half of two classes.

    Parameters
    ----------
    codes : ndarray of int, shape (n_recordings,)
        Class of each recording. There must be at least two classes, and a class with two
        recordings.
    n_pairs : int
        Number of pairs, an even number. All classes occur if it is at least twice the number of
        classes.
    rng : Generator

    Returns
    -------
    left, right : ndarray of int, shape (n_pairs,)
        Positions of the recordings. No recording is paired with itself. The pairs of one class are
        distributed equally over the classes with two or more recordings. The pairs of two classes
        are distributed equally over the class of the left recording. The left recordings of a class
        are taken in turn.
    """
    half = n_pairs // 2
    classes = [np.flatnonzero(codes == c) for c in np.unique(codes)]
    several = [members for members in classes if len(members) > 1]
    left = np.empty(2 * half, np.int64)
    right = np.empty(2 * half, np.int64)
    for members, slots in zip(several, _shares(len(several), half, rng), strict=True):
        turn = np.resize(rng.permutation(len(members)), len(slots))
        step = rng.integers(1, len(members), len(slots))
        left[slots], right[slots] = members[turn], members[(turn + step) % len(members)]
    for i, slots in enumerate(_shares(len(classes), half, rng)):
        left[half + slots] = np.resize(rng.permutation(classes[i]), len(slots))
        other = (i + rng.integers(1, len(classes), len(slots))) % len(classes)
        right[half + slots] = [rng.choice(classes[j]) for j in other]
    return left, right


def _shares(n: int, n_slots: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Split slots at random into n parts, whose sizes differ by at most one."""
    owners = np.resize(rng.permutation(n), n_slots)
    return [np.flatnonzero(owners == i) for i in range(n)]


class PairSource:
    """A source of pairs: frames of the left recordings, followed by those of the right ones."""

    def __init__(self, source: Source, left: np.ndarray, right: np.ndarray) -> None:
        self._source = source
        self._left = left
        self._right = right
        self.lengths = np.maximum(source.lengths[left], source.lengths[right])

    def frames(self, index: np.ndarray, epoch: int) -> list[np.ndarray]:
        return self._source.frames(self._both(index), epoch)

    def clean_frames(self, index: np.ndarray) -> list[np.ndarray]:
        return self._source.clean_frames(self._both(index))

    def names(self, index: np.ndarray) -> list[str]:
        return self._source.names(self._both(index))

    def _both(self, index: np.ndarray) -> np.ndarray:
        return np.concatenate([self._left[index], self._right[index]])


def with_copied_classes(dataset: TrainingSet, n_copies: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of the training recordings and of their copies, and their classes.

    Parameters
    ----------
    dataset : TrainingSet
        Training set, whose targets are the classes of the recordings. In its source, the recordings
        may be followed by copies, sorted by kind of copy, and then in the order of the recordings.
    n_copies : int
        Number of copies of each recording. The copies of a class form a new class for each kind of
        copy.
    """
    n, n_classes = len(dataset.targets), int(dataset.targets.max()) + 1
    kinds = np.arange(1 + n_copies)[:, None]
    index = (dataset.index + kinds * n).ravel()
    codes = (dataset.targets[dataset.index] + kinds * n_classes).ravel()
    return index, codes


class GivenPairBatches(TrainingBatches):
    """Iterate over bucketed, augmented batches of pairs; ``batch_size`` counts recordings."""

    def __init__(self, dataset: TrainingSet, batch_size: int) -> None:
        super().__init__(dataset, max(batch_size // 2, 1))


class GivenPairValidation(ValidationBatches):
    """Iterate over batches of pairs without augmentation; ``batch_size`` counts recordings."""

    def __init__(self, dataset: TrainingSet, batch_size: int) -> None:
        super().__init__(dataset, max(batch_size // 2, 1))


class DrawnPairBatches:
    """Iterate over bucketed, augmented batches of pairs, drawn in each epoch.

    Parameters
    ----------
    dataset : TrainingSet
        Training set, whose targets are the classes of the recordings.
    batch_size : int
        Number of recordings per batch, two for each pair.
    n_pairs : int or None
        Number of pairs per epoch, rounded up to an even number. None: one pair per recording, or
        two per class if that is more.
    n_copies : int, default=0
        Number of copies of each recording, see `with_copied_classes`.
    """

    part = "y, without the part that early_stopping holds out,"

    def __init__(
        self,
        dataset: TrainingSet,
        batch_size: int,
        n_pairs: int | None = None,
        *,
        n_copies: int = 0,
    ) -> None:
        self.dataset = dataset
        self.batch_size = batch_size
        check_drawable(dataset.targets[dataset.index], self.part)
        self._index, self._codes = with_copied_classes(dataset, n_copies)
        if n_pairs is None:
            n_pairs = max(len(self._index), 2 * len(np.unique(self._codes)))
        self.n_pairs = n_pairs + n_pairs % 2
        self.epoch = dataset.first_epoch

    def __len__(self) -> int:
        return -(-self.n_pairs // max(self.batch_size // 2, 1))

    def __iter__(self) -> Iterator[Any]:
        pairs = self._drawn(self.epoch)
        self.epoch += 1
        yield from GivenPairBatches(pairs, self.batch_size)

    def _drawn(self, epoch: int) -> TrainingSet:
        data, index, codes = self.dataset, self._index, self._codes
        left, right = draw_pairs(codes, self.n_pairs, np.random.default_rng([data.seed, epoch, 1]))
        pairs = PairSource(data.source, index[left], index[right])
        targets = np.column_stack([codes[left], codes[right]])
        return TrainingSet(pairs, targets, np.arange(len(targets)), data.seed, epoch)


class DrawnPairValidation(DrawnPairBatches):
    """Iterate over batches of pairs without augmentation, the same in every epoch."""

    part = "the part of y that early_stopping holds out"

    def __iter__(self) -> Iterator[Any]:
        yield from GivenPairValidation(self._drawn(0), self.batch_size)
