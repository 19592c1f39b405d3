"""Pairs as they are drawn: balanced, fair, never of a recording with itself, reproducible."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skaudio._neural import FrameSource, TrainingSet
from skaudio.embedders._pairs import (
    DrawnPairBatches,
    DrawnPairValidation,
    PairSource,
    check_drawable,
    draw_pairs,
)


@settings(max_examples=100, deadline=None)
@given(
    counts=st.lists(st.integers(1, 9), min_size=2, max_size=6).filter(lambda c: max(c) > 1),
    half=st.integers(1, 40),
    seed=st.integers(0, 10),
)
def test_what_every_draw_keeps(counts, half, seed):
    rng = np.random.default_rng(seed)
    codes = rng.permutation(np.repeat(np.arange(len(counts)) * 3, counts))
    left, right = draw_pairs(codes, 2 * half, rng)
    same = codes[left] == codes[right]
    assert len(left) == len(right) == 2 * half
    assert same.sum() == half  # exactly balanced
    assert (left != right).all()
    # Equal shares: of those that can, in pairs of one class; of all, on the left of the others.
    able = [c for c, n in zip(np.unique(codes), counts, strict=True) if n > 1]
    for classes, chosen in ((able, left[same]), (np.unique(codes), left[~same])):
        uses = np.array([np.sum(codes[chosen] == c) for c in classes])
        assert uses.max() - uses.min() <= 1
        assert uses.sum() == half
        # Within a class, recordings take turns.
        for c in classes:
            turns = np.bincount(chosen, minlength=len(codes))[codes == c]
            assert turns.max() - turns.min() <= 1
    if half >= len(counts):
        assert set(codes[np.concatenate([left, right])]) == set(codes)


def test_partners_are_uniform():
    codes = np.repeat([0, 1, 2], [4, 4, 2])
    rng = np.random.default_rng(0)
    counts = np.zeros((10, 10))
    for _ in range(1000):
        left, right = draw_pairs(codes, 60, rng)
        np.add.at(counts, (left, right), 1)
    assert not counts.diagonal().any()
    own = counts[:4, :4][~np.eye(4, dtype=bool)]
    np.testing.assert_allclose(own, own.mean(), rtol=0.15)
    # Half of the others of class 0 are of class 1, half of class 2, whatever their sizes.
    assert counts[:4, 4:8].sum() == pytest.approx(counts[:4, 8:].sum(), rel=0.05)


def test_what_cannot_be_drawn_is_said():
    with pytest.raises(ValueError, match="y holds one class alone: pairs of two classes cannot"):
        check_drawable(np.zeros(5, int), "y")
    with pytest.raises(ValueError, match="y holds 5 classes of one recording each: pairs of one"):
        check_drawable(np.arange(5), "y")
    check_drawable(np.array([0, 1, 1]), "y")


@pytest.fixture
def dataset():
    rng = np.random.default_rng(0)
    frames = [np.full((2, n), i, np.float32) for i, n in enumerate(rng.integers(1, 50, 40))]
    codes = rng.integers(4, size=40)
    return TrainingSet(FrameSource(frames), codes, np.arange(5, 40), seed=7)


def read(batches):
    """Return the recordings on both sides of all pairs of one pass, and their classes."""
    sides, targets = [], []
    for inputs, codes in batches:
        firsts = inputs["x"][:, 0, 0].numpy().astype(int)
        assert len(firsts) == 2 * len(codes) == len(inputs["lengths"])
        sides.append(firsts.reshape(2, -1).T)
        targets.append(codes.numpy())
    return np.concatenate(sides), np.concatenate(targets)


def test_batches_hold_left_halves_then_right_halves(dataset):
    batches = DrawnPairBatches(dataset, batch_size=16)
    assert len(batches) == 5  # of 36 pairs for 35 recordings
    sides, targets = read(batches)
    assert np.array_equal(targets, dataset.targets[sides])
    assert sides.min() >= 5  # what is not in the set is not drawn
    assert (targets[:, 0] == targets[:, 1]).sum() == len(sides) / 2 == 18


def test_draws_depend_on_seed_and_epoch_alone(dataset):
    def drawn(seed=7, first_epoch=0, batch_size=8, passes=1):
        data = TrainingSet(dataset.source, dataset.targets, dataset.index, seed, first_epoch)
        batches = DrawnPairBatches(data, batch_size)
        for _ in range(passes):
            sides = read(batches)[0]
        return sorted(map(tuple, sides.tolist()))

    assert drawn() == drawn() == drawn(batch_size=36)
    assert drawn(passes=3) == drawn(first_epoch=2)
    assert len({str(drawn(first_epoch=e)) for e in range(4)}) == 4
    assert drawn(seed=8) != drawn()


def test_number_of_pairs(dataset):
    assert DrawnPairBatches(dataset, 10, n_pairs=7).n_pairs == 8
    assert DrawnPairBatches(dataset, 10).n_pairs == 36  # one per recording
    rare = TrainingSet(dataset.source, np.array([0, 0, 1, 2, 3]), np.arange(5), seed=7)
    assert DrawnPairBatches(rare, 10).n_pairs == 8  # two per class
    assert len(read(DrawnPairBatches(dataset, 10, n_pairs=7))[0]) == 8


def test_validation_pairs_stay(dataset):
    batches = DrawnPairValidation(dataset, batch_size=16)
    first, second = read(batches), read(batches)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert (first[1][:, 0] == first[1][:, 1]).mean() == 0.5


def test_batches_of_similar_length(dataset):
    pairs = PairSource(dataset.source, np.array([0, 1]), np.array([2, 3]))
    lengths = dataset.source.lengths
    assert pairs.lengths.tolist() == [max(lengths[0], lengths[2]), max(lengths[1], lengths[3])]
    firsts = [frames[0, 0] for frames in pairs.clean_frames(np.array([1, 0]))]
    assert firsts == [1, 0, 3, 2]


def test_copies_are_classes_of_their_own():
    frames = [np.full((1, 2), i, np.float32) for i in range(30)]
    data = TrainingSet(
        FrameSource(frames), np.array([5, 0, 0, 1, 1, 1, 2, 2, 3, 3]), np.arange(1, 10), 7
    )
    batches = DrawnPairBatches(data, 20, n_copies=2)
    assert batches.n_pairs == 28  # one per recording and copy, an even number
    sides, targets = read(batches)
    assert np.array_equal(targets, data.targets[sides % 10] + 6 * (sides // 10))
    assert (sides % 10 > 0).all()
    assert set((sides // 10).ravel()) == {0, 1, 2}
    same = targets[:, 0] == targets[:, 1]
    assert same.sum() == 14
    assert (sides[same][:, 0] // 10 == sides[same][:, 1] // 10).all()
