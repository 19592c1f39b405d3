"""X, in any container users have, to a list of recordings."""

from __future__ import annotations

import numbers
import os
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils.validation import validate_data

from skaudio._validation import is_number
from skaudio.audio._audio_batch import AudioBatch
from skaudio.audio._recording import Recording, as_recording
from skaudio.audio._signal import check_samples, is_surely_finite

LENGTH_HINT = " Pass a list of arrays for recordings of any length."

# A table of more clips than this, of one or two samples each, is one recording on its side.
MANY_CLIPS = 1000
FEW_SAMPLES = 2


class Recordings(list):
    """A list of `Recording` that remembers what X was.

    Attributes
    ----------
    is_array : bool
        X was a plain two-dimensional numeric array: equal-length mono clips, one per row.
    index : sequence or None
        Index of the pandas object X was, or the index labels an AudioBatch carries.
    """

    index: Any  # in place of list.index

    def __init__(self, items: Any, *, is_array: bool = False, index: Any = None):
        super().__init__(items)
        self.is_array = is_array
        self.index = index


def check_recordings(estimator: Any, X: Any, *, reset: bool, finite: bool = True) -> Recordings:
    """Validate X for an estimator that takes recordings.

    A two-dimensional numeric array goes through scikit-learn's ``validate_data`` and fixes
    ``n_features_in_``; sequences of recordings never do. Nothing is decoded here.

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
    items, index = _sequence(X)
    if items is None:
        return _check_array(estimator, X, reset, finite)
    if len(items) == 0:
        raise ValueError("X holds no recordings: found 0 sample(s), expected at least one.")
    recordings = [as_recording(item, i) for i, item in enumerate(items)]
    _warn_of_wide_integers(recordings)
    if reset:
        forget_table(estimator)
    return Recordings(recordings, index=index)


def forget_table(estimator: Any) -> None:
    """Take away what a former fit on a table fixed: a sequence fixes no length."""
    for learned in ("n_features_in_", "feature_names_in_"):
        if hasattr(estimator, learned):
            delattr(estimator, learned)


def _sequence(X: Any) -> tuple[Any, Any]:
    """Return the elements of X and its index, or None where X is a numeric table for sklearn."""
    if sparse.issparse(X):  # before all else: some sparse matrices are mappings
        return None, None
    _refuse_single(X)
    if isinstance(X, AudioBatch):
        return _from_batch(X), X.labels
    if hasattr(X, "iloc"):
        return _from_pandas(X)
    if not isinstance(X, np.ndarray) and hasattr(X, "__array__") and not _is_column(X):
        X = np.asarray(X)
    if isinstance(X, np.ndarray):
        return _from_array(X), None
    if not (hasattr(X, "__len__") and hasattr(X, "__getitem__")):
        raise TypeError(
            f"X is a {type(X).__name__}, expected a sequence of recordings: list(...) makes one."
        )
    items = [X[i] for i in range(len(X))]
    return (None, None) if _is_table(items) else (items, None)


def _refuse_single(X: Any) -> None:
    if isinstance(X, (str, os.PathLike)):
        raise ValueError(
            f"X is a single path ({str(os.fsdecode(X))!r}), expected a sequence of recordings: "
            "pass [path], or those of a folder: skaudio.datasets.load_audio_files(folder).data."
        )
    if isinstance(X, Mapping) and not {"array", "path", "bytes"} & set(X):
        raise ValueError(
            f"X is a mapping with the keys {sorted(map(str, X))}, expected a sequence of "
            "recordings: pass one column of it, X[key]."
        )
    if isinstance(X, (Mapping, bytes, bytearray)) or hasattr(X, "get_all_samples"):
        raise ValueError(
            f"X is a single recording (a {type(X).__name__}), expected a sequence of recordings: "
            "pass [recording]."
        )
    if np.isscalar(X) or X is None or (isinstance(X, np.ndarray) and X.ndim == 0):
        raise ValueError(
            f"X is {X!r}, expected a sequence of recordings. Expected 2D array, got scalar array "
            "instead. Reshape your data: pass [waveform] for a single one."
        )


def _from_batch(batch: AudioBatch) -> list[Recording]:
    facts = zip(batch, batch.sample_rates, batch.names, batch.warp_factors, strict=True)
    return [
        Recording(
            waveform,
            f"recording {i}" if name is None else f"recording {i} ({name!r})",
            path=name,
            sample_rate=rate,
            warp_factor=warp_factor,
        )
        for i, (waveform, rate, name, warp_factor) in enumerate(facts)
    ]


def _from_pandas(X: Any) -> tuple[Any, Any]:
    if X.ndim == 1:
        if X.dtype.kind in "fiuc":  # one number per row is no recording: sklearn says it best
            return None, None
        return X.tolist(), X.index
    if X.shape[1] == 1 and X.dtypes.iloc[0].kind not in "fiucb":
        return X.iloc[:, 0].tolist(), X.index
    strings = [str(c) for c, t in zip(X.columns, X.dtypes, strict=True) if t.kind not in "fiucb"]
    if strings and X.shape[1] > 1:
        raise ValueError(
            f"X is a DataFrame with the columns {list(map(str, X.columns))}, expected one column "
            f"of recordings. Select it, X[[{strings[0]!r}]], or use a ColumnTransformer with "
            f"the column list [{strings[0]!r}]."
        )
    return None, None


def _from_array(X: np.ndarray) -> Any:
    if X.ndim == 1 and X.dtype.kind in "UST":
        return [str(item) for item in X]
    if X.ndim == 1 and X.dtype.kind == "O" and not (len(X) and is_number(X[0], numbers.Number)):
        return list(X)
    if X.ndim == 2 and X.shape[1] == 1 and X.dtype.kind in "UOT" and len(X):
        if not is_number(X[0, 0], numbers.Number):
            return list(X[:, 0])
    if X.ndim == 3:
        raise ValueError(
            f"Found array with dim 3: X has shape {X.shape}, expected recordings. Are these "
            "features? Then skip the encoder. Equal multichannel recordings go in as a list, "
            "list(X), each (n_channels, n_times)."
        )
    return None


def _is_column(X: Any) -> bool:
    """Whether X is a column of a table library (polars, Arrow...): a sequence, not an array."""
    return hasattr(X, "to_list") or hasattr(X, "to_pylist")


def _is_table(items: list[Any]) -> bool:
    """Whether a list is scikit-learn's list of lists, or a bare list of numbers."""
    if items and all(is_number(item, numbers.Number) for item in items):
        return True
    return (
        bool(items)
        and all(isinstance(item, (list, tuple)) for item in items)
        and len({len(item) for item in items}) == 1
        and all(is_number(v, numbers.Number) for item in items for v in item[:1])
    )


