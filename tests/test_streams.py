"""Estimators on a signal that arrives in pieces: the results of the whole."""

from __future__ import annotations

import copy
import pickle
import re
from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags

from skaudio import nets, stream
from skaudio._neural import pools_along
from skaudio._neural.running_pooling import RUNNING, RunningPooling
from skaudio.augmentation import FrequencyMask, Noise
from skaudio.classifiers import GRUClassifier, LeNetClassifier, NetClassifier
from skaudio.detectors import EventDetector
from skaudio.dsp import Analysis
from skaudio.embedders import NetEmbedder, SiameseEmbedder
from skaudio.encoders import MFCC, MelSpectrogram, Waveform
from skaudio.nets._time_pooling import POOLINGS
from skaudio.pooling import FramePooling, FrameUnion
from skaudio.pretrained import AudioTagger, PretrainedEmbedder

from .walk import ESTIMATORS, build

RATE = 4000
MEL = MelSpectrogram(sample_rate=RATE, n_mels=12)


def recordings(n=12, n_times=3000):
    rng = np.random.default_rng(0)
    t = np.arange(n_times) / RATE
    tones = [np.sin(2 * np.pi * (300 + 500 * (i % 2)) * t) for i in range(n)]
    return np.array([0.5 * tone + 0.1 * rng.standard_normal(n_times) for tone in tones], "f")


X, Y = recordings(), np.array(["low", "high"] * 6)
SIGNAL = np.concatenate([X[0], 0 * X[1], X[2], X[3], 0 * X[4], X[5][:777]])

NEURAL = {
    "gru": GRUClassifier(MEL, bidirectional=False, standardize="global", hidden_size=6),
    "gru, mean": GRUClassifier(
        MEL, bidirectional=False, standardize=None, hidden_size=6, pooling="mean", n_layers=1
    ),
    "gru, attention": GRUClassifier(
        make_pipeline(Noise(random_state=0), Waveform(sample_rate=RATE), MEL),
        bidirectional=False,
        standardize="global",
        hidden_size=6,
        pooling="attention",
    ),
    "gru, stem": GRUClassifier(
        MEL,
        bidirectional=False,
        standardize="global",
        hidden_size=6,
        stem=(4, 8),
        pooling="attention_stats",
    ),
    "lenet": LeNetClassifier(MEL, standardize="global", channels=(4, 8)),
    "net": NetClassifier(
        MEL,
        module=nets.GRU,
        module_params={"bidirectional": False, "hidden_size": 4, "pooling": "last"},
        standardize="global",
    ),
    "statistics": SiameseEmbedder(MEL, module="statistics", embedding_size=5, unit_norm=False),
    "tdnn": SiameseEmbedder(MEL, embedding_size=5, speeds=None),
    "siamese": SiameseEmbedder(MEL, module="lenet", embedding_size=5, speeds=None),
    "rows": NetEmbedder(
        GRUClassifier(MEL, bidirectional=False, standardize="global", max_epochs=1, random_state=0)
    ),
    "frames": NetEmbedder(
        make_pipeline(MEL, LeNetClassifier(channels=(4, 8), max_epochs=1, random_state=0)),
        frames=True,
        unit_norm=True,
    ),
    "detector": EventDetector(MEL, bidirectional=False, hidden_size=6, channels=(4, 8, 8)),
}


@pytest.fixture(scope="module")
def fitted():
    """Every estimator above after an epoch of training."""
    found = {}
    for name, estimator in NEURAL.items():
        params = estimator.get_params(deep=False)
        few = {k: v for k, v in (("max_epochs", 1), ("random_state", 0)) if k in params}
        found[name] = clone(estimator).set_params(**few).fit(X, Y)
    return found


def whole(estimator):
    """The last column, or all, of what a stream of the signal returns."""
    for method in ("predict_frames", "predict_proba"):
        if hasattr(estimator, method):
            return getattr(estimator, method)([SIGNAL])[0]
    return estimator.transform([SIGNAL])[0]


def streamed(live, cuts, signal=SIGNAL):
    pieces = []
    for samples in np.split(signal, sorted(min(cut, len(signal)) for cut in cuts)):
        pieces.append(live.push(samples))
        if hasattr(live, "probabilities"):
            pieces[-1] = live.probabilities
    pieces.append(live.finish())
    if hasattr(live, "probabilities"):
        pieces[-1] = live.probabilities
    return np.concatenate(pieces, axis=1)


