"""Fitted models of every kind that can be saved, with inputs: shared by the tests, made once."""

from __future__ import annotations

import functools
import inspect
import pickle
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

import skaudio
from skaudio.classifiers import GRUClassifier
from skaudio.embedders import NetEmbedder
from skaudio.encoders import MFCC, MelSpectrogram
from skaudio.persistence._classes import SKLEARN, find_estimator
from skaudio.pooling import FramePooling

from ..cases import METHODS, clips, inputs, outputs, small
from ..walk import ESTIMATORS, MeanNet, WaveNet

FOLDER = tempfile.TemporaryDirectory()  # of caches; removed at the end of the process
MODULES = {"MeanNet": MeanNet, "WaveNet": WaveNet}
# Found in scikit-learn's list, but parts of others.
PARTS = ("_CalibratedClassifier", "_SigmoidCalibration")


def features():
    return make_pipeline(MFCC(sample_rate=8000, n_mfcc=8), FramePooling())


def gru(**params):
    return GRUClassifier(
        MFCC(sample_rate=8000, n_mfcc=8),
        hidden_size=4,
        n_layers=1,
        max_epochs=2,
        random_state=0,
        **params,
    )


def _table():
    X, _ = clips()
    return pd.DataFrame({"sound": pd.Series(X, dtype=object), "age": np.arange(len(X)) * 1.5})


def _columns():
    parts = [("sound", features(), "sound"), ("age", StandardScaler(), ["age"])]
    return make_pipeline(ColumnTransformer(parts), LogisticRegression(max_iter=1000))


# Names to functions that return a model to be fitted on clips(), or on the table of them.
COMPOSITES = {
    "pipeline": lambda: make_pipeline(features(), StandardScaler(), SVC()),
    "forest": lambda: make_pipeline(
        features(), RandomForestClassifier(n_estimators=5, random_state=0)
    ),
    "search": lambda: GridSearchCV(
        make_pipeline(features(), SVC()), {"svc__C": [0.1, 10]}, cv=2, n_jobs=None
    ),
    "union": lambda: make_pipeline(
        FeatureUnion(
            [
                ("mfcc", features()),
                ("mel", make_pipeline(MelSpectrogram(sample_rate=8000), FramePooling())),
            ]
        ),
        LogisticRegression(max_iter=1000),
    ),
    "columns": _columns,
    "vote": lambda: VotingClassifier(
        [("gru", gru()), ("svc", make_pipeline(features(), SVC()))], voting="hard"
    ),
    "calibrated": lambda: CalibratedClassifierCV(gru(), cv=2, ensemble=True),
    "frozen": lambda: NetEmbedder(FrozenEstimator(gru().fit(*clips())), unit_norm=True),
    "embedded": lambda: make_pipeline(NetEmbedder(gru()), StandardScaler(), LogisticRegression()),
    "pretrained": lambda: make_pipeline(
        skaudio.PretrainedEmbedder("mn01_as", weights="random"), LogisticRegression()
    ),
    "function": lambda: make_pipeline(
        features(), FunctionTransformer(np.arctan), LogisticRegression(max_iter=1000)
    ),
}


@functools.cache
def fitted(name):
    """Return a fitted model and its X: an estimator of skaudio, a composite or of scikit-learn."""
    if name in ESTIMATORS:
        X, y = inputs(name)
        model = small(name)
        if hasattr(model, "memory"):
            model.set_params(memory=FOLDER.name)
        return model.fit(X, y), X
    if name in COMPOSITES:
        X, y = clips()
        X = _table() if name == "columns" else X
        return COMPOSITES[name]().fit(X, y), X
    return _of_scikit_learn(name)


def scikit_learn_names():
    pairs = ((module, name) for module, names in SKLEARN.items() for name in names.split())
    return [f"sklearn.{module}.{name}" for module, name in pairs if name not in PARTS]


@functools.cache
def rows():
    rng = np.random.RandomState(0)
    X, y = np.abs(rng.standard_normal((60, 5))), np.array(["a", "b", "c"] * 20)
    for i, label in enumerate("ab"):
        X[y == label, i] += 3
    return X, y


