"""OnnxEmbedder: parity with onnxruntime, kinds of inputs, and what is said of others."""

from __future__ import annotations

import sys

import numpy as np
import onnx
import onnxruntime
import pytest

import skaudio
from skaudio.encoders import MFCC, MelSpectrogram
from skaudio.pooling import FramePooling
from skaudio.pretrained import OnnxEmbedder
from tests.pretrained.make_tiny_onnx import PATH, make_model


@pytest.fixture
def clips():
    rng = np.random.default_rng(0)
    return [rng.normal(scale=0.1, size=n).astype(np.float32) for n in (16000, 5000, 100, 40000)]


def saved(model, path):
    onnx.save(model, path)
    return path


def run(output, clip, path=PATH):
    return onnxruntime.InferenceSession(str(path)).run([output], {"waveform": clip[None]})[0][0]


def test_committed_file_is_that_of_the_script():
    assert onnx.load(PATH) == make_model()


@pytest.mark.parametrize(
    ("output", "axis", "time_axis"), [("embedding", None, -1), ("frames", 1, -1), ("last", 0, 1)]
)
def test_parity(output, axis, time_axis, clips):
    embedder = OnnxEmbedder(PATH, output=output, time_axis=time_axis, chunk_duration=None)
    expected = [run(output, clip) for clip in clips]
    if axis is not None:
        frames = embedder.set_params(resolution="layer", pooling=None).transform(clips)
        for a, b in zip(frames, expected, strict=True):
            np.testing.assert_allclose(a, b if axis == 1 else b.T, rtol=1e-6)
        embedder.set_params(resolution="chunk", pooling="mean")
        expected = [b.mean(axis=axis) for b in expected]
    np.testing.assert_allclose(embedder.transform(clips), expected, rtol=1e-5, atol=1e-6)


def test_several_outputs(clips):
    rows = OnnxEmbedder(PATH, output=["embedding", "frames"], chunk_duration=None).transform(clips)
    np.testing.assert_allclose(rows[:, :6], rows[:, 6:], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("n", ["n", 1, 3])
def test_a_file_of_one_length_is_fixed(n, clips, tmp_path):
    path = saved(make_model(8000, n), tmp_path / "fixed.onnx")
    embedder = OnnxEmbedder(path, pooling=None, batch_size=5)
    frames = embedder.fit(clips).transform(clips)
    assert [f.shape[1] for f in frames] == [2, 1, 1, 5]
    padded = np.pad(clips[1], (0, 3000))
    np.testing.assert_allclose(frames[1][:, 0], run("embedding", padded), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(embedder.chunk_times(2), [[0, 0.5], [0.5, 1.0]])
    with pytest.raises(ValueError, match=r"fixed\.onnx takes chunks of 0\.5 s only"):
        embedder.set_params(chunk_duration=1.0).transform(clips)


def test_waveforms_without_an_axis_of_recordings(clips, tmp_path):
    value, make = onnx.helper.make_tensor_value_info, onnx.helper.make_node
    one = onnx.numpy_helper.from_array(np.array([0]), "zero")
    graph = onnx.helper.make_graph(
        [make("Unsqueeze", ["x", "zero"], ["row"]), make("ReduceMax", ["row"], ["y"], keepdims=1)],
        "one",
        [value("x", onnx.TensorProto.FLOAT, ["t"])],
        [value("y", onnx.TensorProto.FLOAT, [1, 1])],
        [one],
    )
    opset = [onnx.helper.make_opsetid("", 18)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=9)
    embedder = OnnxEmbedder(saved(model, tmp_path / "one.onnx"), chunk_duration=None, time_axis=1)
    np.testing.assert_array_equal(embedder.transform(clips)[:, 0], [c.max() for c in clips])


def test_estimators_of_skaudio(clips, tmp_path):
    """Exported, with their second input of lengths."""
    features = skaudio.pooling.FrameUnion([("a", MFCC(n_mfcc=5)), ("b", MelSpectrogram(n_mels=6))])
    for i, (model, kwargs) in enumerate(
        [(MFCC(n_mfcc=5), {}), (features, {"resolution": "layer", "pooling": None})]
    ):
        skaudio.export_onnx(model, tmp_path / f"{i}.onnx")
        embedder = OnnxEmbedder(tmp_path / f"{i}.onnx", chunk_duration=None, **kwargs)
        expected = model.transform(clips)
        if not kwargs:
            expected = FramePooling(stats=("mean",)).transform(expected)
        for a, b in zip(embedder.transform(clips), expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-3)


def test_frames_of_an_encoder(clips, tmp_path):
    value, make = onnx.helper.make_tensor_value_info, onnx.helper.make_node
    graph = onnx.helper.make_graph(
        [make("Exp", ["x"], ["y"])],
        "exp",
        [value("x", onnx.TensorProto.FLOAT, ["n", 8, "t"])],
        [value("y", onnx.TensorProto.FLOAT, ["n", 8, "t"])],
    )
    opset = [onnx.helper.make_opsetid("", 18)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=9)
    path = saved(model, tmp_path / "exp.onnx")
    encoder = MelSpectrogram(n_mels=8)
    embedder = OnnxEmbedder(path, encoder=encoder, chunk_duration=None)
    expected = [np.exp(f).mean(axis=1) for f in encoder.transform(clips)]
    np.testing.assert_allclose(embedder.transform(clips), expected, rtol=1e-5)
    with pytest.raises(ValueError, match=r"expected numbers for waveforms.*frames of an encoder="):
        OnnxEmbedder(path).fit(clips)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"output": "rows"}, r"output='rows': tiny\.onnx has no such output, expected one of 'emb"),
        ({"input": "x"}, r"input='x': tiny\.onnx has no such input, expected one of 'waveform'"),
        ({"output": "embedding", "resolution": "layer"}, r"gives an output of shape \(1, 6\)"),
        ({"output": ["frames", "last"], "resolution": "layer"}, "gives 2 outputs, expected one"),
        ({"encoder": MFCC(sample_rate=8000)}, r"the encoder has sample_rate=8000, expected the sa"),
        ({"path": "nowhere.onnx"}, r"path='nowhere\.onnx': no such file"),
        ({"fixed": True, "chunk_duration": None}, r"tiny\.onnx takes chunks of 10 s only"),
    ],
)
def test_errors(kwargs, message, clips):
    for call in ("fit", "transform"):
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            getattr(OnnxEmbedder(PATH).set_params(**kwargs), call)(clips)