CUTS = st.lists(st.integers(0, len(SIGNAL)), max_size=9)


@pytest.mark.parametrize("name", NEURAL)
@settings(max_examples=6, deadline=None)
@given(cuts=CUTS)
def test_networks_give_the_result_of_the_whole(fitted, name, cuts):
    estimator = fitted[name]
    found, expected = streamed(estimator.stream(), cuts), whole(estimator)
    if expected.ndim == 1:
        found = found[:, -1]
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=1e-5 * max(np.abs(expected).max(), 1))


@pytest.mark.parametrize("name", ["gru", "gru, mean", "gru, attention", "net"])
def test_columns_are_the_probabilities_so_far(fitted, name):
    """Each column is what the network says of the frames up to it."""
    estimator = fitted[name]
    found = streamed(estimator.stream(), [1000, 5000])
    frames = estimator.encoder_.transform([SIGNAL])[0]
    assert found.shape == (2, frames.shape[1])
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-5)
    on_frames = copy.copy(estimator).set_params(encoder=None)
    for n in (1, 2, 40, 100):
        expected = on_frames.predict_proba([frames[:, :n]])[0]
        np.testing.assert_allclose(found[:, n - 1], expected, atol=1e-5)


def test_without_padding_the_columns_are_those_of_shorter_recordings():
    encoder = MelSpectrogram(sample_rate=RATE, n_mels=12, center=False)
    gru = GRUClassifier(encoder, bidirectional=False, standardize="global", hidden_size=6)
    gru.set_params(max_epochs=1, random_state=0).fit(X, Y)
    live = gru.stream()
    for stop in range(500, 3000, 500):
        column = live.push(SIGNAL[stop - 500 : stop])[:, -1]
        np.testing.assert_allclose(column, gru.predict_proba([SIGNAL[:stop]])[0], atol=1e-5)


@pytest.mark.parametrize("pooling", [kind for kind in RUNNING if kind in POOLINGS])
def test_every_pooling_runs_along(pooling):
    """Whatever `GRU` may pool by is computed on the way, after each frame."""
    torch.manual_seed(0)
    net = nets.GRU(3, 2, hidden_size=4, bidirectional=False, pooling=pooling).eval()
    assert pools_along(net)
    frames = torch.randn(1, 4, 50) * 3
    running = RunningPooling(net)
    with torch.inference_mode():
        found = torch.cat([running.rows(piece, "embed") for piece in frames.split(7, dim=2)])
        for n in (1, 2, 7, 8, 50):
            expected = net.embed(frames[:, :, :n], torch.tensor([n]))[0]
            torch.testing.assert_close(found[n - 1], expected, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"hysteresis": 0.5, "median_filter": 0.2, "max_gap": 0.3, "threshold": 0.3},
        {"threshold": {"low": 0.35, "high": 0.45}, "min_duration": 0.1},
    ],
)
@settings(max_examples=5, deadline=None)
@given(cuts=CUTS)
def test_events_are_those_of_the_whole(fitted, params, cuts):
    detector = copy.copy(fitted["detector"]).set_params(**params)
    # Thresholds in the middle of the probabilities: with one epoch all are alike.
    middle = np.quantile(np.concatenate(detector.predict_frames(X)), 0.6)
    if not params:
        detector.set_params(threshold=float(middle))
    live = detector.stream()
    tables = [live.push(samples) for samples in np.split(SIGNAL, sorted(cuts))]
    tables.append(live.finish())
    expected = detector.predict_events([SIGNAL])
    for table in tables:
        assert table.columns.tolist() == expected.columns.tolist()
    found = pd.concat([t for t in tables if len(t)] or tables[:1], ignore_index=True)
    found = found.sort_values(["onset", "offset"], kind="stable", ignore_index=True)
    pd.testing.assert_frame_equal(found, expected, atol=1e-5)
    assert params or len(expected)


CHUNKS = [
    AudioTagger("mn01_as", weights="random", pooling=None, chunk_duration=0.5, chunk_hop=0.3),
    AudioTagger("yamnet", weights="random", pooling=None, classes=["Dog", "Speech"]),
    PretrainedEmbedder("mn01_as", weights="random", pooling=None, chunk_duration=0.4),
    PretrainedEmbedder("mn01_as", weights="random", pooling=None, chunk_duration=0.3, chunk_hop=1),
    PretrainedEmbedder(
        "mn01_as",
        weights="random",
        pooling=None,
        chunk_duration=1.0,
        chunk_hop=0.7,
        layer="features.6",
        resolution="layer",
    ),
]


