"""The way back: exact for the complex spectrum, as near as librosa's for magnitudes."""

from __future__ import annotations

import warnings

import librosa
import numpy as np
import pytest
import soundfile as sf
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from skaudio.audio import AudioBatch
from skaudio.datasets import load_spoken_digits
from skaudio.encoders import MFCC, STFT, MelSpectrogram, Spectrogram

FRAMES = {"n_fft": 512, "win_length": 400, "hop_length": 160}
FRAMINGS = {
    "defaults": {},
    "three quarters overlap": {"n_fft": 1024, "win_length": 1024, "hop_length": 256},
    "n_fft no power of two": {"n_fft": 400, "win_length": 400, "hop_length": 100},
    "odd": {"n_fft": 501, "win_length": 399, "hop_length": 101},
    "window odd in an even frame": {"n_fft": 512, "win_length": 301, "hop_length": 70},
    "hop of 1": {"n_fft": 16, "win_length": 16, "hop_length": 1},
    "Hamming": {"window": "hamming"},
    "boxcar": {"window": "boxcar", "win_length": 256, "hop_length": 128},
    "reflect": {"pad_mode": "reflect"},
    "96 kHz": {"sample_rate": 96000},
}


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("length", [1, 150, 4000, 4001, 16000])
def test_stft_round_trip(framing, length, rng):
    stft = STFT(**FRAMINGS[framing])
    clip = rng.uniform(-1, 1, length).astype(np.float32)
    (back,) = stft.inverse_transform(stft.fit_transform([clip]), lengths=length)
    assert back.dtype == np.float32
    assert back.shape == clip.shape
    assert np.abs(back - clip).max() < 1e-5


@given(
    n_fft=st.integers(2, 400),
    part=st.floats(0.05, 1),
    overlap=st.floats(0.05, 0.5),
    length=st.integers(1, 2000),
)
@settings(max_examples=100, deadline=None)
def test_stft_round_trip_of_any_framing(n_fft, part, overlap, length):
    win_length = max(int(part * n_fft), 2)
    hop_length = max(int(overlap * win_length), 1)
    # A recording that ends beyond the last window is not seen to its end.
    seen = hop_length * (length // hop_length) + win_length // 2 - 1
    assume(length <= seen)
    clip = np.random.default_rng(length).uniform(-1, 1, length).astype(np.float32)
    stft = STFT(n_fft=n_fft, win_length=win_length, hop_length=hop_length, window="hamming")
    (back,) = stft.inverse_transform(stft.fit_transform([clip]), lengths=length)
    assert np.abs(back - clip).max() < 1e-5


def test_stft_round_trip_not_centred(rng):
    """Without padding the first and last samples lie under the window's feet alone."""
    clip = rng.uniform(-1, 1, 512 + 160 * 20).astype(np.float32)
    stft = STFT(center=False, window="hamming", win_length=512)
    (back,) = stft.inverse_transform(stft.fit_transform([clip]))
    assert back.shape == clip.shape
    assert np.abs(back - clip).max() < 1e-5


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("length", [None, 5000, 9000])
def test_istft_is_librosas(center, length, rng):
    """Also of what is no spectrum of anything."""
    spectrum = rng.standard_normal((257, 50)) + 1j * rng.standard_normal((257, 50))
    stft = STFT(center=center, **FRAMES)
    (ours,) = stft.inverse_transform(spectrum[np.newaxis], lengths=length)
    theirs = librosa.istft(spectrum.astype(np.complex64), center=center, length=length, **FRAMES)
    # At the ends librosa leaves the sum as it is where the windows fade; look where they do not.
    inner = slice(0 if center else 400, min(len(ours), len(theirs)) - 400)
    assert len(ours) == len(theirs)
    np.testing.assert_allclose(ours[inner], theirs[inner], atol=1e-4)


def test_batches_of_any_lengths(make_clip):
    clips = [make_clip(s, seed=i) for i, s in enumerate((0.2, 0.31, 0.45))]
    stft = STFT()
    back = stft.inverse_transform(stft.fit_transform(clips), lengths=[len(c) for c in clips])
    assert isinstance(back, AudioBatch)
    assert back.sample_rate == 16000
    for ours, clip in zip(back, clips, strict=True):
        np.testing.assert_allclose(ours, clip, atol=1e-5)
    again = stft.fit_transform(back)  # what comes back is recordings
    for ours, spectrum in zip(again, stft.fit_transform(clips), strict=True):
        np.testing.assert_allclose(ours, spectrum, atol=1e-3)


def test_pandas_output_goes_back(make_clip):
    clips = [make_clip(0.2), make_clip(0.3)]
    for encoder in (STFT(), MFCC()):
        frames = encoder.fit_transform(clips)
        cells = encoder.set_output(transform="pandas").transform(clips)
        seed = {"random_state": 0} if isinstance(encoder, MFCC) else {}
        for a, b in zip(
            encoder.inverse_transform(frames, **seed),
            encoder.inverse_transform(cells, **seed),
            strict=True,
        ):
            np.testing.assert_array_equal(a, b)


def convergence(target, waveform):
    """Return the spectral convergence: the error of the magnitudes over their norm."""
    found = np.abs(librosa.stft(waveform, **FRAMES))
    return np.linalg.norm(found - target) / np.linalg.norm(target)


def theirs(kind, y, seed):
    """Analyse and rebuild with librosa what our encoder of this class does."""
    common = {"n_iter": 32, "length": len(y), **FRAMES}
    if kind is Spectrogram:
        magnitude = np.abs(librosa.stft(y, **FRAMES))
        return librosa.griffinlim(magnitude, random_state=seed, **common)
    if kind is MelSpectrogram:
        mel = librosa.feature.melspectrogram(y=y, sr=16000, n_mels=64, **FRAMES)
        return librosa.feature.inverse.mel_to_audio(mel, sr=16000, **common)
    mfcc = librosa.feature.mfcc(y=y, sr=16000, n_mfcc=20, n_mels=40, **FRAMES)
    return librosa.feature.inverse.mfcc_to_audio(mfcc, sr=16000, n_mels=40, **common)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Spectrogram, MelSpectrogram, MFCC])
