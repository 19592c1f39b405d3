"""Graphs of ONNX give the numbers of the estimators, in batches of recordings of any length."""

import json
import subprocess
import sys

import numpy as np
import onnx
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import skaudio
from skaudio import (
    MFCC,
    STFT,
    WCCN,
    CachedTransformer,
    EventDetector,
    FramePooling,
    FrameUnion,
    GRUClassifier,
    LeNetClassifier,
    MelSpectrogram,
    NetEmbedder,
    Noise,
    SiameseEmbedder,
    Spectrogram,
    TimeMask,
    Waveform,
    export_onnx,
)

from .onnx_runs import batch, open_graph, recordings, run, training

CLOSE = 1e-5
QUICK = {"max_epochs": 1, "random_state": 0}

ENCODERS = [
    MelSpectrogram(),
    MelSpectrogram(scale="db", top_db=30, norm=None, htk=True, fmin=50, fmax=7000),
    MelSpectrogram(power=1.0, scale="db", top_db=None, center=False),
    MelSpectrogram(offset=0.05, duration=0.4, normalize="rms", n_mels=20),
    MelSpectrogram(pad_mode="reflect", normalize="max"),
    MelSpectrogram(pad_mode="symmetric"),
    MelSpectrogram(pad_mode="edge", n_fft=2048, win_length=300),
    MelSpectrogram(pad_mode="linear_ramp", target_frames=70),
    MFCC(),
    MFCC(n_mfcc=13, dct_type=3, lifter=22, target_frames=40),
    MFCC(scale="log", dct_norm=None, power=1.5, eps=1e-4, target_frames=900),
    Spectrogram(),
    Spectrogram(n_fft=500, win_length=301, hop_length=77, window="hamming", power=1.0),
    Spectrogram(center=False, n_fft=1024, hop_length=1500),
]


@pytest.mark.parametrize("encoder", ENCODERS, ids=str)
def test_encoders(encoder, tmp_path):
    session = open_graph(encoder, tmp_path)
    found = run(session, recordings())
    expected = encoder.transform(recordings())
    assert found["frame_lengths"].tolist() == [frames.shape[1] for frames in expected]
    for frames, same in zip(found["scores"], expected, strict=True):
        n = same.shape[1]
        # Rounding of sums in single precision, relative to the largest value.
        assert np.abs(frames[:, :n] - same).max() <= CLOSE * np.abs(same).max()
        assert not frames[:, n:].any()


def test_waveform(tmp_path):
    encoder = Waveform(offset=0.1, normalize="max")
    clips = recordings()[2:4]
    found = run(open_graph(encoder, tmp_path), clips)
    for row, n, same in zip(
        found["scores"], found["frame_lengths"], encoder.transform(clips), strict=True
    ):
        np.testing.assert_allclose(row[:n], same, atol=1e-6)
        assert not row[n:].any()
    fixed = Waveform(target_frames=20000)
    found = run(open_graph(fixed, tmp_path), clips)["scores"]
    np.testing.assert_array_equal(found, np.stack(list(fixed.transform(clips))))


NETS = [
    LeNetClassifier(make_pipeline(Noise(), MelSpectrogram(), TimeMask()), channels=(4, 8), **QUICK),
    LeNetClassifier(MFCC(n_mfcc=13), pooling="attention", channels=(4,), kernel_size=5, **QUICK),
    LeNetClassifier(MelSpectrogram(), pooling="last", channels=(4, 4), standardize=None, **QUICK),
    GRUClassifier(MFCC(), hidden_size=8, **QUICK),
    GRUClassifier(
        MFCC(), stem=None, hidden_size=8, bidirectional=False, pooling="mean_std", **QUICK
    ),
    GRUClassifier(MelSpectrogram(), hidden_size=8, stem=(4, 8), pooling="attention_stats", **QUICK),
    make_pipeline(MFCC(), GRUClassifier(hidden_size=8, n_layers=1, pooling="max", **QUICK)),
]


@pytest.mark.parametrize("estimator", NETS, ids=str)
def test_classifiers(estimator, tmp_path):
    estimator.fit(*training())
    session = open_graph(estimator, tmp_path)
    found = run(session, recordings())["scores"]
    np.testing.assert_allclose(found, estimator.predict_proba(recordings()), atol=CLOSE)
    same = run(session, recordings(), beyond=np.nan, extra=999)["scores"]
    np.testing.assert_array_equal(found, same)
    alone = [run(session, [clip])["scores"][0] for clip in recordings()]
    np.testing.assert_allclose(alone, found, atol=CLOSE)


