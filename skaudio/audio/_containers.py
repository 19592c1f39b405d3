"""Convert X of any accepted type to a list of recordings.

The table `CONTAINERS` lists the types of X, and `ELEMENTS` the types of its elements. The first
matching row is used. To add a type, add a row.
"""

from __future__ import annotations

import numbers
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np
from scipy import sparse

from skaudio._validation import is_number
from skaudio.audio import _columns, _errors, _tables
from skaudio.audio._arrays import as_samples, is_bytes, to_array, warn_of_wide_integers
from skaudio.audio._audio_batch import AudioBatch
from skaudio.audio._faults import SHOWN, kind_of, listed
from skaudio.audio._mappings import (
    ArrowScalar,
    AudioDecoder,
    ClipRow,
    check_path,
    from_mapping,
    from_row,
    plain,
)
from skaudio.audio._recording import Recording, Recordings

# X[rows, ...], with which scikit-learn selects rows, gives other elements of a StringDType array.
MIXES_STRINGS_UP = np.lib.NumpyVersion(np.__version__) < "2.3.2"


def check_recordings(estimator: Any, X: Any, *, reset: bool, finite: bool = True) -> Recordings:
    """Validate X for an estimator that takes recordings.

    A two-dimensional numeric array goes through scikit-learn's ``validate_data`` and fixes
    ``n_features_in_``; sequences of recordings never do. `Recordings` are returned as they are.
    Nothing is decoded here.

    Parameters
    ----------
    estimator : estimator
        The estimator that validates X; its ``n_features_in_`` is set (``reset=True``) or compared.
    X : sequence of recordings
        See the user guide, "What a recording is".
    reset : bool
        True in ``fit``.
    finite : bool
        Whether to check a two-dimensional array for NaN and infinity. False if `Recording.read`
        follows, which also checks.

    Raises
    ------
    TypeError, ValueError
        Naming the recording, what was found, what was expected and the likely cause.

    Returns
    -------
    recordings : Recordings
        One `Recording` for each element of X.

    Examples
    --------
    >>> from skaudio.audio import check_recordings
    >>> check_recordings(None, ["a.wav", "b.wav"], reset=True)[1].name
    "recording 1 ('b.wav')"
    """
    if isinstance(X, Recordings):
        recordings: Recordings | None = X
    else:
        recordings = next(read(X) for fits, read in CONTAINERS if fits(X))
        integers = [r for r in recordings or () if _are_integers(r.source)]
        if integers:
            warn_of_wide_integers((r.source, r.name) for r in integers)
    if recordings is None:
        clips = _tables.clips_of(estimator, X, reset=reset, finite=finite)
        recordings = Recordings(clips, is_array=True, index=X.index if _is_pandas(X) else None)
    elif not recordings:
        raise ValueError("X holds no recordings: found 0 sample(s), expected at least one.")
    elif recordings.is_array:
        _tables.check_length(estimator, recordings, reset=reset)
    elif reset:
        forget_table(estimator)
    # Augmentations work at any sample rate, and return X unchanged in prediction.
    if estimator is not None and not hasattr(estimator, "augment"):
        _compare_rates(estimator, recordings, reset=reset)
    return recordings


def _are_integers(source: Any) -> bool:
    return isinstance(source, np.ndarray) and source.dtype.kind in "iu"


def _compare_rates(estimator: Any, recordings: Recordings, *, reset: bool) -> None:
    """Warn once if recordings have sample rates and those of fit did not, or vice versa."""
    known = None if reset else getattr(estimator, "_stated_rates", None)
    if not reset and (known is None or len(known) > 1):
        return
    stated = {r.sample_rate is not None or not isinstance(r.source, np.ndarray) for r in recordings}
    if reset:
        estimator._stated_rates = stated
    elif known is not None and stated != known:
        estimator._stated_rates = None
        _errors.warn(_errors.other_rates(estimator, is_stated=known == {False}))


def as_recording(item: Any, position: int) -> Recording:
    """Convert one element of X to a recording."""
    return _recognise(item, f"recording {position}")


