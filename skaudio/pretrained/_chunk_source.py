"""The training recordings of a pretrained net: their chunks, encoded once or in every epoch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from skaudio._neural import (
    FRAME_STEP,
    TrainingBatches,
    ValidationBatches,
    decode_all,
    pad,
)
from skaudio._parallel import map_in_threads
from skaudio._steps import is_augmentation, pin_output, steps_of
from skaudio.audio import AudioBatch, Recordings, check_recordings
from skaudio.augmentation import TrainingPath, epoch_seeds
from skaudio.pretrained._extraction import Extraction


class Chunks:
    """The frames of a recording's chunks, one after the other.

    Attributes
    ----------
    frames : ndarray of shape (n_features, n_frames)
    lengths : list of int
        The frames of each chunk.
    shape : tuple of int
        Of ``frames``.
    """

    def __init__(self, chunks: Sequence[np.ndarray]):
        self.frames = chunks[0] if len(chunks) == 1 else np.concatenate(chunks, axis=1)
        self.lengths = [chunk.shape[1] for chunk in chunks]
        self.shape = self.frames.shape

    def __len__(self) -> int:
        return len(self.frames)

    def split(self) -> list[np.ndarray]:
        """Return the chunks."""
        return np.split(self.frames, np.cumsum(self.lengths)[:-1], axis=1)

    def in_steps(self) -> Chunks:
        """Return the chunks with the last frame repeated up to a multiple of `FRAME_STEP`.

        Chunks of few different lengths are trained together.
        """
        if all(n % FRAME_STEP == 0 for n in self.lengths):
            return self
        return Chunks(
            [np.pad(c, ((0, 0), (0, -c.shape[1] % FRAME_STEP)), "edge") for c in self.split()]
        )


class ChunkSource:
    """Chunks computed once: spectrograms, or what the frozen part of the net makes of them."""

    def __init__(self, chunks: list[Chunks], names: list[str], *, in_steps: bool = False):
        self._chunks = chunks
        self._names = names
        self._in_steps = in_steps
        self.lengths = np.array([c.shape[1] for c in chunks])

    def frames(self, index: np.ndarray, epoch: int) -> list[Any]:
        found = self.clean_frames(index)
        return [chunks.in_steps() for chunks in found] if self._in_steps else found

    def clean_frames(self, index: np.ndarray) -> list[Any]:
        return [self._chunks[i] for i in index]

    def names(self, index: np.ndarray) -> list[str]:
        return [self._names[i] for i in index]


class AugmentedChunkSource:
    """Decoded recordings that are augmented, cut and encoded in every epoch."""

    def __init__(
        self,
        audio: AudioBatch,
        names: list[str],
        augmentation: Any,
        extraction: Extraction,
        seed: int,
    ):
        self._audio = audio
        self._names = names
        self._before, self._after = split_augmentation(augmentation)
        self._extraction = extraction
        self._seed = seed
        self._in_steps = not extraction.net.fixed
        self.lengths = np.array([len(w) for w in audio])

    def frames(self, index: np.ndarray, epoch: int) -> list[Any]:
        audio = self._audio[index]
        if self._before is not None:
            audio = self._before(audio, epoch_seeds(self._seed, epoch, index))
        found = self._encoded(audio)
        if self._after is not None:
            # Steps of both paths are counted from 0, so their seeds must differ.
            seeds = epoch_seeds(self._seed + 1, epoch, index)
            masked = self._after([chunks.frames for chunks in found], seeds)
            for chunks, frames in zip(found, masked, strict=True):
                chunks.frames = frames
        return [chunks.in_steps() for chunks in found] if self._in_steps else found

    def clean_frames(self, index: np.ndarray) -> list[Any]:
        return self._encoded(self._audio[index])

    def _encoded(self, audio: AudioBatch) -> list[Chunks]:
        recordings = check_recordings(None, audio, reset=False)

        def one(i: int) -> Chunks:
            return Chunks(self._extraction.analyse(recordings[i])[0])

        return map_in_threads(one, len(recordings), threaded=True)

    def names(self, index: np.ndarray) -> list[str]:
        return [self._names[i] for i in index]


def split_augmentation(augmentation: Any) -> tuple[TrainingPath | None, TrainingPath | None]:
    """Return the paths of what alters waveforms, and of what alters frames."""
    from sklearn.pipeline import Pipeline

    TrainingPath(augmentation)  # raises an error for augmentations that it would not reach
    waveforms: list[Any] = []
    frames: list[Any] = []
    for step in steps_of(pin_output(augmentation)):
        if not is_augmentation(step):
            raise ValueError(
                f"augmentation: {type(step).__name__} is no augmentation. Expected augmentations "
                "of skaudio.augmentation, or a Pipeline of them; the net has its own encoder."
            )
        of_frames = step.__sklearn_tags__().input_tags.three_d_array
        (frames if of_frames else waveforms).append(step)

    def path(steps: list[Any]) -> TrainingPath | None:
        named = [(f"step{i}", step) for i, step in enumerate(steps)]
        return TrainingPath(Pipeline(named)) if steps else None

    return path(waveforms), path(frames)


def encoded_once(
    extraction: Extraction, recordings: Recordings, first: int
) -> tuple[ChunkSource, tuple[int, ...]]:
    """Return the source of the input of a stage of the net, and its shape for one frame."""
    trunk: Any = extraction.net
    axis = trunk.time_axis if first else 2

    def call(net: Any, x: torch.Tensor) -> torch.Tensor:
        for stage in net.stages()[:first]:
            x = stage.run(x)
        return x.movedim(axis, -1)

    once = replace(extraction, call=call)
    chunks, shape = [], ()
    for parts, _ in once(recordings):
        shape = parts[0].shape[:-1]
        chunks.append(Chunks([part.reshape(-1, part.shape[-1]) for part in parts]))
    in_steps = not first and not extraction.net.fixed
    return ChunkSource(chunks, [r.name for r in recordings], in_steps=in_steps), shape


def of_rows(rows: np.ndarray, recordings: Recordings) -> ChunkSource:
    """Return the source of embeddings, each a chunk of one frame."""
    return ChunkSource([Chunks([row[:, None]]) for row in rows], [r.name for r in recordings])


def augmented(
    extraction: Extraction, recordings: Recordings, augmentation: Any, seed: int
) -> AugmentedChunkSource:
    """Return the source of recordings that are augmented in every epoch."""
    audio = decode_all(recordings, extraction.net.front_end.sample_rate)
    names = [r.name for r in recordings]
    return AugmentedChunkSource(audio, names, augmentation, extraction, seed)


def collate(frames: list[Chunks]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return chunks as one tensor, and (n_recordings, n_chunks) lengths, 0 where there is none."""
    lengths = np.zeros((len(frames), max(len(c.lengths) for c in frames)), np.int64)
    for row, chunks in zip(lengths, frames, strict=True):
        row[: len(chunks.lengths)] = chunks.lengths
    return pad([chunks.frames for chunks in frames])[0], torch.from_numpy(lengths)


class ChunkBatches(TrainingBatches):
    """Training batches of chunks."""

    collate: Callable[..., Any] = staticmethod(collate)


class ChunkValidationBatches(ValidationBatches):
    """Batches of chunks of the part held out."""

    collate: Callable[..., Any] = staticmethod(collate)
