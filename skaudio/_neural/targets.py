"""The target y: one label per recording, or any number of them; losses of either."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy import sparse
from sklearn.metrics import accuracy_score
from sklearn.utils import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_y, check_array
from torch import nn

from skaudio._neural.checks import is_warm
from skaudio._neural.held_out import Classes
from skaudio._validation import check_same_labels, check_target


@dataclass
class Labels:
    """Weak labels as numbers.

    Attributes
    ----------
    targets : ndarray of shape (n_recordings, n_labels), float32
        1 where a label is present.
    names : ndarray of shape (n_labels,)
    is_multilabel : bool
        Whether a recording can have any number of labels instead of exactly one.
    """

    targets: np.ndarray
    names: np.ndarray
    is_multilabel: bool

    def classes(self) -> Classes:
        """Return the classes for early stopping: recordings with and without each label."""
        present = self.targets == 1
        names = [repr(name) for name in self.names.tolist()]
        if not self.is_multilabel:
            return Classes(names, present)
        return Classes(
            names + [f"without {name}" for name in names], np.hstack([present, ~present])
        )

    def accuracy(self, outputs: list[np.ndarray], targets: list[np.ndarray]) -> float:
        """Return the fraction of recordings in batches whose labels are all correct."""
        found, true = np.concatenate(outputs), np.concatenate(targets)
        if self.is_multilabel:
            return float(np.mean(((found > 0.5) == true).all(axis=1)))
        return float(np.mean(found.argmax(axis=1) == true.argmax(axis=1)))


def encode_labels(estimator: Any, y: Any) -> Labels:
    """Encode y: labels, an indicator matrix, a DataFrame of indicators, or lists of labels."""
    called = type(estimator).__name__
    if _is_table_of_labels(y):
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


def indicator_of(estimator: Any, y: Any) -> np.ndarray:
    """Return y, in any form that `encode_labels` accepts, as indicators of ``labels_``."""
    names, called = estimator.labels_.tolist(), type(estimator).__name__
    if _is_lists_of_labels(y):
        labels = _from_lists(y, called, names)
    else:
        labels = encode_labels(estimator, y)
        if _is_table_of_labels(y) and set(y.columns) == set(names):
            return labels.targets[:, [list(y.columns).index(name) for name in names]]
    if labels.targets.shape[1] != len(names):
        raise ValueError(
            f"{called}: y has {labels.targets.shape[1]} columns, expected one for each of the "
            f"{len(names)} labels of fit, {names!r:.80}."
        )
    return labels.targets


def _is_table_of_labels(y: Any) -> bool:
    """Whether y is a DataFrame with a column per label, and not one column of strings."""
    if not isinstance(y, pd.DataFrame):
        return False
    return y.shape[1] > 1 or all(dtype.kind in "biuf" for dtype in y.dtypes)


def _indicator(y: Any, called: str) -> np.ndarray:
    table = y if isinstance(y, pd.DataFrame) else pd.DataFrame(y)
    missing = table.isna().to_numpy()
    strange = missing | ~table.isin([0, 1]).to_numpy()
    if strange.any():
        row, column = np.argwhere(missing if missing.any() else strange)[0].tolist()
        value, name = table.iat[row, column], table.columns[column]
        value = value.item() if isinstance(value, np.generic) else value
        raise ValueError(
            f"{called}: y holds {value!r:.60} for the label {name!r} in row {row}, expected 0 "
            "(absent) or 1 (present)."
        )
    return np.asarray(check_array(table, dtype=np.float32, input_name="y"))


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
    if not any(len(item) for item in items):
        raise ValueError("y holds no label: all lists of labels are empty.")
    return any(isinstance(label, str) for item in items for label in item)


def _from_lists(y: Any, called: str, known: list[Any] | None = None) -> Labels:
    """Encode lists of labels, with a column for each label that occurs, or that is known."""
    rows = [list(item) for item in y]
    for i, row in enumerate(rows):
        for label in row:
            if not isinstance(label, str):
                raise ValueError(
                    f"{called}: y[{i}] holds {label!r} ({type(label).__name__}), expected strings."
                )
            if known is not None and label not in known:
                raise ValueError(
                    f"{called}: y[{i}] holds {label!r}, expected labels of fit, {known!r:.80}."
                )
    names = sorted({label for row in rows for label in row}) if known is None else known
    position = {name: i for i, name in enumerate(names)}
    targets = np.zeros((len(rows), len(names)), np.float32)
    for i, row in enumerate(rows):
        targets[i, [position[label] for label in row]] = 1.0
    return Labels(targets, np.array(names), True)


def label_weights(labels: Labels, class_weight: Any) -> torch.Tensor:
    """Return the weights (n_labels, 2) in the loss for each label, where absent and where present.

    With "balanced", the weight of a class with n_c recordings is n / (n_classes * n_c), as in
    scikit-learn. With one label per recording, the weight of a class applies to its recordings.
    With several labels, each label is a problem of two classes: a dictionary contains the weights
    of "present"; a list contains a dictionary of the weights of 0 and 1 for each label.
    """
    n = labels.targets.shape[1]
    weights = np.ones((n, 2), np.float32)
    if class_weight is None:
        return torch.from_numpy(weights)
    if not labels.is_multilabel:
        y = labels.names[labels.targets.argmax(axis=1)]
        own = compute_class_weight(class_weight, classes=labels.names, y=y)
        return torch.from_numpy(np.repeat(own.astype(np.float32)[:, None], 2, axis=1))
    for i, own in enumerate(_weights_by_label(labels.names.tolist(), class_weight)):
        column = labels.targets[:, i]
        present = np.unique(column)
        weights[i, present.astype(int)] = compute_class_weight(own, classes=present, y=column)
    return torch.from_numpy(weights)


def _weights_by_label(names: list[Any], class_weight: Any) -> list[Any]:
    """Return the argument of `compute_class_weight` for each label."""
    if isinstance(class_weight, str):
        return [class_weight] * len(names)
    if isinstance(class_weight, Mapping):
        unknown = [label for label in class_weight if label not in names]
        if unknown:
            raise ValueError(
                f"class_weight holds {unknown[0]!r}, expected labels of y: {names!r:.200}."
            )
        return [{0: 1.0, 1: class_weight.get(name, 1.0)} for name in names]
    if len(class_weight) != len(names):
        raise ValueError(
            f"class_weight holds {len(class_weight)} dictionaries, expected one for each of the "
            f"{len(names)} labels of y."
        )
    return [{0: 1.0, 1: 1.0, **weights} for weights in class_weight]


class LabelLoss(nn.Module):
    """Binary cross-entropy of each label; ``weights`` (n_labels, 2) are of absent and present."""

    weights: torch.Tensor

    def __init__(self, weights: torch.Tensor, *, label_smoothing: float = 0.0):
        super().__init__()
        self.register_buffer("weights", weights)
        self.label_smoothing = label_smoothing

    def forward(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        soft = targets + self.label_smoothing * (0.5 - targets)
        losses = nn.functional.binary_cross_entropy_with_logits(logits, soft, reduction="none")
        weights = torch.where(targets > 0.5, self.weights[:, 1], self.weights[:, 0])
        return (losses * weights).mean()


class LabelsMixin:
    """Add `score` and the attributes about labels to estimators."""

    labels_: np.ndarray
    classes_: np.ndarray
    predict: Callable[[Any], np.ndarray]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy: the fraction of recordings whose labels are all correct.

        Parameters
        ----------
        X : sequence of recordings, or of frames where ``encoder=None``
        y : array-like
            Labels, as for `fit`. The columns of a DataFrame may be in another order.
        sample_weight : array-like of shape (n_recordings,), default=None

        Returns
        -------
        score : float
        """
        check_target(self, y)
        if self._is_multilabel:
            y = indicator_of(self, y)
        else:
            check_same_labels(y=y, labels_=self.labels_)
        return float(accuracy_score(y, self.predict(X), sample_weight=sample_weight))

    @property
    def _is_multilabel(self) -> bool:
        return self.classes_.ndim == 2

    def _set_labels(self, labels: Labels) -> None:
        if is_warm(self):
            kept = labels.is_multilabel == self._is_multilabel
            if not kept or not np.array_equal(labels.names, self.labels_):
                raise ValueError(
                    f"warm_start: the labels are {labels.names.tolist()}, expected those of the "
                    f"first fit, {self.labels_.tolist()}."
                )
        for name in ("thresholds_", "filters_"):
            if hasattr(self, name):
                delattr(self, name)
        self.labels_ = labels.names
        # Two-dimensional, because scikit-learn's scorers recognise multilabel output by it, even
        # with two labels, and because `cross_val_predict` compares its length with the number of
        # columns of y.
        several = np.tile([0, 1], (len(labels.names), 1))
        self.classes_ = several if labels.is_multilabel else labels.names