def _of_scikit_learn(name):
    kind, (X, y) = find_estimator(name), rows()
    model = _instance(name.rpartition(".")[2], kind)
    target = y
    if is_regressor(model):
        target = X[:, 0] * 2 + 1
    elif kind.__name__ in ("MultiOutputClassifier", "ClassifierChain"):
        target = np.c_[y == "a", y == "b"].astype(int)
    elif kind.__name__ == "FixedThresholdClassifier":
        target = y == "a"
    elif kind.__name__ in ("LabelEncoder", "LabelBinarizer"):
        return model.fit(y), y
    elif kind.__name__ == "MultiLabelBinarizer":
        X = [["a"], ["b", "a"]] * 3
        return model.fit(X), X
    elif kind.__name__ in ("OneHotEncoder", "OrdinalEncoder"):
        X = np.array([[str(i % 3), i % 2] for i in range(20)], object)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # small data, and defaults that are to change
        return model.fit(X, target), X


def _instance(name, kind):
    parameters = inspect.signature(kind).parameters
    given = {"random_state": 0, "n_estimators": 4, "estimator": LogisticRegression()}
    fixed = {
        "Pipeline": lambda: make_pipeline(StandardScaler(), LogisticRegression()),
        "FeatureUnion": lambda: kind([("a", StandardScaler()), ("b", "passthrough")]),
        "ColumnTransformer": lambda: kind(
            [("a", StandardScaler(), [0, 1]), ("b", "passthrough", slice(2, 4))]
        ),
        "FrozenEstimator": lambda: kind(LogisticRegression().fit(*rows())),
        "SelectKBest": lambda: kind(k=2),
    }
    if name in fixed:
        return fixed[name]()
    if name.startswith(("Voting", "Stacking")):
        pair = [Ridge(), Ridge(3)]
        if name.endswith("Classifier"):
            pair = [LogisticRegression(), DecisionTreeClassifier(random_state=0)]
        return kind(list(zip("ab", pair, strict=True)))
    required = [p for p in ("estimator",) if p in parameters]
    required = [p for p in required if parameters[p].default is inspect.Parameter.empty]
    chosen = [*required, *(p for p in ("random_state", "n_estimators") if p in parameters)]
    return kind(**{p: given[p] for p in chosen})


def results(model, X):
    """Return all that a model makes of X, as lists of arrays by method."""
    if type(model).__module__.startswith("sklearn.") and not isinstance(X, list | pd.DataFrame):
        found = {m: getattr(model, m)(X) for m in METHODS if hasattr(model, m)}
        return {m: list(v.toarray() if hasattr(v, "toarray") else v) for m, v in found.items()}
    found = outputs(model, X)
    # A transformer that is stored in place of its cache can do more than that.
    found.pop("inverse_transform", None)
    return found


def save_all(names, folder):
    """Save models and what they give; return rows of a table: name, bytes, weights, seconds."""
    table = []
    for name in names:
        model, X = fitted(name)
        start = time.perf_counter()
        path = skaudio.save(model, Path(folder, f"{name}.skaudio"))
        seconds = time.perf_counter() - start
        with open(Path(folder, f"{name}.results"), "wb") as file:
            pickle.dump((X, results(model, X)), file)
        card = skaudio.inspect(path)
        table.append((name, card["size"], card["weights_size"], seconds))
    return table


def load_all(folder):
    """Load each model of a folder, and compare; print its name, and how long loading took."""
    from ..cases import assert_same

    warnings.simplefilter("error", UserWarning)
    for path in sorted(Path(folder).glob("*.skaudio")):
        with open(path.with_suffix(".results"), "rb") as file:
            X, expected = pickle.load(file)
        start = time.perf_counter()
        model = skaudio.load(path, modules=MODULES)
        seconds = time.perf_counter() - start
        assert_same(results(model, X), expected)
        print(path.stem, seconds)


if __name__ == "__main__":
    load_all(sys.argv[1])
