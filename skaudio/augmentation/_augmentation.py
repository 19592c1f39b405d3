"""The base classes of all augmentations and of those that alter waveforms."""

from __future__ import annotations

import math
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import _check_feature_names_in

from skaudio._parallel import map_in_threads
from skaudio._validation import check_parameters
from skaudio.audio import (
    AudioBatch,
    Recordings,
    check_recordings,
    check_samples,
    read_batch,
    to_float,
)
from skaudio.augmentation._seeds import check_seeds, draw, draws_of, happens, seeds_of
from skaudio.frames import FrameOutputMixin

# What `WaveformAugmentation._make_operation` returns: a range, and a function of a waveform.
Operation = tuple[tuple[float, float], Callable[[np.ndarray, float | None, float, int], np.ndarray]]


class Augmentation(FrameOutputMixin, TransformerMixin, BaseEstimator, ABC):
    """Alters recordings in `fit_transform` and `augment`; `transform` is the identity.

    `WaveformAugmentation` and `Mask` define the accepted types of X; their subclasses define in
    ``_make_operation()`` what happens to a recording.
    """

    p: float
    random_state: Any

    def fit(self, X: Any, y: Any = None) -> Self:
        """Check the parameters and X; no recording is decoded.

        Parameters
        ----------
        X : sequence of n recordings
        y : ignored

        Returns
        -------
        self : estimator
        """
        self._check_params()
        self._check_input(X, reset=True)
        return self

    def transform(self, X: Any) -> Any:
        """Return X as it is, checked: an augmentation acts in training only.

        Parameters
        ----------
        X : sequence of n recordings

        Returns
        -------
        X : sequence of n recordings
            X in its own container, unless `set_output` sets another one.
        """
        return self._return_input(X, self._check_input(X, reset=False))

    def fit_transform(self, X: Any, y: Any = None) -> Any:
        """Check, then augment each recording once, with seeds made from ``random_state``.

        Parameters
        ----------
        X : sequence of n recordings
        y : ignored

        Returns
        -------
        augmented : sequence of n recordings
            See `augment`.
        """
        operation = self._check_params()
        recordings = self._check_input(X, reset=True)
        # Two classes of augmentation with the same random_state must draw different numbers.
        stream = zlib.crc32(type(self).__name__.encode())
        seeds = seeds_of(self.random_state, len(recordings), stream)
        return self._augment_recordings(X, recordings, seeds, operation)

    def augment(self, X: Any, seeds: Any) -> Any:
        """Augment each recording with the draw of its seed.

        Parameters
        ----------
        X : sequence of n recordings
        seeds : array-like of int, shape (n,)
            Seeds. The result for a recording depends on the recording and its seed only.

        Returns
        -------
        augmented : sequence of n recordings, float32
            For waveforms an AudioBatch, in which recordings keep their sample rates, or an array if
            X is an array and the augmentation keeps lengths. For frames the container of X.
        """
        operation = self._check_params()
        recordings = self._check_input(X, reset=False)
        seeds = check_seeds(seeds, len(recordings))
        return self._augment_recordings(X, recordings, seeds, operation)

    def draws(self, X: Any, seeds: Any) -> Any:
        """List the values drawn for each recording; `augment` with the same seeds applies them.

        Parameters
        ----------
        X : sequence of n recordings
        seeds : array-like of int, shape (n,)
            As for `augment`.

        Returns
        -------
        draws : DataFrame
            One row per recording: ``seed``, and a column of drawn values for each parameter. The
            values are missing for recordings that are not augmented (probability 1 - p).
        """
        return draws_of(self, X, check_seeds(seeds, len(X)))

    def _check_params(self) -> Any:
        """Check every parameter, and return the operation that they describe."""
        check_parameters(self)
        return self._make_operation()

    @abstractmethod
    def _make_operation(self) -> Any:
        """Check the parameters, and return what is done to a recording."""

    @abstractmethod
    def _check_input(self, X: Any, reset: bool) -> Any:
        """Check X and return its recordings; ``reset`` is True in `fit`."""

    @abstractmethod
    def _return_input(self, X: Any, recordings: Any) -> Any:
        """Return X unaltered, in the container that `set_output` asks for."""

    @abstractmethod
    def _augment_recordings(
        self, X: Any, recordings: Any, seeds: np.ndarray, operation: Any
    ) -> Any:
        """Return the recordings altered, in the container of X or the one of `set_output`."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


class WaveformAugmentation(Augmentation):
    """Base class of augmentations of waveforms; sample rates are kept.

    A subclass returns from ``_make_operation()`` a range, from which one number is drawn per
    recording, and a function that alters a waveform by that number.

    Attributes
    ----------
    heavy : bool
        Whether threads are faster: most of the time is spent in functions that release the GIL.
    keeps_length : bool
        False if the result may not be an array, because lengths change or warp factors are set. A
        2-D array then becomes an AudioBatch.
    """

    heavy = False
    keeps_length = True

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
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
            names: np.ndarray = _check_feature_names_in(self, input_features)
            return names
        return np.array(["recording"], dtype=object)

    @abstractmethod
    def _make_operation(self) -> Operation:
        """Check the parameters; return a range, and a function that applies a number drawn from it.

        ``alter(waveform, rate, number, seed)`` takes a float32 waveform (n_times,) and its sample
        rate in Hz or None, and returns a new waveform. It must not write to its input. ``seed`` is
        for further draws.
        """

    def _check_input(self, X: Any, reset: bool) -> Recordings | AudioBatch:
        if isinstance(X, AudioBatch) and len(X) and not reset:
            return X  # an AudioBatch is checked when it is created
        recordings = check_recordings(self, X, reset=reset)
        return X if isinstance(X, AudioBatch) else recordings

    def _return_input(self, X: Any, recordings: Recordings | AudioBatch) -> Any:
        if isinstance(recordings, Recordings) and recordings.is_array:
            return self._wrap_table(_table(X, recordings), X)
        return self._wrap(X, _index(X), self.get_feature_names_out, cells=_cells(X))

    def _augment_recordings(
        self,
        X: Any,
        recordings: Recordings | AudioBatch,
        seeds: np.ndarray,
        operation: Operation,
    ) -> Any:
        table = None
        if isinstance(recordings, AudioBatch):
            batch = recordings
        elif recordings.is_array:
            table = to_float(_table(X, recordings), "X")
            batch = AudioBatch(table, labels=_index(X))
        else:
            batch = read_batch(recordings, labels=_index(X))
        batch = self._apply(operation, batch, seeds)
        if table is not None and self.keeps_length:
            if {len(w) for w in batch} == {table.shape[1]}:
                return self._wrap_table(np.asarray(batch), X)
        return self._wrap(batch, _index(X), self.get_feature_names_out, cells=_cells(batch))

    def _apply(self, operation: Operation, batch: AudioBatch, seeds: np.ndarray) -> AudioBatch:
        """Draw for each recording of a batch, and alter it."""
        bounds, alter = operation
        stated = getattr(self, "sample_rate", None)  # some augmentations have it
        waveforms: list[np.ndarray] = list(batch)
        rates = batch.sample_rates
        for i, waveform in enumerate(waveforms):
            if len(waveform) == 0:  # of an AudioBatch; `read_batch` has checked the others
                check_samples(waveform, f"recording {i}")
        numbers, acts = draw(bounds, seeds), happens(self.p, seeds)
        keys = seeds.tolist()

        def one(i: int) -> np.ndarray:
            if not acts[i]:
                return waveforms[i]
            rate = stated if rates[i] is None else rates[i]
            try:
                return alter(waveforms[i], rate, numbers[i], keys[i])
            except ValueError as error:
                path = batch.names[i]
                name = f"recording {i}" if path is None else f"recording {i} ({path!r})"
                raise ValueError(f"{name}: {error}") from error

        return batch.replace(waveforms=map_in_threads(one, len(batch), threaded=self.heavy))

    def _wrap_table(self, table: np.ndarray, X: Any) -> Any:
        return self._wrap(table, _index(X), self.get_feature_names_out, table=True)


def known(rate: float | None, who: str) -> float:
    """Return a sample rate, or raise an error that names the augmentation that needs it."""
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
    """Return the checked array of clips, without a copy if X is such an array."""
    if isinstance(X, np.ndarray) and X.dtype.kind in "fiu":
        return X
    return np.stack([recording.source for recording in recordings])


def _index(X: Any) -> Any:
    if isinstance(X, AudioBatch):
        return X.labels
    return X.index if hasattr(X, "iloc") else None


def _cells(X: Any) -> Iterator[Any]:
    """Yield the cells of a DataFrame of recordings, with their sample rates and warp factors."""
    for recording in check_recordings(None, X, reset=False):
        yield recording.as_item()
