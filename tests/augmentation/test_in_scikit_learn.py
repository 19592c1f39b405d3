"""In Pipelines and searches: on in fit, off in predict, whatever the workers."""

from __future__ import annotations

import joblib
import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_validate
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline

from skaudio.encoders import MelSpectrogram
from skaudio.pooling import FramePooling

N = 24
CV = StratifiedKFold(3)

# A parameter to search over, and the value that makes no difference to the recordings.
STRENGTHS = {
    "Convolution": ("mix", 0.0, 1.0),
    "DynamicRange": ("top_db", 100.0, 1.0),
    "FrequencyMask": ("width", 0.0, 0.5),
    "FunctionAugmentation": ("p", 0.0, 1.0),
    "Noise": ("snr_db", 200.0, 0.0),
    "RandomSegment": ("duration", 1.0, 0.3),
    "Speed": ("rate", 1.0, (0.7, 1.4)),
    "TimeMask": ("width", 0.0, 0.5),
    "TimeShift": ("shift", 0.0, 0.4),
    "VTLP": ("warp", 1.0, 1.2),
    "Volume": ("gain_db", 0.0, 12.0),
}


@pytest.fixture(scope="module")
def clips():
    """Two classes of clips that a nearest neighbour tells apart, but not always."""
    rng = np.random.default_rng(0)
    y = np.arange(N) % 2
    t = np.arange(2400) / 16000
    pitches = 400 + 60 * y + 30 * rng.normal(size=N)
    envelope = np.linspace(1, 0.2, len(t))
    X = [np.sin(2 * np.pi * f * t) * envelope + 0.1 * rng.normal(size=len(t)) for f in pitches]
    return [x.astype(np.float32) for x in X], y


@pytest.fixture
def model(make, on_frames):
    """A Pipeline whose last step keeps the rows it was fitted on."""
    steps = [("encode", MelSpectrogram(n_mels=24)), ("pool", FramePooling())]
    steps.insert(1 if on_frames else 0, ("augment", make(random_state=0)))
    return Pipeline([*steps, ("classify", KNeighborsClassifier(1))])


def without_augmentation(model):
    return Pipeline([step for step in model.steps if step[0] != "augment"])


def test_acts_in_fit_and_not_in_predict(model, clips):
    X, y = clips
    found = cross_validate(model, X, y, cv=CV, return_estimator=True, return_indices=True)
    clean = without_augmentation(model)
    for k, fitted in enumerate(found["estimator"]):
        train, test = found["indices"]["train"][k], found["indices"]["test"][k]
        seen = fitted["classify"]._fit_X
        clean_rows = clean[:-1].fit_transform([X[i] for i in train])
        # fitted on augmented rows, each of them ...
        assert (np.abs(seen - clean_rows).max(axis=1) > 1e-6).all()
        # ... and asked about clean ones.
        rows = clean[:-1].transform([X[i] for i in test])
        np.testing.assert_array_equal(fitted[:-1].transform([X[i] for i in test]), rows)
        expected = KNeighborsClassifier(1).fit(seen, y[train]).score(rows, y[test])
        assert found["test_score"][k] == expected


@pytest.mark.slow
def test_scores_are_the_same_however_it_runs(model, clips, name):
    X, y = clips
    parameter, off, on = STRENGTHS[name]
    grid = {f"augment__{parameter}": [off, on]}
    results = []
    for backend, n_jobs in (("loky", 1), ("loky", 2), ("threading", 2)):
        with joblib.parallel_config(backend, n_jobs=n_jobs):
            search = GridSearchCV(model, grid, cv=CV).fit(X, y)
            scores = cross_validate(search.best_estimator_, X, y, cv=CV)["test_score"]
        splits = [search.cv_results_[f"split{k}_test_score"] for k in range(3)]
        rows = search.best_estimator_["classify"]._fit_X
        results.append((np.array(splits), scores, rows))
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_the_strength_is_an_ordinary_parameter(model, clips, name):
    X, y = clips
    parameter, off, on = STRENGTHS[name]
    rows = [
        model.set_params(**{f"augment__{parameter}": value}).fit(X, y)["classify"]._fit_X
        for value in (off, on)
    ]
    clean = without_augmentation(model).fit(X, y)["classify"]._fit_X
    np.testing.assert_allclose(rows[0], clean, atol=1e-4)
    assert np.abs(rows[1] - clean).max() > 0.01


def test_every_augmentation_has_a_strength(name):
    assert name in STRENGTHS
