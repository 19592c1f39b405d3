"""Batches of sequences: bucketed by length, padded, augmented afresh. No skorch here.

A training set yields batches of similar lengths in random order; which ones, and every draw of
an augmentation, depend on (seed, epoch, recording) alone. For prediction each sequence is padded
to a length that depends on nothing but its own, in batches of one size, so that its result is
bit-equal whatever else is predicted with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from sklearn.utils import gen_batches
from torch.utils.data import Dataset

from skaudio._neural.sources import Source

# Rows of a batch in prediction, as many for all sequences of one length: a matrix product may
# round by its shape. Padding makes up for missing rows; longer sequences, of which there are fewer
# of one length, come in fewer rows: some 2048 frames, 8 rows if that is more, memory permitting.
PREDICT_ROWS = 32
PREDICT_FRAMES = 1 << 11
LONG_ROWS = 8
LONG_FRAMES = 1 << 15

# Training batches are padded to a multiple of this many frames: libraries prepare themselves for
# each shape anew.
FRAME_STEP = 8

# Lengths of sequences in one batch differ by about this fraction, at random: the same neighbours
# do not meet in every epoch.
LENGTH_JITTER = 0.1


class TrainingSet(Dataset):
    """Some recordings of a source, with their targets: what skorch is handed.

    Parameters
    ----------
    source : Source
    targets : ndarray of shape (n_recordings, ...)
        Of all recordings of the source.
    index : ndarray of int
        Which recordings belong to this set.
    seed : int
    first_epoch : int
        Number of epochs trained before.
    """

    def __init__(
        self,
        source: Source,
        targets: np.ndarray,
        index: np.ndarray,
        seed: int,
        first_epoch: int = 0,
    ):
        self.source = source
        self.targets = targets
        self.index = index
        self.seed = seed
        self.first_epoch = first_epoch

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, i: int) -> Any:
        position = self.index[[i]]
        return self.source.clean_frames(position)[0], self.targets[position[0]]


class TrainingBatches:
    """Iterate over shuffled, bucketed, augmented batches; each pass is one epoch."""

    def __init__(self, dataset: TrainingSet, batch_size: int):
        self.dataset = dataset
        self.batch_size = batch_size
        self.epoch = dataset.first_epoch

    def __len__(self) -> int:
        return -(-len(self.dataset) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[dict[str, torch.Tensor], torch.Tensor]]:
        data, epoch = self.dataset, self.epoch
        self.epoch += 1
        rng = np.random.default_rng([data.seed, epoch])
        jitter = rng.uniform(1 - LENGTH_JITTER, 1 + LENGTH_JITTER, len(data))
        order = np.lexsort((rng.random(len(data)), data.source.lengths[data.index] * jitter))
        parts = np.array_split(order, len(self))
        for part in rng.permutation(len(parts)):
            index = data.index[parts[part]]
            frames = data.source.frames(index, epoch)
            longest = max(f.shape[1] for f in frames)
            x, lengths = pad(frames, -(-longest // FRAME_STEP) * FRAME_STEP)
            yield {"x": x, "lengths": lengths}, torch.from_numpy(data.targets[index])


class ValidationBatches:
    """Iterate over clean batches, the same in every pass."""

    def __init__(self, dataset: TrainingSet, batch_size: int):
        self.dataset = dataset
        self.batch_size = batch_size

    def __len__(self) -> int:
        return -(-len(self.dataset) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[dict[str, torch.Tensor], torch.Tensor]]:
        data = self.dataset
        order = data.index[np.argsort(data.source.lengths[data.index], kind="stable")]
        for index in np.array_split(order, len(self)):
            x, lengths = pad(data.source.clean_frames(index))
            yield {"x": x, "lengths": lengths}, torch.from_numpy(data.targets[index])


def pad(
    frames: Sequence[np.ndarray], n_frames: int | None = None, n_rows: int | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return frames in one zero-filled tensor (n_rows, n_features, n_frames), and their lengths.

    Rows beyond the last sequence are empty sequences of length 1.
    """
    counts = [f.shape[1] for f in frames]
    n_frames = max(counts) if n_frames is None else n_frames
    n_rows = len(frames) if n_rows is None else n_rows
    x = np.zeros((n_rows, len(frames[0]), n_frames), np.float32)
    for row, item in zip(x, frames, strict=False):
        row[:, : item.shape[1]] = item
    lengths = torch.ones(n_rows, dtype=torch.int64)
    lengths[: len(counts)] = torch.tensor(counts)
    return torch.from_numpy(x), lengths


def padded_length(n_frames: int) -> int:
    """Return the length a sequence is padded to for prediction: at most an eighth more, or 8."""
    step = max(8, 1 << max(n_frames.bit_length() - 4, 0))
    return -(-n_frames // step) * step


def prediction_rows(n_frames: int) -> int:
    """Return how many sequences padded to this length go into one batch."""
    at_least = max(min(LONG_FRAMES // n_frames, LONG_ROWS), 1)
    return min(max(PREDICT_FRAMES // n_frames, at_least), PREDICT_ROWS)


def prediction_batches(
    frames: Sequence[np.ndarray],
) -> Iterator[tuple[np.ndarray, torch.Tensor, torch.Tensor]]:
    """Yield (positions, x, lengths) of batches whose shapes depend on each sequence alone."""
    lengths = np.array([padded_length(f.shape[1]) for f in frames])
    for n_frames in np.unique(lengths):
        bucket = np.flatnonzero(lengths == n_frames)
        n_rows = prediction_rows(int(n_frames))
        for part in gen_batches(len(bucket), n_rows):
            positions = bucket[part]
            x, counts = pad([frames[i] for i in positions], int(n_frames), n_rows)
            yield positions, x, counts
