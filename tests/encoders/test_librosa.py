"""The encoders against librosa, which has the same parameter names."""

from __future__ import annotations

import warnings

import librosa
import numpy as np
import pytest
import scipy.fft
import soundfile as sf

from skaudio.datasets import load_spoken_digits
from skaudio.dsp._cepstrum import lifter_weights
from skaudio.encoders import MFCC, STFT, MelSpectrogram, Spectrogram
from skaudio.encoders._spectral import framing_of

ENCODERS = [STFT, Spectrogram, MelSpectrogram, MFCC]
# Of the largest value, in a linear scale.
LINEAR = 1e-5
# In dB, with top_db=80. librosa's FFT is in double precision, ours in single: what lies almost
# 80 dB under the maximum feels it, beside a tone and in single bins, before bands average them.
DB_TONE = 1e-2
DB_RECORDING = 1e-3
DB_BIN = 1e-2

FRAMINGS = {
    "defaults": {},
    "8 kHz": {"sample_rate": 8000},
    "11 kHz": {"sample_rate": 11025, "n_mels": 30},
    "22 kHz, music": {
        "sample_rate": 22050,
        "n_fft": 2048,
        "win_length": 2048,
        "hop_length": 512,
        "n_mels": 128,
    },
    "44.1 kHz": {"sample_rate": 44100},
    "48 kHz": {"sample_rate": 48000, "hop_length": 480, "n_fft": 2048},
    "96 kHz": {"sample_rate": 96000},
    "n_fft no power of two": {"n_fft": 400, "win_length": 400, "n_mels": 32},
    "n_fft odd": {"n_fft": 601, "win_length": 399, "hop_length": 101},
    "n_fft prime, all odd": {"n_fft": 521, "win_length": 521, "hop_length": 97},
    "n_fft large": {"n_fft": 3000, "win_length": 1000, "hop_length": 700},
    "window odd in an even frame": {"n_fft": 512, "win_length": 401},
    "hop longer than the window": {
        "win_length": 256,
        "n_fft": 256,
        "hop_length": 1000,
        "n_mels": 20,
    },
    "hop equal to the window": {"win_length": 400, "hop_length": 400},
    "hop of 7": {"win_length": 64, "n_fft": 64, "hop_length": 7, "n_mels": 8},
    "not centred": {"center": False},
    "not centred, odd": {"center": False, "n_fft": 501, "win_length": 301, "hop_length": 77},
    "reflect": {"pad_mode": "reflect"},
    "edge": {"pad_mode": "edge"},
    "symmetric": {"pad_mode": "symmetric"},
    "linear ramp": {"pad_mode": "linear_ramp"},
    "Hamming": {"window": "hamming"},
    "Kaiser": {"window": ("kaiser", 8.0)},
    "boxcar": {"window": "boxcar", "win_length": 512},
    "array as window": {"window": np.linspace(0.1, 1, 400)},
}
MEL = {
    "HTK": {"htk": True},
    "HTK, unnormalised": {"htk": True, "norm": None},
    "unnormalised": {"norm": None},
    "1-norm": {"norm": 1.0},
    "2-norm": {"norm": 2},
    "max-norm": {"norm": np.inf},
    "edges": {"fmin": 80.0, "fmax": 7600.0},
    "narrow": {"fmin": 1000.0, "fmax": 2000.0, "n_mels": 8, "n_fft": 2048},
    "two": {"n_mels": 2},
    "128": {"n_mels": 128, "n_fft": 4096},
    "13": {"n_mels": 13, "htk": True, "fmin": 40.0},
    "magnitudes": {"power": 1.0},
    "odd power": {"power": 1.5},
}
CEPSTRA = {
    "13": {"n_mfcc": 13},
    "as many as mels": {"n_mfcc": 40},
    "one": {"n_mfcc": 1},
    "lifter": {"n_mfcc": 13, "lifter": 22},
    "type 3": {"dct_type": 3},
    "type 3, no norm": {"dct_type": 3, "dct_norm": None},
    "type 2, no norm": {"dct_norm": None},
    "type 1": {"dct_type": 1, "dct_norm": None},
    "many mels": {"n_mfcc": 30, "n_mels": 64, "htk": True},
    "unnormalised mel": {"norm": None},
    "no top_db": {"top_db": None},
    "top_db of 30": {"top_db": 30.0},
    "magnitudes": {"power": 1.0},
}


