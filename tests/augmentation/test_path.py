"""The training path through Pipelines, and its seeds."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skaudio.audio import AudioBatch
from skaudio.augmentation import (
    VTLP,
    FrequencyMask,
    Noise,
    TimeMask,
    TimeShift,
    TrainingPath,
    Volume,
    epoch_seeds,
)
from skaudio.encoders import MFCC, MelSpectrogram
from skaudio.pooling import FramePooling, FrameUnion

SEEDS = epoch_seeds(0, 0, np.arange(3))


@pytest.fixture
def clips(rng):
    return [rng.normal(size=n).astype(np.float32) for n in (4000, 5000, 6000)]


class TestEpochSeeds:
    def test_depend_on_seed_epoch_and_position_only(self):
        whole = epoch_seeds(1, 2, np.arange(100))
        np.testing.assert_array_equal(epoch_seeds(1, 2, [40, 7, 99]), whole[[40, 7, 99]])
        assert whole.dtype == np.uint64

    def test_never_meet(self):
        many = [epoch_seeds(s, e, np.arange(200)) for s in range(20) for e in range(20)]
        assert len(np.unique(many)) == 20 * 20 * 200

    def test_bits_are_even(self):
        seeds = epoch_seeds(0, 0, np.arange(20000))
        bits = np.unpackbits(seeds.view(np.uint8)).reshape(-1, 64).mean(axis=0)
        assert np.abs(bits - 0.5).max() < 0.02  # more than five standard deviations

    def test_neighbours_draw_unrelated_numbers(self):
        draws = [np.random.default_rng(int(s)).random() for s in epoch_seeds(0, 0, np.arange(2000))]
        assert abs(np.corrcoef(draws[:-1], draws[1:])[0, 1]) < 0.1

    @pytest.mark.parametrize("seed", [0, 2**63, 2**64 - 1, np.int64(5), -1])
    def test_any_integer_will_do(self, seed):
        assert epoch_seeds(seed, 0, [0]).shape == (1,)


class TestPath:
    def test_is_the_clean_path_without_augmentations(self, clips):
        encoder = make_pipeline(MelSpectrogram(), FrequencyMask(p=0)).fit(clips)
        path = TrainingPath(MelSpectrogram())
        assert not path.is_random
        assert TrainingPath(encoder).is_random
        for a, b in zip(path(clips, SEEDS), encoder.transform(clips), strict=True):
            np.testing.assert_array_equal(a, b)

    def test_augments_step_by_step(self, clips):
        shift, mel, mask = TimeShift(), MelSpectrogram(), TimeMask()
        path = TrainingPath(make_pipeline(shift, mel, mask))
        got = path(clips, SEEDS)
        clean = mel.transform(clips)
        assert not any(np.array_equal(a, b) for a, b in zip(got, clean, strict=True))
        for a, b in zip(path(clips, SEEDS), got, strict=True):
            np.testing.assert_array_equal(a, b)

    def test_batches_and_order_change_nothing(self, clips):
        path = TrainingPath(make_pipeline(VTLP(), Noise(), MelSpectrogram(), TimeMask()))
        whole = path(clips, SEEDS)
        part = path([clips[2], clips[0]], SEEDS[[2, 0]])
        np.testing.assert_array_equal(part[0], whole[2])
        np.testing.assert_array_equal(part[1], whole[0])

    def test_equal_steps_draw_differently(self, clips):
        path = TrainingPath(make_pipeline(Volume(), Volume()))
        both = path(clips, SEEDS)
        once = TrainingPath(Volume())(clips, SEEDS)
        gains = [20 * np.log10(b[0] / x[0]) for b, x in zip(both, clips, strict=True)]
        first = [20 * np.log10(b[0] / x[0]) for b, x in zip(once, clips, strict=True)]
        second = np.subtract(gains, first)
        assert np.abs(second - first).min() > 1e-3

    def test_walks_nested_pipelines_and_passes_over_passthrough(self, clips):
        flat = make_pipeline(TimeShift(), Noise(), MelSpectrogram(), TimeMask())
        nested = Pipeline(
            [
                ("waveforms", make_pipeline(TimeShift(), "passthrough", make_pipeline(Noise()))),
                ("nothing", None),
                ("frames", make_pipeline(MelSpectrogram(), TimeMask())),
            ]
        )
        a, b = TrainingPath(flat)(clips, SEEDS), TrainingPath(nested)(clips, SEEDS)
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_equal(x, y)

    def test_never_refits(self, clips):
        class Fitted(TransformerMixin, BaseEstimator):
            n_fits = 0

            def fit(self, X, y=None):
                self.n_fits += 1
                return self

            def transform(self, X):
                return X

        step = Fitted()
        encoder = make_pipeline(Volume(), step, MelSpectrogram()).fit(clips)
        TrainingPath(encoder)(clips, SEEDS)
        assert step.n_fits == 1

    def test_seeds_are_checked(self, clips):
        path = TrainingPath(make_pipeline(Volume(), MelSpectrogram()))
        with pytest.raises(ValueError, match=r"seeds.*shape \(3,\)"):
            path(clips, [1, 2])

    def test_arrays_and_batches(self, clips):
        X = np.stack([c[:4000] for c in clips])
        path = TrainingPath(make_pipeline(VTLP(), Noise(), MelSpectrogram()))
        a, b = path(X, SEEDS), path(AudioBatch(X), SEEDS)
        assert a.shape == (3, 64, 26)
        np.testing.assert_array_equal(a, b)


class Holder(TransformerMixin, BaseEstimator):
    """Some estimator with another one inside."""

    def __init__(self, inside=None):
        self.inside = inside

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X


@pytest.mark.parametrize(
    ("encoder", "where"),
    [
        (ColumnTransformer([("a", Noise(), [0])]), "a"),
        (FeatureUnion([("a", make_pipeline(Noise(), MFCC(), FramePooling()))]), "a__noise"),
        (FrameUnion([("a", make_pipeline(Noise(), MFCC()))]), "a__noise"),
        (FunctionTransformer(Noise().fit_transform), "func__method"),
        (FunctionTransformer(partial(Noise().augment, seeds=[0])), "func__func__method"),
        (FunctionTransformer(np.abs, kw_args={"x": [Noise()]}), "kw_args__x__0"),
        (Holder(Noise()), "inside"),
        (Holder(make_pipeline(Noise(), MFCC())), "inside__noise"),
    ],
    ids=lambda v: type(v).__name__,
)
@pytest.mark.parametrize("in_pipeline", [False, True])
def test_an_augmentation_off_the_path_is_an_error(encoder, where, in_pipeline):
    if in_pipeline:
        encoder = make_pipeline(Volume(), make_pipeline(encoder))
    with pytest.raises(
        ValueError, match=rf"Noise at (\w+__)?{where} of .* would be skipped in training"
    ):
        TrainingPath(encoder)


def test_what_holds_no_augmentation_is_fine():
    union = FrameUnion([("mel", MelSpectrogram()), ("mfcc", MFCC())])
    path = TrainingPath(make_pipeline(Volume(), union, FunctionTransformer(np.abs)))
    assert path.is_random
    assert len(path.steps) == 3
