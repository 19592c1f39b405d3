"""State of scikit-learn's estimators that is computed again or checked on loading.

Most of scikit-learn uses numpy, which raises an error for wrong arrays. Trees, libsvm and nearest
neighbours are compiled code without such checks: a changed index would read foreign memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.neighbors import BallTree, KDTree
from sklearn.tree._tree import Tree

from skaudio.persistence._archive import RefusedError

# By class: attributes that are not stored, because they are made again or only `fit` needs them.
_NEIGHBOURS = ("_tree",)
_PERCEPTRON = ("_optimizer", "_random_state")
_DESCENT = ("_loss_function_", "loss_function_")
_CLUSTERS = ("_n_threads", "_random_state")
DERIVED: dict[str, tuple[str, ...]] = {
    "KNeighborsClassifier": _NEIGHBOURS,
    "KNeighborsRegressor": _NEIGHBOURS,
    "KNeighborsTransformer": _NEIGHBOURS,
    "NearestNeighbors": _NEIGHBOURS,
    "MLPClassifier": _PERCEPTRON,
    "MLPRegressor": _PERCEPTRON,
    "SGDClassifier": _DESCENT,
    "SGDRegressor": _DESCENT,
    "Perceptron": _DESCENT,
    "KMeans": _CLUSTERS,
    "MiniBatchKMeans": _CLUSTERS,
}
SEARCH_TREES = {"kd_tree": KDTree, "ball_tree": BallTree}
# Outputs and classes of a decision tree, whose probabilities take a number each per node.
MOST_VALUES = 1 << 28


def finish(estimator: Any) -> None:
    """Compute the state that is not stored, and check the state that compiled code does not check.

    Raises
    ------
    RefusedError
        If numbers do not fit each other.
    """
    for kind in type(estimator).__mro__:
        if kind.__module__.startswith("sklearn.") and kind.__name__ in _FINISH:
            _FINISH[kind.__name__](estimator)


def make_tree(n_features: Any, n_classes: Any, state: dict[str, Any]) -> Tree:
    """Return a decision tree whose nodes are checked to refer to later nodes and valid features.

    Parameters
    ----------
    n_features : int
    n_classes : ndarray of shape (n_outputs,)
    state : dict
        "max_depth", "nodes" and "values", as ``Tree.__getstate__`` names them.
    """
    nodes, values = state["nodes"], state["values"]
    sound = (
        _is_array(n_classes, 1, np.intp)
        and _is_array(values, 3, np.float64)
        and isinstance(nodes, np.ndarray)
        and nodes.ndim == 1
        and nodes.dtype == Tree(1, np.array([1], dtype=np.intp), 1).__getstate__()["nodes"].dtype
        and type(n_features) is int
        and type(state["max_depth"]) is int
        and 0 < n_features < 1 << 31
        and 0 <= state["max_depth"] <= len(nodes)
    )
    if not sound or not len(n_classes) or n_classes.min() < 1:
        raise RefusedError("a decision tree in it has arrays of another kind")
    shape = (len(nodes), len(n_classes), int(n_classes.max()))
    if values.shape != shape or not len(nodes):
        raise RefusedError(f"a decision tree in it has values of shape {values.shape}, not {shape}")
    left, right, number = nodes["left_child"], nodes["right_child"], np.arange(len(nodes))
    leaf = left == -1
    inner = (left > number) & (right > number) & (left < len(nodes)) & (right < len(nodes))
    inner &= (nodes["feature"] >= 0) & (nodes["feature"] < n_features)
    if not (leaf | inner).all():
        raise RefusedError("a decision tree in it leads to nodes or features that there are not")
    tree = Tree(n_features, n_classes, len(n_classes))
    tree.__setstate__({**state, "node_count": len(nodes)})
    return tree


def _is_array(value: Any, ndim: int, kind: Any) -> bool:
    return isinstance(value, np.ndarray) and value.ndim == ndim and value.dtype == np.dtype(kind)


def _expect(fits: bool, what: str) -> None:
    if not fits:
        raise RefusedError(f"{what} in it does not fit the rest of its state")


def _finish_decision_tree(model: Any) -> None:
    tree = getattr(model, "tree_", None)
    if tree is None:
        return
    _expect(isinstance(tree, Tree) and tree.n_features == model.n_features_in_, "a decision tree")
    _expect(tree.n_outputs == model.n_outputs_, "a decision tree")
    if hasattr(model, "classes_"):
        several = model.n_outputs_ > 1
        classes = model.classes_ if several else [model.classes_]
        sizes = [len(one) for one in classes]
        _expect(sizes == tree.n_classes.tolist(), "the classes of a decision tree")


def _finish_forest(model: Any) -> None:
    trees = getattr(model, "estimators_", None)
    if trees is None:
        return
    _expect(isinstance(trees, list) and len(trees) > 0, "a forest")
    for one in trees:
        _expect(hasattr(one, "tree_") and one.n_features_in_ == model.n_features_in_, "a forest")
        _expect(one.n_outputs_ == model.n_outputs_, "a forest")
        if hasattr(model, "n_classes_"):
            same = np.array_equal(np.atleast_1d(one.n_classes_), np.atleast_1d(model.n_classes_))
            _expect(same and same_classes(one, model), "a forest")


def same_classes(tree: Any, forest: Any) -> bool:
    """Whether a tree of a forest has as many classes for each output as the forest."""
    several = forest.n_outputs_ > 1
    classes = forest.classes_ if several else [forest.classes_]
    sizes: list[int] = tree.tree_.n_classes.tolist()
    return [len(one) for one in classes] == sizes


def _finish_neighbours(model: Any) -> None:
    if not hasattr(model, "_fit_X"):
        return
    rows = model._fit_X
    _expect(isinstance(rows, np.ndarray) and rows.ndim == 2, "the rows of nearest neighbours")
    _expect(rows.dtype in (np.float32, np.float64) and rows.size > 0, "the rows of neighbours")
    _expect(rows.shape == (model.n_samples_fit_, model.n_features_in_), "the rows of neighbours")
    if hasattr(model, "_y"):
        _expect(len(model._y) == len(rows), "the targets of nearest neighbours")
        _check_codes(model)
    model._tree = None
    if kind := SEARCH_TREES.get(model._fit_method):
        _expect(type(model.leaf_size) is int and model.leaf_size > 0, "leaf_size")
        model._tree = kind(
            rows, model.leaf_size, metric=model.effective_metric_, **model.effective_metric_params_
        )


def _check_codes(model: Any) -> None:
    """Check the codes of classes, which a compiled vote of neighbours counts."""
    if not hasattr(model, "classes_"):
        return
    several = isinstance(model.classes_, list)
    codes = np.asarray(model._y).reshape(len(model._fit_X), -1)
    sizes = [len(c) for c in model.classes_] if several else [len(model.classes_)]
    _expect(codes.dtype.kind in "iu" and codes.shape[1] == len(sizes), "the codes of classes")
    _expect(bool((codes >= 0).all() and (codes < sizes).all()), "the codes of classes")


def _finish_libsvm(model: Any) -> None:
    if not hasattr(model, "support_vectors_"):
        return
    rows, counts = model.support_vectors_, model._n_support
    _expect(model._sparse is False and _is_array(rows, 2, np.float64), "the support vectors")
    _expect(_is_array(counts, 1, np.int32) and (counts >= 0).all(), "the support vectors")
    _expect(_is_array(model.support_, 1, np.int32), "the support vectors")
    _expect(model.shape_fit_[1] == rows.shape[1] == model.n_features_in_, "the support vectors")
    classifier = is_classifier(model)
    _expect(classifier or len(counts) in (1, 2), "the support vectors")
    n = len(model.classes_) if classifier else 2
    pairs = n * (n - 1) // 2
    total = int(counts.sum()) if classifier else int(counts[0])
    _expect(not classifier or len(counts) == n, "the support vectors")
    _expect(total == len(rows) == len(model.support_), "the support vectors")
    for name, shape in (("_dual_coef_", (n - 1, len(rows))), ("_intercept_", (pairs,))):
        array = getattr(model, name)
        _expect(_is_array(array, len(shape), np.float64) and array.shape == shape, name)
    for name in ("_probA", "_probB"):
        array = getattr(model, name)
        _expect(_is_array(array, 1, np.float64) and len(array) in (0, pairs, 1), name)
        _expect(not (classifier and len(array) not in (0, pairs)), name)
    _expect(type(model._gamma) in (float, int, np.float64), "_gamma")
    _expect(not callable(model.kernel) and model.kernel != "precomputed", "kernel")


def _finish_clusters(model: Any) -> None:
    model._n_threads = 1
    if hasattr(model, "cluster_centers_"):
        centers = model.cluster_centers_
        fits = isinstance(centers, np.ndarray) and centers.dtype in (np.float32, np.float64)
        fits = fits and centers.shape == (model.n_clusters, model.n_features_in_)
        _expect(fits and centers.flags.c_contiguous, "the centers of clusters")


_FINISH: dict[str, Callable[[Any], None]] = {
    "BaseDecisionTree": _finish_decision_tree,
    "BaseForest": _finish_forest,
    "NeighborsBase": _finish_neighbours,
    "BaseLibSVM": _finish_libsvm,
    "_BaseKMeans": _finish_clusters,
}
