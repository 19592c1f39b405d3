"""Make the golden files: models of version 1 of the format, with what they gave when made.

    python -m tests.persistence.make_golden [NAMES...]

Files of a version that was released are not made again: they must stay loadable. New kinds of
models are added by their names.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import skaudio

from ..cases import clips
from ..walk import MeanNet

GOLDEN = Path(__file__).parent / "golden"
NETS = {"max_epochs": 2, "random_state": 0}


def mfcc():
    return skaudio.MFCC(sample_rate=8000, n_mfcc=8)


MODELS = {
    "mfcc": mfcc,
    "svc": lambda: make_pipeline(mfcc(), skaudio.FramePooling(), StandardScaler(), SVC()),
    "forest": lambda: make_pipeline(
        mfcc(), skaudio.FramePooling(), RandomForestClassifier(3, random_state=0)
    ),
    "columns": lambda: make_pipeline(
        ColumnTransformer([("sound", make_pipeline(mfcc(), skaudio.FramePooling()), "sound")]),
        LogisticRegression(max_iter=1000),
    ),
    "gru": lambda: skaudio.GRUClassifier(mfcc(), stem=None, hidden_size=4, n_layers=1, **NETS),
    "lenet": lambda: skaudio.LeNetClassifier(
        make_pipeline(skaudio.Noise(), mfcc()), channels=(4, 8), embedding_size=8, **NETS
    ),
    "module": lambda: skaudio.NetClassifier(mfcc(), module=MeanNet, **NETS),
    "detector": lambda: skaudio.EventDetector(
        mfcc(), channels=(4,), frame_stride=1, hidden_size=4, **NETS
    ),
    "siamese": lambda: skaudio.SiameseEmbedder(
        mfcc(), module="lenet", module_params={"channels": (4,)}, embedding_size=8, **NETS
    ),
    "embedder": lambda: skaudio.NetEmbedder(
        skaudio.GRUClassifier(mfcc(), stem=None, hidden_size=4, n_layers=1, **NETS)
    ),
}


def sounds(name):
    """Return the recordings that a golden model is given."""
    X, _ = clips()
    if name == "columns":
        import pandas as pd

        return pd.DataFrame({"sound": pd.Series(X, dtype=object)})
    return X


def output(model, X):
    """Return numbers that a model makes of recordings."""
    methods = ("decision_function", "predict_proba", "transform", "predict")
    found = getattr(model, next(m for m in methods if hasattr(model, m)))(X)
    return np.concatenate([np.asarray(item, np.float64).reshape(-1)[:200] for item in found])


def main(names):
    for name in names or MODELS:
        X, y = sounds(name), clips()[1]
        model = MODELS[name]().fit(X, y)
        skaudio.save(model, GOLDEN / f"{name}.skaudio", description=f"Golden file: {name}.")
        np.save(GOLDEN / f"{name}.npy", output(model, X))


if __name__ == "__main__":
    main(sys.argv[1:])
