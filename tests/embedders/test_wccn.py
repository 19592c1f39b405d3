"""Within-class covariance normalisation: white within classes, for other classes as well."""

import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skaudio.embedders import WCCN
from skaudio.metrics import precision_at_k


def make_rows(n_classes=60, n_each=20, seed=0):
    """Rows whose classes differ in all directions, and vary mostly in the first ones."""
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(n_classes), n_each)
    mix = np.linalg.qr(np.random.default_rng(99).normal(size=(6, 6)))[0]
    noise = rng.normal(size=(len(y), 6)) * [8.0, 4.0, 1.0, 1.0, 0.5, 0.5]
    return (rng.normal(size=(n_classes, 6))[y] + noise) @ mix, y


def covariance_within(rows, y):
    parts = [rows[y == c] - rows[y == c].mean(axis=0) for c in np.unique(y)]
    return sum(p.T @ p for p in parts) / (len(rows) - len(parts))


def test_the_covariance_within_classes_becomes_the_identity():
    X, y = make_rows()
    model = WCCN(shrinkage=0.0, unit_norm=False).fit(X, y)
    np.testing.assert_allclose(covariance_within(model.transform(X), y), np.eye(6), atol=1e-9)
    within = covariance_within(X, y)
    product = model.whitening_ @ model.whitening_.T
    np.testing.assert_allclose(product @ within, np.eye(6), atol=1e-9)


def test_classes_never_met():
    X, y = make_rows()
    new, labels = make_rows(seed=1)
    before = precision_at_k(new, labels)
    rows = WCCN().fit(X, y).transform(new)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0)
    assert precision_at_k(rows, labels) > 1.5 * before


def test_shrinkage():
    X, y = make_rows(n_classes=4, n_each=5)
    centred = np.concatenate([X[y == c] - X[y == c].mean(axis=0) for c in np.unique(y)])
    assert WCCN().fit(X, y).shrinkage_ == pytest.approx(
        ledoit_wolf(centred, assume_centered=True)[1]
    )
    whole = WCCN(shrinkage=1.0, unit_norm=False).fit(X, y)
    np.testing.assert_allclose(whole.whitening_, whole.whitening_[0, 0] * np.eye(6), atol=1e-12)
    few, labels = X[::5][:4].repeat(2, axis=0) + np.arange(8)[:, None] % 2, [0, 0, 1, 1, 2, 2, 3, 3]
    with pytest.raises(
        ValueError, match=r"shrinkage=0.0: the covariance .* singular, since 8 rows"
    ):
        WCCN(shrinkage=0.0).fit(few, labels)
    assert np.isfinite(WCCN().fit(few, labels).transform(few)).all()


def test_single_rows_do_not_count():
    X, y = make_rows(n_classes=8)
    extra = np.concatenate([X, 100 + X[:3]]), np.concatenate([y, [50, 51, 52]])
    expected = WCCN(shrinkage=0.1).fit(X, y).whitening_
    np.testing.assert_allclose(WCCN(shrinkage=0.1).fit(*extra).whitening_, expected)
    with pytest.raises(ValueError, match=r"y holds 3 classes of one row each"):
        WCCN().fit(X[:3], ["a", "b", "c"])
    with pytest.raises(ValueError, match=r"rows of each class are equal"):
        WCCN().fit(np.ones((4, 2)), [0, 0, 1, 1])


def test_float32_and_names():
    X, y = make_rows()
    rows = WCCN().fit(X, y).transform(X.astype(np.float32))
    assert rows.dtype == np.float32
    pipe = make_pipeline(FunctionTransformer(), WCCN().set_output(transform="pandas"))
    assert pipe.fit_transform(X, y).columns.tolist() == [f"wccn{i}" for i in range(6)]