def _warn_of_wide_integers(recordings: list[Recording]) -> None:
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


def _check_array(estimator: Any, X: Any, reset: bool, finite: bool) -> Recordings:
    index = X.index if hasattr(X, "iloc") else None
    try:
        X = validate_data(estimator, X, reset=reset, dtype="numeric", ensure_all_finite=False)
    except ValueError as error:
        message = str(error)
        if "expecting" in message and "features" in message:
            raise ValueError(message + LENGTH_HINT) from error
        if message.startswith("Complex data not supported"):
            raise ValueError(
                "X: Complex data not supported: expected real waveforms (did you pass an STFT?)."
            ) from error
        if "could not convert string" in message:
            raise ValueError(
                f"X has shape {np.shape(X)} and elements that are no numbers ({message}): expected "
                "one column of recordings, or waveforms."
            ) from error
        if np.ndim(X) == 1:
            raise ValueError(
                f"X is one waveform of {len(X)} samples? Pass [waveform], a sequence of one "
                "recording. (Expected 2D array, got 1D array instead: Reshape your data.)"
            ) from error
        raise
    if len(X) > MANY_CLIPS and X.shape[1] <= FEW_SAMPLES:
        raise ValueError(
            f"X has shape {X.shape}: {len(X)} clips of {X.shape[1]} samples. Expected clips in "
            "rows. A single recording, (n_times, n_channels)? Pass [X.T]."
        )
    if X.dtype.kind == "b":
        raise TypeError("X is an array of bool, expected floating point or integer samples.")
    if finite and X.dtype.kind == "f":
        # One look at all of it is enough in the usual case.
        if not (X.flags.c_contiguous and is_surely_finite(X.reshape(-1))):
            for i, row in enumerate(X):
                check_samples(row, f"recording {i}")
    return Recordings(
        (Recording(row, f"recording {i}") for i, row in enumerate(X)),
        is_array=True,
        index=index,
    )
