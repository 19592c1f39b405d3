"""What X may be for an estimator that takes frames, and what is wrong with it."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_array, validate_data

from skaudio.audio import forget_table
from skaudio.frames._frame_output import NAMES_KEY

ENCODE_FIRST = "put an encoder (MFCC, MelSpectrogram...) before this step."


def check_frames(
    estimator: Any, X: Any, *, reset: bool, advice: str = ENCODE_FIRST
) -> tuple[list[np.ndarray], Any]:
    """Validate sequences of frames.

    Parameters
    ----------
    estimator : estimator or None
        The one that asks; None for what another estimator has put out.
    X : 3-D array, object array or sequence of (n_features, n_frames), DataFrame, or 2-D table
    reset : bool
        True in ``fit``.
    advice : str
        What to do where X holds recordings rather than frames.

    Returns
    -------
    frames : list of ndarray of shape (n_features, n_frames)
    names : list of str or None
        Feature names where the container carries them.

    Raises
    ------
    ValueError, TypeError
        Naming the recording and what was found in place of frames.
    """
    names = None
    if hasattr(X, "iloc") and not _is_numeric_table(X):
        names = X.attrs.get(NAMES_KEY)
        X = X.iloc[:, 0].tolist() if X.ndim == 2 else X.tolist()
    elif not (isinstance(X, np.ndarray) and X.ndim == 3) and not _is_sequence_of_arrays(X):
        if estimator is None:
            table = check_array(X, dtype=np.float32)
        else:
            table = validate_data(estimator, X, reset=reset, dtype=np.float32)
        return [row[:, np.newaxis] for row in table], None
    if len(X) == 0:
        raise ValueError("X holds no recordings: found 0 sample(s), expected at least one.")
    frames = [_check_one(item, f"recording {i}", advice) for i, item in enumerate(X)]
    counts = {len(f) for f in frames}
    if len(counts) > 1:
        i = next(i for i, f in enumerate(frames) if len(f) != len(frames[0]))
        raise ValueError(
            f"recording {i} has {len(frames[i])} features per frame, recording 0 has "
            f"{len(frames[0])}: expected the same of all. Were they encoded differently?"
        )
    if reset and estimator is not None:
        forget_table(estimator)
    return frames, names


def _check_one(item: Any, name: str, advice: str) -> np.ndarray:
    if isinstance(item, (str, bytes)) or not hasattr(item, "__array__"):
        raise TypeError(
            f"{name} is {item!r:.60} ({type(item).__name__}), expected frames "
            f"(n_features, n_frames): {advice}"
        )
    frames = np.asarray(item)
    if frames.ndim == 1:
        raise ValueError(
            f"{name} is one-dimensional, shape {frames.shape}, expected frames "
            f"(n_features, n_frames). A waveform? Then {advice}"
        )
    if frames.ndim != 2 or 0 in frames.shape:
        raise ValueError(
            f"{name} has shape {frames.shape}, expected frames (n_features, n_frames), at least "
            "one of each."
        )
    if frames.dtype.kind == "c":
        raise ValueError(
            f"{name}: Complex data not supported: frames are {frames.dtype}. Use Spectrogram in "
            "place of STFT."
        )
    if frames.dtype.kind not in "fiu":
        raise TypeError(f"{name} has frames of {frames.dtype}, expected floating point numbers.")
    frames = frames.astype(np.float32, copy=False)
    if not np.isfinite(frames.sum(dtype=np.float64)):
        raise ValueError(f"{name} contains NaN or infinity in its frames, expected finite values.")
    return frames


def _is_numeric_table(X: Any) -> bool:
    """Whether a pandas object is a table of numbers rather than one column of arrays."""
    if X.ndim == 1 or X.shape[1] > 1 or len(X) == 0:
        return X.ndim == 2
    return np.ndim(X.iloc[0, 0]) == 0 and not isinstance(X.iloc[0, 0], str)


def _is_sequence_of_arrays(X: Any) -> bool:
    if isinstance(X, np.ndarray):
        if X.ndim != 1 or len(X) == 0:
            return False
        return X.dtype.kind in "US" or isinstance(X[0], str) or np.ndim(X[0]) > 0
    if hasattr(X, "iloc"):  # a table of numbers, by now
        return False
    if not (hasattr(X, "__len__") and hasattr(X, "__getitem__")) or len(X) == 0:
        return False
    first: Any = X[0] if not isinstance(X, dict) else None
    return isinstance(first, (str, bytes)) or (hasattr(first, "__array__") and np.ndim(first) > 0)
