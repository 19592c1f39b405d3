"""evaluate_embedder: groups are held out, scores are what a loop by hand gives."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skaudio
from skaudio.classifiers import GRUClassifier
from skaudio.datasets import evaluate_embedder
from skaudio.datasets._probes import accuracies, draw, folds_of, score_rows
from skaudio.embedders import NetEmbedder
from skaudio.encoders import MFCC
from skaudio.pooling import FramePooling
from skaudio.pretrained import PretrainedEmbedder

MFCC_ROWS = make_pipeline(MFCC(n_mfcc=6), FramePooling())


@pytest.fixture(scope="module")
def tones():
    """Tones of two pitches, in 4 groups of 6."""
    rng = np.random.default_rng(0)
    y = np.array(["high", "low"] * 12)
    pitches = np.where(y == "high", 2000, 400)
    times = np.arange(4000) / 16000
    X = [np.sin(2 * np.pi * p * times) + 0.1 * rng.standard_normal(4000) for p in pitches]
    return X, y, np.repeat(np.arange(4), 6)


def test_scores_by_hand():
    rng = np.random.default_rng(0)
    y, groups = rng.integers(0, 3, 90), rng.integers(0, 4, 90)
    rows = rng.standard_normal((90, 5)) + np.eye(3)[y] @ rng.standard_normal((3, 5))
    expected = {"linear": [], "nearest": []}
    for group in range(4):
        train, test = groups != group, groups == group
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000, tol=1e-3))
        expected["linear"].append(model.fit(rows[train], y[train]).score(rows[test], y[test]))
        unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        best = (unit[test] @ unit[train].T).argmax(axis=1)
        expected["nearest"].append((y[train][best] == y[test]).mean())
    found = accuracies(rows, y, groups)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values)
    scores = score_rows(rows, y, groups, random_state=0)
    assert scores["linear"] == pytest.approx(np.mean(expected["linear"]))
    assert scores["linear_se"] == pytest.approx(np.std(expected["linear"], ddof=1) / 2)
    assert 1 / 3 < scores["few_shot"] < scores["linear"] + 0.1
    assert score_rows(rows, y, groups, random_state=0) == scores


def test_no_group_is_on_both_sides():
    for n_groups in (2, 7, 23):
        groups = np.random.default_rng(0).integers(0, n_groups, 300)
        scored = np.zeros(300)
        for train, test in folds_of(groups):
            assert not set(groups[train]) & set(groups[test])
            scored[test] += 1
        assert (scored == 1).all()
    with pytest.raises(ValueError, match="groups: found 1, expected two or more"):
        folds_of(np.zeros(5))


def test_few_examples_are_of_the_training_part_alone():
    y, train = np.array([0, 0, 0, 1, 1, 1, 1]), np.array([0, 1, 3, 4, 6])
    few = draw(train, y, 2, np.random.default_rng(0))
    assert set(few) <= set(train)
    assert np.bincount(y[few]).tolist() == [2, 2]


def test_table(tones, capsys):
    embedder = PretrainedEmbedder("mn01_as", weights="random")
    for model, size in ((MFCC_ROWS, 0), (embedder, 0.506)):
        table = evaluate_embedder(
            model, {"tones": tones, "again": tones}, shots=2, random_state=0, verbose=0
        )
        assert table.index.tolist() == ["tones", "again"]
        assert table.loc["tones", "n_recordings":"n_groups"].tolist() == [24, 2, 4]
        assert table.loc["tones", "linear"] > 0.9
        assert (table["rows_per_second"] > 0).all()
        assert table.loc["tones", "megabytes"] == pytest.approx(size, abs=0.001)
        scores = [c for c in table if c.startswith(("linear", "nearest", "few"))]
        assert len(scores) == 6
        assert table.loc["tones", scores].equals(table.loc["again", scores])
    assert capsys.readouterr().err == ""
    evaluate_embedder(MFCC_ROWS, {"tones": tones})
    assert "24/24" in capsys.readouterr().err


def test_bundled_digits_are_held_out_by_voice():
    table = evaluate_embedder(MFCC_ROWS, verbose=0)
    assert table.loc["spoken_digits", "n_recordings":"n_groups"].tolist() == [300, 10, 10]
    assert 0.5 < table.loc["spoken_digits", "linear"] < 1


def test_trained_embedders_are_frozen(tones):
    X, y, _ = tones
    net = NetEmbedder(GRUClassifier(MFCC(), hidden_size=4, max_epochs=2, random_state=0))
    with pytest.raises(ValueError, match=r"NetEmbedder.* learns from what|depends on ch"):
        evaluate_embedder(net, {"tones": tones}, verbose=0)
    table = evaluate_embedder(FrozenEstimator(net.fit(X, y)), {"tones": tones}, verbose=0)
    assert table.loc["tones", "megabytes"] > 0


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ("esc11", "sets='esc11': expected 'spoken_digits', 'fsdd'"),
        (["esc10", 3], "sets=3: expected 'spoken_digits'"),
        ({"mine": [1, 2]}, "expected a tuple of X, y and groups"),
    ],
)
def test_unknown_sets(sets, message):
    with pytest.raises(ValueError, match=message):
        evaluate_embedder(MFCC_ROWS, sets)


def test_frames_are_refused(tones):
    with pytest.raises(ValueError, match=r"returns frames for 'tones'.*or a FramePooling after"):
        evaluate_embedder(MFCC(), {"tones": tones}, verbose=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fsdd", "arabic_digits", "arabic_voices", "esc10"])
def test_sets_of_the_data_home(name, data_home):
    folder = {"fsdd": "fsdd", "esc10": "esc10"}.get(name, "arabic_digits")
    if not (data_home / folder).is_dir():
        pytest.skip(f"no {data_home / folder}")
    from skaudio.datasets._evaluate_embedder import _tasks

    X, y, groups = _tasks(name, data_home)[name]()
    assert len(X) == len(y) == len(groups) > 300
    for train, test in folds_of(groups):
        assert not set(groups[train]) & set(groups[test])
        assert set(y[test]) <= set(y[train])


def test_public():
    assert skaudio.evaluate_embedder is evaluate_embedder
