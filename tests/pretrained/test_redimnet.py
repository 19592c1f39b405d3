"""ReDimNet against the numbers of the official code, with weights made from names and shapes."""

from __future__ import annotations

import ast

import numpy as np
import pytest
import torch

from skaudio.persistence import export_onnx
from skaudio.pretrained import AudioTagger, PretrainedEmbedder
from skaudio.pretrained._redimnet import ReDimNet, flatten

TAGS = ("3s", "1p3s")


@pytest.fixture(scope="module")
def reference(reference_home):
    return np.load(reference_home / "redimnet_b2_detfill_reference.npz")


@pytest.fixture(scope="module")
def net(detfill_v2):
    return detfill_v2.fill_module(ReDimNet()).eval()


def test_names_and_shapes_of_the_tensors(reference_home):
    lines = (reference_home / "keys_redimnet_b2.txt").read_text().splitlines()
    official = {key: ast.literal_eval(shape) for key, shape in (x.split(" ", 1) for x in lines)}
    with torch.device("meta"):
        net = ReDimNet()
    own = {key: tuple(value.shape) for key, value in net.state_dict().items()}
    assert own == {k: s for k, s in official.items() if not k.startswith("spec.")}
    tables = {key: torch.zeros(shape) for key, shape in official.items()}
    assert net.convert(tables).keys() == own.keys()


@pytest.mark.parametrize("tag", TAGS)
def test_log_mel(tag, reference):
    bank = ReDimNet.front_end.analysis.filters(1.0)
    np.testing.assert_allclose(bank.weights.T, reference["mel_basis"], atol=2e-5)
    waveform, expected = reference[f"{tag}_waveform_16k"], reference[f"{tag}_log_mel"]
    np.testing.assert_allclose(ReDimNet.front_end.encode(waveform), expected, atol=3e-4)
    np.testing.assert_allclose(ReDimNet.front_end(waveform[None])[0], expected, atol=3e-4)


@pytest.mark.parametrize("tag", TAGS)
@torch.inference_mode()
def test_stages_from_stored_features(tag, reference, net):
    """Each stage; the embedding, whose tolerance a wrong GELU or epsilon would exceed."""
    x = torch.from_numpy(reference[f"{tag}_log_mel"])[None]
    rows = reference["intermediate_channel_step"], reference["intermediate_time_step"]
    maps = [flatten(net.backbone["stem"](x.unsqueeze(1)))]
    for i in range(6):
        maps.append(net.backbone[f"stage{i}"](maps))
    names = ["stem", *(f"stage{i}" for i in range(6))]
    for name, found in zip(names, maps, strict=True):
        expected = reference[f"{tag}_{name}"]
        np.testing.assert_allclose(found[0, :: rows[0], :: rows[1]], expected, atol=5e-4)
    pooled = net.pool(net.backbone["fin_wght1d"](maps))[0]
    np.testing.assert_allclose(pooled, reference[f"{tag}_pooled"], atol=5e-5)
    expected = reference[f"{tag}_embedding"]
    np.testing.assert_allclose(net(x).embedding[0], expected, atol=3.6e-5)


def test_rows_of_recordings(reference, net, tmp_path):
    """From a file as it is published: the weights beside a configuration, tables included."""
    state = {**net.state_dict(), "spec.torchfbank.1.flipped_filter": torch.zeros(1, 1, 2)}
    torch.save({"model_config": {"F": 72, "C": 16}, "state_dict": state}, tmp_path / "b2.pt")
    embedder = PretrainedEmbedder("redimnet_b2", weights=tmp_path / "b2.pt")
    rows = embedder.transform([reference[f"{tag}_waveform_16k"] for tag in TAGS])
    for tag, row in zip(TAGS, rows, strict=True):
        np.testing.assert_allclose(row, reference[f"{tag}_embedding"], atol=6e-5)


@pytest.fixture(scope="module")
def clips():
    rng = np.random.default_rng(0)
    return [rng.normal(scale=0.1, size=n).astype(np.float32) for n in (40, 9000, 30001, 9000)]


def random(**kwargs):
    return PretrainedEmbedder("redimnet_b2", weights="random", **kwargs)


def test_rows_do_not_depend_on_the_others(clips):
    together = random().transform(clips)
    assert together.shape == (4, 192)
    for clip, row in zip(clips, together, strict=True):
        np.testing.assert_array_equal(random().transform([clip])[0], row)


def test_streams(clips):
    embedder = random(pooling=None, chunk_duration=0.5)
    stream = embedder.stream()
    parts = [stream.push(piece) for piece in np.array_split(clips[2], 5)]
    found = np.concatenate([*parts, stream.finish()], axis=1)
    assert found.shape == (192, 4)
    np.testing.assert_array_equal(found, embedder.transform([clips[2]])[0])


@pytest.mark.slow
def test_frames_of_a_layer(clips):
    embedder = random(layer="backbone.stage3", resolution="layer", pooling=None)
    frames = embedder.fit_transform(clips[2:3])[0]
    assert frames.shape == (1152, 1 + 30001 // 240)
    assert embedder.frame_times(frames)[1] == pytest.approx(0.015)


def test_has_no_classes(clips):
    with pytest.raises(ValueError, match="model='redimnet_b2' has no classes"):
        AudioTagger("redimnet_b2", weights="random").fit(clips)


@pytest.mark.exhaustive  # torch takes a minute to trace the network
def test_export(clips, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    embedder = random(chunk_duration=1.0).fit(clips)
    export_onnx(embedder, tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(
        tmp_path / "net.onnx", providers=["CPUExecutionProvider"]
    )
    for clip in clips:
        inputs = {"waveform": clip[None], "lengths": np.array([len(clip)])}
        row = embedder.transform([clip])
        np.testing.assert_allclose(session.run(None, inputs)[0], row, rtol=1e-3, atol=1e-2)
