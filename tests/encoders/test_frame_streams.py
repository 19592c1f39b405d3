"""Encoders on a signal that arrives in pieces: the frames of the whole, bit for bit."""

from __future__ import annotations

import itertools
import pickle
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skaudio.encoders import MFCC, STFT, MelSpectrogram, Spectrogram, Waveform

RNG = np.random.default_rng(0)
NOISE = RNG.uniform(-1, 1, 9000).astype(np.float32)
CLASSES = {kind.__name__: kind for kind in (Waveform, STFT, Spectrogram, MelSpectrogram, MFCC)}

# Parameters of encoders that cut frames; those of one class only are left out for others.
FRAMING = st.fixed_dictionaries(
    {
        "n_fft": st.sampled_from([None, 512, 500, 401, 1024]),
        "hop_length": st.sampled_from([None, 1, 77, 256, 300, 1500]),
        "center": st.booleans(),
        "pad_mode": st.sampled_from(["constant", "edge", "linear_ramp", "reflect", "symmetric"]),
        "window": st.sampled_from(["hann", "hamming"]),
    }
)
OWN = {
    "Spectrogram": {"power": [1.0, 2.0], "scale": ["linear", "log"]},
    "MelSpectrogram": {"power": [1.0, 2.0, 1.5], "scale": ["linear", "log", "db"]},
    "MFCC": {"n_mfcc": [5, 20], "dct_type": [2, 3], "lifter": [0, 22]},
}


def streamed(stream, pieces):
    return np.concatenate([*map(stream.push, pieces), stream.finish()], axis=-1)


def split(signal, cuts):
    return np.split(signal, sorted(cuts), axis=-1)


@st.composite
def encoders(draw):
    kind = CLASSES[draw(st.sampled_from(sorted(CLASSES)))]
    params = {} if kind is Waveform else draw(FRAMING)
    own = OWN.get(kind.__name__, {})
    params |= {name: draw(st.sampled_from(values)) for name, values in own.items()}
    if kind in (Spectrogram, MelSpectrogram, MFCC):
        params["top_db"] = None
    if draw(st.booleans()):
        params |= {"offset": draw(st.sampled_from([0.0, 0.05])), "duration": 0.1}
    return kind(**params)


@settings(max_examples=60, deadline=None)
@given(
    encoder=encoders(),
    n_samples=st.integers(2600, len(NOISE)),
    cuts=st.lists(st.integers(0, len(NOISE)), max_size=12),
)
def test_any_split_gives_the_bits_of_the_whole(encoder, n_samples, cuts):
    signal = NOISE[:n_samples]
    found = streamed(encoder.stream(), split(signal, [min(c, n_samples) for c in cuts]))
    expected = encoder.transform([signal])[0]
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("n_samples", [1, 100, 255, 256, 257, 300, 511, 513])
@pytest.mark.parametrize("pad_mode", ["constant", "edge", "linear_ramp", "reflect", "symmetric"])
def test_sample_by_sample(n_samples, pad_mode):
    """Signals of about half a window, where the padding begins and ends."""
    encoder = MelSpectrogram(n_mels=20, pad_mode=pad_mode, hop_length=60)
    signal = NOISE[:n_samples]
    found = streamed(encoder.stream(), split(signal, range(1, n_samples)))
    np.testing.assert_array_equal(found, encoder.transform([signal])[0])


