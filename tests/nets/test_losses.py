"""Losses of pairs: equal to a double loop, differentiable, and of an unmistakable polarity."""

import math

import pytest
import torch

from skaudio.nets import ContrastiveLoss
from skaudio.nets._losses import DISTANCES, HINGES, PairLoss

N_PAIRS, N_FEATURES = 40, 7


def pairs(dtype=torch.float32, seed=0, scale=0.3):
    generator = torch.Generator().manual_seed(seed)
    left, right = scale * torch.randn(2, N_PAIRS, N_FEATURES, generator=generator, dtype=dtype)
    return left, right, torch.rand(N_PAIRS, generator=generator) < 0.5


def by_hand(left, right, same, margin, hinge, distance):
    total = 0.0
    for a, b, alike in zip(left.tolist(), right.tolist(), same.tolist(), strict=True):
        squares = product = norm_a = norm_b = 0.0
        for x, y in zip(a, b, strict=True):
            squares += (x - y) ** 2
            product, norm_a, norm_b = product + x * y, norm_a + x * x, norm_b + y * y
        d = math.sqrt(squares)
        if distance == "cosine":
            d = 1 - product / math.sqrt(norm_a * norm_b)
        cost = d if alike else max(0.0, margin - d)
        total += cost if hinge == "linear" else cost**2 / 2
    return total / len(left)


@pytest.mark.parametrize("margin", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("hinge", HINGES)
def test_equals_a_double_loop(hinge, distance, margin):
    left, right, same = pairs()
    loss = ContrastiveLoss(margin=margin, hinge=hinge, distance=distance)
    expected = by_hand(left, right, same, margin, hinge, distance)
    assert float(loss(left, right, same)) == pytest.approx(expected, abs=1e-6)
    assert float(loss(left, right, same.int())) == float(loss(left, right, same))
    assert expected > 0


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("hinge", HINGES)
def test_gradients(hinge, distance):
    left, right, same = pairs(torch.float64)
    left.requires_grad_(), right.requires_grad_()
    loss = ContrastiveLoss(hinge=hinge, distance=distance)
    assert torch.autograd.gradcheck(lambda a, b: loss(a, b, same), (left, right))


@pytest.mark.parametrize("hinge", HINGES)
def test_polarity(hinge):
    """One class: the nearer the better, down to nothing. Two classes: the reverse."""
    loss = ContrastiveLoss(hinge=hinge, margin=1.0)
    origin = torch.zeros(1, 2)
    yes, no = torch.tensor([True]), torch.tensor([False])
    near, far, beyond = (torch.tensor([[d, 0.0]]) for d in (0.1, 0.8, 1.5))
    assert loss(origin, origin, yes) == 0
    assert loss(origin, near, yes) < loss(origin, far, yes) < loss(origin, beyond, yes)
    assert loss(origin, near, no) > loss(origin, far, no) > 0
    assert loss(origin, beyond, no) == 0
    # A step down the gradient brings a pair of one class together and drives others apart.
    for same, sign in ((yes, -1), (no, 1)):
        point = far.clone().requires_grad_()
        loss(origin, point, same).backward()
        moved = point.detach() - 0.1 * point.grad
        assert torch.sign(moved.norm() - far.norm()) == sign


def test_equal_embeddings_have_finite_gradients():
    point = torch.ones(3, 2, requires_grad=True)
    loss = ContrastiveLoss(hinge="linear")
    loss(point, torch.ones(3, 2), torch.tensor([True, False, True])).backward()
    assert torch.isfinite(point.grad).all()


def test_bad_parameters():
    with pytest.raises(ValueError, match=r"hinge='cubic': expected one of 'squared', 'linear'"):
        ContrastiveLoss(hinge="cubic")
    with pytest.raises(ValueError, match=r"distance='l1': expected one of 'euclidean', 'cosine'"):
        ContrastiveLoss(distance="l1")
    with pytest.raises(ValueError, match=r"margin=0: expected a number above 0"):
        ContrastiveLoss(margin=0)


def test_both_halves_in_one_batch():
    left, right, same = pairs()
    codes = torch.stack([torch.zeros(N_PAIRS, dtype=torch.long), (~same).long()], dim=1)
    loss = ContrastiveLoss()
    got = PairLoss(loss)(torch.cat([left, right]), codes)
    torch.testing.assert_close(got, loss(left, right, same))
    unit = [half / half.norm(dim=1, keepdim=True) for half in (left, right)]
    got = PairLoss(loss, unit_norm=True)(torch.cat([left, right]), codes)
    torch.testing.assert_close(got, loss(*unit, same))
