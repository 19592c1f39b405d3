"""Losses of pairs: equal to a double loop, differentiable, and of an unmistakable polarity."""

import math

import pytest
import torch

from skaudio.nets import (
    AllPairsLoss,
    AngularMarginLoss,
    ContrastiveLoss,
    SupervisedContrastiveLoss,
)
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


# Losses of a batch and its classes

N_CLASSES = 5
CODES = torch.tensor([0, 0, 0, 1, 1, 2, 3, 3, 3, 3])


def batch(seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(len(CODES), N_FEATURES, generator=generator, dtype=dtype)


def cosine(a, b):
    product = sum(x * y for x, y in zip(a, b, strict=True))
    return product / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


def supervised_contrastive_by_hand(rows, codes, temperature):
    costs = []
    for i, one in enumerate(rows):
        others = [k for k in range(len(rows)) if k != i]
        partners = [k for k in others if codes[k] == codes[i]]
        total = sum(math.exp(cosine(one, rows[k]) / temperature) for k in others)
        shares = [math.exp(cosine(one, rows[k]) / temperature) / total for k in partners]
        if partners:
            costs.append(-sum(map(math.log, shares)) / len(partners))
    return sum(costs) / len(costs)


def angular_margin_by_hand(rows, codes, vectors, margin, scale):
    costs = []
    for row, code in zip(rows, codes, strict=True):
        logits = [scale * cosine(row, vector) for vector in vectors]
        angle = math.acos(logits[code] / scale) + margin
        assert angle < math.pi
        logits[code] = scale * math.cos(angle)
        costs.append(math.log(sum(map(math.exp, logits))) - logits[code])
    return sum(costs) / len(costs)


def all_pairs_by_hand(rows, codes, loss):
    costs = {True: [], False: []}
    for i in range(len(rows)):
        for k in range(i):
            same = codes[i] == codes[k]
            pair = torch.tensor([rows[i]]), torch.tensor([rows[k]]), torch.tensor([same])
            costs[same].append(float(loss(*pair)))
    return sum(sum(c) / len(c) for c in costs.values()) / 2


@pytest.mark.parametrize("temperature", [0.07, 0.5])
def test_supervised_contrastive_equals_a_double_loop(temperature):
    rows = batch()
    expected = supervised_contrastive_by_hand(rows.tolist(), CODES.tolist(), temperature)
    found = SupervisedContrastiveLoss(temperature=temperature)(rows, CODES)
    assert float(found) == pytest.approx(expected)


@pytest.mark.parametrize(("margin", "scale"), [(0.0, 1.0), (0.2, 30.0), (0.5, 10.0)])
def test_angular_margin_equals_a_double_loop(margin, scale):
    loss = AngularMarginLoss(N_FEATURES, N_CLASSES, margin=margin, scale=scale).double()
    rows = batch()
    expected = angular_margin_by_hand(
        rows.tolist(), CODES.tolist(), loss.vectors.tolist(), margin, scale
    )
    assert loss(rows, CODES).item() == pytest.approx(expected)


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("hinge", HINGES)
def test_all_pairs_equal_a_double_loop(hinge, distance):
    loss = ContrastiveLoss(margin=2.0, hinge=hinge, distance=distance)
    rows = batch()
    expected = all_pairs_by_hand(rows.tolist(), CODES.tolist(), loss)
    assert float(AllPairsLoss(loss)(rows, CODES)) == pytest.approx(expected, rel=1e-5)
    unit = rows / rows.norm(dim=1, keepdim=True)
    found = AllPairsLoss(loss, unit_norm=True)(rows, CODES)
    assert float(found) == pytest.approx(float(AllPairsLoss(loss)(unit, CODES)))


def test_losses_of_batches_equal_those_of_another_library():
    others = pytest.importorskip("pytorch_metric_learning.losses")
    rows, codes = batch(dtype=torch.float32), CODES[CODES != 2]
    rows = rows[CODES != 2]  # there, a recording that is alone in its class counts as zero
    expected = others.SupConLoss(temperature=0.1)(rows, codes)
    torch.testing.assert_close(SupervisedContrastiveLoss()(rows, codes), expected)
    ours = AngularMarginLoss(N_FEATURES, N_CLASSES, margin=0.3, scale=20.0)
    theirs = others.ArcFaceLoss(N_CLASSES, N_FEATURES, margin=math.degrees(0.3), scale=20.0)
    theirs.W.data = ours.vectors.data.T.clone()
    torch.testing.assert_close(ours(rows, codes), theirs(rows, codes), rtol=1e-4, atol=1e-4)


LOSSES = {
    "supervised contrastive": lambda: SupervisedContrastiveLoss(),
    "angular margin": lambda: AngularMarginLoss(N_FEATURES, N_CLASSES).double(),
    "all pairs": lambda: AllPairsLoss(ContrastiveLoss()),
}


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_of_batches(name):
    rows = batch().requires_grad_()
    loss = LOSSES[name]()
    assert torch.autograd.gradcheck(lambda r: loss(r, CODES), (rows,))


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_finite_for_equal_embeddings_and_lone_recordings(name):
    for rows, codes in ((torch.ones(4, N_FEATURES), [0, 0, 1, 1]), (batch()[:3], [0, 1, 2])):
        rows = rows.double().requires_grad_()
        LOSSES[name]()(rows, torch.tensor(codes)).backward()
        assert torch.isfinite(rows.grad).all()


def test_the_angular_margin_grows_up_to_the_opposite_direction():
    loss = AngularMarginLoss(3, 2, margin=0.5, scale=1.0)
    loss.vectors.data = torch.eye(3)[:2]
    angles = torch.linspace(0.0, math.pi, 50)
    rows = torch.stack([angles.cos(), torch.zeros(50), angles.sin()], dim=1)
    costs = torch.stack([loss(row[None], torch.tensor([0])) for row in rows])
    assert (costs.diff() > 0).all()


def test_bad_parameters_of_batches():
    with pytest.raises(ValueError, match=r"temperature=0: expected a number above 0"):
        SupervisedContrastiveLoss(temperature=0)
    with pytest.raises(ValueError, match=r"margin=4: expected radians"):
        AngularMarginLoss(2, 2, margin=4)
    with pytest.raises(ValueError, match=r"scale=-1: expected a number above 0"):
        AngularMarginLoss(2, 2, scale=-1)
