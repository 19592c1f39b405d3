"""The containers of frames: checks of X, and the output of transformers."""

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
# Largest number of calls between the output of a transformer and its Pipeline.
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
        Advice in the error message for an X of recordings instead of frames.
    missing : bool
        Whether to accept frames that are all NaN: those of a recording that could not be read.
    called : sequence of str, optional
        Names of the recordings for messages.

    Returns
    -------
    frames : list of ndarray of shape (n_features, n_frames)
    names : list of str or None
        Feature names, if the container has them.

    Raises
    ------
    ValueError, TypeError
        If X does not hold frames. The message names the recording and what was found.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio.frames import check_frames
    >>> frames, names = check_frames(None, [np.zeros((2, 3)), np.zeros((2, 5))], reset=True)
    >>> [f.shape for f in frames], names
    ([(2, 3), (2, 5)], None)
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
    """Validate sequences of frames against those of ``fit``; accept missing frames (all NaN).

    Parameters
    ----------
    estimator : estimator
        Estimator that validates X. With ``reset``, its ``n_features_in_`` is set, and its
        ``feature_names_in_`` if X has names.
    X : 3-D array, object array or sequence of (n_features, n_frames), DataFrame, or 2-D table
    reset : bool
        True in ``fit``.

    Returns
    -------
    frames : list of ndarray of shape (n_features, n_frames)

    Raises
    ------
    ValueError, TypeError
        As in `check_frames`; also if the number of features is not that of ``fit``.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio.frames import validate_frames
    >>> from skaudio.pooling import FramePooling
    >>> pooling = FramePooling()
    >>> frames = validate_frames(pooling, [np.zeros((2, 3))], reset=True)
    >>> pooling.n_features_in_
    2
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
    """Whether frames are all NaN, which marks a recording that could not be read."""
    first = frames[0, 0]
    return bool(first != first and np.isnan(frames).all())


def scale_to_unit(values: np.ndarray, axis: int) -> np.ndarray:
    """Scale vectors along an axis to length 1; zero vectors stay zero."""
    lengths = np.linalg.norm(values, axis=axis, keepdims=True)
    scaled: np.ndarray = values / np.maximum(lengths, 1e-12)
    return scaled


def names_of(X: Any) -> list[str] | None:
    """Return the names of the features if the container of frames has them."""
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
    if hasattr(X, "iloc"):  # here, X can only be a table of numbers
        return False
    if not (hasattr(X, "__len__") and hasattr(X, "__getitem__")) or len(X) == 0:
        return False
    first: Any = X[0] if not isinstance(X, dict) else None
    return isinstance(first, (str, bytes)) or (hasattr(first, "__array__") and np.ndim(first) > 0)


def pack(frames: Iterable[np.ndarray], n: int, dtype: Any = np.float32) -> np.ndarray:
    """Collect frames from an iterable.

    Parameters
    ----------
    frames : iterable of ndarray of shape (n_features, n_frames)
        The frames of one recording after the other.
    n : int
        Number of recordings.
    dtype : dtype, default=float32
        Type of the result.

    Returns
    -------
    packed : ndarray of shape (n, n_features, n_frames)
        A 1-D object array if shapes differ.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio.frames import pack
    >>> pack((np.zeros((2, k)) for k in (3, 3)), 2).shape
    (2, 2, 3)
    >>> pack((np.zeros((2, k)) for k in (3, 4)), 2).shape
    (2,)
    """
    stack = FrameStack(n, dtype)
    for i, item in enumerate(frames):
        stack.put(i, item)
    return stack.gathered()


class FrameOutputMixin:
    """Add `set_output` to transformers whose output scikit-learn cannot wrap.

    With ``transform="pandas"``, frames are returned as a one-column DataFrame of arrays, with the
    index of the input and the feature names in ``attrs``. Rows are returned as a DataFrame with a
    column per feature. polars DataFrames are supported for rows only.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio.encoders import MFCC
    >>> table = MFCC().set_output(transform="pandas").fit_transform([np.ones(1600), np.ones(800)])
    >>> table.shape, table.iloc[0, 0].shape
    ((2, 1), (20, 11))
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(auto_wrap_output_keys=None, **kwargs)  # type: ignore[call-arg]

    def set_output(self, *, transform: str | None = None) -> Self:
        """Set the container of `transform`'s output.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"} or None
            "pandas" returns frames as a one-column DataFrame, and rows as a DataFrame with a column
            per feature. "polars" is supported for rows only. None keeps the setting. If polars is
            set by `sklearn.set_config`, frames are returned as arrays.

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
        """Return the output in the container chosen by `set_output`.

        ``cells`` are written to the DataFrame instead of the items of the output. ``table`` marks a
        2-D output with a column per name.
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
    """Return the local variables of ``Pipeline._fit`` if a Pipeline is calling, or None.

    scikit-learn gives a transformer no information about the next step, so the call stack is
    searched.
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