@pytest.mark.parametrize("n_fft", [512, 500])
def test_frames_come_when_they_are_certain(n_fft):
    stream = MelSpectrogram(n_mels=20, n_fft=n_fft, win_length=400).stream()
    counts = [stream.push(piece).shape for piece in np.split(NOISE[:1600], 10)]
    # Frame t ends n_fft // 2 samples after its centre at 160 t.
    certain = [max((160 * (i + 1) - n_fft // 2) // 160 + 1, 0) for i in range(10)]
    assert counts == [(20, b - a) for a, b in itertools.pairwise([0, *certain])]
    assert stream.n_frames == certain[-1]
    assert stream.finish().shape == (20, 11 - certain[-1])
    assert stream.n_frames == 11


@pytest.mark.parametrize("n_channels", [1, 2, 3, 5])
@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.int32, np.float64, np.float32])
def test_channels_and_integers_as_in_transform(n_channels, dtype):
    signal = NOISE[: n_channels * 1500].reshape(n_channels, -1)
    if np.dtype(dtype).kind in "iu":
        info = np.iinfo(dtype)
        signal = np.clip((signal + 1) / 2 * (info.max - info.min) + info.min, info.min, info.max)
    signal = signal.astype(dtype)
    encoder = Waveform()
    found = streamed(encoder.stream(), split(signal, [1, 2, 40, 41, 999]))
    np.testing.assert_array_equal(found, encoder.transform([signal])[0])


def test_lists_and_empty_pushes():
    stream = Waveform().stream()
    assert stream.push([]).shape == (0,)
    assert stream.push(np.empty((2, 0), np.int16)).shape == (0,)
    np.testing.assert_array_equal(stream.push([0.25, 0.5]), np.float32([0.25, 0.5]))
    np.testing.assert_array_equal(stream.push([0.25]), np.float32([0.25]))
    assert stream.finish().shape == (0,)


@pytest.mark.parametrize("encoder", [Waveform(), STFT(), MelSpectrogram(center=False)])
def test_nothing_heard_gives_nothing(encoder):
    assert encoder.stream().finish().shape[-1] == 0
    stream = MelSpectrogram(center=False, n_mels=20).stream()
    assert stream.push(np.ones(100)).shape == (20, 0)
    assert stream.finish().shape == (20, 0)  # shorter than a window


@pytest.mark.parametrize("rate", [8000, 22050, 44100])
@pytest.mark.parametrize("encoder", [Waveform(), MelSpectrogram(n_mels=20, duration=0.15)])
def test_resampled(rate, encoder):
    expected = encoder.transform([{"array": NOISE, "sampling_rate": rate}])[0]
    for cuts in ([], range(0, 9000, 441), RNG.integers(0, 9000, 30)):
        stream = encoder.stream(rate)
        assert stream.sample_rate == rate
        found = streamed(stream, split(NOISE, cuts))
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, atol=2e-5 * np.abs(expected).max())


def test_pushed_arrays_may_be_reused():
    """A sound card writes into the same buffer again and again."""
    for encoder in (Waveform(), MelSpectrogram(n_mels=20)):
        stream, buffer, pieces = encoder.stream(), np.empty(500, np.float32), []
        for start in range(0, 4500, 500):
            buffer[:] = NOISE[start : start + 500]
            pieces.append(stream.push(buffer))
        pieces.append(stream.finish())
        expected = encoder.transform([NOISE[:4500]])[0]
        np.testing.assert_array_equal(np.concatenate(pieces, axis=-1), expected)


def test_streams_are_independent():
    encoder = MelSpectrogram(n_mels=20)
    before = pickle.dumps(encoder)
    one, two = encoder.stream(), encoder.stream()
    found = [[], []]
    for start in range(0, 6000, 1000):
        found[0].append(one.push(NOISE[start : start + 1000]))
        found[1].append(two.push(-0.5 * NOISE[start + 500 : start + 1500]))
    found[0].append(one.finish())
    assert pickle.dumps(encoder) == before
    encoder.set_params(n_mels=30)
    found[1].append(two.finish())
    encoder.set_params(n_mels=20)
    for pieces, signal in zip(found, [NOISE[:6000], -0.5 * NOISE[500:6500]], strict=True):
        expected = encoder.transform([signal])[0]
        np.testing.assert_array_equal(np.concatenate(pieces, axis=1), expected)


def test_refusals_name_all_parameters_and_their_values():
    with pytest.raises(ValueError, match=r"MFCC .*top_db=80\.0 needs the maximum of .*top_db=None"):
        MFCC().stream()
    encoder = MelSpectrogram(scale="db", normalize="max", target_frames=9)
    with pytest.raises(ValueError, match="normalize='max' needs the level") as info:
        encoder.stream()
    expected = "set_params(top_db=None, normalize=None, target_frames=None)"
    assert expected in str(info.value)
    encoder.set_params(top_db=None, normalize=None, target_frames=None).stream()
    MelSpectrogram(scale="log", top_db=80.0).stream()  # unused
    with pytest.raises(ValueError, match=r"Waveform cannot stream .*target_frames=10 .*=None"):
        Waveform(target_frames=10).stream()
    with pytest.raises(ValueError, match="n_fft=100 is shorter"):
        STFT(n_fft=100).stream()


