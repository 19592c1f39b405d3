"""Frames and rows in the container that `set_output` asks for."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any, Self

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils._set_output import ADAPTERS_MANAGER, _get_output_config

from skaudio._steps import check_next_step
from skaudio.frames._frame_stack import as_object_array

NAMES_KEY = "skaudio_feature_names"
# Largest number of calls between the output of a transformer and its Pipeline.
STACK_DEPTH = 16


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
