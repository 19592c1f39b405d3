"""Measures of retrieval against plain loops."""

import numpy as np
import pytest
import sklearn
from scipy.spatial.distance import cdist
from sklearn.neighbors import KNeighborsClassifier

from skaudio.metrics import map_at_r, precision_at_k, r_precision


def clusters(n=60, seed=0, decimals=8):
    rng = np.random.default_rng(seed)
    y = rng.choice(["a", "b", "c", "d"], n, p=[0.4, 0.3, 0.25, 0.05])
    X = rng.normal(size=(n, 3)) + 1.5 * (y == "a")[:, None]
    return X.round(decimals), y


def by_hand(X, y, metric="euclidean", k=None):
    """Return precision at k, R-precision and MAP@R by the definitions."""
    at_k, at_r, average = [], [], []
    distances = cdist(X, X, metric)
    for i in range(len(X)):
        others = [j for j in range(len(X)) if j != i]
        others.sort(key=lambda j: (distances[i, j], y[j] == y[i]))
        hits = [y[j] == y[i] for j in others]
        r = sum(hits)
        if r == 0:
            continue
        at_k.append(sum(hits[:k]) / k)
        at_r.append(sum(hits[:r]) / r)
        average.append(sum(sum(hits[: n + 1]) / (n + 1) for n in range(r) if hits[n]) / r)
    return np.mean(at_k), np.mean(at_r), np.mean(average)


@pytest.mark.parametrize("decimals", [8, 0])  # 0: many ties
@pytest.mark.parametrize("metric", ["euclidean", "cityblock"])
def test_equal_loops(metric, decimals):
    X, y = clusters(decimals=decimals)
    expected = by_hand(X, y, metric, k=3)
    got = (
        precision_at_k(X, y, k=3, metric=metric),
        r_precision(X, y, metric=metric),
        map_at_r(X, y, metric=metric),
    )
    assert got == pytest.approx(expected)
    distances = cdist(X, X, metric)
    assert map_at_r(distances, y, metric="precomputed") == pytest.approx(expected[2])
    # The order of the recordings does not matter, ties or not; neither do blocks.
    order = np.random.default_rng(1).permutation(len(X))
    assert map_at_r(X[order], y[order], metric=metric) == pytest.approx(expected[2])
    with sklearn.config_context(working_memory=0.001):
        assert r_precision(X, y, metric=metric) == pytest.approx(expected[1])


def test_precision_at_one_is_leave_one_out_accuracy():
    X, y = clusters()
    y[y == "d"] = "a"
    hits = [
        KNeighborsClassifier(1).fit(np.delete(X, i, 0), np.delete(y, i)).predict(X[[i]])[0] == y[i]
        for i in range(len(X))
    ]
    assert precision_at_k(X, y) == pytest.approx(np.mean(hits))


def test_perfect_and_collapsed():
    y = np.repeat([0, 1, 2], [5, 5, 2])
    apart, collapsed = y[:, None] * 10.0 + np.arange(12)[:, None] * 0.1, np.zeros((12, 2))
    for measure in (precision_at_k, r_precision, map_at_r):
        assert measure(apart, y) == 1.0
        assert measure(collapsed, y) == 0.0


def test_a_recording_without_company_is_not_asked_but_gets_in_the_way():
    X = np.array([[0.0], [0.2], [0.1]])
    assert precision_at_k(X, ["a", "a", "b"]) == 0.0
    assert precision_at_k(X, ["a", "a", "b"], k=2) == 0.5


def test_copies_of_itself_are_neighbours():
    """Only the recording itself is left out, not what lies at distance 0."""
    X = np.array([[1.0], [1.0], [3.0], [4.0]])
    assert precision_at_k(X, [0, 0, 1, 1]) == 1.0
    infinite = np.full((3, 3), np.finfo(float).max)
    assert precision_at_k(infinite, [0, 0, 0], k=2, metric="precomputed") == 1.0


def test_what_is_wrong_is_said():
    X, y = np.zeros((3, 1)), [0, 0, 1]
    with pytest.raises(ValueError, match=r"k=3: expected 1 or more, and fewer than the 3 record"):
        precision_at_k(X, y, k=3)
    with pytest.raises(ValueError, match=r"3 classes of one recording each"):
        map_at_r(X, [0, 1, 2])
    with pytest.raises(ValueError, match=r"shape \(3, 1\), expected distances"):
        r_precision(X, y, metric="precomputed")
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        r_precision(X, y[:2])
