"""`set_output` for transformers that return frames."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from sklearn.utils._set_output import _get_output_config

from skaudio.frames._stack import as_object_array

NAMES_KEY = "skaudio_feature_names"


class FrameOutputMixin:
    """`set_output` for transformers whose output scikit-learn's own wrapping cannot hold.

    With ``transform="pandas"`` the output becomes a one-column DataFrame of arrays that carries
    the input's index and, in ``attrs``, the feature names.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(auto_wrap_output_keys=None, **kwargs)  # type: ignore[call-arg]

    def set_output(self, *, transform: str | None = None):
        """Set the container of `transform`'s output.

        Parameters
        ----------
        transform : {"default", "pandas"} or None
            "pandas" makes a one-column DataFrame of arrays; None changes nothing.

        Returns
        -------
        self : estimator
        """
        if transform == "polars":
            raise ValueError(
                "transform='polars': frames cannot be held by a polars DataFrame, expected "
                "'default' or 'pandas'. Put the frames' steps into a Pipeline that ends in a "
                "table, e.g. FramePooling, and set_output on that step."
            )
        if transform not in (None, "default", "pandas"):
            raise ValueError(f"transform={transform!r}: expected 'default', 'pandas' or None.")
        if transform is not None:
            self._sklearn_output_config = {"transform": transform}
        return self

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
        if _get_output_config("transform", self)["dense"] != "pandas":
            return output
        import pandas as pd

        if table:
            return pd.DataFrame(output, index=index, columns=names())
        column = type(self).__name__.lower()
        items = as_object_array(list(output if cells is None else cells))
        frame = pd.DataFrame({column: pd.Series(items, index=index)})
        frame.attrs[NAMES_KEY] = list(names())
        return frame
