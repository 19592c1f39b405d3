"""Soundscapes: the events are where, and as loud as, the strong labels and parameters say."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile as sf

from skaudio.datasets import load_spoken_digits, make_soundscapes
from skaudio.datasets._soundscapes import active_part, looped
from skaudio.events import check_events

RATE = 8000


def beep(hz, seconds=0.5, before=0.4, after=0.3):
    tone = 0.3 * np.sin(2 * np.pi * hz * np.arange(round(seconds * RATE)) / RATE)
    silence = [np.zeros(round(s * RATE)) for s in (before, after)]
    return np.concatenate([silence[0], tone, silence[1]]).astype(np.float32)


@pytest.fixture
def parts(rng):
    recordings = [beep(500), beep(520, 0.8), beep(1500, 0.6)]
    hiss = [0.01 * rng.standard_normal(5 * RATE), 0.02 * rng.standard_normal(20 * RATE)]
    return recordings, ["low", "low", "high"], [h.astype(np.float32) for h in hiss]


def make(parts, **params):
    return make_soundscapes(*parts, **{"sample_rate": RATE, "random_state": 0, **params})


def test_the_same_draws_whatever_the_number(parts):
    few, many = make(parts, n_soundscapes=3), make(parts, n_soundscapes=5)
    for a, b in zip(few.data, many.data, strict=False):
        assert np.array_equal(a, b)
    assert few.events.equals(many.events[many.events["file"].isin(few.data.names)])
    other = make(parts, n_soundscapes=3, random_state=1)
    assert not np.array_equal(few.data[0], other.data[0])


def test_strong_and_weak_labels_say_the_same(parts):
    scenes = make(parts, n_soundscapes=40)
    assert scenes.data.shape == (40,)
    assert {len(w) for w in scenes.data} == {10 * RATE}
    assert scenes.target.columns.tolist() == scenes.target_names.tolist() == ["high", "low"]
    events = check_events(scenes.events, labels=["high", "low"], files=scenes.data.names)
    assert events.equals(scenes.events)
    for i, name in enumerate(scenes.data.names):
        own = set(events[events["file"] == name]["event_label"])
        assert own == {label for label in scenes.target if scenes.target[label].iloc[i]}
    counts = events.groupby("file").size()
    assert counts.max() == 3
    assert counts.min() == 1
    assert events["offset"].max() <= 10.0


def test_events_are_exactly_where_they_are_said_to_be(parts):
    """Without events, the soundscape is its background: the difference is the events."""
    # The band of the low tone holds little else.
    scenes = make(parts, n_soundscapes=20, snr_db=(30, 30), n_events=(1, 1))
    for waveform, name in zip(scenes.data, scenes.data.names, strict=True):
        (event,) = scenes.events[scenes.events["file"] == name].itertuples()
        start, stop = round(event.onset * RATE), round(event.offset * RATE)
        outside = np.concatenate([waveform[:start], waveform[stop:]])
        inside = waveform[start:stop]
        assert 20 * np.log10(inside.std() / outside.std()) == pytest.approx(30, abs=0.5)
        # Within 10 ms of both ends, the tone is there.
        for edge in (inside[:80], inside[-80:]):
            assert np.abs(edge).max() > 5 * outside.std()
        assert np.abs(inside[:2]).max() < 6 * outside.std()  # it fades in


def test_active_part():
    quiet = 0.001 * np.ones(100, np.float32)
    tone = beep(500, 0.5, before=0.4, after=0.3)
    # Ends are found to a frame of 10 ms, at the next full frame.
    assert len(active_part(tone, RATE, 0.1, 3.0)) == pytest.approx(0.5 * RATE, abs=80)
    assert len(active_part(tone, RATE, 0.1, 0.2)) == 0.2 * RATE
    assert len(active_part(tone, RATE, 1.0, 3.0)) == 1.0 * RATE
    assert len(active_part(tone, RATE, 2.0, 3.0)) == len(tone)  # there is no more
    # Pauses up to 0.2 s belong to the event, what is far away and quieter does not.
    two = np.concatenate([tone[: round(0.9 * RATE)], np.zeros(1200, np.float32), tone[3200:7200]])
    assert len(active_part(two, RATE, 0.1, 3.0)) == pytest.approx(1.15 * RATE, abs=80)
    far = np.concatenate([tone, 0.1 * tone])
    assert len(active_part(far, RATE, 0.1, 3.0)) == pytest.approx(0.5 * RATE, abs=80)
    assert len(active_part(quiet, RATE, 0.005, 3.0)) == 100


def test_a_short_background_goes_on_at_its_level(rng):
    noise = rng.standard_normal(4000).astype(np.float32)
    out = looped(noise, 40_000, RATE, rng)
    assert out.shape == (40_000,)
    levels = np.sqrt(np.square(out).reshape(-1, 400).mean(axis=1))
    assert levels.min() > 0.8
    assert levels.max() < 1.2
    long = looped(noise, 1000, RATE, rng)
    assert any(np.array_equal(long, noise[i : i + 1000]) for i in range(3001))


def test_files(parts, tmp_path):
    folder = tmp_path / "new" / "scenes"
    scenes = make(parts, n_soundscapes=2, folder=folder)
    memory = make(parts, n_soundscapes=2)
    assert scenes.data.tolist() == [str(folder / f"soundscape_000{i}.wav") for i in range(2)]
    assert set(scenes.events["file"]) <= set(scenes.data)
    for path, waveform in zip(scenes.data, memory.data, strict=True):
        samples, rate = sf.read(path, dtype="float32")
        assert rate == RATE
        np.testing.assert_allclose(samples, waveform, atol=1e-4)


def test_bundled_recordings_and_crowded_soundscapes():
    digits = load_spoken_digits()
    names = digits.target_names[digits.target]
    hiss = np.full(16000, 0.01, np.float32)
    scenes = make_soundscapes(
        digits.data[:20], names[:20], [hiss], n_soundscapes=5, duration=3.0, n_events=(9, 9),
        random_state=0,
    )  # fmt: skip
    assert len(scenes.events) < 45  # not all found a place
    assert max(np.abs(w).max() for w in scenes.data) <= 1.0


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_events": (3, 1)}, r"n_events=\(3, 1\): expected \(low, high\)"),
        ({"snr_db": 6}, r"snr_db=6: expected \(low, high\)"),
        ({"event_duration": (0.3, 20.0)}, "longer than the soundscapes, duration=10.0"),
    ],
)
def test_bad_ranges(parts, params, message):
    with pytest.raises(ValueError, match=message):
        make(parts, **params)


def test_silence_and_counts(parts):
    recordings, labels, background = parts
    silent = np.zeros(1000, np.float32)
    with pytest.raises(ValueError, match=r"recording 1 \('low'\) is silent"):
        make(([recordings[0], silent], ["high", "low"], background))
    with pytest.raises(ValueError, match="background 0 is silent"):
        make((recordings, labels, [silent]))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        make((recordings, labels[:2], background))
