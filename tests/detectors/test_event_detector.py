"""EventDetector as scikit-learn users meet it: labels, probabilities, events, thresholds."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.preprocessing import MultiLabelBinarizer

from skaudio.detectors import EventDetector
from skaudio.encoders import MelSpectrogram
from skaudio.metrics import event_based_f1, make_event_scorer, segment_based_f1
from skaudio.nets._crnn import WEAK_POOLINGS

from .conftest import RATE, SMALL, make_tones, weak


@pytest.fixture(scope="session")
def fitted(tones):
    X, events = tones
    return EventDetector(**SMALL).fit(X, weak(events, len(X)))


def single(events, n):
    """Recordings with exactly one label, and which."""
    labels = weak(events, n)
    keep = [i for i in range(n) if len(labels[i]) == 1]
    return keep, [labels[i][0] for i in keep]


def test_finds_where_the_tones_are(fitted, other_tones):
    X, events = other_tones
    found = fitted.predict_events(X)
    assert found.columns.tolist() == ["file", "onset", "offset", "event_label", "score"]
    whole = pd.DataFrame(
        [(i, 0.0, 2.0, label) for i, labels in enumerate(weak(events, len(X))) for label in labels],
        columns=events.columns,
    )
    by_frames = segment_based_f1(events, found, segment=0.1)
    assert by_frames > 0.75
    assert by_frames > segment_based_f1(events, whole, segment=0.1) + 0.2
    durations = [len(x) / RATE for x in X]
    assert (found["offset"] <= [durations[i] + 0.011 for i in found["file"]]).all()
    assert found["score"].between(0, 1).all()


def test_clip_level(fitted, other_tones):
    X, events = other_tones
    y = MultiLabelBinarizer(classes=["high", "low"]).fit_transform(weak(events, len(X)))
    assert fitted.labels_.tolist() == ["high", "low"]
    probabilities = fitted.predict_proba(X)
    assert probabilities.shape == y.shape
    assert np.array_equal(fitted.predict(X), (probabilities > 0.5).astype(int))
    assert fitted.score(X, y) > 0.7
    for name in ("f1_macro", "roc_auc", "average_precision"):
        assert get_scorer(name)(fitted, X, y) > 0.7


def test_frames_and_their_times(fitted, tones):
    X, _ = tones
    frames = fitted.predict_frames(X)
    inputs = fitted.encoder_.transform(X)
    assert [f.shape[1] for f in frames] == [-(-f.shape[1] // 2) for f in inputs]
    times = fitted.frame_times(frames[0])
    # Two frames, 20 ms apart, have become one.
    np.testing.assert_allclose(times[:2], [0.01, 0.05])
    pooled = np.array([(f**2).sum(1) / f.sum(1) for f in frames])
    np.testing.assert_allclose(pooled, fitted.predict_proba(X), atol=1e-6)


def test_forms_of_y_say_the_same(tones):
    X, events = tones
    lists = weak(events, len(X))
    matrix = MultiLabelBinarizer(classes=["high", "low"]).fit_transform(lists)
    params = {**SMALL, "max_epochs": 1}
    forms = {
        "lists": lists,
        "object array": np.array([*lists, None], dtype=object)[:-1],
        "series": pd.Series(lists),
        "matrix": matrix,
        "rows": matrix.tolist(),
        "frame": pd.DataFrame(matrix.astype(bool), columns=["high", "low"]),
    }
    fits = {name: EventDetector(**params).fit(X, y) for name, y in forms.items()}
    expected = fits["lists"].predict_proba(X)
    for name, fit in fits.items():
        assert np.array_equal(fit.predict_proba(X), expected), name
        assert fit.labels_.tolist() == ([0, 1] if name in ("matrix", "rows") else ["high", "low"])


def test_one_label_per_recording(tones):
    X, events = tones
    keep, y = single(events, len(X))
    X = [X[i] for i in keep]
    detector = EventDetector(**SMALL).fit(X, y)
    assert detector.classes_.tolist() == detector.labels_.tolist() == ["high", "low"]
    probabilities = detector.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert detector.score(X, y) > 0.9
    assert get_scorer("neg_log_loss")(detector, X, y) > -0.4  # chance: log(0.5) = -0.69
    # Frames are not renormalised: in silence, neither is heard.
    frames = detector.predict_frames(X)
    assert np.mean([f.sum(axis=0).min() for f in frames]) < 0.5
    one = pd.DataFrame({"high": [label == "high" for label in y]})
    assert EventDetector(**{**SMALL, "max_epochs": 1}).fit(X, one).labels_.tolist() == ["high"]


@pytest.mark.parametrize("pooling", WEAK_POOLINGS)
def test_every_pooling_gives_the_same_alone_as_together(pooling, tones):
    X, events = tones[0][:12], tones[1]
    params = {**SMALL, "max_epochs": 1, "pooling": pooling, "n_layers": 1}
    detector = EventDetector(**params).fit(X, weak(events, len(X)))
    together, clips = detector.predict_frames(X), detector.predict_proba(X)
    for i in (0, 7):
        assert np.array_equal(detector.predict_frames([X[i]])[0], together[i])
        assert np.array_equal(detector.predict_proba([X[i]])[0], clips[i])


def test_thresholds_are_tuned_without_training(fitted, tones, other_tones):
    X, events = other_tones
    detector = pickle.loads(pickle.dumps(fitted))
    frames = detector.predict_frames(X)
    for metric in ("segment", "event"):
        detector.tune_thresholds(X, events, metric=metric)
        assert detector.thresholds_.shape == (2,)
        for a, b in zip(frames, detector.predict_frames(X), strict=True):
            assert np.array_equal(a, b)
    # No single threshold does better by the second on the recordings they were tuned on.
    detector.tune_thresholds(X, events)
    tuned = segment_based_f1(events, detector.predict_events(X))
    plain = pickle.loads(pickle.dumps(fitted))
    others = []
    for threshold in (0.05, 0.2, 0.5, 0.8, 0.95):
        plain.set_params(threshold=threshold)
        others.append(segment_based_f1(events, plain.predict_events(X)))
    assert tuned > max(others) - 0.02  # they are tried on a grid of their own
    with pytest.warns(UserWarning, match=r"none of the label 'low': its threshold stays at 0\.95"):
        plain.tune_thresholds(X, events[events["event_label"] == "high"])
    assert plain.thresholds_[1] == 0.95


@pytest.mark.slow
def test_search_by_strong_labels(tones, tmp_path, write_audio):
    X, events = tones
    paths = [write_audio(tmp_path / f"{i:02}.wav", x, RATE) for i, x in enumerate(X)]
    strong = events.assign(file=[paths[i] for i in events["file"]])
    labels = weak(events, len(X))
    y = pd.DataFrame(MultiLabelBinarizer().fit_transform(labels), columns=["high", "low"])
    detector = EventDetector(**SMALL)
    grid = {"threshold": [0.2, 0.999], "encoder__n_mels": [16]}
    scorer = make_event_scorer(strong)
    search = GridSearchCV(detector, grid, scoring=scorer, cv=3).fit(paths, y)
    assert search.best_params_["threshold"] == 0.2
    assert len(set(search.cv_results_["mean_test_score"])) == 2
    scores = cross_validate(detector, paths, y, cv=2, scoring=["f1_macro", "roc_auc"])
    assert scores["test_roc_auc"].min() > 0.7
    assert scores["test_f1_macro"].min() > 0.5


def test_frames_instead_of_recordings(tones):
    X, events = tones
    frames = SMALL["encoder"].transform(X)
    y = weak(events, len(X))
    params = {**SMALL, "max_epochs": 2, "frame_duration": 0.02}
    inside = EventDetector(**params).fit(X, y)
    outside = EventDetector(**{**params, "encoder": None}).fit(frames, y)
    assert np.array_equal(inside.predict_proba(X), outside.predict_proba(frames))
    pd.testing.assert_frame_equal(inside.predict_events(X), outside.predict_events(frames))


def test_class_weights(tones):
    X, events = tones
    labels = weak(events, len(X))
    few = {**SMALL, "max_epochs": 2}
    plain, heavy = (
        EventDetector(**few, class_weight=w).fit(X, labels).predict_proba(X)[:, 1].mean()
        for w in (None, {"low": 20.0})
    )
    assert heavy > plain
    # Of a label that is rare, "balanced" raises the probability.
    rare = [i for i, row in enumerate(labels) if "low" in row][:4]
    rest = [i for i, row in enumerate(labels) if "low" not in row]
    X = [X[i] for i in rare + rest]
    y = [labels[i] for i in rare + rest]
    plain, balanced = (
        EventDetector(**few, class_weight=w).fit(X, y).predict_proba(X)[:, 1].mean()
        for w in (None, "balanced")
    )
    assert balanced > plain


def test_warm_start_refuses_other_forms_of_labels(tones):
    X, events = tones
    detector = EventDetector(**{**SMALL, "max_epochs": 1}, warm_start=True)
    detector.fit(X, weak(events, len(X)))
    with pytest.raises(ValueError, match=r"warm_start: the labels are \[0, 1\], expected those of"):
        detector.fit(X, np.eye(2, dtype=int)[np.arange(len(X)) % 2])


def test_fit_forgets_tuned_thresholds(tones):
    X, events = tones
    detector = EventDetector(**{**SMALL, "max_epochs": 1}).fit(X, weak(events, len(X)))
    detector.tune_thresholds(X, events)
    assert not hasattr(clone(detector), "thresholds_")
    assert not hasattr(detector.fit(X, weak(events, len(X))), "thresholds_")


def test_bad_labels(tones):
    X, _ = tones
    detector = EventDetector(**SMALL)
    n = len(X)
    with pytest.raises(ValueError, match=r"only one class is present.*'dog'.*some of them empty"):
        detector.fit(X, ["dog"] * n)
    with pytest.raises(ValueError, match=r"y holds 2 for the label 0 in row 0, expected 0"):
        detector.fit(X, np.full((n, 2), 2))
    with pytest.raises(ValueError, match=r"y\[1\] holds 3 \(int\), expected strings"):
        detector.fit(X, [["dog"], [3], *[[]] * (n - 2)])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        detector.fit(X, [["dog"]] * (n - 1))


def test_bad_strong_labels(fitted, other_tones):
    X, events = other_tones
    row = {"file": 3, "onset": 0.1, "offset": 0.5, "event_label": "high"}
    for change, message in [
        ({"event_label": "cow"}, r"event_label='cow', expected one of 'high', 'low'"),
        ({"offset": 0.05}, r"offset=0\.05 before its onset=0\.1"),
        ({"file": 99}, r"file=99, expected one of 0, 1, 2.*\.\.\.\. Files are called as in X"),
        ({"onset": 100, "offset": 500}, r"begins at 100 s, but the recording ends at .*seconds\?"),
    ]:
        with pytest.raises(ValueError, match=message):
            fitted.tune_thresholds(X, [{**row, **change}])
    with pytest.raises(ValueError, match="before another of its label ends"):
        fitted.tune_thresholds(X, [row, {**row, "onset": 0.3, "offset": 0.6}])
    with pytest.raises(ValueError, match="metric='psds': expected 'segment' or 'event'"):
        fitted.tune_thresholds(X, events, metric="psds")


def test_bad_parameters(tones):
    X, events = tones
    y = weak(events, len(X))
    for params, message in [
        ({"threshold": 2}, "threshold=2: expected a number that is at least 0 and at most 1"),
        ({"threshold": {"cow": 0.5}}, r"threshold is given for \['cow'\], expected the labels"),
        ({"hysteresis": 2}, "hysteresis=2: expected a number that is above 0 and at most 1"),
        ({"block_duration": 0}, "block_duration=0: expected a positive number of seconds"),
        ({"pooling": "median"}, "pooling='median': expected 'mean'"),
        ({"frame_stride": 3}, "frame_stride=3: expected a power of two"),
        ({"standardize": "mean"}, "standardize='mean': expected 'global'"),
    ]:
        with pytest.raises(ValueError, match=message):
            EventDetector(**{**SMALL, **params}).fit(X, y)
    tiny = EventDetector(**{**SMALL, "encoder": MelSpectrogram(center=False)})
    with pytest.raises(ValueError, match=r"recording 5 has 50 samples, expected at least n_fft"):
        tiny.fit([*X[:5], X[5][:50], *X[6:]], y)


def test_tunes_on_recordings_of_their_own_lengths(fitted):
    """Lengths differ, and so do the frames: nothing is stacked."""
    X, events = make_tones(8, 1.5, seed=4)
    assert len({len(x) for x in X}) > 1
    detector = pickle.loads(pickle.dumps(fitted)).set_params(threshold=0.999)
    before = segment_based_f1(events, detector.predict_events(X))
    detector.tune_thresholds(X, events)
    assert (detector.thresholds_ < 0.999).all()
    assert segment_based_f1(events, detector.predict_events(X)) > max(before, 0.7)


def test_filters_are_tuned_by_label(fitted, tones, other_tones):
    X, events = other_tones
    plain, tuned = (pickle.loads(pickle.dumps(fitted)) for _ in range(2))
    for metric, score in (("segment", segment_based_f1), ("event", event_based_f1)):
        plain.tune_thresholds(X, events, metric=metric)
        assert plain.filters_ == {}
        tuned.tune_thresholds(X, events, metric=metric, filters=True)
        assert set(tuned.filters_) == {"hysteresis", "median_filter", "max_gap", "min_duration"}
        assert all(values.shape == (2,) for values in tuned.filters_.values())
        found = tuned.predict_events(X)
        # On the recordings that they were chosen by, filters do not lower the score.
        assert score(events, found) >= score(events, plain.predict_events(X)) - 1e-9
    # They replace the parameters until the next fit.
    tuned.set_params(min_duration=1.9)
    pd.testing.assert_frame_equal(tuned.predict_events(X), found)
    tuned.set_params(min_duration=0.0, max_epochs=1).fit(*_weak(tones))
    assert not hasattr(tuned, "filters_")


def _weak(tones):
    return tones[0], weak(tones[1], len(tones[0]))
