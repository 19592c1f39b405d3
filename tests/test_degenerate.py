"""Little or nothing to learn from: no recordings, one, one class, rows that are all equal."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.manifold import TSNE
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags

from skaudio.audio import AudioBatch
from skaudio.encoders import MFCC, MelSpectrogram
from skaudio.metrics import (
    event_based_f1,
    event_based_scores,
    map_at_r,
    precision_at_k,
    r_precision,
    scores_by,
    segment_based_f1,
    segment_based_scores,
    worst_classified,
)
from skaudio.pooling import FramePooling

from .cases import METHODS, OF_FRAMES, OF_ROWS, assert_same, clips, inputs, items, outputs, small
from .walk import ESTIMATORS

pytestmark = pytest.mark.slow  # walks over all estimators take long together

EMPTY = {
    "list": [],
    "tuple": (),
    "array": np.empty((0, 100)),
    "array of objects": np.empty(0, object),
    "array of strings": np.array([], dtype=str),
    "series": pd.Series([], dtype=object),
    "table": pd.DataFrame({"path": pd.Series([], dtype=object)}),
    "batch": AudioBatch([], 16000),
}
NOTHING = r"[Xy] holds no (recordings|labels): found 0 sample|Found array with 0 sample\(s\)"
# scikit-learn's own checks say what becomes of no rows, and of one.
every_estimator = pytest.mark.parametrize("name", [n for n in ESTIMATORS if n not in OF_ROWS])


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    """What is cached in a folder beside the test stays there."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _close_figures():
    plt = pytest.importorskip("matplotlib.pyplot")
    yield
    plt.close("all")


@every_estimator
def test_no_recordings(name):
    X, y = inputs(name)
    fitted = small(name).fit(X, y)
    methods = [*METHODS, "transform_batches"]
    for empty in EMPTY.values():
        with pytest.raises(ValueError, match=NOTHING):
            small(name).fit(empty, [])
        if hasattr(fitted, "fit_transform"):
            with pytest.raises(ValueError, match=NOTHING):
                small(name).fit_transform(empty, [])
        for method in methods:
            if hasattr(fitted, method):
                with pytest.raises(ValueError, match=NOTHING):
                    getattr(fitted, method)(empty)
        for method in ("pair_distance", "predict_pairs"):
            if hasattr(fitted, method):
                with pytest.raises(ValueError, match=NOTHING):
                    getattr(fitted, method)(empty, empty)


LEARNS = {name for name in ESTIMATORS if get_tags(small(name)).requires_fit}


@pytest.mark.parametrize("name", sorted(set(ESTIMATORS) - LEARNS))
def test_one_recording(name):
    X, _ = inputs(name)
    found = outputs(small(name).fit(X[:1]), X[:1])
    together = outputs(small(name).fit(X), X)
    first = {method: rows[: len(found[method])] for method, rows in together.items()}
    assert_same(found, first)
    assert len(found["transform"]) == 1


@pytest.mark.parametrize("name", sorted(LEARNS - set(OF_ROWS)))  # rows of one class do
def test_one_recording_and_one_class_are_refused_by_what_learns(name):
    X, y = inputs(name)
    one_class = "only one class is present: all labels are 'high'|y holds one class alone"
    for recordings, labels in ((X[:1], y[:1]), (X, ["high"] * len(X))):
        with pytest.raises(ValueError, match=one_class):
            small(name).fit(recordings, labels)


@pytest.mark.parametrize("name", sorted(LEARNS))
def test_one_recording_is_predicted(name):
    X, y = inputs(name)
    fitted = small(name).fit(X, y)
    for method in METHODS:
        if hasattr(fitted, method) and method != "predict_events":
            assert len(items(getattr(fitted, method)(X[:1]))) == 1


def test_a_detector_of_one_recording_or_of_a_label_that_nothing_has():
    X, _ = clips()
    for Y in (
        pd.DataFrame({"dog": [0], "cat": [1]}),
        pd.DataFrame({"dog": [0] * 12, "cat": [0, 1] * 6}),
        pd.DataFrame({"dog": [0] * 12, "cat": [1] * 12}),
    ):
        for class_weight in (None, "balanced"):
            detector = small("EventDetector").set_params(class_weight=class_weight)
            probabilities = detector.fit(X[: len(Y)], Y).predict_proba(X[:1])
            assert probabilities.shape == (1, 2)
            assert np.isfinite(probabilities).all()


@pytest.mark.parametrize("name", sorted(LEARNS))
def test_categories_without_recordings_are_no_classes(name):
    X, y = inputs(name)
    unused = pd.Categorical(y, ["none", *np.unique(y)])
    assert_same(outputs(small(name).fit(X, unused), X), outputs(small(name).fit(X, y), X))


# Measures


