"""The containers of frames: checked on the way in, gathered on the way out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils._set_output import ADAPTERS_MANAGER, _get_output_config
from sklearn.utils.validation import check_array, validate_data

from skaudio._steps import check_next_step
from skaudio.audio import forget_table
from skaudio.frames._frame_stack import FrameStack, as_object_array
from skaudio.frames._rows_of_samples import LONG, warn_of_waveforms

NAMES_KEY = "skaudio_feature_names"
# Calls between a transformer's output and the Pipeline that it is a step of, at most.
STACK_DEPTH = 16
ENCODE_FIRST = "put an encoder (MFCC, MelSpectrogram...) before this step."


def check_frames(
    estimator: Any,
    X: Any,
    *,
    reset: bool,
    advice: str = ENCODE_FIRST,
    missing: bool = False,
    called: Sequence[str] | None = None,
) -> tuple[list[np.ndarray], Any]:
    """Validate sequences of frames.

    Parameters
    ----------
    estimator : estimator or None
        The estimator that validates X; None for the output of another estimator.
    X : 3-D array, object array or sequence of (n_features, n_frames), DataFrame, or 2-D table
    reset : bool
        True in ``fit``.
    advice : str
        What to do where X holds recordings rather than frames.
    missing : bool
        Let frames of nothing but NaN pass: those of a recording that could not be read.
    called : sequence of str, optional
        Names of the recordings for messages.

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
    shape = getattr(X, "shape", None) or (len(X) if hasattr(X, "__len__") else 1,)
    if shape[0] == 0:
        raise ValueError("X holds no recordings: found 0 sample(s), expected at least one.")
    if hasattr(X, "iloc") and not _is_numeric_table(X):
        names = names_of(X)
        X = X.iloc[:, 0].tolist() if X.ndim == 2 else X.tolist()
    elif not (isinstance(X, np.ndarray) and X.ndim == 3) and not _is_sequence_of_arrays(X):
        if estimator is None:
            table = check_array(X, dtype=np.float32)
        else:
            table = validate_data(estimator, X, reset=reset, dtype=np.float32)
            if reset and table.shape[1] >= LONG:
                warn_of_waveforms(table, advice)
        return [row[:, np.newaxis] for row in table], None
    called = called or [f"recording {i}" for i in range(len(X))]
    frames = [_check_one(x, name, advice, missing) for x, name in zip(X, called, strict=True)]
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


def validate_frames(estimator: Any, X: Any, *, reset: bool) -> list[np.ndarray]:
    """Validate sequences of frames against those of ``fit``; missing ones (all NaN) pass.

    Parameters
    ----------
    estimator : estimator
        With ``reset``, its ``n_features_in_`` is set, and ``feature_names_in_`` where X has names.
    X : 3-D array, object array or sequence of (n_features, n_frames), DataFrame, or 2-D table
    reset : bool
        True in ``fit``.

    Returns
    -------
    frames : list of ndarray of shape (n_features, n_frames)

    Raises
    ------
    ValueError, TypeError
        As `check_frames`; also if the number of features is not that of ``fit``.
    """
    frames, names = check_frames(estimator, X, reset=reset, missing=True)
    n_features = len(frames[0])
    if reset:
        estimator.n_features_in_ = n_features
        if names is not None:
            estimator.feature_names_in_ = np.array(names, dtype=object)
    elif n_features != getattr(estimator, "n_features_in_", n_features):
        raise ValueError(
            f"X has {n_features} features, but {type(estimator).__name__} is expecting "
            f"{estimator.n_features_in_} features as input. Were the frames encoded differently?"
        )
    return frames


def is_missing(frames: np.ndarray) -> bool:
    """Whether frames stand for a recording that could not be read: all are NaN."""
    first = frames[0, 0]
    return bool(first != first and np.isnan(frames).all())


def scale_to_unit(values: np.ndarray, axis: int) -> np.ndarray:
    """Return vectors along an axis scaled to length 1; zeros stay zeros."""
    lengths = np.linalg.norm(values, axis=axis, keepdims=True)
    scaled: np.ndarray = values / np.maximum(lengths, 1e-12)
    return scaled


def names_of(X: Any) -> list[str] | None:
    """Return the names of the features where the container of frames carries them."""
    names: list[str] | None = getattr(X, "attrs", {}).get(NAMES_KEY)
    return names


