"""Tables of scores against plain loops."""

import numpy as np
import pytest

from skaudio.metrics import scores_by, worst_classified


def test_scores_by_equals_a_loop():
    rng = np.random.default_rng(0)
    y_true, y_pred = rng.integers(3, size=(2, 200))
    by = rng.choice(["ann", "bob", "eve"], 200)
    table = scores_by(y_true, y_pred, by)
    accuracies = []
    for name in ("ann", "bob", "eve"):
        hits = (y_true == y_pred)[by == name]
        accuracies.append(hits.mean())
        row = table.loc[name]
        assert row["accuracy"] == pytest.approx(hits.mean())
        assert row["standard_error"] == pytest.approx(hits.std() / np.sqrt(len(hits)))
        assert row["n_recordings"] == len(hits)
    assert table.loc["mean", "accuracy"] == pytest.approx(np.mean(accuracies))
    expected = np.std(accuracies, ddof=1) / np.sqrt(3)
    assert table.loc["mean", "standard_error"] == pytest.approx(expected)


def test_scores_by_class_and_single_group():
    table = scores_by(["a", "a", "b"], ["a", "b", "b"])
    assert table["accuracy"].tolist() == [0.5, 1.0, 0.75]
    assert np.isnan(scores_by([1, 1], [1, 1]).loc["mean", "standard_error"])


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        scores_by([0, 1], [0, 1], groups=["x"])


def test_worst_classified_is_sorted_by_the_true_class():
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(3), 50)
    y = rng.choice(["x", "y", "z"], 50)
    table = worst_classified(np.arange(50), y, probabilities, ["x", "y", "z"], n=7)
    of_true = [probabilities[i, "xyz".index(y[i])] for i in range(50)]
    assert table["probability_of_true"].tolist() == sorted(of_true)[:7]
    assert table["file"].tolist() == np.argsort(of_true)[:7].tolist()
    certain = worst_classified(["a", "b"], ["x", "y"], [[1, 0], [1, 0]], n=1)
    assert certain["probability_of_true"].dtype == float


def test_worst_classified_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match=r"shape \(2, 3\), expected .* \(2, 2\)"):
        worst_classified(["a", "b"], [0, 1], np.ones((2, 3)), [0, 1])
    with pytest.raises(ValueError, match=r"y_true and classes hold labels of two types"):
        worst_classified(["a", "b"], ["0", "1"], np.ones((2, 2)), [0, 1])
    with pytest.raises(ValueError, match=r"^y_true holds no recordings: .* at least one\.$"):
        worst_classified([], [], np.ones((0, 2)), [0, 1])
    with pytest.raises(ValueError, match="holds 7, which is not among classes"):
        worst_classified(["a", "b"], [0, 7], np.ones((2, 2)), [0, 1])
