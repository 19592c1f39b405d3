"""Batches of classes: balanced, in turns, reproducible; copies are classes of their own."""

import numpy as np
import pytest

from skaudio._neural import FrameSource, TrainingSet
from skaudio.embedders._class_batches import LONGEST, ClassBatches, ClassValidation
from skaudio.embedders._copies import JoinedSource

SIZES = [9, 8, 8, 3, 1, 6]


def make_dataset(n_copies=0, seed=7):
    """Recordings whose frames hold their position, of which the first five are held out."""
    codes = np.random.default_rng(0).permutation(np.repeat(np.arange(len(SIZES)), SIZES))
    n = len(codes) * (1 + n_copies)
    source = FrameSource([np.full((2, 3 + i % 5), i, np.float32) for i in range(n)])
    return TrainingSet(source, codes, np.arange(5, len(codes)), seed=seed)


def read(batches):
    """Return positions and classes of each batch of one pass."""
    return [(x["x"][:, 0, 0].numpy().astype(int), y.numpy()) for x, y in batches]


@pytest.mark.parametrize("n_copies", [0, 2])
def test_what_every_batch_keeps(n_copies):
    dataset = make_dataset(n_copies)
    batches = ClassBatches(dataset, 8, n_per_class=2, n_copies=n_copies)
    n, used = len(dataset.targets), []
    for _ in range(20):
        found = read(batches)
        assert len(found) == len(batches) == -(-(n - 5) * (1 + n_copies) // 8)
        for index, codes in found:
            assert (index % n >= 5).all()
            assert len(set(index.tolist())) == len(index)
            expected = dataset.targets[index % n] + len(SIZES) * (index // n)
            np.testing.assert_array_equal(codes, expected)
            classes, counts = np.unique(codes, return_counts=True)
            assert len(classes) == 4
            assert (counts == np.where(classes % len(SIZES) == 4, 1, 2)).all()
        used += [*np.concatenate([index for index, _ in found])]
    # Classes take turns, whatever their sizes, and so do the recordings of a class.
    times = np.bincount(used, minlength=n * (1 + n_copies))
    for kind in range(1 + n_copies):
        own = times[kind * n : (kind + 1) * n][5:]
        of_class = [own[dataset.targets[5:] == c] for c in range(len(SIZES))]
        totals = [t.sum() / (1 if len(t) == 1 else 2) for t in of_class]
        assert max(totals) - min(totals) <= 20
        assert all(t.max() - t.min() <= 20 for t in of_class)


def test_a_pass_depends_on_seed_and_epoch():
    def passes(seed, first=0):
        data = make_dataset(seed=seed)
        data.first_epoch = first
        batches = ClassBatches(data, 8, n_per_class=2)
        return [[index.tolist() for index, _ in read(batches)] for _ in range(2)]

    first, second = passes(7)
    assert first != second
    assert passes(7) == [first, second]
    assert passes(7, first=1)[0] == second
    assert passes(8)[0] != first


def test_few_classes_fill_a_batch():
    codes = np.repeat([0, 1], 20)
    data = TrainingSet(FrameSource([np.ones((1, 2), np.float32)] * 40), codes, np.arange(40), 0)
    for _, y in read(ClassBatches(data, 16, n_per_class=4)):
        assert np.bincount(y).tolist() == [8, 8]
    # Two classes of two recordings: the least that there is to compare.
    for _, y in read(ClassBatches(data, 1, n_per_class=4)):
        assert np.bincount(y).tolist() == [2, 2]


def test_long_recordings_are_cut_in_training():
    frames = [np.arange(n, dtype=np.float32)[None] for n in (LONGEST + 600, 50) * 4]
    codes = np.repeat([0, 1], 4)
    data = TrainingSet(FrameSource(frames), codes, np.arange(8), 0)
    starts = set()
    batches = ClassBatches(data, 8, n_per_class=4)
    for _ in range(3):
        (inputs, _), = batches  # fmt: skip
        assert sorted(inputs["lengths"].tolist()) == [50] * 4 + [LONGEST] * 4
        for x, n in zip(inputs["x"][:, 0], inputs["lengths"], strict=True):
            np.testing.assert_array_equal(x[:n].diff(), 1.0)
            starts.add(int(x[0]))
    assert len(starts) > 6
    (inputs, _), = ClassValidation(data, 8, n_per_class=4)  # fmt: skip
    assert int(inputs["lengths"].max()) == LONGEST + 600


def test_validation_is_the_same_in_every_pass():
    batches = ClassValidation(make_dataset(), 8, n_per_class=2)
    first, second = ([index.tolist() for index, _ in read(batches)] for _ in range(2))
    assert first == second


def test_joined_sources():
    parts = [FrameSource([np.full((1, n), n, np.float32) for n in ns]) for ns in ((1, 2), (3,))]
    joined = JoinedSource(parts)
    assert joined.lengths.tolist() == [1, 2, 3]
    index = np.array([2, 0, 1, 2])
    assert [int(f[0, 0]) for f in joined.frames(index, 0)] == [3, 1, 2, 3]
    assert [f.shape[1] for f in joined.clean_frames(index)] == [3, 1, 2, 3]
    assert joined.names(index)[1:3] == ["recording 0", "recording 1"]
