"""Estimators of scikit-learn that take tables, by skl2onnx; what it makes is checked."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.utils.validation import check_is_fitted

from skaudio._state import muted
from skaudio.persistence._onnx_graft import graft
from skaudio.persistence._onnx_graph import FLOAT, ML_OPSET, OPSET, Graph
from skaudio.persistence._onnx_values import Rows

# Rows of noise on which a converted step is compared with its original, and how far it may be off,
# relative to values and absolutely: rounding in single precision, not another formula.
TRIALS = 32
TOLERANCE = 1e-3


def add_table_step(graph: Graph, step: Any, method: str, rows: Rows) -> Rows:
    """Append a fitted estimator of tables; the result is that of one of its methods."""
    check_is_fitted(step)
    if not hasattr(step, method):
        raise TypeError(f"{type(step).__name__} has no {method}, expected a transformer here.")
    if isinstance(step, LinearDiscriminantAnalysis) and method == "predict_proba":
        return _discriminant(graph, step, rows)  # skl2onnx gives other numbers for two classes
    model = _convert(step, rows.n_columns)
    trial = np.random.default_rng(0).standard_normal((TRIALS, rows.n_columns), np.float32)
    with muted():
        expected = np.asarray(getattr(step, method)(trial))
    column = _check(step, method, model, trial, expected)
    outputs = graft(graph, model, [rows.values])
    out = outputs[-1 if is_classifier(step) and method != "transform" else 0].cast(FLOAT)
    if column is not None:
        out = out.slice(1, column, column + 1)
    n_columns = 1 if expected.ndim == 1 else expected.shape[1]
    return Rows(out.reshape(-1, n_columns), n_columns)


def _discriminant(graph: Graph, step: Any, rows: Rows) -> Rows:
    coef, intercept = step.coef_.astype(np.float32), step.intercept_.astype(np.float32)
    scores = rows.values @ coef.T + intercept
    if len(step.classes_) > 2:
        return Rows(graph.op("Softmax", scores, axis=-1), len(step.classes_))
    both = graph.concat([-scores, scores], 1)
    return Rows(graph.op("Sigmoid", both), 2)


def _convert(step: Any, n_columns: int) -> Any:
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType

    options: Any = None
    if is_classifier(step):
        raw = {} if hasattr(step, "predict_proba") else {"raw_scores": True}
        options = {id(step): {"zipmap": False, **raw}}
    versions = {"": OPSET, "ai.onnx.ml": ML_OPSET}
    try:
        with muted():  # it reads attributes that scikit-learn deprecates
            return to_onnx(
                step,
                initial_types=[("rows", FloatTensorType([None, n_columns]))],
                target_opset=versions,
                options=options,
            )
    except Exception as error:  # of many kinds, for what it does not know
        reason = str(error).strip().partition("\n")[0]
        raise TypeError(
            f"skl2onnx cannot convert {type(step).__name__} ({reason:.200}): expected another "
            "estimator, such as StandardScaler, LogisticRegression or SVC."
        ) from error


def _check(step: Any, method: str, model: Any, trial: np.ndarray, expected: np.ndarray) -> Any:
    """Raise an error where a converted step gives other numbers; return the column to take."""
    from onnx.reference import ReferenceEvaluator

    with muted():
        outputs: Any = ReferenceEvaluator(model).run(None, {"rows": trial})
    out = np.asarray(outputs[-1 if is_classifier(step) and method != "transform" else 0])
    column = None
    if expected.ndim == 1 and out.ndim == 2 and out.shape[1] == 2:
        column, out = 1, out[:, 1]  # of the second class
    difference = np.inf
    if out.size == expected.size:
        same_shape = out.reshape(expected.shape).astype(np.float64)
        difference = float(np.max(np.abs(same_shape - expected) / (1 + np.abs(expected))))
    if not difference <= TOLERANCE:
        raise ValueError(
            f"{method} of {type(step).__name__} cannot be exported to ONNX: what skl2onnx makes of "
            f"it differs by {difference:.2g} on noise, expected at most {TOLERANCE:g}."
        )
    return column
