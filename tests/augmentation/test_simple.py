"""TimeShift, Volume, Speed, RandomSegment and FunctionAugmentation: what each does."""

from __future__ import annotations

import random
import sys

import numpy as np
import pytest
import soxr

from skaudio.augmentation import FunctionAugmentation, RandomSegment, Speed, TimeShift, Volume

RAMP = np.arange(1.0, 101.0, dtype=np.float32)
AT_1_KHZ = {"array": RAMP, "sampling_rate": 1000}


def one(augmentation, recording=RAMP, seed=0):
    return augmentation.augment([recording], [seed])[0]


class TestTimeShift:
    @pytest.mark.parametrize("shift", [0.0, 0.25, -0.25, 0.99, -0.99])
    def test_pad(self, shift):
        """Silence before or after, and the whole recording."""
        n = round(shift * 100)
        silence = np.zeros(abs(n))
        expected = np.concatenate([silence, RAMP] if n >= 0 else [RAMP, silence])
        np.testing.assert_array_equal(one(TimeShift(shift)), expected)
        assert one(TimeShift(shift)).dtype == np.float32

    @pytest.mark.parametrize("shift", [0.0, 0.25, -0.25, 0.99, -0.99])
    def test_cut(self, shift):
        n = round(shift * 100)
        expected = np.zeros(100)
        if n >= 0:
            expected[n:] = RAMP[: 100 - n]
        else:
            expected[:n] = RAMP[-n:]
        np.testing.assert_array_equal(one(TimeShift(shift, mode="cut")), expected)

    def test_rows_of_an_array_keep_their_length(self):
        table = np.stack([RAMP, -RAMP])
        for shift in (0.25, -0.25):
            padded = TimeShift(shift).fit_transform(table)
            assert padded.shape == table.shape
            np.testing.assert_array_equal(padded, TimeShift(shift, mode="cut").fit_transform(table))
        with pytest.raises(ValueError, match=r"recording 0: .*only silence would be left"):
            TimeShift(0.2, unit="seconds", sample_rate=1000).fit_transform(table)

    @pytest.mark.parametrize("shift", [0.0, 0.25, -0.25, 1.0, 3.4, -7.1])
    def test_roll(self, shift):
        expected = np.roll(RAMP, round(shift * 100))
        np.testing.assert_array_equal(one(TimeShift(shift, mode="roll")), expected)

    def test_seconds(self):
        shift = TimeShift(0.02, unit="seconds")
        np.testing.assert_array_equal(one(shift, AT_1_KHZ), one(TimeShift(0.2)))
        bare = TimeShift(0.02, unit="seconds", sample_rate=1000)
        np.testing.assert_array_equal(one(bare), one(TimeShift(0.2)))

    def test_the_rate_of_a_recording_comes_before_that_of_bare_arrays(self):
        shift = TimeShift(0.02, unit="seconds", sample_rate=2000)
        np.testing.assert_array_equal(one(shift, AT_1_KHZ), one(TimeShift(0.2)))

    def test_seconds_need_a_rate(self):
        message = (
            r"recording 0: TimeShift\(unit='seconds'\) needs a sample rate for bare arrays: pass"
        )
        with pytest.raises(ValueError, match=message):
            one(TimeShift(0.02, unit="seconds"))

    def test_longer_than_the_clip(self):
        """An error whatever is drawn, so that it comes at once and not in some epoch."""
        cut = TimeShift((0, 0.1), unit="seconds", mode="cut")
        for seed in range(5):
            with pytest.raises(ValueError, match=r"recording 0: .*up to 0.1 s, but it lasts 0.1 s"):
                one(cut, AT_1_KHZ, seed)
        assert len(one(TimeShift(0.13, unit="seconds"), AT_1_KHZ)) == 230
        rolled = one(TimeShift(0.13, unit="seconds", mode="roll"), AT_1_KHZ)
        np.testing.assert_array_equal(rolled, np.roll(RAMP, 130))

    @pytest.mark.parametrize(
        ("params", "message"),
        [
            (
                {"shift": (-1, 0)},
                r"shift=\(-1, 0\): moves a recording by its whole length.*seconds",
            ),
            ({"shift": (0.2, 0.1)}, r"shift=\(0.2, 0.1\): low > high"),
            ({"unit": "samples"}, "unit='samples': expected 'fraction' or 'seconds'"),
            ({"mode": "wrap"}, "mode='wrap': expected 'pad', 'cut' or 'roll'"),
            ({"sample_rate": 16}, r"sample_rate=16: expected Hz \(did you pass kHz"),
        ],
    )
    def test_parameters(self, params, message):
        with pytest.raises(ValueError, match=message):
            TimeShift(**params).fit([RAMP])


