"""The target y of a detector: one label per recording, or any number of them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy import sparse
from sklearn.utils import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_y, check_array

from skaudio._neural import Classes


@dataclass
class Labels:
    """Weak labels as numbers.

    Attributes
    ----------
    targets : ndarray of shape (n_recordings, n_labels), float32
        1 where a label is present.
    names : ndarray of shape (n_labels,)
    is_multilabel : bool
        A recording may have any number of labels, rather than exactly one.
    """

    targets: np.ndarray
    names: np.ndarray
    is_multilabel: bool

    def classes(self) -> Classes:
        """Return what early stopping must not hold out: recordings with, and without, a label."""
        present = self.targets == 1
        names = [repr(name) for name in self.names.tolist()]
        if not self.is_multilabel:
            return Classes(names, present)
        return Classes(
            names + [f"without {name}" for name in names], np.hstack([present, ~present])
        )

    def accuracy(self, outputs: list[np.ndarray], targets: list[np.ndarray]) -> float:
        """Return the share of recordings all of whose labels are right, of batches."""
        found, true = np.concatenate(outputs), np.concatenate(targets)
        if self.is_multilabel:
            return float(np.mean(((found > 0.5) == true).all(axis=1)))
        return float(np.mean(found.argmax(axis=1) == true.argmax(axis=1)))


def encode_labels(estimator: Any, y: Any) -> Labels:
    """Encode y: labels, an indicator matrix, a DataFrame of indicators, or lists of labels."""
    called = type(estimator).__name__
    if isinstance(y, pd.DataFrame) and all(t.kind in "biuf" for t in y.dtypes):
        return Labels(_indicator(y, called), y.columns.to_numpy(), True)
    if _is_lists_of_labels(y):
        return _from_lists(y, called)
    if sparse.issparse(y):
        y = y.toarray()
    values = np.asarray(y)
    if values.ndim == 2 and values.shape[1] > 1:
        y = _indicator(values, called)
        return Labels(y, np.arange(y.shape[1]), True)
    y = _check_y(y, multi_output=False, estimator=estimator)
    check_classification_targets(y)
    names, codes = np.unique(y, return_inverse=True)
    if len(names) < 2:
        raise ValueError(
            f"{called} can't train when only one class is present: all labels are "
            f"{names.tolist()[0]!r}. Recordings without any event make it learnable: pass lists "
            "of labels, some of them empty, or a DataFrame of zeros and ones."
        )
    return Labels(np.eye(len(names), dtype=np.float32)[codes], names, False)


def _indicator(y: Any, called: str) -> np.ndarray:
    indicator: np.ndarray = check_array(y, dtype=np.float32, input_name="y")
    strange = indicator[(indicator != 0) & (indicator != 1)]
    if len(strange):
        raise ValueError(
            f"{called}: y holds {strange[0]:g} in its columns of labels, expected 0 (absent) or 1 "
            "(present)."
        )
    return indicator


def _is_lists_of_labels(y: Any) -> bool:
    """Whether y holds collections of strings; an indicator written as lists holds numbers."""
    if isinstance(y, (str, bytes)) or not isinstance(y, Collection) or sparse.issparse(y):
        if not isinstance(y, (pd.Series, np.ndarray)):
            return False
    if isinstance(y, np.ndarray) and (y.ndim != 1 or y.dtype != object):
        return False
    items = list(y)
    inside = (list, tuple, set, frozenset, np.ndarray)
    if not items or not all(isinstance(item, inside) for item in items):
        return False
    return any(isinstance(label, str) for item in items for label in item)


def _from_lists(y: Any, called: str) -> Labels:
    rows = [list(item) for item in y]
    for i, row in enumerate(rows):
        for label in row:
            if not isinstance(label, str):
                raise ValueError(
                    f"{called}: y[{i}] holds {label!r} ({type(label).__name__}), expected strings."
                )
    names = sorted({label for row in rows for label in row})
    position = {name: i for i, name in enumerate(names)}
    targets = np.zeros((len(rows), len(names)), np.float32)
    for i, row in enumerate(rows):
        targets[i, [position[label] for label in row]] = 1.0
    return Labels(targets, np.array(names), True)


def label_weights(labels: Labels, class_weight: Any) -> torch.Tensor:
    """Return the weight of each recording's loss for each label, (n_labels, 2): absent, present.

    As in scikit-learn, the weight of a class of n_c recordings in "balanced" is
    n / (n_classes * n_c). With one label per recording, the weight of a class is that of its
    recordings. With several, each label is a problem of two classes, and a dictionary gives the
    weights of "present".
    """
    n = labels.targets.shape[1]
    weights = np.ones((n, 2), np.float32)
    if class_weight is None:
        return torch.from_numpy(weights)
    if not labels.is_multilabel:
        y = labels.names[labels.targets.argmax(axis=1)]
        own = compute_class_weight(class_weight, classes=labels.names, y=y)
        return torch.from_numpy(np.repeat(own.astype(np.float32)[:, None], 2, axis=1))
    for i, column in enumerate(labels.targets.T):
        if class_weight == "balanced":
            present = np.unique(column)
            weights[i, present.astype(int)] = compute_class_weight(
                "balanced", classes=present, y=column
            )
        else:
            weights[i, 1] = class_weight.get(labels.names[i], 1.0)
    return torch.from_numpy(weights)
