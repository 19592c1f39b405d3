"""A small instance of every estimator, recordings and labels for it, and all that it predicts."""

from __future__ import annotations

import functools
import inspect

import numpy as np
import pandas as pd
import scipy.sparse
import sklearn

from skaudio.audio import AudioBatch
from skaudio.encoders import MFCC
from skaudio.pooling import FramePooling

from .test_neural_contract import NEURAL, make
from .walk import build

# Estimators that take frames in place of recordings.
OF_FRAMES = ("FramePooling", "DynamicRange", "TimeMask", "FrequencyMask")
# Estimators that take rows.
OF_ROWS = ("ApproximateNeighborsTransformer", "WCCN")
METHODS = (
    *("transform", "predict", "predict_proba", "decision_function", "predict_frames"),
    *("predict_events", "tag"),
)


def small(name):
    """Return an instance that is quick to fit."""
    return make(name, "recordings") if name in NEURAL else build(name)


@functools.cache
def clips(n=12):
    """Return n waveforms of different lengths, and labels: tones of two pitches in noise."""
    rng = np.random.default_rng(0)
    y = np.array(["high", "low"] * n)[:n]
    tones = [
        np.sin(2 * np.pi * (2000 if label == "high" else 400) * np.arange(1600 + 80 * i) / 8000)
        for i, label in enumerate(y)
    ]
    return [(t + 0.1 * rng.standard_normal(len(t))).astype(np.float32) for t in tones], y


def inputs(name, n=12):
    """Return X and y for an estimator: recordings, or the frames or rows of them."""
    X, y = clips(n)
    with sklearn.config_context(transform_output="default"):
        if name in OF_ROWS:
            return FramePooling().fit_transform(MFCC(n_mfcc=8).transform(X)), y
        return (list(MFCC(n_mfcc=8).transform(X)) if name in OF_FRAMES else X), y


def outputs(estimator, X):
    """Return what each method makes of X, as lists with one array, or row of a table, per item."""
    found = {m: getattr(estimator, m)(X) for m in METHODS if hasattr(estimator, m)}
    if hasattr(estimator, "pair_distance"):
        half = len(X) // 2
        found["pair_distance"] = estimator.pair_distance(X[:half], X[half : 2 * half])
    if hasattr(estimator, "inverse_transform"):
        draws = "random_state" in inspect.signature(estimator.inverse_transform).parameters
        seed = {"random_state": 0} if draws else {}
        found["inverse_transform"] = estimator.inverse_transform(found["transform"], **seed)
    return {method: items(output) for method, output in found.items()}


def items(output):
    """Return the items of an output, whatever container it is in."""
    if scipy.sparse.issparse(output):
        output = output.toarray()
    if isinstance(output, pd.DataFrame):
        cells = output.shape[1] == 1 and output.dtypes.iloc[0].kind == "O"
        output = output.iloc[:, 0].tolist() if cells else output.to_numpy()
    elif hasattr(output, "columns"):  # polars
        output = output.to_numpy()
    elif isinstance(output, AudioBatch):
        output = list(output)
    return [np.asarray(cell["array"] if isinstance(cell, dict) else cell) for cell in output]


def assert_same(found, expected):
    """Compare two results of `outputs`."""
    assert found.keys() == expected.keys()
    for method, rows in expected.items():
        assert len(found[method]) == len(rows), method
        for i, (a, b) in enumerate(zip(found[method], rows, strict=True)):
            np.testing.assert_array_equal(a, b, err_msg=f"{method}, item {i}")
