"""The container of a transformer's output: that of `set_output`, or arrays inside another one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

from sklearn import config_context
from sklearn.utils._set_output import ADAPTERS_MANAGER, _get_output_config

from skaudio._steps import steps_of
from skaudio.frames._frames import NAMES_KEY, as_object_array


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


def pin_output(estimator: Any) -> Any:
    """Let the steps of an estimator return arrays, whatever `sklearn.set_config` asks for.

    For clones that work inside another estimator; what is frozen belongs to the user and stays as
    it is.
    """
    for step in steps_of(estimator, frozen=False):
        if hasattr(step, "set_output"):
            step.set_output(transform="default")
    return estimator


def transform_plainly(transformer: Any, X: Any) -> Any:
    """Return ``transformer.transform(X)`` as arrays, whatever `set_output` asks for.

    For a transformer of the user's, whose settings are not ours to change.
    """
    with config_context(transform_output="default"):
        return unwrapped(transformer.transform(X))


def unwrapped(output: Any) -> Any:
    """Return the array that `set_output` has made a DataFrame of: frames, rows or waveforms."""
    if not hasattr(output, "columns"):
        return output
    if not hasattr(output, "iloc") or output.shape[1] != 1 or output.dtypes.iloc[0].kind != "O":
        return output.to_numpy()
    cells = output.iloc[:, 0].tolist()
    return [cell["array"] if isinstance(cell, Mapping) else cell for cell in cells]