BAD = [
    (np.array([0.0, np.nan], np.float32), ValueError, "push 2 contains NaN at sample 1"),
    (
        np.array([[0.0, 1.0], [np.inf, 0.0]]),
        ValueError,
        "push 2 (contains infinity|has 2 channels)",
    ),
    (np.array([1.0, 1e300]), ValueError, "push 2 contains infinity at sample 1"),
    (np.ones((3, 50)), ValueError, "push 2 has 3 channels, those before it had 1"),
    (np.ones((50, 40)), ValueError, "push 2 has shape .*Transpose"),
    (np.ones((2, 2, 2)), ValueError, r"push 2 has shape \(2, 2, 2\), expected \(n_times,\)"),
    (np.ones(3, complex), ValueError, "push 2: Complex"),
    (np.ones(3, bool), TypeError, "push 2 is an array of bool"),
    (np.ones(3, np.int16), TypeError, "push 2 is an array of int16, those before it were of float"),
    (np.array(["a", "b"]), TypeError, "push 2 is an array of <U1"),
    ("speech.wav", TypeError, r"push 2 is 'speech.wav' \(str\), expected samples"),
    ({"array": np.ones(9), "sampling_rate": 8000}, TypeError, "push 2 is .*expected samples"),
    (None, TypeError, r"push 2 is None \(NoneType\), expected samples"),
    (0.5, TypeError, r"push 2 is 0.5 \(float\), expected samples"),
    (np.ma.masked_array([0.1, 0.2], [False, True]), ValueError, "push 2 is a masked array"),
]


@pytest.mark.parametrize(("samples", "error", "match"), BAD, ids=range(len(BAD)))
def test_bad_pushes_leave_the_stream_as_it_was(samples, error, match):
    encoder = MelSpectrogram(n_mels=20)
    stream = encoder.stream()
    found = [stream.push(NOISE[:700]), stream.push([])]
    with pytest.raises(error, match=match):
        stream.push(samples)
    found += [stream.push(NOISE[700:2000]), stream.finish()]
    expected = encoder.transform([NOISE[:2000]])[0]
    np.testing.assert_array_equal(np.concatenate(found, axis=1), expected)


def test_samples_too_large():
    with pytest.raises(ValueError, match="push 0 has a sample of 1e"):
        MelSpectrogram().stream().push(np.full(2000, 1e30))


def test_integers_keep_their_type():
    stream = Waveform().stream()
    stream.push(np.ones(3, np.int16))
    with pytest.raises(TypeError, match="is an array of int32, those before it were of int16"):
        stream.push(np.ones(3, np.int32))
    with pytest.raises(TypeError, match="is an array of float64, those before it were of int16"):
        stream.push(np.ones(3))


def test_wide_integers_that_are_silent_are_warned_of_once():
    stream = Waveform(sample_rate=1000).stream()
    stream.push(np.zeros(600, np.int64))  # silence at the beginning says nothing
    with pytest.warns(UserWarning, match="the stream holds int64 samples up to 700"):
        stream.push(np.full(600, 700, np.int64))
    stream.push(np.full(600, 700, np.int64))
    stream.finish()
    with pytest.warns(UserWarning, match="the stream holds int64 samples up to 7"):
        streamed(Waveform().stream(), [[7, -7]])


def test_after_the_end():
    stream = STFT().stream()
    stream.finish()
    with pytest.raises(ValueError, match=r"push 0: the stream has finished.*call stream\(\) again"):
        stream.push(NOISE)
    with pytest.raises(ValueError, match=r"finish\(\) was called before"):
        stream.finish()


@pytest.mark.parametrize("rate", [44.1, -1, "16000", np.nan])
def test_sample_rates(rate):
    with pytest.raises((ValueError, TypeError), match="sample_rate="):
        MelSpectrogram().stream(rate)


@pytest.mark.parametrize("encoder", [Waveform(), MelSpectrogram(), MFCC(top_db=None, n_fft=500)])
@pytest.mark.parametrize("rate", [None, 22050])
def test_memory_does_not_grow(encoder, rate):
    stream = encoder.stream(rate)
    piece = NOISE[:1600]

    def hear(n):
        for _ in range(n):
            stream.push(piece)

    hear(20)
    tracemalloc.start()
    hear(20)
    before, _ = tracemalloc.get_traced_memory()
    hear(300)
    after, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 20_000
    assert peak < 3_000_000
