"""TimeMask and FrequencyMask."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

from skaudio.augmentation import FrequencyMask, TimeMask
from skaudio.encoders import MelSpectrogram
from skaudio.frames import as_object_array


@pytest.fixture
def frames(rng):
    return rng.normal(size=(5, 40, 60)).astype(np.float32)


@pytest.mark.parametrize(
    ("Mask", "axis", "unit"), [(FrequencyMask, 0, "bands"), (TimeMask, 1, "frames")]
)
class TestBoth:
    def test_one_stripe_over_the_whole_other_axis(self, frames, Mask, axis, unit):
        out = Mask(7, unit=unit, fill=-3).augment(frames, range(5))
        for before, after in zip(frames, out, strict=True):
            changed = (before != after).all(axis=1 - axis)
            assert changed.sum() == 7
            assert np.ptp(np.flatnonzero(changed)) == 6
            assert (np.take(after, np.flatnonzero(changed), axis) == -3).all()
            rest = np.flatnonzero(~changed)
            np.testing.assert_array_equal(np.take(before, rest, axis), np.take(after, rest, axis))

    def test_mean(self, frames, Mask, axis, unit):
        out = Mask(1.0).augment(frames[:1], [0])[0]
        expected = np.broadcast_to(frames[0].mean(axis=axis, keepdims=True), (40, 60))
        np.testing.assert_allclose(out, expected, atol=1e-6)

    def test_counts(self, frames, Mask, axis, unit):
        out = Mask((1, 3), unit=unit, n_masks=(0, 2), fill=0).augment([frames[0]] * 300, range(300))
        widths = [int((x == 0).all(axis=1 - axis).sum()) for x in out]
        assert set(widths) == {0, 1, 2, 3, 4, 5, 6}

    def test_wider_than_the_frames(self, frames, Mask, axis, unit):
        assert not Mask(1000, unit=unit, fill=0).augment(frames, range(5)).any()

    def test_containers(self, frames, Mask, axis, unit):
        mask = Mask(0.2)
        stacked = mask.augment(frames, range(5))
        objects = mask.augment(as_object_array(list(frames)), range(5))
        assert (stacked.shape, objects.shape, objects.dtype) == (frames.shape, (5,), object)
        ragged = mask.augment([f[:, : 30 + i] for i, f in enumerate(frames)], range(5))
        assert [f.shape[1] for f in ragged] == [30, 31, 32, 33, 34]

    def test_names_of_features_travel(self, Mask, axis, unit):
        clips = np.random.default_rng(0).normal(size=(2, 4000))
        encoder = make_pipeline(MelSpectrogram(n_mels=4), Mask())
        names = [f"melspectrogram{i}" for i in range(4)]
        assert encoder.fit(clips).get_feature_names_out().tolist() == names
        table = encoder.set_output(transform="pandas").fit_transform(clips)
        assert list(table.attrs.values()) == [names]

    @pytest.mark.parametrize(
        ("params", "message"),
        [
            ({"width": 5}, r"width=5: expected .*<= 1\. Did you mean unit="),
            ({"width": (-0.1, 0.1)}, r"width=\(-0.1, 0.1\): expected .*>= 0"),
            ({"width": (0.3, 0.1)}, "low > high"),
            ({"n_masks": 1.5}, "n_masks=1.5: expected an integer"),
            ({"n_masks": (2, 1)}, "low > high"),
            ({"unit": "seconds"}, "unit='seconds': expected 'fraction' or"),
            ({"fill": "zero"}, "fill='zero': expected a finite number or 'mean'"),
        ],
    )
    def test_parameters(self, frames, Mask, axis, unit, params, message):
        with pytest.raises((ValueError, TypeError), match=message):
            Mask(**params).fit(frames)

    def test_waveforms_are_no_frames(self, Mask, axis, unit):
        with pytest.raises((ValueError, TypeError), match=r"Put an encoder|encode"):
            Mask().fit([np.zeros(4000), np.zeros(5000)])
