"""Noise: its level, its colour, and where recorded noise is taken from."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile as sf

from skaudio.audio import AudioBatch
from skaudio.augmentation import Noise
from skaudio.augmentation._noise import COLOURS, coloured_noise

RATE = 16000


def added(augmentation, clip, seed=0):
    """The noise, in float64."""
    noisy = augmentation.augment([clip], [seed])[0]
    return noisy.astype(np.float64) - clip


def level(x):
    return 10 * np.log10(np.mean(np.square(x, dtype=np.float64)))


@pytest.mark.parametrize("colour", [*COLOURS, "recorded"])
@pytest.mark.parametrize("snr_db", [-10, 0, 17.5, 40])
@pytest.mark.parametrize("n", [700, 8000, 80000])
def test_snr_is_what_was_asked_for(make_clip, rng, colour, snr_db, n):
    clip = make_clip(n / RATE)
    noise = rng.uniform(-1, 1, 3 * RATE) if colour == "recorded" else colour
    found = level(clip) - level(added(Noise(noise, snr_db=snr_db), clip))
    assert found == pytest.approx(snr_db, abs=0.01)


@pytest.mark.parametrize("scale", [1e-25, 1e-4, 1e15])
def test_snr_of_very_soft_and_very_loud_recordings(make_clip, scale):
    clip = (make_clip().astype(np.float64) * scale).astype(np.float32)
    assert level(clip) - level(added(Noise(snr_db=10), clip)) == pytest.approx(10, abs=0.01)


def test_absolute_level(make_clip):
    assert level(added(Noise(level_db=-30), make_clip())) == pytest.approx(-30, abs=0.01)
    silence = np.zeros(8000, np.float32)
    assert level(added(Noise(level_db=(-30, -30)), silence)) == pytest.approx(-30, abs=0.01)


def test_nothing_is_added_to_silence():
    silence = np.zeros(8000, np.float32)
    assert not Noise().augment([silence], [0])[0].any()


@pytest.mark.parametrize(
    ("colour", "slope"), [("white", 0), ("pink", -3), ("brown", -6), ("blue", 3), ("violet", 6)]
)
def test_colours_have_their_slope(colour, slope):
    n = 1 << 16
    power = np.mean(
        [np.abs(np.fft.rfft(coloured_noise(n, COLOURS[colour], s))) ** 2 for s in range(8)], axis=0
    )
    octaves = np.array([power[k : 2 * k].mean() for k in (512, 1024, 2048, 4096, 8192, 16384)])
    steps = np.diff(10 * np.log10(octaves))
    np.testing.assert_allclose(steps, slope, atol=0.5)


def test_white_noise_is_gaussian():
    noise = coloured_noise(200000, 0, 1)
    assert abs(noise.mean()) < 0.01
    assert noise.std() == pytest.approx(1, abs=0.01)
    assert np.mean(noise**4) == pytest.approx(3, abs=0.1)


@pytest.mark.parametrize("n", [1, 2, 3, 15, 16, 17, 7919])
@pytest.mark.parametrize("colour", COLOURS)
def test_any_length(n, colour):
    noise = coloured_noise(n, COLOURS[colour], 0)
    assert noise.shape == (n,)
    assert noise.dtype == np.float32
    assert np.isfinite(noise).all()
    assert noise.any()


class TestRecordedNoise:
    """A ramp as noise: its values say where it was taken from."""

    def ramp(self, n):
        return np.linspace(0.1, 0.9, n).astype(np.float32)

    def test_comes_from_anywhere_in_the_recording(self):
        noise, clip = self.ramp(8000), np.ones(800, np.float32)
        taken = [added(Noise(noise, snr_db=0), clip, s) for s in range(200)]
        # the ramp's slope over its mean says where the part was
        starts = np.array([t[0] / (t[-1] - t[0]) * 800 / 8000 for t in taken]) * 0.8 - 0.1
        assert starts.min() < 0.05
        assert 0.65 < starts.max() < 0.75
        for t in taken:
            np.testing.assert_allclose(np.diff(t, 2), 0, atol=1e-6)

    def test_is_repeated_where_it_is_shorter(self):
        clip = np.ones(1000, np.float32)
        noise = added(Noise(self.ramp(300), snr_db=0), clip, 3)
        np.testing.assert_allclose(noise[:700], noise[300:], atol=1e-6)

    def test_files_and_folders_and_lists(self, tmp_path, write_audio, rng):
        (tmp_path / "deep").mkdir()
        paths = [tmp_path / "a.wav", tmp_path / "b.flac", tmp_path / "deep" / "c.ogg"]
        for path in paths:
            write_audio(path, rng.uniform(-0.5, 0.5, RATE), RATE)
        (tmp_path / "readme.txt").write_text("no sound")
        clip = {"array": np.sin(np.arange(4000.0)), "sampling_rate": RATE}
        batch = AudioBatch([rng.uniform(-1, 1, RATE)] * 2, RATE)
        for noise in (paths[0], str(paths[1]), tmp_path, paths, [tmp_path, batch[0]], batch):
            out = Noise(noise, snr_db=10).augment([clip], [1])[0]
            np.testing.assert_allclose(level(out - clip["array"]), level(clip["array"]) - 10, 0.01)
        as_bytes = Noise([paths[0].read_bytes()], snr_db=10).augment([clip], [1])[0]
        np.testing.assert_array_equal(as_bytes, Noise(paths[0], snr_db=10).augment([clip], [1])[0])

    def test_all_of_a_list_are_drawn(self):
        tones = [np.sin(2 * np.pi * f * np.arange(4000) / 4000) for f in (100, 200, 300)]
        clip = np.full(4000, 1.0, np.float32)
        taken = {
            int(np.abs(np.fft.rfft(added(Noise(tones, snr_db=0), clip, s)))[1:].argmax()) + 1
            for s in range(40)
        }
        assert taken == {100, 200, 300}

    def test_is_resampled_to_the_recording(self, tmp_path):
        tone = np.sin(2 * np.pi * 1000 * np.arange(3 * 44100) / 44100)
        sf.write(tmp_path / "tone.wav", 0.5 * tone, 44100)
        clip = {"array": np.ones(8000), "sampling_rate": 8000}
        noise = Noise(tmp_path / "tone.wav", snr_db=0).augment([clip], [0])[0] - 1
        assert np.abs(np.fft.rfft(noise)).argmax() == 1000

    def test_needs_a_rate_for_bare_arrays(self):
        noise = {"array": np.ones(8000), "sampling_rate": 8000}
        with pytest.raises(
            ValueError, match=r"recording 0: Noise needs a sample rate for bare.*pass"
        ):
            Noise(noise).augment([np.ones(800)], [0])
        out = Noise(noise, sample_rate=8000).augment([np.ones(800)], [0])
        assert out.sample_rates == (None,)


class TestBadInput:
    def test_empty_folder(self, tmp_path):
        (tmp_path / ".hidden.wav").touch()
        with pytest.raises(ValueError, match="noise: there are no recordings in the folder"):
            Noise(tmp_path).fit([np.ones(100)])

    def test_empty_list(self):
        with pytest.raises(ValueError, match="noise is an empty list"):
            Noise([]).fit([np.ones(100)])

    def test_silent_noise(self, tmp_path, write_audio):
        path = write_audio(tmp_path / "silent.wav", np.zeros(4000))
        for noise, called in ((path, r"noise \('.*silent.wav'\)"), ([np.zeros(9)], r"noise\[0\]")):
            with pytest.raises(ValueError, match=f"recording 0: {called} is silent.*no level"):
                Noise(noise, sample_rate=RATE).augment([np.ones(100)], [0])

    def test_gaps_in_a_noise_are_passed_over(self):
        noise = np.zeros(16000)
        noise[:8000] = 1
        for seed in range(30):
            assert added(Noise(noise), np.ones(100, np.float32), seed).any()

    def test_misspelled_colour(self):
        with pytest.raises(
            ValueError, match=r"noise='pinc': expected 'white', 'pink'.*no such file"
        ):
            Noise("pinc").fit([np.ones(100)])

    def test_missing_file_in_a_list(self, tmp_path):
        with pytest.raises(ValueError, match=r"noise\[1\] \('.*gone.wav'\): no such file"):
            Noise([np.ones(9), tmp_path / "gone.wav"], sample_rate=RATE).augment(
                [np.ones(100)] * 8, range(8)
            )

    @pytest.mark.parametrize(
        ("params", "message"),
        [
            ({"snr_db": (40, 10)}, r"snr_db=\(40, 10\): low > high.*did you mean \(10, 40\)"),
            ({"snr_db": "loud"}, r"snr_db='loud': expected a number or a range"),
            ({"snr_db": (1, 2, 3)}, r"snr_db=\(1, 2, 3\): expected a number or a range"),
            ({"snr_db": np.nan}, "snr_db=nan"),
            ({"level_db": (0, -3)}, r"level_db=\(0, -3\): low > high"),
            ({"sample_rate": 44.1}, "sample_rate=44.1: expected Hz"),
            ({"noise": 3}, r"noise is 3 \(int\)"),
        ],
    )
    def test_parameters(self, params, message):
        with pytest.raises((ValueError, TypeError), match=message):
            Noise(**params).fit([np.ones(100)])
