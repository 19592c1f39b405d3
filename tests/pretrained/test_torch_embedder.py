"""TorchEmbedder: what modules it takes, whose weights it uses, and what is said of others."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn

from skaudio.audio import AudioBatch
from skaudio.augmentation import VTLP
from skaudio.caching import CachedTransformer
from skaudio.caching._cache_keys import transformer_facts
from skaudio.classifiers import GRUClassifier
from skaudio.encoders import STFT, MelSpectrogram
from skaudio.nets import TDNN
from skaudio.pretrained import TorchEmbedder


class Tokens(nn.Module):
    """Waveforms to frames of the order of transformers, by blocks."""

    def __init__(self, scale=1.0):
        super().__init__()
        self.patches = nn.Conv1d(1, 8, 160, stride=160)
        self.blocks = nn.ModuleList([nn.Linear(8, 8), nn.Linear(8, 5)])
        self.norm = nn.BatchNorm1d(5)
        self.scale = scale

    def forward(self, x):
        x = self.patches(x[:, None]).movedim(1, 2)
        for block in self.blocks:
            x = block(x).relu()
        return self.scale * self.norm(x.movedim(1, 2)).movedim(1, 2)


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Tokens()


@pytest.fixture
def clips():
    rng = np.random.default_rng(0)
    return [rng.normal(scale=0.1, size=n).astype(np.float32) for n in (16000, 5000, 3200, 40000)]


def by_hand(module, clip):
    with torch.no_grad():
        return module.eval()(torch.from_numpy(clip)[None])[0].numpy()


def test_parity(net, clips):
    expected = [by_hand(net, clip) for clip in clips]
    embedder = TorchEmbedder(net, time_axis=1, chunk_duration=None)
    rows = [e.mean(axis=0) for e in expected]
    np.testing.assert_allclose(embedder.transform(clips), rows, rtol=1e-4, atol=1e-6)
    frames = embedder.set_params(resolution="layer", pooling=None).transform(clips)
    for a, b in zip(frames, expected, strict=True):
        np.testing.assert_allclose(a, b.T, rtol=1e-5, atol=1e-6)


def test_layers(net, clips):
    kwargs = {"time_axis": 1, "chunk_duration": None}
    both = TorchEmbedder(net, layer=["blocks.0", "blocks.1"], **kwargs).transform(clips)
    parts = [TorchEmbedder(net, layer=f"blocks.{i}", **kwargs).transform(clips) for i in (0, 1)]
    np.testing.assert_array_equal(both, np.hstack(parts))
    assert both.shape == (4, 13)
    with pytest.raises(
        ValueError, match=r"layer='blocks\.7': Tokens has no such module.*'patches'"
    ):
        TorchEmbedder(net, layer=["blocks.0", "blocks.7"]).fit(clips)
    with pytest.raises(ValueError, match="layer='blocks' puts nothing out"):
        TorchEmbedder(net, layer="blocks").transform(clips)
    with pytest.raises(ValueError, match="gives 2 outputs, expected one output with frames"):
        TorchEmbedder(net, layer=["blocks.0", "norm"], resolution="layer").fit(clips)


def test_a_module_in_training_is_used_in_evaluation_mode_and_left_alone(net, clips):
    expected = TorchEmbedder(net, time_axis=1).transform(clips)
    net.train()
    before = net.norm.running_mean.clone()
    np.testing.assert_array_equal(TorchEmbedder(net, time_axis=1).transform(clips), expected)
    assert net.training
    assert torch.equal(net.norm.running_mean, before)


def test_present_weights_are_used(net, clips):
    embedder = TorchEmbedder(net.train(), time_axis=1).fit(clips)
    assert embedder.net_.core is net
    before, hashed = embedder.transform(clips), embedder.weights_hash()
    with torch.no_grad():
        net.blocks[1].weight += 1
    assert not np.allclose(embedder.transform(clips), before)
    assert embedder.weights_hash() != hashed


def test_modules_of_skaudio(clips):
    mel = MelSpectrogram(n_mels=12)
    embedder = TorchEmbedder(
        TDNN, module_params={"n_features": 12, "n_outputs": 7}, encoder=mel, chunk_duration=None
    )
    rows = embedder.fit(clips).transform(clips)
    frames = [torch.from_numpy(f)[None] for f in mel.transform(clips)]
    with torch.no_grad():
        expected = [embedder.net_.core(f, torch.tensor([f.shape[2]]))[0] for f in frames]
    np.testing.assert_allclose(rows, torch.stack(expected), rtol=1e-4, atol=1e-5)
    marked = VTLP(random_state=0).fit_transform(AudioBatch(clips, 16000))
    assert not np.allclose(clone(embedder).transform(marked), rows)
    with pytest.raises(ValueError, match=r"warp factor .* by VTLP, which needs a mel filter bank"):
        TorchEmbedder(Tokens, time_axis=1).transform(marked)


def test_as_the_encoder_of_a_neural_classifier(net, clips):
    embedder = TorchEmbedder(net, time_axis=1, resolution="layer", pooling=None)
    gru = GRUClassifier(embedder, hidden_size=4, max_epochs=1, random_state=0)
    assert gru.fit(clips * 2, [0, 1] * 4).predict_proba(clips).shape == (4, 2)


def test_short_and_fixed(net, clips):
    short = [np.ones(20, np.float32)]
    with pytest.raises(ValueError, match=r"Tokens raised an error for an input of shape \(1, 20\)"):
        TorchEmbedder(net, time_axis=1).transform(short)
    row = TorchEmbedder(net, time_axis=1, min_duration=0.01).transform(short)[0]
    padded = np.pad(short[0], (0, 140))
    np.testing.assert_allclose(row, by_hand(net, padded)[0], rtol=1e-5, atol=1e-6)
    fixed = TorchEmbedder(net, time_axis=1, fixed=True, chunk_duration=0.5, pooling=None)
    frames = fixed.transform(clips)
    assert [f.shape[1] for f in frames] == [2, 1, 1, 5]
    padded = np.pad(clips[1], (0, 3000))
    np.testing.assert_allclose(frames[1][:, 0], by_hand(net, padded).mean(0), rtol=1e-4, atol=1e-6)


class Pair(nn.Module):
    def forward(self, x):
        return x, x


class Whole(nn.Module):
    def forward(self, x):
        return x.mean()


@pytest.mark.parametrize(
    ("module", "kwargs", "message"),
    [
        (Pair(), {}, "Pair returns a tuple, expected one tensor"),
        (Whole(), {}, r"Whole returns shape \(\) for 1 chunks"),
        (Tokens(), {"module_params": {"scale": 2}}, "module is an instance already"),
        (Tokens, {"module_params": {"size": 2}}, "module_params={'size': 2}: .*unexpected keyword"),
        (dict, {}, "module=dict makes a dict, expected a torch module"),
        (Tokens, {"encoder": STFT(), "time_axis": 1}, "expected real frames"),
        (Tokens, {"resolution": "layer", "layer": "norm.x"}, "has no such module"),
    ],
)
def test_errors(module, kwargs, message, clips):
    with pytest.raises((ValueError, TypeError), match=message):
        TorchEmbedder(module, **kwargs).fit(clips).transform(clips)


def facts(module):
    return transformer_facts(TorchEmbedder(module, time_axis=1))


class TestCacheKeys:
    """Results belong to the weights, the structure and the code of a module."""

    def test_weights_and_attributes_count(self, net):
        other = Tokens(scale=2.0)
        other.load_state_dict(net.state_dict())
        same = Tokens()
        same.load_state_dict(net.state_dict())
        assert facts(net) == facts(same.train())
        assert facts(net) != facts(other)
        with torch.no_grad():
            same.blocks[0].bias += 1
        assert facts(net) != facts(same)

    def test_code_counts(self):
        def make(forward):
            return type("Net", (nn.Module,), {"forward": forward, "__module__": "__main__"})

        first, again, second = (
            make(lambda self, x: x[:, :2].relu()),
            make(lambda self, x: x[:, :2].relu()),
            make(lambda self, x: x[:, :3].relu()),
        )
        assert facts(first()) == facts(again())
        assert facts(first) == facts(again)
        assert facts(first()) != facts(second())
        assert facts(first) != facts(second)

    def test_a_cache_misses_after_training(self, net, clips, tmp_path):
        cached = CachedTransformer(TorchEmbedder(net, time_axis=1), tmp_path)
        before = cached.fit_transform(clips)
        with torch.no_grad():
            net.blocks[1].weight += 1
        assert not np.allclose(cached.fit_transform(clips), before)
