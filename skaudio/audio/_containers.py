"""X, in any container users have, to a list of recordings.

Two tables say what is recognised: `CONTAINERS` what X may be, `ELEMENTS` what its elements may be.
The first row that fits decides. A new kind is a new row.
"""

from __future__ import annotations

import numbers
import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn, Protocol, SupportsIndex, overload, runtime_checkable

import numpy as np
from scipy import sparse

from skaudio._validation import check_sample_rate, is_number
from skaudio.audio import _errors, _tables
from skaudio.audio._arrays import as_samples
from skaudio.audio._audio_batch import AudioBatch
from skaudio.audio._faults import SHOWN, kind_of, listed
from skaudio.audio._recording import Recording


class Recordings(list[Recording]):
    """A list of `Recording` that remembers what X was. A slice of it is one, too.

    Attributes
    ----------
    is_array : bool
        X was a plain two-dimensional numeric array: equal-length mono clips, one per row.
    index : sequence or None
        Index of the pandas object X was, or the index labels an AudioBatch carries.
    """

    index: Any  # in place of list.index

    def __init__(self, items: Iterable[Recording], *, is_array: bool = False, index: Any = None):
        super().__init__(items)
        self.is_array = is_array
        self.index = index

    @overload
    def __getitem__(self, key: SupportsIndex) -> Recording: ...
    @overload
    def __getitem__(self, key: slice) -> Recordings: ...

    def __getitem__(self, key: Any) -> Any:
        if not isinstance(key, slice):
            return super().__getitem__(key)
        index = None if self.index is None else self.index[key]
        return Recordings(super().__getitem__(key), is_array=self.is_array, index=index)


def check_recordings(estimator: Any, X: Any, *, reset: bool, finite: bool = True) -> Recordings:
    """Validate X for an estimator that takes recordings.

    A two-dimensional numeric array goes through scikit-learn's ``validate_data`` and fixes
    ``n_features_in_``; sequences of recordings never do. `Recordings` are returned as they are.
    Nothing is decoded here.

    Parameters
    ----------
    estimator : estimator
        The one that asks; its ``n_features_in_`` is set (``reset=True``) or compared.
    X : sequence of recordings
        See the user guide, "What a recording is".
    reset : bool
        True in ``fit``.
    finite : bool
        Look for NaN and infinity in a two-dimensional array. False where `Recording.read` follows,
        which looks for them too.

    Raises
    ------
    TypeError, ValueError
        Naming the recording, what was found, what was expected and the likely cause.
    """
    if isinstance(X, Recordings):
        recordings: Recordings | None = X
    else:
        recordings = next(read(X) for fits, read in CONTAINERS if fits(X))
        _warn_of_wide_integers(recordings or [])
    if recordings is None:
        clips = _tables.clips_of(estimator, X, reset=reset, finite=finite)
        return Recordings(clips, is_array=True, index=X.index if _is_pandas(X) else None)
    if not recordings:
        raise ValueError("X holds no recordings: found 0 sample(s), expected at least one.")
    if recordings.is_array:
        _tables.check_length(estimator, recordings, reset=reset)
    elif reset:
        forget_table(estimator)
    return recordings


def as_recording(item: Any, position: int) -> Recording:
    """Recognise one element of X."""
    name = f"recording {position}"
    for kinds, read in ELEMENTS:
        if isinstance(item, kinds):
            return read(item, name)
    raise AssertionError  # the last row fits everything


def forget_table(estimator: Any) -> None:
    """Take away what a former fit on a table fixed: a sequence fixes no length."""
    for learned in ("n_features_in_", "feature_names_in_"):
        if hasattr(estimator, learned):
            delattr(estimator, learned)


def _recognised(items: Sequence[Any] | np.ndarray, index: Any = None) -> Recordings:
    recordings: list[Recording] = []
    errors: list[Exception] = []
    for i, item in enumerate(items):
        try:
            recordings.append(as_recording(item, i))
        except (TypeError, ValueError) as error:
            errors.append(error)
            if len(errors) == SHOWN:
                break
    if len(errors) == 1:
        raise errors[0]
    if errors:
        message = listed([str(e) for e in errors], len(items), is_all=len(errors) < SHOWN)
        raise kind_of(errors)(message) from errors[0]
    return Recordings(recordings, index=index)


def _warn_of_wide_integers(recordings: Sequence[Recording]) -> None:
    """Wide integers that hold narrow samples become silence when scaled by their range: say so."""
    for recording in recordings:
        samples = recording.source
        if isinstance(samples, np.ndarray) and samples.dtype == np.int64 and samples.size:
            peak = int(np.abs(samples).max())
            if 0 < peak < 2**31:
                warnings.warn(
                    f"{recording.name} holds int64 samples up to {peak}: scaled by the full range "
                    "of int64 they are silence. If they are 16-bit samples, pass "
                    "np.asarray(x, dtype=np.int16).",
                    stacklevel=4,
                )
                return


# Readers of X. None in place of recordings: X is a table of numbers, or for scikit-learn to refuse.


def _from_batch(batch: AudioBatch) -> Recordings:
    facts = zip(batch, batch.sample_rates, batch.names, batch.warp_factors, strict=True)
    recordings = (
        Recording(
            waveform,
            f"recording {i}" if name is None else f"recording {i} ({name!r})",
            path=name,
            sample_rate=rate,
            warp_factor=warp_factor,
        )
        for i, (waveform, rate, name, warp_factor) in enumerate(facts)
    )
    return Recordings(recordings, index=batch.labels)


def _from_sequence(X: Any) -> Recordings | None:
    items = [X[i] for i in range(len(X))]
    may_be_table = bool(items) and isinstance(items[0], (list, tuple, numbers.Number))
    return None if may_be_table and _tables.is_table(items) else _recognised(items)


