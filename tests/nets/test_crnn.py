"""CRNN and the pooling of weak labels: padding, formulas, how far a frame sees."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from skaudio.nets import CRNN, MixedLabelLoss, WeakLabelLoss, WeakPooling
from skaudio.nets._crnn import WEAK_POOLINGS

LENGTHS = [1, 3, 8, 30, 41]
SHAPES = {
    "stride 4": {"channels": (4, 6), "frame_stride": 4},
    "stride 2, three blocks": {"channels": (4, 4, 4), "frame_stride": 2},
    "wide kernel": {"channels": (4, 6), "frame_stride": 2, "kernel_size": 7},
    "recurrent alone": {"channels": (), "frame_stride": 3, "n_layers": 2},
    "convolutional alone": {"channels": (4, 6), "frame_stride": 1, "n_layers": 0},
    "forwards": {"channels": (4,), "frame_stride": 2, "bidirectional": False},
}


def make(**params):
    torch.manual_seed(0)
    return CRNN(7, 3, **{"hidden_size": 5, **params}).eval()


def padded(items, extra=0):
    n_frames = max(item.shape[1] for item in items) + extra
    x = torch.full((len(items), 7, n_frames), 0.0)
    for row, item in zip(x, items, strict=True):
        row[:, : item.shape[1]] = item
    return x, torch.tensor([item.shape[1] for item in items])


@pytest.fixture
def items():
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(7, n, generator=generator) for n in LENGTHS]


@pytest.mark.parametrize("pooling", WEAK_POOLINGS)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_padding_does_not_matter(items, shape, pooling):
    net = make(pooling=pooling, **shape)
    with torch.inference_mode():
        together = net(*padded(items, extra=13))
        alone = torch.cat([net(*padded([item])) for item in items])
        scores, counts = net.forward_frames(*padded(items, extra=13))
        own = net.forward_frames(*padded([items[3]]))[0]
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=1e-5)
    stride = shape["frame_stride"]
    assert counts.tolist() == [-(-n // stride) for n in LENGTHS]
    torch.testing.assert_close(scores[3, :, : counts[3]], own[0], atol=1e-6, rtol=1e-5)


def test_training_does_not_see_padding(items):
    gradients = []
    for extra in (0, 11):
        net = make(channels=(4, 6), dropout=0.0).train()
        net(*padded(items, extra)).square().sum().backward()
        gradients.append(torch.cat([p.grad.flatten() for p in net.parameters()]))
    torch.testing.assert_close(gradients[0], gradients[1], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("shape", list(SHAPES.values())[:3], ids=list(SHAPES)[:3])
def test_reach_is_as_far_as_local_frames_see(shape):
    net = make(**shape)
    x = torch.randn(1, 7, 96, generator=torch.Generator().manual_seed(0), requires_grad=True)
    frames, _ = net.forward_local(x, torch.tensor([96]))
    middle = frames.shape[1] // 2
    (gradient,) = torch.autograd.grad(frames[0, middle].sum(), x)
    seen = gradient[0].abs().sum(0).nonzero()
    first = middle * net.frame_stride
    assert first - net.reach <= seen.min()
    assert seen.max() < first + net.frame_stride + net.reach
    # ... and not much further than needed.
    kernel_size = shape.get("kernel_size", 3)
    assert net.reach < 4 * kernel_size * net.frame_stride


def test_recurrent_frames_are_means_of_input_frames():
    net = make(channels=(), frame_stride=3)
    x = torch.randn(2, 7, 8)
    frames, counts = net.forward_local(x, torch.tensor([8, 4]))
    assert counts.tolist() == [3, 2]
    torch.testing.assert_close(frames[0, 1], x[0, :, 3:6].mean(1))
    torch.testing.assert_close(frames[0, 2], x[0, :, 6:8].mean(1))
    torch.testing.assert_close(frames[1, 1], x[1, :, 3])


def test_bad_strides():
    with pytest.raises(ValueError, match=r"frame_stride=3: expected a power of two, at most 4"):
        make(channels=(4, 4), frame_stride=3)
    with pytest.raises(ValueError, match=r"frame_stride=8: expected a power of two, at most 4"):
        make(channels=(4, 4), frame_stride=8)
    with pytest.raises(ValueError, match="kernel_size=2: expected an odd number"):
        make(kernel_size=2)


POOLED = {
    "mean": lambda y, a: y.mean(),
    "max": lambda y, a: y.max(),
    "linear_softmax": lambda y, a: (y**2).sum() / y.sum(),
    "exp_softmax": lambda y, a: (y * np.exp(y)).sum() / np.exp(y).sum(),
    "attention": lambda y, a: (y * np.exp(a)).sum() / np.exp(a).sum(),
}


@pytest.mark.parametrize("how", WEAK_POOLINGS)
def test_pooling_by_its_formula(how, rng):
    scores = rng.normal(size=(2, 2 if how == "attention" else 1, 9)).astype(np.float32)
    pooled = WeakPooling(how)(torch.from_numpy(scores), torch.tensor([9, 4]))
    for row, n, value in zip(scores, (9, 4), pooled[:, 0].tolist(), strict=True):
        y = 1 / (1 + np.exp(-row[0, :n].astype(float)))
        assert value == pytest.approx(POOLED[how](y, row[-1, :n].astype(float)), abs=1e-6)


def test_pooling_of_the_surest_frames_stays_within_probabilities():
    for how in WEAK_POOLINGS:
        for sign in (-1, 1):
            scores = torch.full((1, 2, 5), 1000.0 * sign)
            pooled = WeakPooling(how)(scores, torch.tensor([5]))
            assert ((pooled > 0) & (pooled < 1)).all()
    with pytest.raises(ValueError, match="pooling='median': expected one of mean, max, linear"):
        WeakPooling("median")


def test_loss_by_hand():
    y = torch.tensor([[0.9, 0.2], [0.4, 0.7]])
    t = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    plain = -torch.log(torch.tensor([0.9, 0.8, 0.6, 0.7]))
    ones = torch.ones(2, 2)
    torch.testing.assert_close(WeakLabelLoss(ones)(y, t), plain.mean())
    weights = torch.tensor([[1.0, 3.0], [0.5, 2.0]])  # (absent, present) of either class
    per_label = plain * torch.tensor([3.0, 0.5, 1.0, 2.0])
    torch.testing.assert_close(WeakLabelLoss(weights)(y, t), per_label.mean())
    per_class = plain * torch.tensor([3.0, 3.0, 2.0, 2.0])
    torch.testing.assert_close(WeakLabelLoss(weights, by_class=True)(y, t), per_class.mean())


def test_loss_of_frames_by_hand():
    # Recording 0 has one frame with known labels, recording 1 none.
    y = torch.tensor([[[0.9, 0.8, 0.3], [0.2, 0.1, 0.6]], [[0.4, 0.5, 0.5], [0.7, 0.5, 0.5]]])
    t = torch.tensor([[[1.0, 1.0, -1], [0.0, 0.0, -1]], [[0.0, -1, -1], [1.0, -1, -1]]])
    ones = torch.ones(2, 2)
    pooled = WeakLabelLoss(ones)(y[..., 0], t[..., 0])
    frames = -torch.log(torch.tensor([0.8, 0.9]))
    torch.testing.assert_close(MixedLabelLoss(ones)(y, t), pooled + frames.mean())
    weights = torch.tensor([[1.0, 3.0], [0.5, 2.0]])
    pooled = WeakLabelLoss(weights)(y[..., 0], t[..., 0])
    frames = frames * torch.tensor([3.0, 0.5])
    torch.testing.assert_close(MixedLabelLoss(weights)(y, t), pooled + frames.mean())
    torch.testing.assert_close(MixedLabelLoss(weights)(y, t[..., :1]), pooled)
    # The output may have more frames than the targets: those of the padding.
    torch.testing.assert_close(MixedLabelLoss(ones)(y, t[..., :2]), MixedLabelLoss(ones)(y, t))


def test_frames_beside_the_sequence(items):
    net = make(channels=(4, 6), frame_stride=2)
    pooled = net(*padded(items))
    scores, _ = net.forward_frames(*padded(items))
    net.returns_frames = True
    out = net(*padded(items))
    torch.testing.assert_close(out[..., 0], pooled)
    torch.testing.assert_close(out[..., 1:], scores.sigmoid().clamp(1e-6, 1 - 1e-6))
