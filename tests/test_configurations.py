"""Every estimator and picture under the configurations of scikit-learn: results do not change."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import sklearn
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags

from skaudio.audio import AudioBatch
from skaudio.augmentation import Noise, TimeMask
from skaudio.caching import CachedTransformer
from skaudio.classifiers import GRUClassifier
from skaudio.datasets import make_soundscapes
from skaudio.detectors import EventDetector
from skaudio.embedders import NetEmbedder
from skaudio.encoders import MFCC, STFT, MelSpectrogram, Waveform
from skaudio.pooling import FramePooling, FrameUnion

from .cases import OF_ROWS, assert_same, clips, inputs, items, outputs, small
from .walk import ESTIMATORS

pytestmark = pytest.mark.slow  # walks over all estimators take long together

every_estimator = pytest.mark.parametrize("name", ESTIMATORS)
# What `sklearn.set_config` may be told.
CONFIGURATIONS = {
    "pandas and routing": {"transform_output": "pandas", "enable_metadata_routing": True},
    "polars": {"transform_output": "polars"},
    "pandas": {"transform_output": "pandas"},
    "routing": {"enable_metadata_routing": True},
}
MARKS = {
    "polars": pytest.mark.slow,
    "pandas": pytest.mark.exhaustive,
    "routing": pytest.mark.exhaustive,
}


@pytest.fixture(params=[pytest.param(name, marks=MARKS.get(name, ())) for name in CONFIGURATIONS])
def configured(request):
    """Return a context in which scikit-learn is configured."""
    if request.param == "polars":
        pytest.importorskip("polars")
    return functools.partial(sklearn.config_context, **CONFIGURATIONS[request.param])


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    """What is cached in a folder beside the test stays there."""
    monkeypatch.chdir(tmp_path)


@functools.cache
def fitted_before(name):
    return small(name).fit(*inputs(name))


@functools.cache
def expected(name):
    return outputs(fitted_before(name), inputs(name)[0])


@functools.cache
def expected_picture(name):
    return list(pictures()[name]())


@every_estimator
def test_results_are_those_without_configuration(name, configured):
    X, y = inputs(name)
    plain = expected(name)
    with configured():
        assert_same(outputs(small(name).fit(X, y), X), plain)
        assert_same(outputs(fitted_before(name), X), plain)


@every_estimator
def test_results_as_a_step_of_a_pipeline(name, configured):
    """The steps before and after pass each other what the configuration makes of their output."""
    X, y = inputs(name)
    with configured():
        if hasattr(ESTIMATORS[name], "transform"):
            model = make_pipeline(small(name), "passthrough")
        elif "encoder" not in small(name).get_params():
            model = make_pipeline("passthrough", small(name))
        else:
            model = make_pipeline(MFCC(n_mfcc=8), small(name).set_params(encoder=None))
        found = model.fit(X, y)
        result = found.transform(X) if hasattr(found, "transform") else found.predict(X)
    assert len(items(result)) == len(X)


@pytest.mark.parametrize("name", [n for n in ESTIMATORS if not get_tags(small(n)).requires_fit])
def test_unfitted_transformers_that_need_no_fit(name, configured):
    X, plain = inputs(name)[0], expected(name)
    with configured():
        assert_same(outputs(small(name), X), plain)


@pytest.mark.parametrize("name", [n for n in ESTIMATORS if hasattr(ESTIMATORS[n], "transform")])
def test_rows_are_named_and_indexed(name):
    """Rows become a DataFrame with a column per feature; frames, one column of arrays."""
    X, y = inputs(name)
    index = [f"clip {i}" for i in range(len(X))][::-1]
    X = pd.DataFrame(X, index=index) if name in OF_ROWS else pd.Series(X, index=index)
    with sklearn.config_context(transform_output="pandas"):
        fitted = small(name).fit(X, y)
        frame = fitted.transform(X)
    if scipy.sparse.issparse(frame):  # a graph, whatever is asked for
        return
    assert frame.index.equals(X.index)
    if np.ndim(frame.iloc[0, 0]) == 0 and not isinstance(frame.iloc[0, 0], dict):
        assert frame.columns.tolist() == fitted.get_feature_names_out().tolist()


def test_polars_holds_rows_and_leaves_frames():
    polars = pytest.importorskip("polars")
    X, y = clips()
    with sklearn.config_context(transform_output="polars"):
        assert isinstance(MFCC().transform(X), np.ndarray)
        model = make_pipeline(MFCC(n_mfcc=3), FramePooling())
        unfitted = model.transform(X)
        rows = model.fit(X).transform(X)
        embedded = small("NetEmbedder").fit(X, y).transform(X)
    assert isinstance(rows, polars.DataFrame)
    assert isinstance(embedded, polars.DataFrame)
    # Arrays of frames carry no names.
    assert rows.columns == [f"x{i}_{stat}" for stat in ("mean", "std") for i in range(3)]
    np.testing.assert_array_equal(unfitted.to_numpy(), rows.to_numpy())


@pytest.mark.parametrize("name", ["FramePooling", "NetEmbedder", "PretrainedEmbedder"])
def test_set_output_of_rows_takes_polars(name):
    polars = pytest.importorskip("polars")
    X, y = inputs(name)
    rows = small(name).set_output(transform="polars").fit(X, y).transform(X)
    assert isinstance(rows, polars.DataFrame)
    assert rows.columns == fitted_before(name).get_feature_names_out().tolist()


def test_set_output_of_frames_refuses_polars():
    gru = GRUClassifier(hidden_size=4)
    for frames in (MFCC(), NetEmbedder(gru, frames=True), CachedTransformer(MFCC(), "cached")):
        with pytest.raises(ValueError, match="'polars': frames cannot be held"):
            frames.set_output(transform="polars")
    rows = make_pipeline(MFCC(), FramePooling())
    CachedTransformer(rows, "cached").set_output(transform="polars")


# Transformers of the user's that ask for DataFrames themselves, inside other estimators


def test_encoders_that_ask_for_data_frames_are_pinned_inside():
    X, y = clips()
    mel = MelSpectrogram(sample_rate=8000, n_mels=8)
    asking = make_pipeline(Noise(), mel, TimeMask()).set_output(transform="pandas")
    plain = make_pipeline(Noise(), clone(mel).set_output(transform="default"), TimeMask())
    found, same = (
        GRUClassifier(encoder, hidden_size=4, max_epochs=2, random_state=0).fit(X, y)
        for encoder in (asking, plain)
    )
    np.testing.assert_array_equal(found.predict_proba(X), same.predict_proba(X))
    assert isinstance(found.encoder_.transform(X), np.ndarray)
    assert isinstance(asking.transform(X), pd.DataFrame)  # what the user holds is not changed


def test_a_frozen_encoder_stays_as_it_is():
    X, y = clips()
    mel = MelSpectrogram(sample_rate=8000, n_mels=8).set_output(transform="pandas").fit(X)
    gru = GRUClassifier(FrozenEstimator(mel), hidden_size=4, max_epochs=1, random_state=0)
    gru.fit(X, y).predict(X)
    assert isinstance(mel.transform(X), pd.DataFrame)


def test_pooled_steps_before_a_frozen_net(configured):
    X, y = clips()
    model = make_pipeline(
        MFCC(n_mfcc=8), FramePooling(), GRUClassifier(hidden_size=4, max_epochs=1, random_state=0)
    ).fit(X, y)
    rows = NetEmbedder(FrozenEstimator(model)).transform(X)
    with configured():
        found = NetEmbedder(FrozenEstimator(model)).transform(X)
    np.testing.assert_array_equal(np.asarray(found), rows)


def test_a_union_of_encoders_that_ask_for_data_frames(configured):
    X, _ = clips()
    union = FrameUnion([("mel", MelSpectrogram(n_mels=8)), ("mfcc", MFCC(n_mfcc=4))])
    frames = union.fit_transform(X)
    union.transformers[0][1].set_output(transform="pandas")
    with configured():
        assert_same({"": list(clone(union).set_output(transform="default").fit_transform(X))},
                    {"": list(frames)})  # fmt: skip


def test_groups_reach_a_net_inside_a_pipeline_of_an_embedder():
    X, y = clips()
    net = make_pipeline(
        MFCC(n_mfcc=8),
        GRUClassifier(hidden_size=4, max_epochs=1, early_stopping=True, validation_fraction=0.5),
    )
    groups = np.arange(len(y)) // 2
    for routing in (False, True):
        with sklearn.config_context(enable_metadata_routing=routing):
            assert NetEmbedder(net).fit(X, y, groups=groups).transform(X).shape[0] == len(X)


# Pictures


def pictures():
    """Name -> what draws a picture of some estimator, and returns what is drawn."""
    X, y = clips()
    batch = AudioBatch(X, 8000)
    detector = EventDetector(
        MelSpectrogram(sample_rate=8000, n_mels=8), channels=(4,), frame_stride=2, max_epochs=1,
        random_state=0,
    )  # fmt: skip
    noisy = make_pipeline(Noise(random_state=0), MelSpectrogram(sample_rate=8000, n_mels=8))
    rows = make_pipeline(MFCC(sample_rate=8000, n_mfcc=4), FramePooling())

    def spectrogram(encoder):
        from skaudio.display import SpectrogramDisplay

        return [SpectrogramDisplay.from_estimator(encoder, batch, index=3).frames]

    def augmented(augmentation):
        from skaudio.display import AugmentationDisplay

        return AugmentationDisplay.from_estimator(
            augmentation, batch, index=3, random_state=0
        ).frames

    def events(fitted):
        from skaudio.display import EventsDisplay

        display = EventsDisplay.from_estimator(fitted.fit(batch, y), batch)
        return [display.spectrogram.frames, display.probabilities]

    def points(method):
        from skaudio.display import FeatureSpaceDisplay

        display = FeatureSpaceDisplay.from_estimator(rows, X, y, method=method)
        return [
            display.coordinates,
            np.frombuffer(display.to_html(duration=0.1)[:1].encode(), "u1"),
        ]

    def players():
        from skaudio.display import AudioPlayers

        return [np.frombuffer(AudioPlayers(batch).to_html().encode(), "u1")]

    return {
        "spectrogram": lambda: spectrogram(MelSpectrogram(sample_rate=8000, n_mels=8)),
        "complex spectrogram": lambda: spectrogram(STFT(sample_rate=8000)),
        "waveform": lambda: spectrogram(Waveform(sample_rate=8000)),
        "asking for pandas": lambda: spectrogram(
            MelSpectrogram(sample_rate=8000, n_mels=8).set_output(transform="pandas")
        ),
        "union": lambda: spectrogram(FrameUnion([("mfcc", MFCC(sample_rate=8000))])),
        "augmentation": lambda: augmented(Noise(random_state=0)),
        "augmentation and encoder": lambda: augmented(noisy),
        "augmentation asking for pandas": lambda: augmented(
            clone(noisy).set_output(transform="pandas")
        ),
        "mask": lambda: augmented(make_pipeline(MFCC(sample_rate=8000), TimeMask())),
        "events": lambda: events(clone(detector)),
        "points": lambda: points("pca"),
        "points by a transformer": lambda: points(PCA(2).set_output(transform="pandas")),
        "players": players,
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", pictures())
def test_pictures_are_those_without_configuration(name, configured):
    plt = pytest.importorskip("matplotlib.pyplot")
    pytest.importorskip("bokeh")
    drawn = expected_picture(name)
    with configured():
        assert_same({name: list(pictures()[name]())}, {name: drawn})
    plt.close("all")


def test_soundscapes_are_those_without_configuration(configured):
    X, y = clips()

    def made():
        events = make_soundscapes(
            AudioBatch(X, 8000), y, X[:2], n_soundscapes=2, duration=4.0, random_state=0
        )
        return list(events.data)

    without = made()
    with configured():
        assert_same({"": made()}, {"": without})