@pytest.mark.parametrize("transformer", CHUNKS, ids=range(len(CHUNKS)))
@pytest.mark.parametrize("n_samples", [100, 15_999, 16_000, 33_333, 56_000])
def test_chunks_have_the_bits_of_the_whole(transformer, n_samples):
    rng = np.random.default_rng(n_samples)
    signal = rng.uniform(-1, 1, n_samples).astype(np.float32)
    found = streamed(transformer.stream(), rng.integers(0, n_samples, 7), signal)
    np.testing.assert_array_equal(found, transformer.transform([signal])[0])


def test_chunks_come_when_they_are_complete():
    """Networks of one length answer at once; others wait whether a short rest follows."""
    fixed = AudioTagger("yamnet", weights="random", pooling=None).stream(16000)
    assert fixed.push(np.zeros(15_599)).shape == (521, 0)
    assert fixed.push(np.zeros(1)).shape == (521, 1)
    free = AudioTagger("mn01_as", weights="random", pooling=None, chunk_duration=0.1).stream()
    assert free.push(np.zeros(3200 + 1599)).shape == (527, 0)
    assert free.push(np.zeros(1)).shape == (527, 1)


def test_resampled_chunks():
    rng = np.random.default_rng(0)
    signal = np.cumsum(rng.uniform(-1, 1, 40_000)) / 100
    tagger = AudioTagger("mn01_as", weights="random", pooling=None, chunk_duration=0.5)
    expected = tagger.transform([{"array": signal, "sampling_rate": 22050}])[0]
    found = streamed(tagger.stream(22050), rng.integers(0, 40_000, 9), signal)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_pipelines():
    pipeline = make_pipeline(
        Waveform(sample_rate=RATE, normalize=None),
        Noise(random_state=0),
        clone(MEL),
        FrequencyMask(random_state=0),
        LeNetClassifier(channels=(4, 8), max_epochs=1, random_state=0),
    ).fit(list(X), Y)
    assert not hasattr(pipeline, "stream")
    for estimator in (pipeline, FrozenEstimator(pipeline), make_pipeline(pipeline)):
        found = streamed(stream(estimator), [100, 4000, 9000])
        np.testing.assert_allclose(found[:, -1], pipeline.predict_proba([SIGNAL])[0], atol=1e-5)
    encoder = clone(MEL)
    found = streamed(stream(make_pipeline(Noise(), encoder), RATE), [77])
    np.testing.assert_array_equal(found, encoder.transform([SIGNAL])[0])


def test_pipelines_that_do_not_stream():
    with pytest.raises(TypeError, match=r"framepooling=FramePooling has no stream"):
        stream(make_pipeline(MEL, FramePooling()))
    with pytest.raises(TypeError, match="no encoder and no estimator"):
        stream(make_pipeline(Noise(), "passthrough"))
    with pytest.raises(TypeError, match="Noise has no encoder and no estimator"):
        stream(Noise())
    with pytest.raises(TypeError, match="int has no stream"):
        stream(3)
    pipeline = make_pipeline(MFCC(normalize="rms"), GRUClassifier())
    with pytest.raises(ValueError, match="Pipeline cannot stream") as info:
        stream(pipeline)
    expected = (
        "set_params(mfcc__top_db=None, mfcc__normalize=None, gruclassifier__bidirectional=False) "
        "and fit again."
    )
    assert expected in str(info.value)


