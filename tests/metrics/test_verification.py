"""Equal error rate against brute force and scikit-learn's curves."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist
from sklearn.metrics import roc_curve

from skaudio.metrics import equal_error_rate, equal_error_threshold, normalized_scores


def overlapping(n=200, seed=0, decimals=8):
    rng = np.random.default_rng(seed)
    same = rng.random(n) < 0.3
    return same, (rng.normal(size=n) + 1.2 * same).round(decimals)


@pytest.mark.parametrize("decimals", [8, 1, 0])
@pytest.mark.parametrize("seed", range(3))
def test_rate_is_where_the_interpolated_curve_crosses_the_diagonal(seed, decimals):
    same, scores = overlapping(seed=seed, decimals=decimals)
    false_alarms, hits, _ = roc_curve(same, scores, drop_intermediate=False)
    # Walk along the curve in tiny steps: the rate is where misses equal false alarms.
    fine = np.linspace(0, len(hits) - 1, 2_000_001)
    x = np.interp(fine, np.arange(len(hits)), false_alarms)
    misses = 1 - np.interp(fine, np.arange(len(hits)), hits)
    crossing = np.argmin(np.abs(misses - x))
    assert equal_error_rate(same, scores) == pytest.approx(x[crossing], abs=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_no_threshold_is_nearer_to_equal_rates(seed):
    same, scores = overlapping(seed=seed, decimals=1)
    threshold = equal_error_threshold(same, scores)

    def gap(t):
        return abs(np.mean(scores[same] < t) - np.mean(scores[~same] >= t))

    assert gap(threshold) == min(gap(t) for t in np.concatenate([scores - 1e-6, scores + 1e-6]))
    assert threshold not in scores


def test_known_values():
    assert equal_error_rate([1, 1, 0, 0], [4, 3, 2, 1]) == 0.0
    assert equal_error_rate([0, 0, 1, 1], [4, 3, 2, 1]) == 1.0
    assert equal_error_rate([0, 1, 0, 1], [1, 1, 1, 1]) == 0.5
    assert equal_error_rate([1, 0, 0, 1], [4, 3, 2, 1]) == 0.5
    assert equal_error_threshold([1, 1, 0, 0], [4, 3, 2, 1]) == 2.5
    assert equal_error_threshold([True, False], [1, 1]) == 1
    # One of four missed, one of four accepted wrongly.
    assert equal_error_rate([1, 1, 1, 0, 1, 0, 0, 0], [8, 7, 6, 5, 4, 3, 2, 1]) == 0.25


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(-5, 5), min_size=1, max_size=12),
    st.lists(st.integers(-5, 5), min_size=1, max_size=12),
)
def test_properties(positive, negative):
    same = [1] * len(positive) + [0] * len(negative)
    scores = np.array(positive + negative, dtype=float)
    rate = equal_error_rate(same, scores)
    assert 0 <= rate <= 1
    assert equal_error_rate(same, 3 * scores + 1) == pytest.approx(rate)
    assert equal_error_rate(np.subtract(1, same), scores) == pytest.approx(1 - rate)
    assert equal_error_rate(same * 2, np.tile(scores, 2)) == pytest.approx(rate)
    assert scores.min() <= equal_error_threshold(same, scores) <= scores.max()


@pytest.mark.parametrize("measure", [equal_error_rate, equal_error_threshold])
def test_what_is_wrong_is_said(measure):
    with pytest.raises(ValueError, match=r"no pair of one class \(1\).*there are 2 of the other"):
        measure([0, 0], [1.0, 2.0])
    with pytest.raises(ValueError, match=r"no pair of two classes \(0\)"):
        measure([1, 1], [1.0, 2.0])
    with pytest.raises(ValueError, match=r"y_true holds \[-1, 1\].*expected True or 1"):
        measure([-1, 1], [1.0, 2.0])
    with pytest.raises(ValueError, match="y_score contains NaN"):
        measure([0, 1], [1.0, np.nan])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        measure([0, 1], [1.0])


# Scores normalised by a cohort


def normalized_by_hand(left, right, cohort, n_nearest):
    def unit(row):
        return np.asarray(row) / np.sqrt(sum(v * v for v in row))

    def against(row):
        scores = sorted(float(unit(row) @ unit(other)) for other in cohort)[-n_nearest:]
        mean = sum(scores) / len(scores)
        return mean, (sum((s - mean) ** 2 for s in scores) / len(scores)) ** 0.5

    out = []
    for a in left:
        out.append([])
        for b in right:
            score = float(unit(a) @ unit(b))
            parts = [(score - mean) / deviation for mean, deviation in map(against, (a, b))]
            out[-1].append(sum(parts) / 2)
    return np.array(out)


@pytest.mark.parametrize("n_nearest", [None, 5])
def test_normalized_scores_equal_a_double_loop(n_nearest):
    rng = np.random.default_rng(0)
    left, right, cohort = (rng.normal(size=(n, 4)) for n in (3, 6, 300))
    expected = normalized_by_hand(left, right, cohort, n_nearest or 300)
    found = normalized_scores(left, right, cohort, n_nearest=n_nearest, pairwise=True)
    np.testing.assert_allclose(found, expected)
    paired = normalized_scores(left, right[:3], cohort, n_nearest=n_nearest)
    np.testing.assert_allclose(paired, expected.diagonal())
    swapped = normalized_scores(right, left, cohort, n_nearest=n_nearest, pairwise=True)
    np.testing.assert_allclose(swapped, expected.T)


def test_normalized_scores_help_where_some_rows_are_like_all_others():
    rng = np.random.default_rng(0)
    n_classes, size = 30, 16
    centres = rng.normal(size=(2 * n_classes, size))
    y = np.repeat(np.arange(n_classes), 4)
    # To every row a share of one common direction, more for some recordings.
    common = rng.uniform(0, 6, (len(y), 1)) * np.ones(size) / 4
    rows = centres[y] + 0.5 * rng.normal(size=(len(y), size)) + common
    cohort = centres[n_classes:] + 0.5
    i, j = np.triu_indices(len(y), 1)
    same = y[i] == y[j]
    plain = 1 - pdist(rows, "cosine")
    normalized = normalized_scores(rows, rows, cohort, pairwise=True)[i, j]
    assert equal_error_rate(same, normalized) < equal_error_rate(same, plain) - 0.02


def test_normalized_scores_refuse():
    rows = np.eye(4)
    with pytest.raises(ValueError, match=r"\[4, 2\] \(left has 4, right has 2\)"):
        normalized_scores(rows, rows[:2], rows)
    message = r"^right: row 2 is equally similar to all rows .* and no row of zeros\.$"
    with pytest.raises(ValueError, match=message):
        normalized_scores(rows[:3], rows[:3] * [[1], [1], [0]], rows)
    with pytest.raises(ValueError, match=r"n_nearest=1: expected an integer of 2 or more"):
        normalized_scores(rows, rows, rows, n_nearest=1)
    with pytest.raises(ValueError, match=r"1 sample\(s\) .* a minimum of 2 is required"):
        normalized_scores(rows, rows, rows[:1])
    assert normalized_scores(rows[:2], rows[:2], rows[:2] + [0, 0, 1, 0]).shape == (2,)