DETECTORS = [
    EventDetector(MelSpectrogram(), channels=(4, 8), frame_stride=2, hidden_size=8, **QUICK),
    EventDetector(MelSpectrogram(), channels=(), frame_stride=3, pooling="attention", **QUICK),
    EventDetector(
        MFCC(),
        channels=(4,),
        frame_stride=1,
        n_layers=0,
        pooling="max",
        standardize="both",
        **QUICK,
    ),
    EventDetector(MFCC(), channels=(4, 4), bidirectional=False, pooling="exp_softmax", **QUICK),
]


@pytest.mark.parametrize("detector", DETECTORS, ids=str)
@pytest.mark.parametrize("several", [False, True])
def test_detectors(detector, several, tmp_path):
    X, y = training()
    detector.fit(X, [[label, "noise"][: 1 + i % 2] for i, label in enumerate(y)] if several else y)
    session = open_graph(detector, tmp_path)
    found = run(session, recordings())
    np.testing.assert_allclose(found["scores"], detector.predict_proba(recordings()), atol=CLOSE)
    expected = detector.predict_frames(recordings())
    assert found["frame_lengths"].tolist() == [frames.shape[1] for frames in expected]
    for frames, same in zip(found["frame_scores"], expected, strict=True):
        np.testing.assert_allclose(frames[:, : same.shape[1]], same, atol=CLOSE)
    known = session.get_modelmeta().custom_metadata_map
    assert json.loads(known["classes"]) == detector.labels_.tolist()


EMBEDDERS = [
    SiameseEmbedder(MelSpectrogram(), embedding_size=8, **QUICK),
    SiameseEmbedder(MFCC(), module="statistics", unit_norm=False, embedding_size=8, **QUICK),
    SiameseEmbedder(MFCC(), module="lenet", unit_norm=True, embedding_size=8, **QUICK),
    NetEmbedder(LeNetClassifier(MFCC(), channels=(4,), **QUICK), unit_norm=True),
    NetEmbedder(make_pipeline(MFCC(), GRUClassifier(hidden_size=8, **QUICK))),
]
ROWS = [
    make_pipeline(MFCC(), FramePooling()),
    make_pipeline(MFCC(), FramePooling(), WCCN()),
    make_pipeline(MFCC(), FramePooling(("min", "max", "median", "p12.5"), n_segments=3, deltas=2)),
    make_pipeline(MelSpectrogram(), FramePooling(("mean", "std"), n_segments=20, cmvn=True)),
    make_pipeline(
        FrameUnion([("mel", MelSpectrogram()), ("mfcc", MFCC())], deltas=1),
        FramePooling(),
        StandardScaler(),
    ),
    FeatureUnion(
        [
            ("a", make_pipeline(MFCC(), FramePooling(), StandardScaler())),
            ("b", make_pipeline(MelSpectrogram(), FramePooling())),
        ]
    ),
]


@pytest.mark.parametrize("estimator", EMBEDDERS + ROWS, ids=str)
def test_rows(estimator, tmp_path):
    estimator.fit(*training())
    found = run(open_graph(estimator, tmp_path), recordings())["scores"]
    expected = estimator.transform(recordings())
    assert np.abs(found - expected).max() <= CLOSE * max(np.abs(expected).max(), 1)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("last", [LogisticRegression(), SVC(), LinearDiscriminantAnalysis()])
def test_tables(last, n_classes, tmp_path):
    X, _ = training(30)
    y = np.arange(30) % n_classes
    model = make_pipeline(MFCC(n_mfcc=5), FramePooling(), StandardScaler(), last).fit(X, y)
    session = open_graph(model, tmp_path)
    method = session.get_modelmeta().custom_metadata_map["method"]
    assert method == ("predict_proba" if hasattr(last, "predict_proba") else "decision_function")
    expected = np.asarray(getattr(model, method)(recordings()))
    found = run(session, recordings())["scores"].reshape(expected.shape)
    np.testing.assert_allclose(found, expected, atol=CLOSE * max(np.abs(expected).max(), 1))


def test_searches_and_caches(tmp_path):
    X, y = training()
    cached = CachedTransformer(MFCC(n_mfcc=5), tmp_path / "cache")
    model = make_pipeline(cached, FramePooling(), LogisticRegression())
    search = GridSearchCV(model, {"logisticregression__C": [0.1, 1]}, cv=2).fit(X, y)
    found = run(open_graph(search, tmp_path), recordings())["scores"]
    np.testing.assert_allclose(found, search.predict_proba(recordings()), atol=CLOSE)