def test_measures_of_nothing():
    for call in (
        lambda: scores_by([], []),
        lambda: worst_classified([], [], np.empty((0, 2)), ["a", "b"]),
        lambda: worst_classified([], [], np.empty((0, 0))),
    ):
        with pytest.raises(ValueError, match="y_true holds no recordings"):
            call()
    for measure in (precision_at_k, r_precision, map_at_r):
        with pytest.raises(ValueError, match=r"than the 0 recordings|Found array with 0 sample"):
            measure(np.empty((0, 3)), [])
        with pytest.raises(ValueError, match=r"than the 1 recording:|y holds one recording:"):
            measure(np.zeros((1, 3)), ["a"])
        assert measure(np.zeros((3, 3)), ["a"] * 3) == 1
    none = pd.DataFrame(columns=["file", "onset", "offset", "event_label"])
    for score in (event_based_f1, segment_based_f1):
        assert np.isnan(score(none, none))
    for table in (event_based_scores, segment_based_scores):
        assert table(none, none).index.tolist() == ["macro", "micro"]
    assert scores_by(pd.Categorical(["a"], ["a", "b"]), ["a"]).index.tolist() == ["a", "mean"]


# Pictures


EQUAL = np.ones((8, 5))
# UMAP compiles itself for half a minute, and may not be installed.
METHODS_OF_POINTS = ["pca", "tsne", pytest.param("umap", marks=pytest.mark.exhaustive)]


@pytest.fixture
def method(request):
    """Import UMAP without the warnings that it gives of packages it lacks, where it is there."""
    if request.param == "umap":
        pytest.importorskip("umap")
    return request.param


@pytest.mark.parametrize("method", [*METHODS_OF_POINTS, TSNE(perplexity=2)], ids=str, indirect=True)
def test_rows_that_are_all_equal_have_no_plane(method):
    """t-SNE of scikit-learn ends the process there."""
    from skaudio.display import FeatureSpaceDisplay

    silent = np.zeros((8, 8000))
    for rows in (EQUAL, EQUAL * 0, EQUAL * 1e30, EQUAL * (1 + 1e-17)):
        with pytest.raises(ValueError, match=r"all 8 rows are equal.* Are all recordings silent"):
            FeatureSpaceDisplay.from_embeddings(rows, method=method)
    with pytest.raises(ValueError, match="all 8 rows are equal"):
        FeatureSpaceDisplay.from_estimator(
            make_pipeline(MFCC(), FramePooling()), silent, method=method
        )


@pytest.mark.parametrize("method", METHODS_OF_POINTS, indirect=True)
def test_rows_of_any_size_and_number(method):
    from skaudio.display import FeatureSpaceDisplay

    rows = np.random.default_rng(0).normal(size=(8, 5))
    almost = EQUAL.copy()
    almost[0, 0] += 1e-9
    cases = [rows * 1e25, rows * 1e-160, rows * 1e200, 1e9 + rows * 1e-3, almost, np.eye(4)]
    cases += [] if method == "umap" else [np.eye(2), np.eye(3)]
    for embeddings in cases:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore" if method == "umap" else "error")
            display = FeatureSpaceDisplay.from_embeddings(embeddings, method=method)
        assert np.isfinite(display.coordinates).all()
        assert np.ptp(display.coordinates) > 0
    if method == "umap":
        for n in (2, 3):
            with pytest.raises(ValueError, match=rf"'umap' of {n} recordings: expected 4 or more"):
                FeatureSpaceDisplay.from_embeddings(np.eye(n), method="umap")
    if method == "pca":  # in the unit of the features
        plain = FeatureSpaceDisplay.from_embeddings(rows).coordinates
        large = FeatureSpaceDisplay.from_embeddings(rows * 1e6).coordinates
        np.testing.assert_allclose(large, plain * 1e6, rtol=1e-6)


def test_which_recording_to_draw():
    from skaudio.augmentation import Noise
    from skaudio.display import AugmentationDisplay, SpectrogramDisplay

    X, _ = clips()
    for display, estimator in (
        (SpectrogramDisplay, MelSpectrogram()),
        (AugmentationDisplay, Noise()),
    ):
        for empty in EMPTY.values():
            with pytest.raises(ValueError, match="X holds no recordings"):
                display.from_estimator(estimator, empty)
        for index in (12, -13):
            with pytest.raises(ValueError, match=f"index={index}: X holds 12 recordings"):
                display.from_estimator(estimator, X, index=index)
        display.from_estimator(estimator, X, index=-1)
        display.from_estimator(estimator, np.zeros(800))
    with pytest.raises(ValueError, match="n_draws=0: expected an integer of 1 or more"):
        AugmentationDisplay.from_estimator(Noise(), X, n_draws=0)


def test_every_estimator_is_in_one_of_the_walks():
    assert set(ESTIMATORS) > LEARNS
    assert {*OF_FRAMES, *OF_ROWS} < set(ESTIMATORS)