def theirs(encoder, y):
    """Compute with librosa what the encoder computes."""
    framing = framing_of(encoder)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="n_fft=.* is too large")
        spectrum = librosa.stft(
            y,
            n_fft=framing.n_fft,
            hop_length=framing.hop_length,
            win_length=framing.win_length,
            window=encoder.window,
            center=encoder.center,
            pad_mode=encoder.pad_mode,
        )
    if isinstance(encoder, STFT):
        return spectrum
    features = np.abs(spectrum) ** np.float32(encoder.power)
    if not isinstance(encoder, Spectrogram):
        features = librosa.feature.melspectrogram(
            S=features,
            sr=encoder.sample_rate,
            n_fft=framing.n_fft,
            n_mels=encoder.n_mels,
            fmin=encoder.fmin,
            fmax=encoder.fmax,
            htk=encoder.htk,
            norm=encoder.norm,
        )
    if encoder.scale == "log":
        features = np.log(features + np.float32(encoder.eps))
    elif encoder.scale == "db":
        to_db = librosa.power_to_db if encoder.power == 2.0 else librosa.amplitude_to_db
        features = to_db(features, top_db=encoder.top_db)
    if not isinstance(encoder, MFCC):
        return features
    if encoder.scale == "db":
        return librosa.feature.mfcc(
            S=features,
            n_mfcc=encoder.n_mfcc,
            dct_type=encoder.dct_type,
            norm=encoder.dct_norm,
            lifter=encoder.lifter,
        )
    cepstra = scipy.fft.dct(features, axis=0, type=encoder.dct_type, norm=encoder.dct_norm)
    return cepstra[: encoder.n_mfcc] * lifter_weights(encoder.n_mfcc, encoder.lifter)[:, None]


def build(encoder_class, **parameters):
    """Make an encoder of those parameters it has, linear unless a scale is given."""
    known = encoder_class._get_param_names()
    chosen = {"scale": "linear", **parameters}
    chosen.setdefault("n_mfcc", min(20, chosen.get("n_mels", 40)))
    return encoder_class(**{k: v for k, v in chosen.items() if k in known})


def relative_error(ours, expected):
    """Return the largest error over the largest value (of silence, over the smallest float)."""
    assert ours.shape == expected.shape
    return np.abs(ours - expected).max() / max(np.abs(expected).max(), np.finfo(np.float32).tiny)


@pytest.fixture(scope="module")
def digits():
    """Three recordings of speech, as float32 waveforms, taken to be at any rate."""
    paths = load_spoken_digits().data[[0, 100, 200]]
    return [sf.read(path, dtype="float32")[0] for path in paths]


@pytest.fixture(scope="module")
def tones():
    """Three mixtures of tones, 60 dB apart, and a little noise."""
    t = np.arange(16000) / 16000
    rng = np.random.default_rng(0)
    made = []
    for base in (110.0, 440.0, 1234.5):
        levels = (0.5, 0.05, 0.0005)
        tone = sum(a * np.sin(2 * np.pi * base * k * t) for k, a in enumerate(levels, 1))
        made.append((tone + 1e-4 * rng.standard_normal(len(t))).astype(np.float32))
    return made


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("encoder_class", ENCODERS)
def test_framings(encoder_class, framing, digits, tones, rng):
    encoder = build(encoder_class, **FRAMINGS[framing])
    noise = rng.standard_normal(12345).astype(np.float32)
    for y in [*digits, *tones, noise]:
        (ours,) = encoder.fit_transform([y])
        assert relative_error(ours, theirs(encoder, y)) <= LINEAR


@pytest.mark.parametrize("options", MEL)
@pytest.mark.parametrize("encoder_class", [MelSpectrogram, MFCC])
def test_mel_banks(encoder_class, options, digits, tones):
    encoder = build(encoder_class, **MEL[options])
    for y in digits + tones:
        (ours,) = encoder.fit_transform([y])
        assert relative_error(ours, theirs(encoder, y)) <= LINEAR


@pytest.mark.parametrize("power", [0.5, 1.0, 1.7, 2.0, 3.0])
def test_powers(power, digits):
    encoder = Spectrogram(power=power)
    for y in digits:
        (ours,) = encoder.fit_transform([y])
        assert relative_error(ours, theirs(encoder, y)) <= LINEAR


