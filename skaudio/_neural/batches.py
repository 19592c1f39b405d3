"""Padded batches of frames from recordings, without skorch.

A source computes the frames of recordings once, or, with augmentations, in every epoch. Training
batches contain sequences of similar lengths, in random order. The order depends on the seed and the
epoch; the draws of augmentations depend on the seed, the epoch and the recording.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from sklearn.base import clone
from torch.utils.data import Dataset

from skaudio._neural.checks import check_same_frames, is_warm, refuse_rows
from skaudio._neural.decoding import decode_all
from skaudio._steps import pin_output, steps_of
from skaudio._validation import check_same_lengths
from skaudio.audio import AudioBatch, Recording, Recordings, check_recordings
from skaudio.augmentation import TrainingPath, epoch_seeds
from skaudio.frames import check_frames

# Training batches are padded to a multiple of this number of frames. This results in few different
# shapes, for each of which torch prepares its kernels.
FRAME_STEP = 8

# Lengths are changed randomly by up to this fraction before sorting, so that batches contain
# different sequences in each epoch.
LENGTH_JITTER = 0.1


def reads_audio(estimator: Any) -> bool:
    """Whether an estimator takes recordings rather than frames."""
    return estimator.encoder is not None


def checked_frames(estimator: Any, X: Any, *, reset: bool = False) -> list[np.ndarray]:
    """Check X, which contains frames, for an estimator without an encoder; return the frames."""
    cause = f"pass encoder= to {type(estimator).__name__} for recordings (encoder=MFCC())."
    return check_frames(estimator, X, reset=reset, advice=cause)[0]


def as_frames(encoded: Any, recordings: Sequence[Recording] | None = None) -> list[np.ndarray]:
    """Return the output of an encoder as a list of (n_features, n_frames) arrays.

    Error messages contain the names of the recordings, if they are given.
    """
    refuse_rows(encoded)
    names = None if recordings is None else [recording.name for recording in recordings]
    return check_frames(None, encoded, reset=False, called=names)[0]


class Source(Protocol):
    """Source of the frames of training recordings."""

    lengths: np.ndarray

    def frames(self, index: np.ndarray, epoch: int) -> list[np.ndarray]:
        """Return the frames of some recordings, augmented for this epoch."""

    def clean_frames(self, index: np.ndarray) -> list[np.ndarray]:
        """Return the frames of some recordings without augmentation."""

    def names(self, index: np.ndarray) -> list[str]:
        """Return the names of some recordings for error messages."""


class FrameSource:
    """Frames that are computed once and are equal in every epoch."""

    def __init__(self, frames: list[np.ndarray], names: Sequence[str] | None = None):
        self._frames = frames
        self._names = names
        self.lengths = np.array([f.shape[1] for f in frames])

    def frames(self, index: np.ndarray, epoch: int) -> list[np.ndarray]:
        return [self._frames[i] for i in index]

    def clean_frames(self, index: np.ndarray) -> list[np.ndarray]:
        return self.frames(index, 0)

    def names(self, index: np.ndarray) -> list[str]:
        return [f"recording {i}" if self._names is None else self._names[i] for i in index]


class AudioSource:
    """Decoded recordings that are augmented and encoded in every epoch."""

    def __init__(
        self, audio: AudioBatch, names: list[str], path: TrainingPath, encoder: Any, seed: int
    ):
        self._audio = audio
        self._names = names
        self._path = path
        self._encoder = encoder
        self._seed = seed
        self.lengths = np.array([len(w) for w in audio])

    def frames(self, index: np.ndarray, epoch: int) -> list[np.ndarray]:
        seeds = epoch_seeds(self._seed, epoch, index)
        return as_frames(self._path(self._audio[index], seeds))

    def clean_frames(self, index: np.ndarray) -> list[np.ndarray]:
        return as_frames(self._encoder.transform(self._audio[index]))

    def names(self, index: np.ndarray) -> list[str]:
        return [self._names[i] for i in index]


def make_source(estimator: Any, X: Any, y: Any, seed: int, *, groups: Any = None) -> Source:
    """Return the source of the training frames; set the estimator's ``encoder_``.

    The lengths of X, y and groups are compared before decoding. All recordings are decoded here, so
    that damaged ones are reported before the first epoch. Without augmentations in the encoder,
    frames are computed once.
    """
    if not reads_audio(estimator):
        frames = checked_frames(estimator, X, reset=True)
        check_same_lengths(X=frames, y=y, groups=groups)
        return FrameSource(frames)
    recordings = check_recordings(estimator, X, reset=True)
    check_same_lengths(X=recordings, y=y, groups=groups)
    before = getattr(estimator, "encoder_", None) if is_warm(estimator) else None
    estimator.encoder_ = fit_encoder(estimator, X, y)
    check_same_frames(before, estimator.encoder_)
    return source_of(estimator.encoder_, recordings, seed)


def source_of(encoder: Any, recordings: Recordings, seed: int) -> Source:
    """Return the source of the frames of recordings with a fitted encoder."""
    path = TrainingPath(encoder)
    names = [recording.name for recording in recordings]
    if not path.is_random:
        encoded = encoder.transform(list(recordings))
        return FrameSource(as_frames(encoded, recordings), names)
    audio = decode_all(recordings, encoder_rate(encoder))
    return AudioSource(audio, names, path, encoder, seed)


def fit_encoder(estimator: Any, X: Any, y: Any) -> Any:
    """Return the encoder of an estimator, fitted if it has learned state.

    It returns arrays, independent of `sklearn.set_config`. It remains on its own device, because
    encoding is faster on the CPU, also beside a GPU.
    """
    encoder = pin_output(clone(estimator.encoder))
    if any(step.__sklearn_tags__().requires_fit for step in steps_of(encoder)):
        encoder.fit(X, y)
    return encoder


def encoder_rate(encoder: Any) -> float:
    """Return the sample rate at which an encoder analyses recordings."""
    for step in steps_of(encoder):
        # Augmentations also have this parameter; None means the rates of the recordings.
        rate: float | None = getattr(step, "sample_rate", None)
        if rate is not None:
            return rate
    raise ValueError(
        f"encoder={encoder!r} has no step with a sample_rate: expected an encoder of skaudio "
        "(MFCC, MelSpectrogram...), or a Pipeline that ends in one."
    )


class TrainingSet(Dataset[tuple[np.ndarray, Any]]):
    """Some recordings of a source with their targets; the dataset for skorch.

    Parameters
    ----------
    source : Source
    targets : ndarray of shape (n_recordings, ...)
        Targets of all recordings of the source.
    index : ndarray of int
        Positions of the recordings of this set.
    seed : int
    first_epoch : int
        Number of epochs that were trained before.
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

    def collate(self, frames: list[Any]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the frames of a batch as one tensor, and their lengths."""
        longest = max(f.shape[1] for f in frames)
        return pad(frames, -(-longest // FRAME_STEP) * FRAME_STEP)

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
            x, lengths = self.collate(data.source.frames(index, epoch))
            yield {"x": x, "lengths": lengths}, torch.from_numpy(data.targets[index])


class ValidationBatches:
    """Iterate over batches without augmentation, the same in every epoch."""

    def collate(self, frames: list[Any]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the frames of a batch as one tensor, and their lengths."""
        return pad(frames)

    def __init__(self, dataset: TrainingSet, batch_size: int):
        self.dataset = dataset
        self.batch_size = batch_size

    def __len__(self) -> int:
        return -(-len(self.dataset) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[dict[str, torch.Tensor], torch.Tensor]]:
        data = self.dataset
        order = data.index[np.argsort(data.source.lengths[data.index], kind="stable")]
        for index in np.array_split(order, len(self)):
            x, lengths = self.collate(data.source.clean_frames(index))
            yield {"x": x, "lengths": lengths}, torch.from_numpy(data.targets[index])


def pad(
    frames: Sequence[np.ndarray], n_frames: int | None = None, n_rows: int | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Pad frames with zeros to one tensor (n_rows, n_features, n_frames); return it and lengths.

    Rows after the last sequence are zeros with the length 1.
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
