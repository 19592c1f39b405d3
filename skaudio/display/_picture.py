"""Shared by the displays: matplotlib, one recording of X, labels, ticks."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from skaudio._validation import counted, printable


def import_pyplot() -> Any:
    """Import matplotlib.pyplot; the error describes how to install it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError('Pictures need matplotlib: pip install "skaudio[plot]"') from error
    return plt


def one_recording(X: Any, index: int) -> Any:
    """Return the recording at a position as an X of one recording."""
    single = isinstance(X, (str, bytes, os.PathLike, Mapping)) or hasattr(X, "get_all_samples")
    if single or (isinstance(X, np.ndarray) and X.ndim == 1 and X.dtype.kind in "fiu"):
        return [X]
    n = _num_samples(X)
    if not n:
        raise ValueError("X holds no recordings: found 0 sample(s), expected at least one.")
    if not -n <= index < n:
        raise ValueError(f"index={index}: X holds {counted(n, 'recording')}, counted from 0.")
    return _safe_indexing(X, [index % n])


def plain(value: Any) -> str:
    r"""Escape ``$`` in a text, which matplotlib would show as a formula."""
    return printable(value).replace("$", r"\$")


def count_ticks(*axes: Any) -> None:
    """Use ticks at whole numbers only."""
    from matplotlib.ticker import MaxNLocator

    for axis in axes:
        axis.set_major_locator(MaxNLocator(integer=True))