class TestVolume:
    def test_decibels_and_factors(self):
        np.testing.assert_allclose(one(Volume(20)), 10 * RAMP, rtol=1e-6)
        np.testing.assert_allclose(one(Volume(factor=0.25)), RAMP / 4)
        assert not one(Volume(factor=0)).any()

    def test_factor_range(self):
        gains = [one(Volume(factor=(0.5, 2)), seed=s)[0] for s in range(200)]
        assert 0.5 <= min(gains) < 0.55
        assert 1.95 < max(gains) <= 2

    def test_integers_are_scaled_by_their_range(self):
        clip = np.array([16384, -32768], np.int16)
        np.testing.assert_array_equal(one(Volume(0), clip), [0.5, -1])
        table = Volume(0).augment(np.stack([clip] * 2), [0, 1])
        np.testing.assert_array_equal(table, [[0.5, -1]] * 2)

    @pytest.mark.parametrize(
        ("params", "message"),
        [
            ({"gain_db": (6, -6)}, r"gain_db=\(6, -6\): low > high"),
            ({"gain_db": 1000}, r"gain_db=1000: expected numbers in dB"),
            ({"factor": (-1, 1)}, r"factor=\(-1, 1\): expected numbers that are finite and >= 0"),
            ({"gain_db": True}, "gain_db=True: expected a number or a range"),
        ],
    )
    def test_parameters(self, params, message):
        with pytest.raises((ValueError, TypeError), match=message):
            Volume(**params).fit([RAMP])


class TestSpeed:
    @pytest.mark.parametrize("rate", [0.5, 0.9, 1.0, 1.234, 3])
    def test_length_and_pitch(self, rate):
        tone = np.sin(2 * np.pi * 500 * np.arange(16000) / 16000).astype(np.float32)
        out = one(Speed(rate), tone)
        assert abs(len(out) - 16000 / rate) < 2
        spectrum = np.abs(np.fft.rfft(out * np.hanning(len(out)), 1 << 18))
        assert spectrum.argmax() * 16000 / (1 << 18) == pytest.approx(500 * rate, abs=0.2)

    def test_is_soxr(self, make_clip):
        expected = soxr.resample(make_clip(), 1100, 1000, quality="HQ")
        np.testing.assert_array_equal(one(Speed(1.1), make_clip()), expected)

    def test_too_short_to_hurry_stays(self):
        np.testing.assert_array_equal(one(Speed(10), RAMP[:1]), RAMP[:1])

    @pytest.mark.parametrize(
        ("rate", "message"),
        [
            ((1.1, 0.9), r"rate=\(1.1, 0.9\): low > high"),
            ((-1, 1), r"rate=\(-1, 1\): expected numbers that are finite and >= 0.1 and <= 10"),
            (90, "rate=90"),
        ],
    )
    def test_parameters(self, rate, message):
        with pytest.raises(ValueError, match=message):
            Speed(rate).fit([RAMP])


