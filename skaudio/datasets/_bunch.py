"""make_bunch: the Bunch that every loader returns, from a table of recordings."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

DIGIT_NAMES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def read_description(name: str) -> str:
    """Return the description ``descr/{name}`` of a data set."""
    return (files(__package__) / "descr" / name).read_text(encoding="utf-8")


def make_bunch(
    columns: dict[str, Any],
    *,
    target: str,
    groups: str | None,
    target_names: list[str],
    description: str | None,
    as_frame: bool,
    **extra: Any,
) -> Bunch:
    """Make a Bunch of a table of recordings, as scikit-learn's loaders do.

    Parameters
    ----------
    columns : dict of str to sequence
        The table, one row per recording; the column "path" holds the paths.
    target, groups : str
        Names of the columns with the integer labels and with the groups (None: no groups).
    target_names : list of str
        Name of each integer label.
    description : str or None
        Description, returned as ``DESCR``.
    as_frame : bool
        Whether data, target and groups are pandas objects, and ``frame`` the whole table.
    **extra
        Further entries of the Bunch.
    """
    data: Any = np.asarray(columns["path"], dtype=str)
    labels: Any = np.asarray(columns[target], dtype=np.int64)
    group_labels: Any = None if groups is None else np.asarray(columns[groups], dtype=str)
    frame = None
    if as_frame:
        frame = pd.DataFrame(columns)
        data, labels = frame[["path"]], frame[target]
        group_labels = None if groups is None else frame[groups]
    return Bunch(
        data=data,
        target=labels,
        groups=group_labels,
        frame=frame,
        feature_names=["path"],
        target_names=np.asarray(target_names, dtype=str),
        DESCR=description,
        **extra,
    )
