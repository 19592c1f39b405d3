"""CED against the numbers of the official code, with weights made from names and shapes."""

from __future__ import annotations

import ast

import numpy as np
import pytest
import torch

from skaudio.pretrained import AudioTagger, PretrainedEmbedder
from skaudio.pretrained._ced import CED
from skaudio.pretrained._model_table import MODELS
from skaudio.pretrained._pretrained_net import FILL

NAMES = ("ced_tiny", "ced_mini")
# The last is longer than a chunk.
TAGS = ("3s", "1p3s", "12s")


def build(name):
    return MODELS[name].net(**MODELS[name].params)


@pytest.fixture(scope="module", params=NAMES)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def reference(name, reference_home):
    return np.load(reference_home / f"{name}_detfill_reference.npz")


@pytest.fixture(scope="module")
def net(name, detfill_v2):
    return detfill_v2.fill_module(build(name)).eval()


@pytest.fixture(scope="module")
def weights(net, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "ced.pt"
    torch.save(net.state_dict(), path)
    return path


def test_names_and_shapes_of_the_tensors(name, reference_home):
    lines = (reference_home / f"keys_{name}.txt").read_text().splitlines()
    official = {key: ast.literal_eval(shape) for key, shape in (x.split(" ", 1) for x in lines)}
    with torch.device("meta"):
        net = build(name)
    own = {key: tuple(value.shape) for key, value in net.state_dict().items()}
    assert own == {k: s for k, s in official.items() if not k.startswith("front_end.")}
    assert net.convert({key: torch.empty(0) for key in official}).keys() == own.keys()


def test_names_on_hugging_face():
    own = CED().state_dict()
    there = {}
    for key, value in own.items():
        plain = key.replace("init_bn.1.", "init_bn.")
        there[plain if key.startswith("outputlayer.") else f"encoder.{plain}"] = value
    assert CED().convert(there).keys() == own.keys()


def test_log_mel(reference):
    front_end = CED.front_end
    bank = front_end.analysis.filters(1.0)
    np.testing.assert_allclose(bank.weights.T, reference["mel_basis"], atol=2e-5)
    for tag in TAGS[:2]:
        waveform, expected = reference[f"{tag}_waveform_16k"], reference[f"{tag}_log_mel"]
        np.testing.assert_allclose(front_end(waveform[None])[0], expected, atol=8e-4)


@torch.inference_mode()
def test_net_from_stored_features(reference, net):
    for tag in TAGS:
        log_mel = reference[f"{tag}_log_mel"]
        chunks = [log_mel[:, :1012]]
        if tag == "12s":
            chunks.append(np.full((64, 1012), FILL, np.float32))
            chunks[1][:, : log_mel.shape[1] - 1012] = log_mel[:, 1012:]
        output = net(torch.from_numpy(np.stack(chunks)))
        np.testing.assert_allclose(output.embedding, reference[f"{tag}_embedding"], atol=3e-6)
        np.testing.assert_allclose(output.logits, reference[f"{tag}_logits"], atol=6e-6)
        scores = output.logits.sigmoid().mean(dim=0)
        np.testing.assert_allclose(scores, reference[f"{tag}_scores"], atol=1e-6)


def test_scores_and_embeddings_of_recordings(name, reference, weights):
    X = [reference[f"{tag}_waveform_16k"] for tag in TAGS]
    scores = AudioTagger(name, weights=weights).transform(X)
    frames = PretrainedEmbedder(name, weights=weights, pooling=None).transform(X)
    for tag, row, found in zip(TAGS, scores, frames, strict=True):
        np.testing.assert_allclose(row, reference[f"{tag}_scores"], atol=1e-6)
        np.testing.assert_allclose(found.T, reference[f"{tag}_embedding"], atol=5e-6)


def random(**kwargs):
    return PretrainedEmbedder("ced_tiny", weights="random", **kwargs)


@pytest.fixture(scope="module")
def clips():
    rng = np.random.default_rng(0)
    sizes = (40, 9000, 9000, 30001, 170_000)
    return [rng.normal(scale=0.1, size=n).astype(np.float32) for n in sizes]


def test_rows_do_not_depend_on_the_others(clips):
    together = random().transform(clips)
    assert together.shape == (5, 192)
    for clip, row in zip(clips, together, strict=True):
        np.testing.assert_array_equal(random().transform([clip])[0], row)


def test_streams(clips):
    tagger = AudioTagger("ced_tiny", weights="random", pooling=None, chunk_hop=3.0)
    stream = tagger.stream()
    parts = [stream.push(piece) for piece in np.array_split(clips[4], 5)]
    found = np.concatenate([*parts, stream.finish()], axis=1)
    assert found.shape == (527, 2)
    np.testing.assert_array_equal(found, tagger.transform([clips[4]])[0])


def test_chunks_are_mirrored_at_the_ends_of_recordings_only(clips):
    chunking = random()._chunking(build("ced_tiny"))
    first, second = chunking.cut(clips[4])
    around = np.pad(clips[4], 256, "reflect")
    np.testing.assert_array_equal(first, around[: 161_920 + 512])
    np.testing.assert_array_equal(second, around[161_920:])
    (short,) = chunking.cut(clips[0])
    assert len(short) == 2400 + 512


def test_layers_and_their_frames(clips):
    rows = random(layer="blocks.5").transform(clips[:2])
    assert rows.shape == (2, 192)
    embedder = random(layer="blocks.5", resolution="layer", pooling=None)
    frames = embedder.fit_transform(clips[3:])
    # Four bands of patches; the second chunk of the last recording is filled.
    assert [f.shape for f in frames] == [(4 * 192, 11), (4 * 192, 63 + 63)]
    assert embedder.frame_times(frames[0])[1] == pytest.approx(0.16)
    np.testing.assert_allclose(
        frames[0].reshape(192, 4, -1).mean(axis=(1, 2)),
        random(layer="blocks.5").transform(clips[3:4])[0],
        rtol=1e-3,
        atol=1e-4,
    )


def test_other_lengths_of_chunks(clips):
    with pytest.raises(ValueError, match=r"CED takes chunks of 10\.12 s only"):
        random(chunk_duration=5.0).fit(clips)