def _from_array(X: np.ndarray) -> Recordings | None:
    if X.ndim == 1 and X.dtype.kind in "UST":
        return _recognised([str(item) for item in X])
    if X.ndim == 1 and X.dtype.kind == "O" and not (len(X) and is_number(X[0], numbers.Number)):
        return _recognised(X)
    if X.ndim == 2 and X.shape[1] == 1 and X.dtype.kind in "UOT" and len(X):
        if not is_number(X[0, 0], numbers.Number):
            return _recognised(X[:, 0])
    if X.ndim == 3:
        raise ValueError(
            f"Found array with dim 3: X has shape {X.shape}, expected recordings. Are these "
            "features? Then skip the encoder. Equal multichannel recordings go in as a list, "
            "list(X), each (n_channels, n_times)."
        )
    return None


def _from_pandas(X: Any) -> Recordings | None:
    if X.ndim == 1:
        # One number per row is no recording: scikit-learn says it best.
        return None if X.dtype.kind in "fiuc" else _recognised(X.tolist(), X.index)
    if X.shape[1] == 1 and X.dtypes.iloc[0].kind not in "fiucb":
        return _recognised(X.iloc[:, 0].tolist(), X.index)
    strings = [str(c) for c, t in zip(X.columns, X.dtypes, strict=True) if t.kind not in "fiucb"]
    if strings and X.shape[1] > 1:
        raise ValueError(
            f"X is a DataFrame with the columns {list(map(str, X.columns))}, expected one column "
            f"of recordings. Select it, X[[{strings[0]!r}]], or use a ColumnTransformer with "
            f"the column list [{strings[0]!r}]."
        )
    return None


def _refuse_single(X: Any) -> NoReturn:
    raise _errors.not_a_sequence(X)


def _refuse_unordered(X: Any) -> NoReturn:
    raise TypeError(
        f"X is a {type(X).__name__}, expected a sequence of recordings: list(...) makes one."
    )


def _is_single(X: Any) -> bool:
    kinds = (str, os.PathLike, Mapping, bytes, bytearray)
    if isinstance(X, kinds) or hasattr(X, "get_all_samples"):
        return True
    return np.isscalar(X) or X is None or (isinstance(X, np.ndarray) and X.ndim == 0)


def _is_pandas(X: Any) -> bool:
    return hasattr(X, "iloc")


def _is_array_like(X: Any) -> bool:
    """Whether X becomes an array; a column of a table library (polars, Arrow...) is a sequence."""
    return hasattr(X, "__array__") and not (hasattr(X, "to_list") or hasattr(X, "to_pylist"))


CONTAINERS: tuple[tuple[Callable[[Any], bool], Callable[[Any], Recordings | None]], ...] = (
    (lambda X: type(X) in (list, tuple), _from_sequence),
    (lambda X: isinstance(X, AudioBatch), _from_batch),
    (sparse.issparse, lambda X: None),  # before mappings: some sparse matrices are such
    (_is_single, _refuse_single),
    (_is_pandas, _from_pandas),
    (lambda X: isinstance(X, np.ndarray), _from_array),
    (_is_array_like, lambda X: _from_array(np.asarray(X))),
    (lambda X: hasattr(X, "__len__") and hasattr(X, "__getitem__"), _from_sequence),
    (lambda X: True, _refuse_unordered),
)


# Readers of an element of X.


def _from_path(item: Any, name: str) -> Recording:
    path = str(os.fsdecode(item))  # str(): numpy's strings show their type in messages
    return Recording(path, f"{name} ({path!r})", path=path)


def _from_mapping(item: Mapping[str, Any], name: str) -> Recording:
    """Recognise what Hugging Face datasets hand out: array, else bytes, else path."""
    path = item.get("path")
    path = None if path is None else str(os.fsdecode(path))
    name = f"{name} ({path!r})" if path else name
    if item.get("array") is not None:
        rate, warp_factor = item.get("sampling_rate"), item.get("warp_factor")
        if rate is None and warp_factor is None:
            raise ValueError(
                f"{name} is a mapping with 'array' but without 'sampling_rate', expected both. "
                "Pass the bare array if the rate is the encoder's."
            )
        if rate is not None:
            rate = check_sample_rate(rate, name=f"{name}: sampling_rate")
        samples = as_samples(item["array"], name)
        return Recording(samples, name, path=path, sample_rate=rate, warp_factor=warp_factor)
    if item.get("bytes") is not None:
        return Recording(bytes(item["bytes"]), name, path=path)
    if path:
        return Recording(path, name, path=path)
    raise ValueError(
        f"{name} is a mapping with the keys {sorted(map(str, item))}, expected 'array' and "
        "'sampling_rate', or 'bytes', or 'path'. If this is a row of a table, pass the column that "
        "holds the recordings."
    )


def _from_samples(item: Any, name: str) -> Recording:
    if not isinstance(item, (list, tuple)) and np.ndim(item) == 0:
        raise _errors.not_a_recording(item, name)
    return Recording(as_samples(item, name), name)


@runtime_checkable
class AudioDecoder(Protocol):
    """What torchcodec's decoder of the same name looks like."""

    def get_all_samples(self) -> Any:
        """Return an object with ``data`` (n_channels, n_times) and ``sample_rate``."""


ELEMENTS: tuple[tuple[tuple[type, ...], Callable[[Any, str], Recording]], ...] = (
    ((Recording,), lambda item, name: item),
    ((str, os.PathLike), _from_path),
    ((np.ndarray,), _from_samples),
    ((Mapping,), _from_mapping),
    ((AudioDecoder,), Recording),
    ((bytes, bytearray, memoryview), lambda item, name: Recording(bytes(item), name)),
    ((object,), _from_samples),
)
