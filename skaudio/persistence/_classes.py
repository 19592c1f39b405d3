"""The fixed lists of classes, functions and types that a saved model can contain, by name."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator

import skaudio

# scikit-learn's estimators whose state is numbers, text and other estimators, and whose state is
# checked where their compiled code would not do so itself (see `_checks`).
SKLEARN = {
    "calibration": "CalibratedClassifierCV _CalibratedClassifier _SigmoidCalibration",
    "cluster": "KMeans MiniBatchKMeans",
    "compose": "ColumnTransformer TransformedTargetRegressor",
    "decomposition": "PCA IncrementalPCA TruncatedSVD",
    "discriminant_analysis": "LinearDiscriminantAnalysis QuadraticDiscriminantAnalysis",
    "dummy": "DummyClassifier DummyRegressor",
    "ensemble": (
        "RandomForestClassifier RandomForestRegressor ExtraTreesClassifier ExtraTreesRegressor "
        "BaggingClassifier BaggingRegressor VotingClassifier VotingRegressor StackingClassifier "
        "StackingRegressor AdaBoostClassifier"
    ),
    "feature_selection": "SelectKBest SelectPercentile VarianceThreshold SelectFromModel",
    "frozen": "FrozenEstimator",
    "impute": "SimpleImputer",
    "linear_model": (
        "LogisticRegression LogisticRegressionCV LinearRegression Ridge RidgeCV RidgeClassifier "
        "RidgeClassifierCV Lasso ElasticNet SGDClassifier SGDRegressor Perceptron"
    ),
    "mixture": "GaussianMixture",
    "model_selection": "FixedThresholdClassifier",
    "multiclass": "OneVsRestClassifier OneVsOneClassifier",
    "multioutput": "MultiOutputClassifier ClassifierChain",
    "naive_bayes": "GaussianNB",
    "neighbors": (
        "KNeighborsClassifier KNeighborsRegressor NearestNeighbors NearestCentroid "
        "KNeighborsTransformer"
    ),
    "neural_network": "MLPClassifier MLPRegressor",
    "pipeline": "Pipeline FeatureUnion",
    "preprocessing": (
        "StandardScaler MinMaxScaler MaxAbsScaler RobustScaler Normalizer PowerTransformer "
        "QuantileTransformer Binarizer KBinsDiscretizer OneHotEncoder OrdinalEncoder LabelEncoder "
        "LabelBinarizer MultiLabelBinarizer PolynomialFeatures FunctionTransformer"
    ),
    "svm": "SVC NuSVC SVR NuSVR OneClassSVM LinearSVC LinearSVR",
    "tree": ("DecisionTreeClassifier DecisionTreeRegressor ExtraTreeClassifier ExtraTreeRegressor"),
}
# Functions that are parameters of these estimators.
FUNCTIONS = {
    "sklearn.feature_selection": (
        "f_classif f_regression chi2 mutual_info_classif mutual_info_regression"
    ),
}
PUBLIC: list[str] = vars(skaudio)["__all__"]
# Objects without parameters, which only have state.
PLAIN = ("sklearn.calibration._CalibratedClassifier",)


def find_estimator(name: Any) -> type | None:
    """Return the class of a name that a saved model may hold, or None."""
    module, _, last = str(name).rpartition(".")
    if module == "skaudio":
        return _public(last, BaseEstimator)
    inside = module.removeprefix("sklearn.")
    if module != inside and last in SKLEARN.get(inside, "").split():
        found: type = getattr(importlib.import_module(module), last)
        return found
    return None


def estimator_name(kind: type) -> str | None:
    """Return the name of a class in a saved model, or None if it cannot hold one."""
    modules = ["skaudio", *(f"sklearn.{m}" for m, names in SKLEARN.items() if _has(names, kind))]
    names = (f"{module}.{kind.__name__}" for module in modules)
    return next((name for name in names if find_estimator(name) is kind), None)


def find_function(name: Any) -> Any:
    """Return the function, type or class of torch that a parameter may be, or None."""
    module, _, last = str(name).rpartition(".")
    if module == "skaudio":
        return _public(last, torch.nn.Module)
    if module == "torch.optim":
        item = vars(torch.optim).get(last)
        optimizes = isinstance(item, type) and issubclass(item, torch.optim.Optimizer)
        return item if optimizes else None
    if module == "numpy":
        item = vars(np).get(last)
        number = isinstance(item, type) and issubclass(item, np.generic)
        return item if number or isinstance(item, np.ufunc) else None
    if last in FUNCTIONS.get(module, "").split():
        return getattr(importlib.import_module(module), last)
    return {"float": float, "int": int, "str": str, "bool": bool}.get(str(name))


def function_name(item: Any) -> str | None:
    """Return the name under which `find_function` finds something, or None."""
    last = getattr(item, "__name__", None)
    if not isinstance(last, str):
        return None
    modules = ("skaudio", "torch.optim", "numpy", *FUNCTIONS)
    names = (last, *(f"{module}.{last}" for module in modules))
    return next((name for name in names if find_function(name) is item), None)


def _has(names: str, kind: type) -> bool:
    return kind.__name__ in names.split()


def _public(name: str, kind: type) -> type | None:
    """Return a public class of skaudio of some kind, or None."""
    found = getattr(skaudio, name) if name in PUBLIC else None
    return found if isinstance(found, type) and issubclass(found, kind) else None
