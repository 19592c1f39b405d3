"""Simple classifiers of embeddings, scored on groups that are not in the training part."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, LeaveOneGroupOut
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

# Up to this number of groups are held out one by one; more groups, in this number of folds.
ONE_BY_ONE, FOLDS = 10, 5
DRAWS = 10


def score_rows(
    rows: np.ndarray,
    y: np.ndarray,
    groups: np.ndarray,
    *,
    shots: int = 5,
    random_state: int | None = None,
) -> dict[str, float]:
    """Return the accuracies of three classifiers and their standard errors over groups.

    Parameters
    ----------
    rows : ndarray of shape (n, n_features)
    y, groups : ndarray of shape (n,)
    shots : int
        Number of examples per class of the third classifier.
    random_state : int

    Returns
    -------
    scores : dict
        ``linear``, ``nearest``, ``few_shot``, and each with ``_se``.

    Raises
    ------
    ValueError
        If there are fewer than two groups.
    """
    scores = {}
    found = accuracies(rows, y, groups, shots=shots, random_state=random_state)
    for name, means in found.items():
        scores[name] = float(means.mean())
        scores[f"{name}_se"] = float(means.std(ddof=1) / np.sqrt(len(means)))
    return scores


def accuracies(
    rows: np.ndarray,
    y: np.ndarray,
    groups: np.ndarray,
    *,
    shots: int = 5,
    random_state: int | None = None,
) -> dict[str, np.ndarray]:
    """Return the accuracies of three classifiers on each group, in the order of groups."""
    correct: dict[str, np.ndarray] = {
        name: np.full(len(y), np.nan) for name in ("linear", "nearest", "few_shot")
    }
    rng = np.random.default_rng(random_state)
    for train, test in folds_of(groups):
        linear = linear_classifier().fit(rows[train], y[train])
        correct["linear"][test] = linear.predict(rows[test]) == y[test]
        nearest = KNeighborsClassifier(1, metric="cosine").fit(rows[train], y[train])
        correct["nearest"][test] = nearest.predict(rows[test]) == y[test]
        found = []
        for _ in range(DRAWS):
            few = draw(train, y, shots, rng)
            found.append(linear_classifier().fit(rows[few], y[few]).predict(rows[test]) == y[test])
        correct["few_shot"][test] = np.mean(found, axis=0)
    return {
        name: np.array([values[groups == group].mean() for group in np.unique(groups)])
        for name, values in correct.items()
    }


def folds_of(groups: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return positions for training and for scoring; each group is scored once."""
    n_groups = len(np.unique(groups))
    if n_groups < 2:
        raise ValueError(f"groups: found {n_groups}, expected two or more.")
    cutter: Any = LeaveOneGroupOut() if n_groups <= ONE_BY_ONE else GroupKFold(FOLDS)
    return list(cutter.split(groups, groups=groups))


def linear_classifier() -> Any:
    """Return logistic regression on standardised columns."""
    return make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=2000, tol=1e-3))


def draw(train: np.ndarray, y: np.ndarray, shots: int, rng: np.random.Generator) -> np.ndarray:
    """Return positions of some examples of each class, or of all if a class has fewer."""
    parts = []
    for label in np.unique(y[train]):
        mine = train[y[train] == label]
        parts.append(rng.choice(mine, min(shots, len(mine)), replace=False))
    return np.concatenate(parts)
