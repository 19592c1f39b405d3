"""Checks of labels: no label is missing, and all have one type."""

from __future__ import annotations

import numbers
import os
from typing import Any

import numpy as np
from sklearn.utils.validation import _num_samples, check_consistent_length


def check_labels(labels: Any, name: str) -> None:
    """Raise an error that names the first label that is missing or of another type.

    Numbers, strings and collections of labels are one type each. Objects that are not sequences, or
    have two dimensions, are not checked.
    """
    if isinstance(labels, (str, bytes)) or not hasattr(labels, "__len__"):
        return
    if getattr(labels, "ndim", 1) != 1:
        return
    import pandas as pd  # slow to import, and not needed by encoders

    items = labels.tolist() if hasattr(labels, "tolist") else list(labels)
    first = next(iter(items), None)
    for i, item in enumerate(items):
        if not _is_collection(item) and pd.isna(item):
            raise ValueError(
                f"{name}[{i}] is {item!r}: expected a label for every recording. Remove recordings "
                "without one, or give them a label of their own."
            )
        if _type_of_label(item) != _type_of_label(first):
            raise ValueError(
                f"{name} holds labels of two types: {name}[0] is {first!r:.60} "
                f"({type(first).__name__}), {name}[{i}] is {item!r:.60} ({type(item).__name__}). "
                "Expected one type."
            )


def check_same_labels(**named: Any) -> None:
    """Raise an error if one collection of labels contains strings and another numbers."""
    found = {}
    for name, labels in named.items():
        check_labels(labels, name)
        for item in np.asarray(labels).ravel()[:1].tolist():
            found[name] = _type_of_label(item), item
    if len({kind for kind, _ in found.values()}) > 1:
        shown = ", ".join(f"{name}[0]={item!r:.60}" for name, (_, item) in found.items())
        raise ValueError(
            f"{' and '.join(found)} hold labels of two types: {shown}. Expected the same labels. "
            "Are some of them codes of classes, and others their names?"
        )


def _is_collection(value: Any) -> bool:
    return hasattr(value, "__len__") and not isinstance(value, (str, bytes))


def _type_of_label(label: Any) -> str:
    if isinstance(label, (numbers.Number, np.bool_)):
        return "number"
    if _is_collection(label):
        return "collection"
    return "str" if isinstance(label, str) else type(label).__name__


def check_same_lengths(**arrays: Any) -> None:
    """Raise scikit-learn's error for arrays of different lengths, with their names; skip None."""
    given = {name: array for name, array in arrays.items() if array is not None}
    for name, array in given.items():
        if isinstance(array, (str, os.PathLike)):
            raise ValueError(
                f"{name} is a single path ({os.fsdecode(array)!r}), expected a sequence of "
                "recordings: pass [path]."
            )
    try:
        check_consistent_length(*given.values())
    except ValueError as error:
        lengths = ", ".join(f"{name} has {_num_samples(array)}" for name, array in given.items())
        raise ValueError(
            f"{error} ({lengths}). Expected one element of each per recording, in the same order."
        ) from None
