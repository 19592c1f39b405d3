"""Cnn14 and its decision-level form, against their layers written out in double precision."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from skaudio.pretrained import AudioTagger, PretrainedEmbedder, _panns_cnn14
from skaudio.pretrained._inference import inference_net
from skaudio.pretrained._panns_cnn14 import Cnn14, Cnn14DecisionLevelMax

CHANNELS = (1, 3, 4, 5, 6, 7, 16)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(_panns_cnn14, "CHANNELS", CHANNELS)
    monkeypatch.setattr(Cnn14, "n_features", CHANNELS[-1])


def randomised(net, seed=0):
    """Give every tensor values that matter, statistics included."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in net.state_dict().items():
        if name.startswith(("spectrogram", "logmel")) or "tracked" in name:
            continue
        noise = torch.rand(value.shape, generator=generator)
        if "running_var" in name or value.ndim == 1:
            value.copy_(0.5 + noise)
        else:
            value.copy_((2 * noise - 1) * (6 / value[0].numel()) ** 0.5)
    net.bn0.running_mean.fill_(-40.0)
    net.bn0.running_var.fill_(400.0)
    return net.eval()


@pytest.fixture
def x(make_clip):
    return torch.from_numpy(Cnn14.front_end.encode(make_clip(2.5, 32000)))[None]


def normalised(x, state, name):
    scale = state[f"{name}.weight"] / (state[f"{name}.running_var"] + 1e-5).sqrt()
    shift = state[f"{name}.bias"] - state[f"{name}.running_mean"] * scale
    return x * scale[None, :, None, None] + shift[None, :, None, None]


def feature_maps(state, x):
    """From (1, n_mels, n_frames) to (n_features, n_segments)."""
    x = normalised(x[..., None], state, "bn0").permute(0, 3, 2, 1)
    for i in range(1, 7):
        for j in (1, 2):
            weight = state[f"conv_block{i}.conv{j}.weight"]
            x = functional.conv2d(x, weight, padding=1)
            x = normalised(x, state, f"conv_block{i}.bn{j}").clamp(min=0)
        if i < 6:
            time, mel = x.shape[2] // 2 * 2, x.shape[3] // 2 * 2
            x = x[:, :, :time, :mel]
            x = (
                x[:, :, ::2, ::2] + x[:, :, 1::2, ::2] + x[:, :, ::2, 1::2] + x[:, :, 1::2, 1::2]
            ) / 4
    return x.mean(dim=3)[0]


def dense(rows, state, name):
    return rows @ state[f"{name}.weight"].T + state[f"{name}.bias"]


def double(net):
    return {name: value.double() for name, value in net.state_dict().items()}


@pytest.mark.parametrize("fast", [False, True])
@torch.inference_mode()
def test_clip_level(x, fast):
    net = randomised(Cnn14(n_classes=9))
    state = double(net)
    maps = feature_maps(state, x.double())
    embedding = dense(maps.amax(dim=1) + maps.mean(dim=1), state, "fc1").clamp(min=0)
    logits = dense(embedding, state, "fc_audioset")
    if fast:
        net = inference_net(net, "cpu", torch.float32)
    output = net(x)
    np.testing.assert_allclose(output.embedding[0], embedding, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(output.logits[0], logits, rtol=1e-4, atol=1e-5)
    assert output.frame_logits is None


@pytest.mark.parametrize("fast", [False, True])
@torch.inference_mode()
def test_decision_level(x, fast):
    net = randomised(Cnn14DecisionLevelMax(n_classes=9))
    state = double(net)
    maps = feature_maps(state, x.double())
    n = maps.shape[1]
    assert n == x.shape[2] // 32
    padded = functional.pad(maps, (1, 1))
    around = torch.stack([padded[:, i : i + n] for i in range(3)])
    # At the borders the maximum leaves out what is outside, and the mean counts it as zero.
    highest = torch.stack([maps[:, max(i - 1, 0) : i + 2].amax(dim=1) for i in range(n)], dim=1)
    hidden = dense((highest + around.sum(dim=0) / 3).T, state, "fc1").clamp(min=0)
    logits = dense(hidden, state, "fc_audioset")
    if fast:
        net = inference_net(net, "cpu", torch.float32)
    output = net(x)
    np.testing.assert_allclose(output.logits[0], logits.amax(dim=0), rtol=1e-4, atol=1e-5)
    assert output.frame_logits.shape == (1, 9, x.shape[2])
    for frame in range(x.shape[2]):
        expected = logits[min(frame // 32, n - 1)]
        found = output.frame_logits[0, :, frame]
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(output.embedding[0], hidden.mean(dim=0), rtol=1e-4, atol=1e-5)


@torch.inference_mode()
def test_dropout_acts_in_training_only(x):
    net = randomised(Cnn14(n_classes=9))
    torch.testing.assert_close(net(x).logits, net(x).logits)
    net.train()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        assert not torch.equal(net(x).logits, net(x).logits)


def test_tables_of_the_front_end_are_a_fourier_transform(make_clip):
    net = Cnn14()
    clip = make_clip(0.032, 32000)
    assert len(clip) == 1024
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1024) / 1024)
    expected = np.fft.rfft(clip * window)
    stft = net.spectrogram_extractor.stft
    np.testing.assert_allclose(stft.conv_real.weight.numpy()[:, 0] @ clip, expected.real, atol=1e-4)
    np.testing.assert_allclose(stft.conv_imag.weight.numpy()[:, 0] @ clip, expected.imag, atol=1e-4)


class TestFrames:
    """The decision-level net in the estimators."""

    params = {"weights": "random", "model": "panns_cnn14_decision_level_max"}

    def test_frames_and_times(self, make_clip):
        tagger = AudioTagger(**self.params, pooling=None)
        scores = tagger.transform([make_clip(23, 32000), make_clip(1, 32000)])
        assert [s.shape for s in scores] == [(527, 2301), (527, 101)]
        times = tagger.frame_times(scores[0])
        assert times.shape == (2301,)
        assert times[-1] == pytest.approx(23)

    def test_frames_of_chunks_are_joined_in_their_places(self, make_clip):
        clip = make_clip(4, 32000)
        tagger = AudioTagger(**self.params, pooling=None, chunk_duration=2.0, chunk_hop=1.0)
        joined = tagger.transform([clip])[0]
        assert joined.shape == (527, 401)
        alone = AudioTagger(**self.params, pooling=None, chunk_duration=None)
        for start, stop in ((0, 1), (1, 2), (2, 4)):
            chunk = alone.transform([clip[start * 32000 : (start + 2) * 32000]])[0]
            n = (stop - start) * 100
            np.testing.assert_array_equal(joined[:, start * 100 : stop * 100], chunk[:, :n])

    def test_aggregated_scores_are_the_highest_of_the_frames(self, make_clip):
        clip = make_clip(3, 32000)
        frames = AudioTagger(**self.params, pooling=None).transform([clip])[0]
        rows = AudioTagger(**self.params).transform([clip])
        np.testing.assert_allclose(rows[0], frames.max(axis=1), rtol=1e-6)

    def test_embedding(self, make_clip):
        rows = PretrainedEmbedder(**self.params).transform([make_clip(1, 32000)])
        assert rows.shape == (1, CHANNELS[-1])