def test_what_is_no_network_is_named(clips, tmp_path):
    (tmp_path / "text.onnx").write_text("not a network")
    with pytest.raises(ValueError, match=r"text\.onnx cannot be loaded as an ONNX network"):
        OnnxEmbedder(tmp_path / "text.onnx").fit(clips)
    weights = make_model()
    onnx.save(weights, tmp_path / "b.onnx", save_as_external_data=True, size_threshold=0)
    with pytest.raises(ValueError, match=r"b\.onnx cannot be loaded.*one file that holds the wei"):
        OnnxEmbedder(tmp_path / "b.onnx").transform(clips)


def test_an_edited_file_is_another_network(clips, tmp_path):
    path = saved(make_model(), tmp_path / "net.onnx")
    embedder = OnnxEmbedder(path)
    before, hashed = embedder.transform(clips), embedder.weights_hash()
    model = make_model()
    model.graph.initializer[0].raw_data = bytes(len(model.graph.initializer[0].raw_data))
    saved(model, path)
    assert embedder.weights_hash() != hashed
    assert not np.array_equal(embedder.transform(clips), before)


def test_loading_a_saved_model_runs_nothing(clips, tmp_path, monkeypatch):
    embedder = OnnxEmbedder(PATH).fit(clips)
    path = skaudio.save(embedder, tmp_path / "model.skaudio")
    assert str(PATH).encode() not in path.read_bytes()
    assert skaudio.inspect(path)["not_stored"]
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    loaded = skaudio.load(path)
    monkeypatch.undo()
    np.testing.assert_array_equal(loaded.transform(clips), embedder.transform(clips))
    assert loaded.net_.core.bytes() == PATH.read_bytes()


def test_without_onnxruntime(clips, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ImportError, match=r'pip install "skaudio\[onnxruntime\]"'):
        OnnxEmbedder(PATH).fit(clips)
