"""CachedTransformer: a cache of the results of a transformer."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils import _safe_indexing
from sklearn.utils.metaestimators import available_if

from skaudio._parallel import progress_bar
from skaudio._steps import (
    first_step,
    frame_maker,
    last_step,
    parts_of,
    pin_output,
    transform_plainly,
)
from skaudio._validation import Checked, check_parameters, choice, count
from skaudio.audio import READING_ERRORS, Recordings, check_recordings, raise_all, read_through
from skaudio.caching._cache_info import CacheInfo
from skaudio.caching._cache_keys import check_stateless, digest, recording_keys, transformer_facts
from skaudio.caching._lookup import Compute, fetch, items_of
from skaudio.caching._result_store import Store
from skaudio.caching._uncached_stream import UncachedStreamMixin
from skaudio.frames import FrameOutputMixin, pack


class CachedTransformer(UncachedStreamMixin, FrameOutputMixin, TransformerMixin, BaseEstimator):
    """Cache the results of a transformer on disk, one file per recording.

    Each recording is computed once. Folds, candidates of a search, later runs and other processes
    that use the same folder read the stored result. An interrupted run continues where it stopped.

    Parameters
    ----------
    transformer : transformer
        Transformer from recordings to rows or frames, without learned state and without randomness:
        an encoder, a pretrained embedder or tagger, or a Pipeline of these. A part that learns from
        data or is random raises an error. A clone of the transformer is used, so changes of its
        ``net_`` have no effect: save changed weights, and pass them as ``weights=``.
    memory : str, path-like or joblib.Memory
        Folder of the results. Several transformers can share it.
    batch_size : int, default=64
        Number of recordings that are transformed and written together. An interruption loses at
        most these.
    max_bytes : int or None, default=10**10
        Maximum size on disk of the results of all transformers in ``memory``. If it is exceeded,
        the least recently used results are removed. None: no limit.
    verbose : int, default=0
        Whether to show a progress bar.

    Attributes
    ----------
    n_features_in_ : int
        Number of samples per clip; only set where `fit` was given a 2-D array.

    See Also
    --------
    sklearn.pipeline.Pipeline : Its ``memory`` stores the output for a whole X: other folds of
        the same recordings are computed again, and changes of files are not noticed.

    Notes
    -----
    A result is found again if these are the same: the recording (a file's absolute path, size and
    time of change; the content of an array or of bytes; its sample rate and warp factor), and the
    transformer (its class, the version of its package, all parameters of it and its parts, and the
    content of the files they name, such as weights). ``n_jobs``, ``batch_size``, ``device`` and
    ``verbose`` do not change results and are not included. Functions are identified by their own
    code, not by that of functions they call. A class of your own needs a version: define
    ``__version__ = "1"`` in it, and increase it whenever the results change.

    While a recording is computed, a lock prevents other processes from computing it too; the lock
    ends with its process. Files are written atomically, and damaged ones are computed again. If the
    disk is full, results are computed and returned with a warning, and not stored. No pickles are
    used. NaN for recordings that cannot be read (``on_error="nan"``) is not stored:
    reading is tried again the next time.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn.pipeline import make_pipeline
    >>> from skaudio.caching import CachedTransformer
    >>> from skaudio.datasets import load_spoken_digits
    >>> from skaudio.encoders import MFCC
    >>> from skaudio.pooling import FramePooling
    >>> digits = load_spoken_digits()
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     features = CachedTransformer(make_pipeline(MFCC(), FramePooling()), folder)
    ...     model = make_pipeline(features, LogisticRegression(max_iter=20000))
    ...     scores = cross_val_score(model, digits.data, digits.target, cv=5)
    ...     features.cache_info()[:2]  # read, computed
    (1200, 300)
    """

    _constraints: ClassVar[dict[str, Any]] = {
        "transformer": Checked("transformer", lambda name, value: check_stateless(value)),
        "memory": Checked("str, path-like or joblib.Memory", lambda name, value: _folder_of(value)),
        "max_bytes": count() | choice(None),
    }

    def __init__(
        self,
        transformer: Any,
        memory: Any,
        *,
        batch_size: int = 64,
        max_bytes: float | None = 10**10,
        verbose: int = 0,
    ) -> None:
        self.transformer = transformer
        self.memory = memory
        self.batch_size = batch_size
        self.max_bytes = max_bytes
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None) -> Self:
        """Check the transformer, the parameters and the type of X; nothing is computed.

        Parameters
        ----------
        X : sequence of recordings
        y : ignored

        Returns
        -------
        self : estimator
        """
        self._store()
        check_recordings(self, X, reset=True)
        return self

    def transform(self, X: Any) -> Any:
        """Return the results of the transformer, computing those that are not cached.

        Parameters
        ----------
        X : sequence of recordings
            Paths, waveforms or mappings; the user guide lists all accepted types.

        Returns
        -------
        rows : ndarray of shape (n_recordings, n_columns)
            If the transformer returns rows; if it returns frames, an array of shape
            ``(n_recordings, n_features, n_frames)``, or a 1-D object array of
            ``(n_features, n_frames)`` arrays if lengths differ.
        """
        store = self._store()
        recordings = check_recordings(self, X, reset=False, finite=False)
        strict, lenient = self._workers()
        keys, known = recording_keys(recordings, skip=lenient is not None)
        compute = self._computer(X, recordings, known, strict, skip=lenient is not None)
        with progress_bar(len(set(keys)), self.verbose) as progress:
            found = fetch(store, keys, compute, batch_size=self.batch_size, progress=progress)
        results = dict(zip(known, found, strict=True))
        unread = [i for i in range(len(recordings)) if results.get(i) is None]
        if unread:
            results |= zip(unread, self._compute(lenient, X, recordings, unread), strict=True)
        items: list[Any] = [results[i] for i in range(len(recordings))]
        output = pack(items, len(items), items[0].dtype)
        if items[0].ndim == 1 and output.ndim == 1:
            raise ValueError(
                f"{type(self.transformer).__name__} returns rows of different lengths "
                f"({sorted({len(item) for item in items})[:3]}...), expected as many columns for "
                "every recording."
            )
        table = output.ndim == 2
        return self._wrap(output, recordings.index, self.get_feature_names_out, table=table)

    def cache_info(self) -> CacheInfo:
        """Return how many results were read and computed, and the size of the cache.

        Returns
        -------
        info : CacheInfo
            A tuple ``(hits, misses, evicted, currsize, n_bytes, max_bytes)``, for this transformer
            with its parameters, over all processes and runs since the folder was made.
        """
        return self._store().info()

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the transformer's features.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Passed on.

        Returns
        -------
        names : ndarray of str
        """
        names: np.ndarray = self.transformer.get_feature_names_out(input_features)
        return names

    @available_if(lambda self: frame_maker(self.transformer) is not None)
    def frame_times(self, n_frames: Any = None) -> np.ndarray:
        """Return the time of the centre of each frame in seconds, from the transformer.

        Parameters
        ----------
        n_frames : int or ndarray of shape (..., n_frames), optional
            Number of frames, or an array of frames, whose last axis is counted.

        Returns
        -------
        times : ndarray of shape (n_frames,)
        """
        times: np.ndarray = frame_maker(self.transformer).frame_times(n_frames)
        return times

    def _returns_rows(self) -> bool:
        last = last_step(self.transformer)
        # It is unknown for a transformer of another library, and decided by its results.
        return bool(last._returns_rows()) if isinstance(last, FrameOutputMixin) else True

    def _store(self) -> Store:
        """Check everything except X, and return the store of this transformer."""
        check_parameters(self)
        folder = _folder_of(self.memory) / "skaudio"
        # The key is that of a clone, because a clone computes the results.
        facts = json.dumps(transformer_facts(clone(self.transformer)), sort_keys=True, indent=1)
        name = f"{type(self.transformer).__name__}-{digest(facts.encode())[:16]}"
        return Store(folder, name, facts, self.max_bytes)

    def _workers(self) -> tuple[Any, Any]:
        """Return a clone that raises errors, and one that returns NaN if the transformer does.

        They are not fitted, because nothing is learned in `fit`, and it would load a pretrained
        network again. Stored results are from the first one: later steps may convert NaN to other
        values.
        """
        strict: Any = pin_output(clone(self.transformer))
        parts = [strict, *(part for _, part in parts_of(strict))]
        is_lenient = False
        for part in parts:
            if isinstance(part, BaseEstimator) and getattr(part, "on_error", None) == "nan":
                part.set_params(on_error="raise")
                is_lenient = True
        return strict, pin_output(clone(self.transformer)) if is_lenient else None

    def _computer(
        self, X: Any, recordings: Recordings, known: list[int], worker: Any, *, skip: bool
    ) -> Compute:
        """Return a function that computes some recordings; ``skip``: None for unreadable ones."""

        def compute(positions: list[int]) -> list[Any]:
            some = [known[i] for i in positions]
            try:
                return self._compute(worker, X, recordings, some)
            except READING_ERRORS as error:
                if not skip:
                    todo = [recordings[i] for i in known[positions[0] :]]
                    raise_all(todo, error, read_through, n=len(recordings))
            return [one(i) for i in some]

        def one(i: int) -> np.ndarray | None:
            try:
                return self._compute(worker, X, recordings, [i])[0]
            except READING_ERRORS:
                return None  # the other worker warns about it

        return compute

    def _compute(
        self, worker: Any, X: Any, recordings: Recordings, positions: list[int]
    ) -> list[np.ndarray]:
        some = [recordings[i] for i in positions]
        part: Any
        if first_step(worker).__module__.startswith("skaudio."):
            # skaudio's transformers accept Recordings, which have the right names and number for
            # messages.
            part = Recordings(some, is_array=recordings.is_array, n_all=len(recordings))
        elif recordings.is_array:
            part = np.stack([recording.source for recording in some])
        else:
            part = _safe_indexing(X, positions)
        return items_of(transform_plainly(worker, part), len(positions), type(worker).__name__)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def _folder_of(memory: Any) -> Path:
    location = getattr(memory, "location", memory)
    if not isinstance(location, (str, os.PathLike)):
        raise TypeError(
            f"memory={memory!r}: expected the name of a folder, or a joblib.Memory with a location."
        )
    return Path(location).expanduser().absolute()
