"""Shortcuts: the accuracy of predicting classes from recording conditions."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, cross_val_predict
from sklearn.tree import DecisionTreeClassifier

FEATURES = {
    "level": "level",
    "noise_floor": "noise floor",
    "duration": "duration",
    "bandwidth": "bandwidth",
    "silent": "silence",
}
N_FOLDS = 5
# With fewer recordings per class, the accuracy by chance varies too much.
MIN_PER_CLASS = 5
MIN_RECORDINGS = 40
# More recordings do not help with five features. A forest of 3000 recordings takes a second.
MAX_RECORDINGS = 3000
# Smaller leaves would fit single recordings.
MIN_LEAF = 5


def shortcut_accuracies(table: pd.DataFrame) -> pd.Series | None:
    """Predict the classes from five numbers, by cross-validation.

    Parameters
    ----------
    table : DataFrame
        Table with the columns of `FEATURES`, ``readable``, ``class`` and, if known, ``group``.

    Returns
    -------
    accuracies : Series or None
        Accuracies with ``all`` features, with each alone, and by predicting the ``largest class``.
        None if there are too few recordings, classes or groups.
    """
    rows = table[table["readable"]]
    if len(rows) > MAX_RECORDINGS:
        rows = rows.sample(MAX_RECORDINGS, random_state=0)
    counts = rows["class"].value_counts()
    rows = rows[rows["class"].isin(counts.index[counts >= MIN_PER_CLASS])]
    grouped = "group" in rows
    n_groups = rows["group"].nunique() if grouped else len(rows)
    if len(rows) < MIN_RECORDINGS or rows["class"].nunique() < 2 or n_groups < 2:
        return None
    folds = min(N_FOLDS, n_groups)
    kind = StratifiedGroupKFold if grouped else StratifiedKFold
    y = rows["class"].astype(str).to_numpy()
    splitter = kind(folds, shuffle=True, random_state=0)
    splits = list(splitter.split(rows, y, rows["group"] if grouped else None))
    forest = RandomForestClassifier(100, min_samples_leaf=MIN_LEAF, random_state=0)
    # A single tree is sufficient for one feature.
    tree = DecisionTreeClassifier(max_leaf_nodes=32, min_samples_leaf=MIN_LEAF, random_state=0)

    def accuracy(model: RandomForestClassifier | DecisionTreeClassifier, names: list[str]) -> float:
        predicted = cross_val_predict(model, rows[names].to_numpy(), y, cv=splits)
        return float(np.mean(predicted == y))

    found = {"all": accuracy(forest, list(FEATURES))}
    found |= {name: accuracy(tree, [name]) for name in FEATURES}
    found["largest class"] = float(pd.Series(y).value_counts(normalize=True).iloc[0])
    return pd.Series(found, name="accuracy")
