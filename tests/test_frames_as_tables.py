"""Frames handed to an estimator of tables: the commonest mistake, and what is said about it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

from skaudio.augmentation import Noise, TimeMask
from skaudio.caching import CachedTransformer
from skaudio.classifiers import GRUClassifier, LeNetClassifier
from skaudio.embedders import NetEmbedder
from skaudio.encoders import MFCC, STFT, MelSpectrogram, Spectrogram, Waveform
from skaudio.pooling import FramePooling, FrameUnion
from skaudio.pretrained import PretrainedEmbedder

from .cases import clips

TABLES = [
    *(SVC(), StandardScaler(), LogisticRegression(), RandomForestClassifier(3), GaussianNB()),
    *(KNeighborsClassifier(), PCA(2), SimpleImputer(), KMeans(2)),
]
FRAMES = {
    "MFCC": MFCC(n_mfcc=4),
    "STFT": STFT(),
    "Spectrogram": Spectrogram(),
    "MelSpectrogram": MelSpectrogram(n_mels=8),
    "FrameUnion": FrameUnion([("mfcc", MFCC(n_mfcc=4))]),
    "TimeMask": make_pipeline(MFCC(n_mfcc=4), TimeMask()),
    "PretrainedEmbedder": PretrainedEmbedder("mn01_as", weights="random", pooling=None),
    "NetEmbedder": NetEmbedder(
        LeNetClassifier(MFCC(n_mfcc=4), channels=(2, 2), max_epochs=1),
        layer="convolutions.0",
        frames=True,
    ),
}


@pytest.fixture(params=["one length", "any length"])
def recordings(request):
    X, y = clips()
    return (np.stack([x[:1600] for x in X]) if request.param == "one length" else X), y


@pytest.mark.parametrize("table", TABLES, ids=lambda table: type(table).__name__)
def test_the_step_between_is_named(table, recordings):
    said = rf"^{type(table).__name__} takes a table.* MFCC returns frames.*FramePooling"
    for steps in ([MFCC(n_mfcc=4), table], [MFCC(n_mfcc=4), "passthrough", table]):
        with pytest.raises(TypeError, match=said):
            make_pipeline(*steps).fit(*recordings)
    make_pipeline(MFCC(n_mfcc=4), FramePooling(), table).fit(*recordings)


@pytest.mark.parametrize("name", FRAMES)
def test_whatever_returns_frames_says_so(name, recordings):
    with pytest.raises(TypeError, match=f"SVC takes a table.*{name} returns frames"):
        make_pipeline(FRAMES[name], SVC()).fit(*recordings)


def test_inside_other_pipelines_caches_and_searches(recordings, tmp_path):
    said = "SVC takes a table.* returns frames"
    X, y = recordings
    noisy = make_pipeline(Noise(), MFCC(n_mfcc=4))
    models = [
        make_pipeline(noisy, SVC()),
        make_pipeline(noisy, make_pipeline(SVC())),
        make_pipeline(MFCC(n_mfcc=4), SVC(), memory=str(tmp_path)),
        make_pipeline(CachedTransformer(MFCC(n_mfcc=4), tmp_path), SVC()),
        make_pipeline(MFCC(n_mfcc=4), SVC()).set_output(transform="pandas"),
    ]
    for model in models:
        with pytest.raises(TypeError, match=said):
            model.fit(X, y)
    with pytest.raises(ValueError, match="All the 2 fits failed") as error:
        GridSearchCV(models[0], {"svc__C": [1]}, cv=2).fit(X, y)
    assert re.search(said, str(error.value))


class Pooled(TransformerMixin, BaseEstimator):
    """A transformer of one's own that has an encoder inside."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return np.stack([frames.mean(axis=1) for frames in MFCC(n_mfcc=4).fit_transform(X)])


class Ours(BaseEstimator):
    """A step of one's own that takes frames and does not say so."""

    def fit(self, X, y=None):
        self.fitted_ = True
        return self


def mean_of_frames(X):
    return np.stack([frames.mean(axis=1) for frames in X])


def test_what_can_take_frames_is_left_alone(recordings):
    X, y = recordings
    gru = GRUClassifier(hidden_size=4, max_epochs=1)
    mfcc = MFCC(n_mfcc=4)
    for steps in (
        [mfcc, FunctionTransformer(mean_of_frames), SVC()],
        [mfcc, FeatureUnion([("a", FramePooling()), ("b", FramePooling(("max",)))]), SVC()],
        [mfcc, CalibratedClassifierCV(gru, cv=2)],
        [mfcc, make_pipeline(FramePooling(), StandardScaler()), SVC()],
        [make_pipeline(mfcc, FramePooling()), SVC()],
        [mfcc, DummyClassifier()],
        [mfcc, Ours()],
        [mfcc, "passthrough"],
        [Pooled(), SVC()],
        [Pooled(), StandardScaler(), SVC()],
    ):
        make_pipeline(*steps).fit(X, y)


def test_waveforms_of_one_length_are_a_table():
    X, y = clips()
    X = np.stack([x[:400] for x in X])
    make_pipeline(Noise(), Waveform(), SVC()).fit(X, y)
    make_pipeline(Waveform(), SVC()).fit(list(X), y)


# Outside of a Pipeline numpy and scikit-learn speak. Their words are in the docs, to be found.


@pytest.mark.parametrize("table", TABLES, ids=lambda table: type(table).__name__)
def test_what_scikit_learn_says_is_in_the_guide(table, recordings):
    X, y = recordings
    guide = (Path(__file__).parents[1] / "docs/guide/pipelines.rst").read_text("utf-8")
    with pytest.raises(ValueError) as error:  # noqa: PT011 (its words are compared below)
        table.fit(MFCC(n_mfcc=4).fit_transform(X), y)
    words = re.match(r"Found array with dim 3|setting an array element", str(error.value))
    assert words is not None
    assert words[0] in guide


@pytest.mark.parametrize("kind", [MFCC, MelSpectrogram, Spectrogram, STFT, FrameUnion])
def test_encoders_refer_to_the_pooling(kind):
    assert "FramePooling" in kind.__doc__
