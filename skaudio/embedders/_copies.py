"""Copies of recordings at other speeds, for training. They sound like other voices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from sklearn.utils import gen_batches

from skaudio._neural import Source, source_of
from skaudio.audio import Recordings, check_recordings
from skaudio.augmentation import Speed

# Number of recordings decoded at once.
BLOCK = 256


class JoinedSource:
    """Several sources, concatenated."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources
        self._starts = np.cumsum([0, *(len(source.lengths) for source in sources)])
        self.lengths = np.concatenate([source.lengths for source in sources])

    def frames(self, index: np.ndarray, epoch: int) -> list[np.ndarray]:
        return self._collect(index, lambda source, own: source.frames(own, epoch))

    def clean_frames(self, index: np.ndarray) -> list[np.ndarray]:
        return self._collect(index, lambda source, own: source.clean_frames(own))

    def names(self, index: np.ndarray) -> list[str]:
        return self._collect(index, lambda source, own: source.names(own))

    def _collect(
        self, index: np.ndarray, read: Callable[[Source, np.ndarray], list[Any]]
    ) -> list[Any]:
        which = np.searchsorted(self._starts, index, side="right") - 1
        out: list[Any] = [None] * len(index)
        for k in np.unique(which):
            places = np.flatnonzero(which == k)
            items = read(self._sources[k], index[places] - self._starts[k])
            for place, item in zip(places, items, strict=True):
                out[place] = item
        return out


def with_copies(
    source: Source, recordings: Recordings, encoder: Any, speeds: Sequence[float], seed: int
) -> Source:
    """Return a source of recordings, followed by their copies at each of several speeds.

    Parameters
    ----------
    source : Source
        Source of the recordings without copies.
    recordings : Recordings
    encoder : transformer or Pipeline
        Fitted encoder. Its augmentations draw separately for each copy.
    speeds : sequence of float
    seed : int
    """
    sources = [source]
    for speed in speeds:
        for block in gen_batches(len(recordings), BLOCK):
            originals = recordings[block]
            names = [f"{recording.name} at speed {speed:g}" for recording in originals]
            to_batch = Speed(speed).set_output(transform="default")  # independent of set_config
            copies = to_batch.fit_transform(originals).replace(names=names)
            checked = check_recordings(encoder, copies, reset=False)
            sources.append(source_of(encoder, checked, seed + len(sources)))
    return JoinedSource(sources)
