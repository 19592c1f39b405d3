"""Tables of numbers as X: mono clips of equal length, one per row, checked by scikit-learn."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
from sklearn.utils.validation import _check_n_features, validate_data

from skaudio._validation import is_number
from skaudio.audio._arrays import warn_of_wide_integers
from skaudio.audio._recording import Recording, check_samples, is_surely_finite

LENGTH_HINT = " Pass a list of arrays for recordings of any length."

# A table with more clips than this, of one or two samples each, is a transposed recording.
MANY_CLIPS = 1000
FEW_SAMPLES = 2
# Shorter rows of integers can be any numbers, in particular in scikit-learn's checks.
LEAST_SAMPLES = 100


def is_table(items: list[Any]) -> bool:
    """Whether a list is scikit-learn's list of lists, or a bare list of numbers."""
    if items and all(is_number(item, numbers.Number) for item in items):
        return True
    return (
        bool(items)
        and all(isinstance(item, (list, tuple)) for item in items)
        and len({len(item) for item in items}) == 1
        and all(is_number(v, numbers.Number) for item in items for v in item[:1])
    )


def clips_of(estimator: Any, X: Any, *, reset: bool, finite: bool) -> list[Recording]:
    """Return the rows of a table, which determines the estimator's ``n_features_in_``."""
    try:
        X = validate_data(estimator, X, reset=reset, dtype="numeric", ensure_all_finite=False)
    except ValueError as error:
        likelier = _likelier_cause(X, str(error))
        if likelier is None:
            raise
        raise likelier from error
    if len(X) > MANY_CLIPS and X.shape[1] <= FEW_SAMPLES:
        raise ValueError(
            f"X has shape {X.shape}: {len(X)} clips of {X.shape[1]} samples. Expected clips in "
            "rows. A single recording, (n_times, n_channels)? Pass [X.T]."
        )
    if X.shape[1] >= LEAST_SAMPLES and X.dtype.kind in "iu":
        warn_of_wide_integers([(X, "X")])
    if X.dtype.kind == "b":
        raise TypeError("X is an array of bool, expected floating point or integer samples.")
    if finite and X.dtype.kind == "f":
        # In the usual case, one check of the whole array is sufficient.
        if not (X.flags.c_contiguous and is_surely_finite(X.reshape(-1))):
            for i, row in enumerate(X):
                check_samples(row, f"recording {i}")
    return [Recording(row, f"recording {i}") for i, row in enumerate(X)]


def check_length(estimator: Any, clips: list[Recording], *, reset: bool) -> None:
    """Set or compare ``n_features_in_`` for a table whose rows are already recordings."""
    if estimator is not None:
        _check_n_features(estimator, clips[0].source[np.newaxis], reset=reset)


def _likelier_cause(X: Any, message: str) -> ValueError | None:
    """Return a better message for recordings than scikit-learn's, or None to keep it."""
    if "expecting" in message and "features" in message:
        return ValueError(message + LENGTH_HINT)
    if message.startswith("Complex data not supported"):
        return ValueError(
            "X: Complex data not supported: expected real waveforms (did you pass an STFT?)."
        )
    if "could not convert string" in message:
        return ValueError(
            f"X has shape {np.shape(X)} and elements that are not numbers ({message}): expected "
            "one column of recordings, or waveforms."
        )
    if np.ndim(X) == 1:
        return ValueError(
            f"X is one waveform of {len(X)} samples? Pass [waveform], a sequence of one "
            "recording. (Expected 2D array, got 1D array instead: Reshape your data.)"
        )
    return None