def test_the_file(tmp_path):
    """What another program reads: operators, shapes, metadata."""
    X, y = training()
    estimator = GRUClassifier(MFCC(sample_rate=8000), stem=None, hidden_size=4, **QUICK).fit(X, y)
    path = tmp_path / "model.onnx"
    export_onnx(estimator, path)
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    assert {(opset.domain, opset.version) for opset in model.opset_import} == {("", 18)}
    facts = {item.key: item.value for item in model.metadata_props}
    assert facts == {
        "sample_rate": "8000",
        "classes": '["high", "low"]',
        "estimator": "GRUClassifier",
        "method": "predict_proba",
        "skaudio_version": skaudio.__version__,
    }
    assert [value.name for value in model.graph.input] == ["waveform", "lengths"]
    assert [value.name for value in model.graph.output] == ["scores"]
    assert path.stat().st_size < 40_000  # no kernels of the Fourier transform
    names = json.loads(
        open_graph(MFCC(n_mfcc=2), tmp_path).get_modelmeta().custom_metadata_map["feature_names"]
    )
    assert names == ["mfcc0", "mfcc1"]


def test_too_short_and_too_long(tmp_path):
    """What the estimator refuses is NaN, and changes nothing for the others."""
    clips = recordings()
    session = open_graph(MelSpectrogram(center=False, offset=0.01), tmp_path)
    inputs = batch(clips)
    inputs["lengths"][1] = 160 + 511
    inputs["lengths"][2] = inputs["waveform"].shape[1] + 1
    scores, lengths = session.run(["scores", "frame_lengths"], inputs)
    assert np.isnan(scores[[1, 2]]).all()
    assert lengths[[1, 2]].tolist() == [0, 0]
    assert np.isfinite(scores[[0, 3, 4, 5]]).all()
    inputs["lengths"][1] = 160 + 512
    assert session.run(["frame_lengths"], inputs)[0][1] == 1
    session = open_graph(MelSpectrogram(), tmp_path)
    inputs["lengths"][1] = 0
    assert np.isnan(session.run(["scores"], inputs)[0][1]).all()


ALONE = """
import sys
import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
inputs = np.load(sys.argv[2])
np.save(sys.argv[3], session.run(["scores"], {**inputs})[0])
refused = ("skaudio", "torch", "sklearn", "scipy", "librosa", "onnx", "skl2onnx")
assert not [name for name in refused if name in sys.modules]
"""


def test_runs_with_numpy_and_onnxruntime_alone(tmp_path):
    X, y = training()
    estimator = LeNetClassifier(MelSpectrogram(), channels=(4,), **QUICK).fit(X, y)
    model, given, result = (str(tmp_path / name) for name in ("m.onnx", "x.npz", "y.npy"))
    export_onnx(estimator, model)
    np.savez(given, **batch(recordings()))
    subprocess.run([sys.executable, "-I", "-c", ALONE, model, given, result], check=True)
    np.testing.assert_allclose(np.load(result), estimator.predict_proba(recordings()), atol=CLOSE)


def test_what_cannot_be_exported(tmp_path):
    path = tmp_path / "model.onnx"
    X, y = training()
    with pytest.raises(TypeError, match="STFT returns complex numbers"):
        export_onnx(STFT(), path)
    with pytest.raises(NotFittedError):
        export_onnx(LeNetClassifier(MFCC()), path)
    with pytest.raises(NotFittedError):
        export_onnx(make_pipeline(MFCC(), FramePooling(), StandardScaler()), path)
    frames = list(MFCC().transform(X))
    of_frames = GRUClassifier(hidden_size=4, **QUICK).fit(frames, y)
    with pytest.raises(TypeError, match="GRUClassifier gets recordings here, expected frames"):
        export_onnx(of_frames, path)
    with pytest.raises(ValueError, match="resampling cannot be exported"):
        export_onnx(make_pipeline(Waveform(sample_rate=8000), MFCC()), path)
    with pytest.raises(TypeError, match="gets frames here, expected rows"):
        export_onnx(make_pipeline(MFCC(), StandardScaler()), path)
    embedder = NetEmbedder(of_frames, layer="forwards.0", frames=True).fit(frames, y)
    with pytest.raises(ValueError, match=r"layer='forwards.0', frames=True"):
        export_onnx(make_pipeline(MFCC(), embedder), path)
    assert not list(tmp_path.iterdir())


def test_without_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(ImportError, match=r'pip install "skaudio\[onnx\]"'):
        export_onnx(MFCC(), tmp_path / "model.onnx")


def test_a_failing_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "model.onnx"
    export_onnx(MFCC(), path)
    before = path.read_bytes()

    def fail(*args):
        raise OSError("no space left")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="no space left"):
        export_onnx(MFCC(n_mfcc=5), path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["model.onnx"]


def test_parts_of_equal_change_are_refused(tmp_path):
    X, y = training()
    pooling = FramePooling(n_segments=2, segment_by="change")
    model = make_pipeline(MFCC(), pooling, LogisticRegression()).fit(X, y)
    with pytest.raises(ValueError, match=r"segment_by='change'.*cannot be exported"):
        export_onnx(model, tmp_path / "model.onnx")