def test_griffin_lim_is_no_worse_than_librosas(kind, make_clip):
    paths = load_spoken_digits().data[[0, 60, 120, 240]]
    clips = [sf.read(path, dtype="float32")[0] for path in paths] + [make_clip(0.5)]
    encoder = kind()
    frames = encoder.fit_transform(clips)
    n = [len(c) for c in clips]
    ours, librosas = [], []
    for seed in range(2):
        rebuilt = encoder.inverse_transform(frames, lengths=n, random_state=seed)
        for clip, waveform in zip(clips, rebuilt, strict=True):
            target = np.abs(librosa.stft(clip, **FRAMES))
            ours.append(convergence(target, waveform))
            librosas.append(convergence(target, theirs(kind, clip, seed)))
    assert np.mean(ours) <= 1.03 * np.mean(librosas)  # the starting phases are random


@pytest.mark.parametrize(
    "encoder",
    [
        Spectrogram(scale="db", top_db=None),
        Spectrogram(scale="log", power=1.0),
        Spectrogram(power=0.7),
        MelSpectrogram(scale="db", n_mels=128, n_fft=2048),
        MelSpectrogram(scale="linear", htk=True, norm=None),
        MelSpectrogram(power=1.0),
        MFCC(n_mfcc=40, dct_type=3),
        MFCC(n_mfcc=40, lifter=22),
        MFCC(n_mfcc=40, dct_type=1, dct_norm=None, scale="log"),
    ],
    ids=repr,
)
def test_every_scale_goes_back(encoder, make_clip):
    """The level and the pitch return, whatever the frames were written in."""
    clip = make_clip(0.4)
    frames = encoder.fit_transform([clip])
    (back,) = encoder.inverse_transform(frames, lengths=len(clip))
    a, b = (Spectrogram(power=1.0).fit_transform([y])[0] for y in (clip, back))
    assert np.sqrt(np.mean(back**2)) == pytest.approx(np.sqrt(np.mean(clip**2)), rel=0.25)
    assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.8


@pytest.mark.parametrize("kind", [Spectrogram, MelSpectrogram, MFCC])
def test_silence_goes_back(kind):
    encoder = kind(scale="linear")
    (back,) = encoder.inverse_transform(encoder.fit_transform([np.zeros(4000)]))
    np.testing.assert_array_equal(back, np.zeros(4000))


def test_same_seed_same_waveform(make_clip):
    frames = Spectrogram().fit_transform([make_clip(0.2)])
    first, again, other = (
        Spectrogram().inverse_transform(frames, n_iter=2, random_state=seed)[0]
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_more_iterations_come_nearer(make_clip):
    clip = make_clip(0.4)
    frames = Spectrogram().fit_transform([clip])
    target = np.abs(librosa.stft(clip, **FRAMES))
    errors = [
        convergence(target, Spectrogram().inverse_transform(frames, lengths=len(clip), n_iter=n)[0])
        for n in (1, 8, 64)
    ]
    assert errors[0] > errors[1] > errors[2]


def test_no_warning_of_numpy_or_torch(make_clip):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for encoder in (STFT(), Spectrogram(), MelSpectrogram(), MFCC()):
            encoder.inverse_transform(encoder.fit_transform([make_clip(0.1)]))


@pytest.mark.parametrize(
    ("encoder", "X", "options", "message"),
    [
        (
            STFT(hop_length=400, win_length=400),
            np.ones((1, 257, 9), np.complex64),
            {},
            "hop_length=400 with win_length=400.*leaves samples that no frame sees",
        ),
        (
            STFT(),
            np.ones((1, 200, 9), complex),
            {},
            r"recording 0 .*\(200, 9\), expected \(257, n_frames\)",
        ),
        (Spectrogram(), np.ones((1, 200, 9)), {}, "Frames of 200 features, expected the 257 of"),
        (MFCC(), np.ones((1, 20, 9)), {"n_iter": 0}, "n_iter=0: expected an integer of 1 or more"),
        (MFCC(), np.ones((2, 20, 9)), {"lengths": [900]}, "1 lengths given for 2 recordings"),
        (MFCC(lifter=2), np.ones((1, 20, 9)), {}, "lifter=2 zeroes a coefficient"),
    ],
)
def test_what_cannot_go_back_is_refused(encoder, X, options, message):
    with pytest.raises(ValueError, match=message):
        encoder.inverse_transform(X, **options)


def test_magnitudes_are_no_stft():
    with pytest.raises(TypeError, match=r"spectrum of float32, expected complex.*Spectrogram\(\)"):
        STFT().inverse_transform(np.ones((1, 257, 9), np.float32))
