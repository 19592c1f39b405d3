"""Convolution: against scipy's, its alignment and level, made-up rooms, bad impulse responses."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import fftconvolve

from skaudio.augmentation import Convolution, _convolution
from skaudio.augmentation._convolution import ImpulseResponse, synthetic_reverberation

RATE = 16000


def response(rng, n, direct):
    samples = rng.normal(size=n) * np.exp(-np.arange(n) / (n / 5))
    samples[direct] = 10
    return samples.astype(np.float32)


def reference(x, h, mix=1.0):
    """The definition, by scipy in float64."""
    x, h = x.astype(np.float64), h.astype(np.float64)
    direct = np.abs(h).argmax()
    wet = fftconvolve(x, h)[direct : direct + len(x)]
    wet *= np.sqrt(np.mean(x**2) / np.mean(wet**2))
    return (1 - mix) * x + mix * wet


@pytest.mark.parametrize("n", [1, 7, 500, 8000, 40001])
@pytest.mark.parametrize(("taps", "direct"), [(1, 0), (9, 4), (600, 0), (16000, 80), (5000, 4900)])
def test_equals_scipy(rng, n, taps, direct):
    x, h = rng.normal(size=n).astype(np.float32), response(rng, taps, direct)
    out = Convolution(h).augment([x], [0])[0]
    assert len(out) == n
    expected = reference(x, h)
    np.testing.assert_allclose(out, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("mix", [0.0, 0.3, 1.0])
def test_mix(rng, mix):
    x, h = rng.normal(size=4000).astype(np.float32), response(rng, 900, 10)
    out = Convolution(h, mix=mix).augment([x], [0])[0]
    np.testing.assert_allclose(out, reference(x, h, mix), rtol=0, atol=5e-6)


def test_one_response_for_recordings_of_many_lengths(rng):
    """Its spectra are kept for few sizes of FFT; every length has to come out right."""
    h = ImpulseResponse(response(rng, 700, 300))
    for n in [*range(1, 40), *range(200, 3000, 97)] * 2:
        x = rng.normal(size=n).astype(np.float32)
        full = fftconvolve(x.astype(np.float64), h.samples)[300 : 300 + n]
        np.testing.assert_allclose(h.convolve(x), full, rtol=0, atol=1e-6 * np.abs(full).max())


def test_long_recordings(rng, monkeypatch):
    monkeypatch.setattr(_convolution, "LONG", 5000)
    x, h = rng.normal(size=20000).astype(np.float32), response(rng, 700, 20)
    out = Convolution(h).augment([x], [0])[0]
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, reference(x, h), rtol=0, atol=5e-6)


def test_level_and_alignment_are_kept(make_clip, rng):
    x = make_clip()
    for seed, augmentation in enumerate([Convolution(response(rng, 8000, 100)), Convolution()]):
        out = augmentation.augment([x], [seed])[0]
        assert np.sqrt(np.mean(out**2)) == pytest.approx(np.sqrt(np.mean(x**2)), rel=1e-5)
    click = np.zeros(4000, np.float32)
    click[1234] = 1
    for seed in range(20):
        assert np.abs(Convolution().augment([click], [seed])[0]).argmax() == 1234


def test_delay_alone_changes_nothing(make_clip):
    delayed = np.zeros(300)
    delayed[200] = 0.25
    np.testing.assert_allclose(
        Convolution(delayed).augment([make_clip()], [0])[0], make_clip(), atol=1e-6
    )


def test_silence_stays_silence():
    assert not Convolution().augment([np.zeros(4000)], [0])[0].any()


class TestMadeUpRooms:
    def test_decay_by_60_db_in_the_reverberation_time(self):
        n = 8000
        rooms = np.array([synthetic_reverberation(n, seed) for seed in range(300)])
        energy = np.mean(rooms[:, 1:] ** 2, axis=0)
        parts = 10 * np.log10(energy.reshape(10, -1).mean(axis=1))
        np.testing.assert_allclose(parts[0] - parts[-1], 0.9 * 60, atol=1)
        np.testing.assert_allclose(np.diff(parts), -6, atol=1)

    def test_as_much_energy_in_the_tail_as_in_the_direct_sound(self):
        tails = [np.sum(synthetic_reverberation(4000, seed)[1:] ** 2) for seed in range(300)]
        assert np.mean(tails) == pytest.approx(1, abs=0.05)

    def test_time_is_in_seconds_at_the_rate_of_the_recording(self):
        click = np.zeros(16000, np.float32)
        click[0] = 1

        def duration(rate, **params):
            clip = click if rate is None else {"array": click, "sampling_rate": rate}
            out = Convolution(reverberation_time=0.2, **params).augment([clip], [0])[0]
            return np.flatnonzero(np.abs(out) > 1e-7).max()

        assert duration(8000) == 1600
        assert duration(16000) == duration(None) == 3200
        assert duration(None, sample_rate=48000) == 9600


def test_files_are_resampled_and_read_once(tmp_path, write_audio, rng, monkeypatch):
    h = np.zeros(800)
    h[[0, 400]] = 0.8, 0.4  # an echo after 50 ms, at 8 kHz
    path = write_audio(tmp_path / "echo.wav", h, 8000)
    clip = {"array": np.eye(1, 16000, 4000)[0], "sampling_rate": 16000}
    out = Convolution(path).augment([clip], [0])[0]
    peaks = np.abs(out).argsort()[::-1]
    assert peaks[0] == 4000
    assert 4800 in peaks[:4]

    loads = []
    load = _convolution._load
    monkeypatch.setattr(_convolution, "_load", lambda *args: loads.append(args) or load(*args))
    _convolution._read_file.cache_clear()
    for seed in range(3):  # one clip at a time: two threads may both find the cache empty
        Convolution(path).augment([clip], [seed])
    assert len(loads) == 1


def test_folder_and_list(tmp_path, write_audio):
    for k in (100, 200):
        h = np.zeros(300)
        h[[0, k]] = 0.8, 0.4
        write_audio(tmp_path / f"{k}.wav", h)
    clip = {"array": np.eye(1, 4000)[0], "sampling_rate": 16000}
    for given in (tmp_path, [tmp_path / "100.wav", tmp_path / "200.wav"]):
        out = Convolution(given).augment([clip] * 30, range(30))
        assert {int(np.abs(x[1:]).argmax()) + 1 for x in out} == {100, 200}


class TestBadInput:
    def test_empty_folder(self, tmp_path):
        with pytest.raises(ValueError, match="impulse_response: there are no recordings in"):
            Convolution(tmp_path).fit([np.ones(10)])

    def test_silent(self):
        with pytest.raises(ValueError, match="impulse_response is silent, expected an impulse"):
            Convolution(np.zeros(100)).augment([np.ones(10)], [0])

    def test_longer_than_the_clip_is_fine(self, rng):
        x, h = rng.normal(size=100).astype(np.float32), response(rng, 5000, 0)
        out = Convolution(h).augment([x], [0])[0]
        np.testing.assert_allclose(out, reference(x, h), rtol=0, atol=5e-6)

    def test_rate(self):
        h = {"array": np.ones(10), "sampling_rate": 8000}
        with pytest.raises(ValueError, match="Convolution needs a sample rate for bare arrays"):
            Convolution(h).augment([np.ones(100)], [0])

    @pytest.mark.parametrize(
        ("params", "message"),
        [
            ({"mix": (0.5, 0.2)}, r"mix=\(0.5, 0.2\): low > high"),
            ({"mix": -0.1}, "mix=-0.1: expected numbers that are finite and >= 0 and <= 1"),
            ({"reverberation_time": (-1, 1)}, r"reverberation_time=\(-1, 1\).*>= 0.001"),
            ({"impulse_response": "gone.wav"}, "impulse_response.*no such file"),
        ],
    )
    def test_parameters(self, params, message):
        with pytest.raises(ValueError, match=message):
            Convolution(sample_rate=RATE, **params).fit_transform([np.ones(100)])
