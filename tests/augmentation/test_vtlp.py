"""VTLP: the warped bank against one written from its definition, and what it is for."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
from scipy.fft import dct
from scipy.signal import lfilter
from sklearn.pipeline import make_pipeline

from skaudio.audio import AudioBatch
from skaudio.augmentation import VTLP, Volume
from skaudio.encoders import MFCC, STFT, MelSpectrogram, Spectrogram, Waveform


def warp(f, a, rate):
    """Jaitly & Hinton's formula, frequency by frequency."""
    nyquist = rate / 2
    bound = min(4800, 0.9 * nyquist)
    if f <= bound * min(a, 1) / a:
        return f * a
    ratio = (nyquist - bound * min(a, 1)) / (nyquist - bound * min(a, 1) / a)
    return nyquist - ratio * (nyquist - f)


def warped_bank(rate, n_fft, n_mels, a, htk=False, fmin=0.0, fmax=None):
    """Triangles between warped edges, weight by weight; Slaney widths are the unwarped ones."""
    edges = librosa.mel_frequencies(n_mels + 2, fmin=fmin, fmax=fmax or rate / 2, htk=htk)
    bank = np.zeros((n_mels, n_fft // 2 + 1))
    for m in range(n_mels):
        low, centre, high = (warp(f, a, rate) for f in edges[m : m + 3])
        for k in range(bank.shape[1]):
            f = k * rate / n_fft
            if low < f <= centre:
                bank[m, k] = (f - low) / (centre - low)
            elif centre < f < high:
                bank[m, k] = (high - f) / (high - centre)
        bank[m] *= 2 / (edges[m + 2] - edges[m])
    return bank


def brute_force(x, rate, n_fft, win, hop, bank):
    spectrum = librosa.stft(
        x.astype(np.float64), n_fft=n_fft, win_length=win, hop_length=hop, pad_mode="constant"
    )
    return bank @ np.abs(spectrum) ** 2


@pytest.mark.parametrize("factor", [0.8, 0.9, 0.97, 1.03, 1.1, 1.2])
@pytest.mark.parametrize(
    ("rate", "n_mels", "options"),
    [
        (16000, 40, {}),
        (8000, 23, {"htk": True}),
        (22050, 64, {"fmin": 50.0, "fmax": 9000.0}),
    ],
)
def test_mel_equals_a_warped_bank(make_clip, factor, rate, n_mels, options):
    x = make_clip(0.4, rate)
    marked = VTLP(factor).fit_transform(AudioBatch([x], rate))
    got = MelSpectrogram(
        sample_rate=rate, n_fft=1024, win_length=600, hop_length=200, n_mels=n_mels,
        scale="linear", **options,
    ).transform(marked)[0]  # fmt: skip
    bank = warped_bank(rate, 1024, n_mels, factor, **options)
    expected = brute_force(x, rate, 1024, 600, 200, bank)
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-6 * expected.max())


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_mfcc_equals_a_warped_bank(make_clip, factor):
    x = make_clip()
    marked = VTLP(factor).fit_transform([x])
    got = MFCC(n_fft=512, win_length=400, hop_length=160).transform(marked)[0]
    mel = brute_force(x, 16000, 512, 400, 160, warped_bank(16000, 512, 40, factor))
    db = librosa.power_to_db(mel, top_db=80)
    np.testing.assert_allclose(got, dct(db, axis=0, norm="ortho")[:20], rtol=0, atol=0.02)


@pytest.mark.parametrize("encoder", [MelSpectrogram(), MFCC()])
def test_factor_one_is_bit_equal_to_none(make_clip, encoder):
    x = [make_clip(0.3), make_clip(0.5, seed=1)]
    marked = VTLP(1.0).fit_transform(x)
    assert marked.warp_factors == (1.0, 1.0)
    for a, b in zip(encoder.transform(marked), encoder.transform(x), strict=True):
        np.testing.assert_array_equal(a, b)


def vowel(scale, rate=16000):
    """A whispered vowel: noise through resonances at the formants of /a/, times a factor."""
    x = np.random.default_rng(0).normal(size=2 * rate)
    for formant, bandwidth in ((700, 80), (1200, 100), (2600, 150), (3400, 200)):
        radius = np.exp(-np.pi * bandwidth * scale / rate)
        angle = 2 * np.pi * formant * scale / rate
        x = lfilter([1], [1, -2 * radius * np.cos(angle), radius**2], x)
    return (x / np.abs(x).max()).astype(np.float32)


@pytest.mark.parametrize("factor", [0.85, 0.92, 1.08, 1.15])
def test_a_vowel_of_another_tract_moves_onto_the_unwarped_mel(factor):
    """A speaker whose formants lie higher by a factor, seen through filters moved up by it."""
    mel = MelSpectrogram(n_mels=40, scale="db")
    reference = mel.transform([vowel(1)])[0].mean(axis=1)

    def distance(x):
        difference = mel.transform(x)[0].mean(axis=1) - reference
        shape = (difference - difference.mean())[:34]  # up to the knee
        return np.sqrt(np.mean(shape**2))

    other = vowel(factor)
    unwarped, warped = distance([other]), distance(VTLP(factor).fit_transform([other]))
    wrong_way = distance(VTLP(round(1 / factor, 2)).fit_transform([other]))
    assert warped < 0.35 * unwarped
    assert wrong_way > 1.5 * unwarped


def test_factors_are_hundredths_inside_the_range():
    X = np.zeros((2000, 4))
    warp_factors = np.array(VTLP((0.905, 1.095), random_state=0).fit_transform(X).warp_factors)
    np.testing.assert_array_equal(
        np.unique(warp_factors), np.round(np.arange(0.91, 1.095, 0.01), 2)
    )
    counts = np.unique(warp_factors, return_counts=True)[1]
    assert counts.min() > 60  # 105 each on average
    assert counts.max() < 160
    assert VTLP(0.957).fit_transform(X[:1]).warp_factors == (0.96,)


def test_factors_multiply():
    marked = make_pipeline(VTLP(1.1), Volume(), VTLP(0.9)).fit_transform([np.zeros(100)])
    assert marked.warp_factors == (0.99,)


def test_the_mark_travels_through_other_steps(make_clip):
    x = {"array": make_clip(0.5, 22050), "sampling_rate": 22050}
    encoder = make_pipeline(VTLP(1.1), Volume(0.0), Waveform(), MelSpectrogram(n_mels=30))
    direct = make_pipeline(VTLP(1.1), MelSpectrogram(n_mels=30))
    np.testing.assert_array_equal(encoder.fit_transform([x]), direct.fit_transform([x]))
    in_pandas = make_pipeline(VTLP(1.1), Volume(0.0), Waveform()).set_output(transform="pandas")
    frames = MelSpectrogram(n_mels=30).fit_transform(in_pandas.fit_transform([x]))
    np.testing.assert_array_equal(frames, direct.fit_transform([x]))


@pytest.mark.parametrize("encoder", [Spectrogram(), STFT()])
def test_an_encoder_without_a_mel_bank_refuses_marked_recordings(make_clip, encoder):
    model = make_pipeline(VTLP(1.1), encoder)
    with pytest.raises(ValueError, match=r"recording 0 is marked .*1.1 by VTLP.*MelSpectrogram or"):
        model.fit_transform([make_clip()])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ((1.1, 0.9), r"warp=\(1.1, 0.9\): low > high.*did you mean \(0.9, 1.1\)"),
        ((-0.1, 0.1), r"warp=\(-0.1, 0.1\): expected numbers that are .*>= 0.5 and <= 2"),
        (10, "warp=10"),
        (None, "warp=None: expected a number or a range"),
    ],
)
def test_bad_factors(value, message):
    with pytest.raises((ValueError, TypeError), match=message):
        VTLP(value).fit([np.zeros(100)])