def test_unions_return_the_frames_that_all_encoders_have():
    short = {"sample_rate": RATE, "n_mels": 8, "hop_length": 40}
    mel, mfcc = MelSpectrogram(**short), MFCC(n_fft=512, n_mfcc=4, top_db=None, **short)
    union = FrameUnion(
        [("mel", mel), ("mfcc", make_pipeline("passthrough", mfcc)), ("none", "drop")]
    )
    for rate in (None, 8000):
        live = union.stream(rate)
        assert live.sample_rate == (rate or RATE)
        found = streamed(live, [1, 700, 701, 5000])
        expected = union.transform([{"array": SIGNAL, "sampling_rate": rate or RATE}])[0]
        atol = 2e-5 * np.abs(expected).max() if rate else 0
        np.testing.assert_allclose(found, expected, atol=atol, rtol=0)
    gru = GRUClassifier(union, bidirectional=False, standardize="global", max_epochs=1)
    gru.set_params(random_state=0).fit(X, Y)
    found = streamed(gru.stream(), [900, 6000])[:, -1]
    np.testing.assert_allclose(found, gru.predict_proba([SIGNAL])[0], atol=1e-5)
    union.set_params(deltas=1, mel__scale="db")
    with pytest.raises(ValueError, match=r"set_params\(mel__top_db=None, deltas=0\)"):
        union.stream()
    uneven = FrameUnion([("mel", mel), ("coarse", MelSpectrogram(sample_rate=RATE, hop_length=99))])
    uneven.set_params(mel__scale="log")
    live = uneven.stream()
    live.push(SIGNAL)
    with pytest.raises(ValueError, match="more frames from 'mel' than from another encoder"):
        live.finish()


def test_detectors_in_pipelines():
    detector = EventDetector(bidirectional=False, hidden_size=6, channels=(4,), frame_stride=2)
    detector.set_params(max_epochs=1, random_state=0, threshold=0.45, max_gap=0.1)
    pipeline = make_pipeline(MEL, detector).fit(X, Y)
    live = stream(pipeline)
    found = pd.concat([live.push(SIGNAL[:6000]), live.push(SIGNAL[6000:]), live.finish()])
    expected = detector.predict_events(MEL.transform([SIGNAL]))
    order = ["onset", "offset", "event_label"]
    found, expected = (t.sort_values(order, ignore_index=True) for t in (found, expected))
    pd.testing.assert_frame_equal(found, expected, atol=1e-5)


def test_frames_are_pushed_where_there_is_no_encoder():
    frames = MEL.transform(X)
    gru = GRUClassifier(bidirectional=False, hidden_size=4, max_epochs=1, random_state=0)
    with pytest.raises(NotFittedError):
        gru.stream()
    gru.fit(frames, Y)
    live = gru.stream()
    assert live.sample_rate is None
    assert live.push(frames[0][:, :0]).shape == (2, 0)
    assert live.push([]).shape == (2, 0)
    found = np.concatenate([live.push(frames[0][:, :9]), live.push(frames[0][:, 9:])], axis=1)
    assert live.finish().shape == (2, 0)
    np.testing.assert_allclose(found[:, -1], gru.predict_proba(frames[:1])[0], atol=1e-5)
    with pytest.raises(ValueError, match="takes no more frames"):
        live.push(frames[0])
    with pytest.raises(ValueError, match="was called before"):
        live.finish()
    with pytest.raises(ValueError, match=r"sample_rate=16000: GRUClassifier has encoder=None"):
        gru.stream(16000)
    with pytest.raises(ValueError, match=r"expected frames \(n_features, k\)"):
        gru.stream().push(np.zeros(100))
    with pytest.raises(ValueError, match="X has 5 features per frame, expected the 12"):
        gru.stream().push(np.zeros((5, 10)))


def test_networks_refuse_bad_samples_and_go_on(fitted):
    live = fitted["gru"].stream()
    found = [live.push(SIGNAL[:1000])]
    with pytest.raises(ValueError, match="push 1 contains NaN"):
        live.push([np.nan])
    found += [live.push(SIGNAL[1000:]), live.finish()]
    expected = fitted["gru"].predict_proba([SIGNAL])[0]
    np.testing.assert_allclose(np.concatenate(found, axis=1)[:, -1], expected, atol=1e-5)
    with pytest.raises(ValueError, match="the stream has finished"):
        live.push(SIGNAL)


def test_streams_are_independent(fitted):
    for name in ("gru", "detector"):
        estimator = fitted[name]
        before = pickle.dumps(estimator)
        one, two = estimator.stream(), estimator.stream()
        alone = streamed(estimator.stream(), [2000])
        together = []
        for piece in np.split(SIGNAL, [1500, 4000]):
            together.append(one.push(piece))
            together[-1] = getattr(one, "probabilities", together[-1])
            two.push(0.1 * piece[::-1])
        together.append(one.finish())
        together[-1] = getattr(one, "probabilities", together[-1])
        np.testing.assert_allclose(np.concatenate(together, axis=1), alone, atol=1e-6)
        assert pickle.dumps(estimator) == before