def _check_one(item: Any, name: str, advice: str, missing: bool) -> np.ndarray:
    if isinstance(item, (str, bytes)) or not hasattr(item, "__array__"):
        found = f"{item!r:.60} ({type(item).__name__})"
        raise TypeError(f"{name} is {found}, expected frames (n_features, n_frames): {advice}")
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
        if is_missing(frames) and missing:
            return frames
        if is_missing(frames):
            raise ValueError(
                f"{name} could not be read: its frames are NaN (on_error='nan' in a step before), "
                "which this step does not accept. Remove such recordings from X and y."
            )
        raise ValueError(f"{name} contains NaN or infinity in its frames, expected finite values.")
    return frames


def _is_numeric_table(X: Any) -> bool:
    """Whether a pandas object is a table of numbers rather than one column of arrays."""
    if X.ndim == 1 or X.shape[1] > 1 or len(X) == 0:
        return bool(X.ndim == 2)
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


def pack(frames: Iterable[np.ndarray], n: int, dtype: Any = np.float32) -> np.ndarray:
    """Gather n arrays ``(n_features, n_frames)`` as they come: 3-D if all shapes agree."""
    stack = FrameStack(n, dtype)
    for i, item in enumerate(frames):
        stack.put(i, item)
    return stack.gathered()


class FrameOutputMixin:
    """`set_output` for transformers whose output scikit-learn's own wrapping cannot hold.

    With ``transform="pandas"`` frames become a one-column DataFrame of arrays that carries the
    input's index and, in ``attrs``, the feature names; rows become one with a column per feature.
    A polars DataFrame holds rows alone.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(auto_wrap_output_keys=None, **kwargs)  # type: ignore[call-arg]

    def set_output(self, *, transform: str | None = None) -> Self:
        """Set the container of `transform`'s output.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"} or None
            "pandas" makes a one-column DataFrame of frames, or a DataFrame of rows; "polars" holds
            rows alone. None changes nothing. Where `sklearn.set_config` asks for polars, frames
            stay arrays.

        Returns
        -------
        self : estimator
        """
        if transform == "polars" and not self._returns_rows():
            raise ValueError(
                "transform='polars': frames cannot be held by a polars DataFrame, expected "
                "'default' or 'pandas'. Put the frames' steps into a Pipeline that ends in a "
                "table, e.g. FramePooling, and set_output on that step."
            )
        if transform not in (None, "default", "pandas", "polars"):
            raise ValueError(
                f"transform={transform!r}: expected 'default', 'pandas', 'polars' or None."
            )
        if transform is not None:
            self._sklearn_output_config = {"transform": transform}
        return self

    def _returns_rows(self) -> bool:
        """Whether the output is one row per recording, rather than frames or waveforms."""
        return False

    def _wrap(
        self,
        output: Any,
        index: Any,
        names: Callable[[], Any],
        *,
        cells: Iterable[Any] | None = None,
        table: bool = False,
    ) -> Any:
        """Return the output in the container `set_output` asked for.

        ``cells`` go into the DataFrame in place of the output's items; ``table`` marks a 2-D output
        that has a column per name.
        """
        if not table and isinstance(output, np.ndarray) and (fit := _running_pipeline()):
            check_next_step(self, fit)
        container = _get_output_config("transform", self)["dense"]
        if container == "default" or (container == "polars" and not table):
            return output
        if table and container == "polars":
            adapter = ADAPTERS_MANAGER.adapters[container]
            return adapter.create_container(output, None, columns=[str(name) for name in names()])
        import pandas as pd

        if table:
            return pd.DataFrame(output, index=index, columns=names())
        column = type(self).__name__.lower()
        items = as_object_array(list(output if cells is None else cells))
        frame = pd.DataFrame({column: pd.Series(items, index=index)})
        frame.attrs[NAMES_KEY] = list(names())
        return frame


def _running_pipeline() -> dict[str, Any] | None:
    """Return the variables of the Pipeline that is being fitted, where one asks for the output.

    scikit-learn tells a transformer nothing of the step that gets its output.
    """
    fit = getattr(Pipeline, "_fit", None)
    if fit is None:
        return None
    frame = sys._getframe(2)
    for _ in range(STACK_DEPTH):
        if frame.f_code is fit.__code__:
            return frame.f_locals
        if frame.f_back is None:
            break
        frame = frame.f_back
    return None
