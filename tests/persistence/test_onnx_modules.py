"""Networks that torch exports: modules of users, and pretrained ones, chunk by chunk."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from skaudio import MFCC, AudioTagger, NetClassifier, PretrainedEmbedder, export_onnx, nets
from skaudio.persistence._onnx_graph import Graph
from skaudio.persistence._onnx_pretrained import chunk_outputs
from skaudio.persistence._onnx_values import Waves
from skaudio.pretrained._chunking import Chunking
from skaudio.pretrained._yamnet import YAMNet

from ..walk import MeanNet
from .onnx_runs import batch, open_graph, recordings, run, training

CLOSE = 1e-5
FRAMES = "panns_cnn14_decision_level_max"
QUICK = {"max_epochs": 1, "random_state": 0}


class GRUNet(nn.Module):
    """A recurrent layer, read at the end."""

    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.gru = nn.GRU(n_features, 6, batch_first=True)
        self.out = nn.Linear(6, n_outputs)

    def forward(self, x, lengths):
        frames = self.gru(x.transpose(1, 2))[0]
        return self.out(frames[torch.arange(len(x)), lengths - 1])


class ConvNet(nn.Module):
    """A convolution, pooled by a layer of skaudio."""

    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.convolution = nn.Sequential(
            nn.Conv1d(n_features, 6, 5, padding=2), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.5)
        )
        self.pooling = nets.TimePooling(6, "mean_max")
        self.out = nn.Linear(self.pooling.out_features, n_outputs)

    def forward(self, x, lengths):
        inside = torch.arange(x.shape[-1], device=x.device) < lengths[:, None]
        return self.out(self.pooling(self.convolution(x) * inside[:, None], lengths))


class Halving(nets.LeNet):
    """A subclass that computes otherwise."""

    def forward(self, x, lengths):
        return super().forward(x, lengths) / 2


class InSteps(MeanNet):
    """A module with a loop over time, of which torch takes the number of frames for a constant."""

    def forward(self, x, lengths):
        pieces = [torch.cumsum(piece, -1) for piece in torch.split(x, 8, dim=-1)]
        return super().forward(torch.cat(pieces, dim=-1), lengths)


class Undecided(MeanNet):
    """A module whose path depends on the values."""

    def forward(self, x, lengths):
        return super().forward(x, lengths) * (1.0 if x.sum() > 0 else 2.0)


@pytest.mark.parametrize(
    "module", [ConvNet, *(pytest.param(m, marks=pytest.mark.exhaustive) for m in (GRUNet, Halving))]
)
def test_modules_of_users(module, tmp_path):
    estimator = NetClassifier(MFCC(n_mfcc=5), module=module, **QUICK).fit(*training())
    session = open_graph(estimator, tmp_path)
    found = run(session, recordings(), beyond=np.nan, extra=100)["scores"]
    np.testing.assert_allclose(found, estimator.predict_proba(recordings()), atol=CLOSE)


@pytest.mark.parametrize(
    "module, problem", [(Undecided, "torch.onnx.export cannot"), (InSteps, "for a constant")]
)
def test_what_torch_cannot_export(module, problem, tmp_path):
    estimator = NetClassifier(MFCC(n_mfcc=5), module=module, **QUICK).fit(*training())
    with pytest.raises(TypeError, match=rf"the module {module.__name__} cannot be .*{problem}"):
        export_onnx(estimator, tmp_path / "model.onnx")


class Means(nn.Module):
    """Means of a log-mel spectrogram over time, in place of a network."""

    front_end = YAMNet.front_end
    level = None

    def forward(self, x):
        return x.mean(2)


@pytest.mark.parametrize(
    "chunking",
    [
        Chunking(None, 1, False, 600),
        Chunking(3000, 3000, False, 600),
        Chunking(3000, 1000, False, 600),
        Chunking(3000, 4000, False, 600),
        Chunking(3000, 1000, True, 600),
        Chunking(3000, 2000, True, 600),
    ],
)
def test_chunks(chunking):
    """Chunks begin and end where `Chunking.cut` cuts."""
    net = Means()
    net.front_end = replace(net.front_end, preemphasis=0.5, shift=1.0, scale=2.0)
    transformer = SimpleNamespace(
        precision="auto", model="means", _net=lambda: net, _chunking=lambda net: chunking
    )
    graph = Graph()
    values = graph.input("waveform", np.float32, ["n", "n_samples"])
    lengths = graph.input("lengths", np.int64, ["n"])
    chunks = chunk_outputs(graph, transformer, lambda net, x: net(x), Waves(values, lengths))
    graph.output("scores", chunks.values, ["n", chunks.n_features, "n_chunks"])
    graph.output("counts", chunks.lengths, ["n"])
    session = onnxruntime.InferenceSession(
        graph.model({}).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    clips = [recordings()[3][:n] for n in (100, 600, 2999, 3000, 3001, 4499, 4500, 4501, 9000)]
    for clip, frames, count in zip(clips, *session.run(None, batch(clips)), strict=True):
        expected = [net.front_end.encode(c).mean(1) for c in chunking.cut(clip)]
        assert count == len(expected)
        np.testing.assert_allclose(frames[:, :count], np.transpose(expected), atol=1e-4)


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "estimator",
    [
        PretrainedEmbedder("mn04_as"),
        PretrainedEmbedder("mn04_as", pooling=None, unit_norm=True, chunk_duration=2.0),
        PretrainedEmbedder("mn04_as", layer="features.5", pooling="max"),
        AudioTagger("mn04_as", classes=["Speech", "Dog"], pooling="max"),
    ],
    ids=str,
)
def test_pretrained(estimator, data_home, tmp_path):
    rng = np.random.default_rng(0)
    clips = [
        (0.1 * rng.standard_normal(n)).astype(np.float32) for n in (3000, 70_000, 100, 480_001)
    ]
    session = open_graph(estimator, tmp_path)
    found = run(session, clips)
    for row, same in zip(found["scores"], estimator.transform(clips), strict=True):
        part = row[:, : same.shape[1]] if same.ndim == 2 else row
        np.testing.assert_allclose(part, same, atol=CLOSE)
    facts = session.get_modelmeta().custom_metadata_map
    assert facts["sample_rate"] == "32000"
    assert json.loads(facts["feature_names"]) == list(estimator.get_feature_names_out())


def test_what_of_pretrained_networks_cannot_be_exported(tmp_path):
    path = tmp_path / "model.onnx"
    for estimator, message in [
        (PretrainedEmbedder(weights="random", precision="bfloat16"), "precision='bfloat16'"),
        (
            PretrainedEmbedder(weights="random", layer="features.5", resolution="layer"),
            "resolution='layer'",
        ),
        (AudioTagger(weights="random", rollup=True), "rollup=True"),
        (AudioTagger(FRAMES, weights="random", pooling=None), "pooling=None"),
    ]:
        with pytest.raises(ValueError, match=message):
            export_onnx(estimator, path)
    assert not path.exists()
