"""Augmentations of waveforms: any container of recordings in, an AudioBatch or an array out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from sklearn.utils.validation import _check_feature_names_in

from skaudio._parallel import map_in_threads
from skaudio._validation import check_sample_rate
from skaudio.audio import (
    AudioBatch,
    Recordings,
    check_recordings,
    check_samples,
    read_batch,
    to_float,
)
from skaudio.augmentation._augmentation import Augmentation
from skaudio.augmentation._random import draw, happens

# What happens to a waveform (float32, not to be written to) of a sample rate (None: unstated),
# with the number that was drawn for it, and a seed for what else there is to draw.
Effect = Callable[[np.ndarray, float | None, float, int], np.ndarray]


class WaveformAugmentation(Augmentation):
    """Waveforms to waveforms, at the sample rate each of them has.

    A subclass says in ``_range()`` from which range a number is drawn per recording, and in
    ``_effect()`` what that number does.

    Attributes
    ----------
    heavy : bool
        Whether threads pay: the work is done by large operations that release the lock.
    keeps_length : bool
        False if lengths change, or marks have to travel: an array then becomes an AudioBatch.
    """

    heavy = False
    keeps_length = True

    def get_feature_names_out(self, input_features=None):
        """Return the names of the columns of an array of clips, which are those of X.

        Parameters
        ----------
        input_features : array-like of str, default=None

        Returns
        -------
        names : ndarray of str
            The one name "recording" unless fitted on an array.
        """
        if hasattr(self, "n_features_in_"):
            return _check_feature_names_in(self, input_features)
        return np.array(["recording"], dtype=object)

    def _check_params(self) -> None:
        super()._check_params()
        self._range()
        if getattr(self, "sample_rate", None) is not None:
            check_sample_rate(self.sample_rate)

    def _check(self, X: Any, reset: bool) -> Recordings | AudioBatch:
        if isinstance(X, AudioBatch) and len(X) and not reset:
            return X  # its recordings have been recognised
        recordings = check_recordings(self, X, reset=reset)
        return X if isinstance(X, AudioBatch) else recordings

    def _unchanged(self, X: Any, recordings: Recordings | AudioBatch) -> Any:
        if isinstance(recordings, Recordings) and recordings.is_array:
            return self._table(_table(X, recordings), X)
        return self._wrap(X, _index(X), self.get_feature_names_out, cells=_cells(X))

    def _augmented(self, X: Any, recordings: Recordings | AudioBatch, seeds: np.ndarray) -> Any:
        table = None
        if isinstance(recordings, AudioBatch):
            batch = recordings
        elif recordings.is_array:
            table = to_float(_table(X, recordings), "X")
            batch = AudioBatch(table, labels=_index(X))
        else:
            batch = read_batch(recordings, labels=_index(X))
        batch = self._act(batch, seeds)
        if table is not None and self.keeps_length:
            if {len(w) for w in batch} == {table.shape[1]}:
                return self._table(np.asarray(batch), X)
        return self._wrap(batch, _index(X), self.get_feature_names_out, cells=_cells(batch))

    def _act(self, batch: AudioBatch, seeds: np.ndarray) -> AudioBatch:
        """Do what the augmentation does."""
        effect = self._effect()
        stated = getattr(self, "sample_rate", None)
        waveforms, rates = list(batch), batch.sample_rates
        for i, waveform in enumerate(waveforms):
            if len(waveform) == 0:  # a batch may hold anything; other recordings have been read
                check_samples(waveform, f"recording {i}")
        numbers, acts = draw(self._range(), seeds), happens(self.p, seeds)
        keys = seeds.tolist()

        def one(i: int) -> np.ndarray:
            if not acts[i]:
                return waveforms[i]
            rate = stated if rates[i] is None else rates[i]
            try:
                return effect(waveforms[i], rate, numbers[i], keys[i])
            except ValueError as error:
                path = batch.names[i]
                name = f"recording {i}" if path is None else f"recording {i} ({path!r})"
                raise ValueError(f"{name}: {error}") from error

        return batch.replace(waveforms=map_in_threads(one, len(batch), threaded=self.heavy))

    def _table(self, table: np.ndarray, X: Any) -> Any:
        return self._wrap(table, _index(X), self.get_feature_names_out, table=True)


def known(rate: float | None, who: str) -> float:
    """Return a sample rate, or say who needs it."""
    if rate is None:
        raise ValueError(f"{who} needs a sample rate for bare arrays: pass sample_rate=.")
    return rate


def rms(waveform: np.ndarray) -> float:
    """Root mean square of a float32 waveform."""
    power = float(np.dot(waveform, waveform))
    if not 1e-30 < power < math.inf:  # silence, or too wide a range for float32
        power = float(np.square(waveform, dtype=np.float64).sum())
    return math.sqrt(power / len(waveform))


def _table(X: Any, recordings: Recordings) -> np.ndarray:
    """Return the checked array of clips, without a copy where X is one."""
    if isinstance(X, np.ndarray) and X.dtype.kind in "fiu":
        return X
    return np.stack([recording.source for recording in recordings])


def _index(X: Any) -> Any:
    if isinstance(X, AudioBatch):
        return X.labels
    return X.index if hasattr(X, "iloc") else None


def _cells(X: Any) -> Iterator[Any]:
    """Yield what a DataFrame holds of each recording, with its rate and its mark."""
    for recording in check_recordings(None, X, reset=False):
        yield recording.as_item()