@pytest.mark.parametrize("options", CEPSTRA)
@pytest.mark.parametrize("scale", ["linear", "db"])
def test_cepstra(scale, options, digits, tones):
    encoder = MFCC(**{"scale": scale, **CEPSTRA[options]})
    for signals, db in ((digits, DB_RECORDING), (tones, DB_TONE)):
        for y in signals:
            (ours,) = encoder.fit_transform([y])
            expected = theirs(encoder, y)
            if scale == "linear":
                assert relative_error(ours, expected) <= LINEAR
            else:
                # Each coefficient weighs every band, by no more than 2 where unnormalised.
                weights = np.linalg.norm(encoder._analysis().dct, axis=1)[:, None]
                error = np.abs(ours - expected) / np.maximum(weights, 1)
                assert error.max() <= db * np.sqrt(encoder.n_mels)


@pytest.mark.parametrize("power", [1.0, 2.0])
@pytest.mark.parametrize("top_db", [80.0, 40.0])
@pytest.mark.parametrize("encoder_class", [Spectrogram, MelSpectrogram])
def test_decibels(encoder_class, top_db, power, digits, tones):
    encoder = encoder_class(scale="db", top_db=top_db, power=power)
    is_mel = encoder_class is MelSpectrogram
    for y in digits:
        error = np.abs(encoder.fit_transform([y])[0] - theirs(encoder, y))
        assert np.quantile(error, 0.999) <= DB_RECORDING
        assert error.max() <= (DB_RECORDING if is_mel else DB_BIN)
    for y in tones:
        error = np.abs(encoder.fit_transform([y])[0] - theirs(encoder, y))
        assert error.max() <= DB_TONE


@pytest.mark.parametrize("eps", [1e-6, 1e-2, 1.0])
@pytest.mark.parametrize("encoder_class", [Spectrogram, MelSpectrogram, MFCC])
def test_natural_logarithm(encoder_class, eps, digits):
    encoder = encoder_class(scale="log", eps=eps)
    tolerance = DB_BIN if encoder_class is Spectrogram else DB_RECORDING
    if encoder_class is MFCC:
        tolerance *= np.sqrt(encoder.n_mels)
    for y in digits:
        (ours,) = encoder.fit_transform([y])
        assert np.abs(ours - theirs(encoder, y)).max() <= tolerance * np.log(10) / 10


def test_defaults_of_mfcc_are_librosas(digits):
    """With librosa's own front end spelled out, one call of each gives the same numbers."""
    y = digits[0]
    frames = {"n_fft": 512, "hop_length": 160, "win_length": 400, "n_mels": 40}
    expected = librosa.feature.mfcc(y=y, sr=16000, n_mfcc=20, **frames)
    np.testing.assert_allclose(MFCC().fit_transform([y])[0], expected, atol=1e-2)


@pytest.mark.parametrize("length", [1, 2, 99, 255, 256, 399, 400, 401, 511, 512, 513])
@pytest.mark.parametrize("encoder_class", ENCODERS)
def test_shorter_than_a_window(encoder_class, length, rng):
    encoder = build(encoder_class)
    y = rng.standard_normal(length).astype(np.float32)
    (ours,) = encoder.fit_transform([y])
    assert relative_error(ours, theirs(encoder, y)) <= LINEAR


@pytest.mark.parametrize("encoder_class", ENCODERS)
def test_silence(encoder_class):
    for scale in ("linear", "log", "db"):
        encoder = build(encoder_class, scale=scale)
        y = np.zeros(4000, np.float32)
        (ours,) = encoder.fit_transform([y])
        np.testing.assert_allclose(ours, theirs(encoder, y), rtol=1e-6, atol=1e-4)


@pytest.mark.parametrize("encoder_class", ENCODERS)
def test_stereo(encoder_class, digits):
    encoder = build(encoder_class)
    n = min(map(len, digits))
    stereo = np.stack([y[:n] for y in digits[:2]])
    (ours,) = encoder.fit_transform([stereo])
    assert relative_error(ours, theirs(encoder, librosa.to_mono(stereo))) <= LINEAR


@pytest.mark.parametrize("source", [8000, 22050, 44100, 96000])
@pytest.mark.parametrize("encoder_class", ENCODERS)
def test_resampled(encoder_class, source, make_clip):
    encoder = build(encoder_class)
    y = make_clip(0.5, source)
    resampled = librosa.resample(y, orig_sr=source, target_sr=16000, res_type="soxr_hq")
    (ours,) = encoder.fit_transform([{"array": y, "sampling_rate": source}])
    assert relative_error(ours, theirs(encoder, resampled)) <= LINEAR


def test_frame_times_of_frames(digits):
    encoder = MFCC()
    (frames,) = encoder.fit_transform(digits[:1])
    expected = librosa.times_like(frames, sr=16000, hop_length=160)
    np.testing.assert_allclose(encoder.frame_times(frames), expected)