def test_nothing_is_held_of_what_was_heard(fitted):
    """What streams hold between pushes, in arrays and tensors, does not grow."""
    for name in ("gru", "gru, attention", "gru, stem", "lenet", "statistics", "detector"):
        live = fitted[name].stream()
        sizes = []
        for _ in range(12):
            live.push(SIGNAL[:4000])
            sizes.append(len(pickle.dumps(held(live))))
        assert max(sizes[3:]) < sizes[2] + 4000, (name, sizes)


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", ["gru", "lenet", "statistics", "detector"])
def test_an_hour_of_pushes_in_flat_memory(fitted, name):
    psutil = pytest.importorskip("psutil")
    process, live = psutil.Process(), fitted[name].stream()
    noise = np.random.default_rng(0).standard_normal((10, RATE // 10)).astype("f")
    for i in range(36_000):
        live.push(noise[i % 10])
        if i == 3600:
            before = process.memory_info().rss
    assert process.memory_info().rss - before < 10e6


def held(value, seen=None):
    """Return the arrays and tensors that a stream holds, at any depth; no networks, no tables."""
    seen = set() if seen is None else seen
    if id(value) in seen or isinstance(value, (torch.nn.Module, Analysis)):
        return []
    seen.add(id(value))
    if isinstance(value, torch.Tensor):
        return [value.numpy()]
    if isinstance(value, np.ndarray):
        return [value]
    if isinstance(value, (list, tuple)):
        return [array for item in value for array in held(item, seen)]
    if not type(value).__module__.startswith("skaudio"):
        return []
    return [array for item in vars(value).values() for array in held(item, seen)]


# Estimators without a stream, and why.
NO_STREAM = {
    "FineTunedClassifier": "`PretrainedEmbedder` and `AudioTagger` of its weights have one",
    "FramePooling": "a row is of a whole recording",
    "ApproximateNeighborsTransformer": "it takes tables of rows",
    "WCCN": "it takes tables of rows",
}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_estimator_streams_or_says_what_to_change(name):
    kind, estimator = ESTIMATORS[name], build(name)
    if hasattr(kind, "augment") or name in NO_STREAM:
        assert not hasattr(kind, "stream")
        with pytest.raises(TypeError, match="has no stream"):
            stream(make_pipeline(estimator, FramePooling()))
        return
    signal, training = recordings(1, 9000)[0], list(recordings(n_times=9000))
    parameters = estimator.get_params()
    for parameter, value in {"encoder": MFCC(), "max_epochs": 1}.items():
        for prefix in ("", "estimator__"):
            place = prefix + parameter
            if place in parameters and f"{prefix}max_epochs" in parameters:
                estimator.set_params(**{place: value})
    for _ in range(3):  # before it is fitted, after, and once more where that tells more
        change_what_the_message_names(estimator)
        try:
            live = estimator.stream()
        except NotFittedError:
            estimator.fit(training, Y)
    pieces = [live.push(signal[:5000]), live.push(signal[5000:]), live.finish()]
    if name == "EventDetector":
        assert all(isinstance(piece, pd.DataFrame) for piece in pieces)
    else:
        assert len({piece.shape[:-1] for piece in pieces}) == 1
        assert sum(piece.shape[-1] for piece in pieces) > 0


def change_what_the_message_names(estimator):
    """Set the parameters that an estimator asks for, all at once."""
    try:
        estimator.stream()
    except NotFittedError:
        return
    except ValueError as error:
        message = str(error)
    else:
        return
    assert message.startswith(f"{type(estimator).__name__} cannot stream with these parameters: ")
    expected = re.search(r"Expected set_params\((.*)\)( and fit again)?\.$", message)
    changes = eval(f"dict({expected[1]})", {"GRU": nets.GRU})
    current = estimator.get_params()
    for parameter, value in changes.items():
        shown = getattr(current[parameter], "__name__", repr(current[parameter]))
        assert f"{parameter}={shown} needs" in message
        assert current[parameter] != value
    estimator.set_params(**changes)
    if expected[2] and hasattr(estimator, "n_iter_"):
        estimator.fit(list(recordings(n_times=9000)), Y)
    with (
        pytest.raises(NotFittedError)
        if get_tags(estimator).requires_fit and not hasattr(estimator, "n_iter_")
        else nullcontext()
    ):
        estimator.stream()
