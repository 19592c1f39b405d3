"""Tables of the accuracy of a classifier by group, and of its largest errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import column_or_1d

from skaudio._validation import check_count, check_labels, check_same_labels, check_same_lengths


def scores_by(y_true: Any, y_pred: Any, groups: Any = None) -> pd.DataFrame:
    """Return the accuracy within each group of recordings, and the mean over groups.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_recordings,)
        True and predicted labels.
    groups : array-like of shape (n_recordings,), default=None
        Group of each recording, such as the speaker. None: groups of equal ``y_true``.

    Returns
    -------
    table : DataFrame
        One row per group, which is the index: ``accuracy``, ``standard_error`` (binomial,
        ``sqrt(p (1 - p) / n)``) and ``n_recordings``. The last row, "mean", is the mean over
        groups. Its standard error is ``std / sqrt(n_groups)`` of the accuracies of the groups, or
        NaN for one group.

    Raises
    ------
    ValueError
        If a label or group is missing, or if some labels are strings and others numbers.

    Examples
    --------
    >>> from skaudio.metrics import scores_by
    >>> scores_by([0, 0, 1, 1], [0, 1, 1, 1], groups=["ann", "ann", "bob", "bob"]).round(3)
          accuracy  standard_error  n_recordings
    ann       0.50           0.354             2
    bob       1.00           0.000             2
    mean      0.75           0.250             4
    """
    check_same_labels(y_true=y_true, y_pred=y_pred)
    if groups is not None:
        check_labels(groups, "groups")
    y_true, y_pred = column_or_1d(y_true), column_or_1d(y_pred)
    groups = y_true if groups is None else column_or_1d(groups)
    check_same_lengths(y_true=y_true, y_pred=y_pred, groups=groups)
    _check_not_empty(y_true)
    names, code = np.unique(groups, return_inverse=True)
    counts = np.bincount(code)
    accuracy = np.bincount(code, weights=y_true == y_pred) / counts
    n_groups = len(names)
    spread = accuracy.std(ddof=1) / np.sqrt(n_groups) if n_groups > 1 else np.nan
    return pd.DataFrame(
        {
            "accuracy": [*accuracy, accuracy.mean()],
            "standard_error": [*np.sqrt(accuracy * (1 - accuracy) / counts), spread],
            "n_recordings": [*counts, counts.sum()],
        },
        index=[*names.tolist(), "mean"],
    )


def worst_classified(
    X: Any, y_true: Any, y_proba: Any, classes: Any = None, *, n: int = 10
) -> pd.DataFrame:
    """Return the recordings with the lowest predicted probability of the true class.

    Parameters
    ----------
    X : sequence of length n_recordings
        Names of the recordings, such as their paths. The first column of a DataFrame is used.
    y_true : array-like of shape (n_recordings,)
        True labels.
    y_proba : array-like of shape (n_recordings, n_classes)
        Output of ``predict_proba``, preferably from a cross-validation (`cross_val_predict`).
    classes : array-like of shape (n_classes,), default=None
        Class of each column, ``classes_`` of the estimator. None: the sorted labels in ``y_true``.
    n : int, default=10
        Number of recordings to return.

    Returns
    -------
    table : DataFrame
        The recordings, with the lowest probability first. Columns: ``file``, ``true``,
        ``predicted``, ``probability_of_true`` and ``probability_of_predicted``.

    Raises
    ------
    ValueError
        If lengths differ, or a class of ``y_true`` is not among ``classes``.

    Examples
    --------
    >>> from skaudio.metrics import worst_classified
    >>> table = worst_classified(["a.wav", "b.wav"], ["cat", "dog"], [[0.9, 0.1], [0.8, 0.2]])
    >>> table[["file", "true", "predicted", "probability_of_true"]]
        file true predicted  probability_of_true
    0  b.wav  dog       cat                  0.2
    1  a.wav  cat       cat                  0.9
    """
    if hasattr(X, "iloc"):  # by position, not by index
        X = (X if X.ndim == 1 else X.iloc[:, 0]).tolist()
    check_same_labels(y_true=y_true, **({} if classes is None else {"classes": classes}))
    y_true = column_or_1d(y_true)
    classes = np.unique(y_true) if classes is None else np.asarray(classes)
    probabilities = np.asarray(y_proba, dtype=float)
    check_count("n", n)
    check_same_lengths(X=X, y_true=y_true, y_proba=probabilities)
    _check_not_empty(y_true)
    if probabilities.shape != (len(y_true), len(classes)):
        raise ValueError(
            f"y_proba has shape {probabilities.shape}, expected (n_recordings, n_classes) = "
            f"({len(y_true)}, {len(classes)})."
        )
    unknown = np.setdiff1d(y_true, classes)
    if len(unknown):
        raise ValueError(
            f"y_true holds {unknown.tolist()[0]!r}, which is not among classes="
            f"{classes.tolist()!r}."
        )
    column = np.array([np.flatnonzero(classes == label)[0] for label in y_true])
    of_true = probabilities[np.arange(len(y_true)), column]
    order = np.argsort(of_true, kind="stable")[:n]
    best = probabilities.argmax(axis=1)
    return pd.DataFrame(
        {
            "file": [X[i] for i in order],
            "true": y_true[order],
            "predicted": classes[best[order]],
            "probability_of_true": of_true[order],
            "probability_of_predicted": probabilities[order, best[order]],
        }
    )


def _check_not_empty(y_true: np.ndarray) -> None:
    if not len(y_true):
        raise ValueError("y_true holds no recordings: found 0 sample(s), expected at least one.")
