"""Tables of the accuracy of a classifier by group, and of its worst errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_consistent_length, column_or_1d


def scores_by(y_true: Any, y_pred: Any, by: Any = None) -> pd.DataFrame:
    """Return the accuracy within each group of recordings, and over the groups.

    Parameters
    ----------
    y_true, y_pred : array-like of shape (n_recordings,)
        Labels.
    by : array-like of shape (n_recordings,), default=None
        Group of each recording: speaker, microphone...; None groups by ``y_true``.

    Returns
    -------
    table : DataFrame
        One row per group, indexed by it: ``accuracy``, ``standard_error`` (binomial,
        ``sqrt(p (1 - p) / n)``) and ``n_recordings``. The last row, "mean", is the mean over
        groups; its standard error is ``std / sqrt(n_groups)`` of their accuracies, NaN for one.

    Examples
    --------
    >>> from skaudio.metrics import scores_by
    >>> scores_by([0, 0, 1, 1], [0, 1, 1, 1], by=["ann", "ann", "bob", "bob"]).round(3)
          accuracy  standard_error  n_recordings
    ann       0.50           0.354             2
    bob       1.00           0.000             2
    mean      0.75           0.250             4
    """
    y_true, y_pred = column_or_1d(y_true), column_or_1d(y_pred)
    by = y_true if by is None else column_or_1d(by)
    check_consistent_length(y_true, y_pred, by)
    groups, code = np.unique(by, return_inverse=True)
    counts = np.bincount(code)
    accuracy = np.bincount(code, weights=y_true == y_pred) / counts
    n_groups = len(groups)
    spread = accuracy.std(ddof=1) / np.sqrt(n_groups) if n_groups > 1 else np.nan
    return pd.DataFrame(
        {
            "accuracy": [*accuracy, accuracy.mean()],
            "standard_error": [*np.sqrt(accuracy * (1 - accuracy) / counts), spread],
            "n_recordings": [*counts, counts.sum()],
        },
        index=[*groups.tolist(), "mean"],
    )


def worst_classified(
    recordings: Sequence[Any], y_true: Any, probabilities: Any, classes: Any, n: int = 10
) -> pd.DataFrame:
    """Return the recordings whose true class was given the lowest probability.

    Parameters
    ----------
    recordings : sequence of length n_recordings
        Names of the recordings, such as their paths.
    y_true : array-like of shape (n_recordings,)
    probabilities : array-like of shape (n_recordings, n_classes)
        From ``predict_proba``, preferably in a cross-validation (`cross_val_predict`).
    classes : array-like of shape (n_classes,)
        Class of each column: ``classes_``.
    n : int, default=10
        Number of recordings to return.

    Returns
    -------
    table : DataFrame
        ``recording``, ``true``, ``predicted``, ``probability_of_true`` and
        ``probability_of_predicted``, the worst first.

    Examples
    --------
    >>> from skaudio.metrics import worst_classified
    >>> probabilities = [[0.9, 0.1], [0.8, 0.2]]
    >>> table = worst_classified(["a.wav", "b.wav"], ["cat", "dog"], probabilities, ["cat", "dog"])
    >>> table[["recording", "true", "predicted", "probability_of_true"]]
      recording true predicted  probability_of_true
    0     b.wav  dog       cat                  0.2
    1     a.wav  cat       cat                  0.9
    """
    y_true, classes = column_or_1d(y_true), np.asarray(classes)
    probabilities = np.asarray(probabilities, dtype=float)
    check_consistent_length(recordings, y_true, probabilities)
    if probabilities.shape != (len(y_true), len(classes)):
        raise ValueError(
            f"probabilities has shape {probabilities.shape}, expected (n_recordings, n_classes) = "
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
            "recording": [recordings[i] for i in order],
            "true": y_true[order],
            "predicted": classes[best[order]],
            "probability_of_true": of_true[order],
            "probability_of_predicted": probabilities[order, best[order]],
        }
    )