class TestRandomSegment:
    def test_is_a_part_of_the_recording(self):
        for seed in range(20):
            part = one(RandomSegment(0.3), seed=seed)
            assert len(part) == 30
            np.testing.assert_array_equal(np.diff(part), 1)

    def test_seconds_and_short_recordings(self):
        assert len(one(RandomSegment(0.03, unit="seconds"), AT_1_KHZ)) == 30
        np.testing.assert_array_equal(one(RandomSegment(0.2, unit="seconds"), AT_1_KHZ), RAMP)
        assert len(one(RandomSegment(0.001), RAMP[:5])) == 1
        with pytest.raises(
            ValueError, match=r"RandomSegment\(unit='seconds'\) needs a sample rate"
        ):
            one(RandomSegment(0.2, unit="seconds"))

    def test_does_not_keep_the_recording_alive(self):
        assert one(RandomSegment(0.1)).base.base is None

    @pytest.mark.parametrize(
        ("params", "message"),
        [
            ({"duration": 2.0}, "duration=2.0: .*<= 1.*Did you mean unit='seconds'"),
            ({"duration": 0}, "duration=0: expected more than 0"),
            ({"duration": (-1, 1)}, r"duration=\(-1, 1\)"),
            ({"duration": (0.5, 0.2)}, r"duration=\(0.5, 0.2\): low > high"),
            ({"unit": "s"}, "unit='s'"),
        ],
    )
    def test_parameters(self, params, message):
        with pytest.raises(ValueError, match=message):
            RandomSegment(**params).fit([RAMP])


class TestFunctionAugmentation:
    def test_gets_waveform_and_rate(self):
        seen = []

        def record(waveform, sample_rate):
            seen.append((waveform.dtype, waveform.shape, sample_rate))
            waveform[:] = 0  # its own copy
            return waveform[:10]

        assert len(one(FunctionAugmentation(record), AT_1_KHZ)) == 10
        assert len(one(FunctionAugmentation(record, sample_rate=8000))) == 10
        assert seen == [(np.float32, (100,), 1000), (np.float32, (100,), 8000)]
        assert RAMP[0] == 1

    def test_global_generators_are_seeded_and_restored(self):
        def both(waveform, sample_rate):
            return np.array([random.random(), np.random.random()])  # noqa: NPY002

        states = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
        augmentation = FunctionAugmentation(both, sample_rate=8000)
        results = [one(augmentation, seed=s) for s in (1, 1, 2)]
        np.testing.assert_array_equal(results[0], results[1])
        assert (results[0] != results[2]).all()
        after = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
        assert after == states

    def test_generators_are_restored_after_an_error(self):
        def fail(waveform, sample_rate):
            random.random()
            raise KeyError("mine")

        state = random.getstate()
        with pytest.raises(KeyError, match="mine"):
            one(FunctionAugmentation(fail, sample_rate=8000))
        assert random.getstate() == state

    @pytest.mark.parametrize(
        ("func", "message"),
        [
            (lambda w, r: w[:0], "recording 0: what func returned is empty"),
            (lambda w, r: w * np.nan, "recording 0: what func returned contains NaN"),
            (
                lambda w, r: np.stack([w, w]),
                r"recording 0: func returned an array of shape \(2, 100",
            ),
            (lambda w, r: None, r"recording 0: func returned an array of shape \(\)"),
        ],
    )
    def test_bad_results(self, func, message):
        with pytest.raises(ValueError, match=message):
            one(FunctionAugmentation(func, sample_rate=8000))

    def test_bad_parameters(self):
        with pytest.raises(TypeError, match="func=3: expected a function"):
            FunctionAugmentation(3).fit([RAMP])
        with pytest.raises(ValueError, match=r"FunctionAugmentation\(func\) needs a sample rate"):
            one(FunctionAugmentation(lambda w, r: w))

    def test_audiomentations_fits_in(self, make_clip):
        audiomentations = pytest.importorskip("audiomentations")
        transform = audiomentations.Gain(min_gain_db=-12, max_gain_db=-6, p=1.0)
        augmentation = FunctionAugmentation(transform, sample_rate=16000, random_state=0)
        X = np.stack([make_clip()] * 3)
        out = augmentation.fit_transform(X)
        assert out.shape == X.shape
        assert len({float(w[5]) for w in out}) == 3
        np.testing.assert_array_equal(out, augmentation.fit_transform(X))
        assert "audiomentations" in sys.modules