def _recognise(item: Any, name: str) -> Recording:
    for kinds, read in ELEMENTS:
        if isinstance(item, kinds):
            return read(item, name)
    raise AssertionError  # the last row fits everything


def forget_table(estimator: Any) -> None:
    """Remove the attributes of a previous fit on a table: a sequence has no fixed length."""
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


# Readers of X. They return None if X is a table of numbers, or if scikit-learn raises the error.


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
    if may_be_table and _tables.is_table(items):
        # Clips of one sample mean that X contains numbers instead of recordings.
        return _recognised(items) if np.shape(items)[1:] == (1,) else None
    return _recognised(items)


def _from_array(X: np.ndarray) -> Recordings | None:
    if np.ma.is_masked(X):
        row = int(np.flatnonzero(np.ma.getmaskarray(X).reshape(len(X), -1).any(axis=1))[0])
        raise _errors.masked(X[row], f"recording {row}")
    if X.dtype.kind == "V":
        fields = list(X.dtype.names or [])
        raise TypeError(f"X is an array of {X.dtype}, expected one field of it, of {fields}.")
    if X.dtype.kind == "T" and MIXES_STRINGS_UP:
        raise TypeError(
            "X is an array of StringDType, of which NumPy before 2.3.2 returns wrong elements when "
            "scikit-learn selects some: pass list(X), or update numpy."
        )
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
    found = _columns.pandas_items(X)
    return None if found is None else _recognised(*found)


def _from_table(X: Any) -> Recordings | None:
    items = _columns.table_items(X)
    return _from_array(items) if isinstance(items, np.ndarray) else _recognised(items)


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


def _is_table(X: Any) -> bool:
    """Whether X is a DataFrame of another library than pandas, or a table of Arrow."""
    stream = hasattr(X, "__arrow_c_stream__") and hasattr(X, "columns")
    return stream or hasattr(X, "__dataframe__")


def _is_array_like(X: Any) -> bool:
    """Whether X becomes an array; a column of a table library (polars, Arrow...) is a sequence."""
    return hasattr(X, "__array__") and not (hasattr(X, "to_list") or hasattr(X, "to_pylist"))


def _from_array_like(X: Any) -> Recordings | None:
    return _from_array(to_array(X, "X"))


CONTAINERS: tuple[tuple[Callable[[Any], bool], Callable[[Any], Recordings | None]], ...] = (
    (lambda X: type(X) in (list, tuple), _from_sequence),
    (lambda X: isinstance(X, AudioBatch), _from_batch),
    (sparse.issparse, lambda X: None),  # before mappings: some sparse matrices are such
    (_is_single, _refuse_single),
    (_is_pandas, _from_pandas),
    (lambda X: isinstance(X, np.ndarray), _from_array),
    (_is_table, _from_table),
    (_is_array_like, _from_array_like),
    (lambda X: hasattr(X, "__len__") and hasattr(X, "__getitem__"), _from_sequence),
    (lambda X: True, _refuse_unordered),
)


# Readers of an element of X.


def _from_path(item: Any, name: str) -> Recording:
    path = str(os.fsdecode(item))  # str(): numpy's strings show their type in messages
    if "\0" in path or not path.isascii():
        check_path(path, name)
    return Recording(path, f"{name} ({path!r})", path=path)


def _from_samples(item: Any, name: str) -> Recording:
    if is_bytes(item):  # an encoded file, such as a buffer of Arrow
        return Recording(bytes(item), name)
    return Recording(as_samples(item, name), name)


ELEMENTS: tuple[tuple[tuple[type, ...], Callable[[Any, str], Recording]], ...] = (
    ((Recording,), lambda item, name: item),
    ((str, os.PathLike), _from_path),
    ((np.ndarray,), _from_samples),
    ((ClipRow,), from_row),
    ((ArrowScalar,), lambda item, name: _recognise(plain(item), name)),
    ((Mapping,), from_mapping),
    ((AudioDecoder,), Recording),
    ((bytes, bytearray), lambda item, name: Recording(bytes(item), name)),
    ((object,), _from_samples),
)
