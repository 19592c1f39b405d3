"""DynamicRange: a floor below each recording's maximum."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

from skaudio.augmentation import DynamicRange
from skaudio.encoders import MelSpectrogram, Spectrogram


@pytest.mark.parametrize("Encoder", [MelSpectrogram, Spectrogram])
@pytest.mark.parametrize("top_db", [1, 25, 60])
def test_is_what_an_encoder_with_this_top_db_returns(make_clip, Encoder, top_db):
    """The encoder is the oracle, which is held to librosa's power_to_db."""
    clips = [make_clip(), 0.01 * make_clip(seed=1)[:9000]]
    frames = Encoder(scale="db", top_db=None).transform(clips)
    expected = Encoder(scale="db", top_db=top_db).transform(clips)
    limited = DynamicRange(top_db).fit_transform(frames)
    for ours, theirs in zip(limited, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)


def test_a_floor_below_that_of_the_encoder_changes_nothing(make_clip):
    frames = MelSpectrogram(scale="db", top_db=40).transform([make_clip()])
    np.testing.assert_array_equal(DynamicRange(41).fit_transform(frames), frames)


def test_acts_in_training_alone(make_clip):
    clips = [make_clip()]
    mel = MelSpectrogram(scale="db")
    path = make_pipeline(mel, DynamicRange(20, random_state=0))
    trained = path.fit_transform(clips)
    assert np.ptp(trained[0]) == pytest.approx(20, abs=1e-4)
    np.testing.assert_array_equal(path.transform(clips), mel.transform(clips))


def test_draws_fill_the_range():
    frames = [np.linspace(-80, 0, 400, dtype=np.float32).reshape(10, 40)] * 300
    drawn = np.array([np.ptp(x) for x in DynamicRange((25, 65)).augment(frames, range(300))])
    assert 25 <= drawn.min() < 26
    assert 64 < drawn.max() <= 65


@pytest.mark.parametrize(
    ("top_db", "message"),
    [
        ((65, 25), r"top_db=\(65, 25\): low > high"),
        ((0, 20), r"top_db=\(0, 20\): expected numbers in dB that are finite and >= 1"),
        (None, "top_db=None: expected a number or a range"),
    ],
)
def test_parameters(top_db, message):
    with pytest.raises((ValueError, TypeError), match=message):
        DynamicRange(top_db).fit(np.zeros((2, 3, 4)))
