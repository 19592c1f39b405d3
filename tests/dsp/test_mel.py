"""Mel scales and filter banks, plain and warped."""

from __future__ import annotations

import warnings

import librosa
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from skaudio.dsp._mel import (
    hz_to_mel,
    mel_filterbank,
    mel_frequencies,
    mel_to_hz,
    warp_frequencies,
)
from skaudio.dsp._torch_program import apply_bank


@pytest.mark.parametrize("htk", [False, True])
def test_scales_are_librosas(htk):
    hz = np.array([0.0, 1.0, 440.0, 999.9, 1000.0, 1000.1, 8000.0, 48000.0])
    mel = librosa.hz_to_mel(hz, htk=htk)
    np.testing.assert_allclose(hz_to_mel(hz, htk=htk), mel, rtol=1e-12)
    np.testing.assert_allclose(mel_to_hz(mel, htk=htk), hz, rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(
        mel_frequencies(40, 20.0, 8000.0, htk=htk),
        librosa.mel_frequencies(40, fmin=20.0, fmax=8000.0, htk=htk),
        rtol=1e-12,
    )


@pytest.mark.parametrize("norm", ["slaney", None, 1.0, 2.0, np.inf])
@pytest.mark.parametrize("htk", [False, True])
@pytest.mark.parametrize(
    ("sample_rate", "n_fft", "n_mels", "fmin", "fmax"),
    [
        (16000, 512, 64, 0.0, 8000.0),
        (16000, 401, 40, 133.3, 6855.5),
        (22050, 2048, 128, 0.0, 11025.0),
        (8000, 256, 23, 20.0, 3700.0),
        (16000, 512, 128, 0.0, 8000.0),  # some HTK filters are empty
        (96000, 4096, 1, 0.0, 48000.0),
    ],
)
def test_banks_are_librosas(sample_rate, n_fft, n_mels, fmin, fmax, htk, norm):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Empty filters detected")
        expected = librosa.filters.mel(
            sr=sample_rate, n_fft=n_fft, n_mels=n_mels, fmin=fmin, fmax=fmax, htk=htk, norm=norm
        )
    bank = mel_filterbank(sample_rate, n_fft, n_mels, fmin, fmax, htk, norm)
    np.testing.assert_allclose(bank.weights, expected, rtol=1e-5, atol=1e-7 * expected.max())
    np.testing.assert_array_equal(bank.empty, np.flatnonzero(~expected.any(axis=1)))


@given(n_mels=st.integers(1, 80), n_fft=st.integers(8, 600), warp=st.floats(0.7, 1.4))
def test_blocks_are_the_dense_product(n_mels, n_fft, warp):
    bank = mel_filterbank(16000, n_fft, n_mels, 0.0, 8000.0, warp_factor=warp)
    spectra = torch.from_numpy(
        np.random.default_rng(n_fft).uniform(size=(3, n_fft // 2 + 1)).astype(np.float32)
    )
    expected = spectra.numpy() @ bank.weights.T
    np.testing.assert_allclose(apply_bank(bank, spectra).numpy(), expected, rtol=1e-5, atol=1e-9)


def by_the_formula(f, a, nyquist):
    """Jaitly & Hinton 2013, equation 1, one frequency at a time."""
    low = min(4800.0, 0.9 * nyquist)
    bound = low * min(a, 1)
    if f <= bound / a:
        return f * a
    return nyquist - (nyquist - bound) / (nyquist - bound / a) * (nyquist - f)


@given(
    f=st.floats(0, 1), a=st.floats(0.5, 2), sample_rate=st.sampled_from([8000, 16000, 22050, 96000])
)
def test_warping_by_the_formula(f, a, sample_rate):
    nyquist = sample_rate / 2
    (warped,) = warp_frequencies(np.array([f * nyquist]), a, sample_rate)
    assert warped == pytest.approx(by_the_formula(f * nyquist, a, nyquist), rel=1e-9, abs=1e-6)


@pytest.mark.parametrize("warp", [0.8, 0.9, 1.0, 1.1, 1.25])
def test_warping_keeps_order_and_ends(warp):
    hz = np.linspace(0, 8000, 1000)
    warped = warp_frequencies(hz, warp, 16000)
    assert np.all(np.diff(warped) > 0)
    np.testing.assert_allclose(warped[[0, -1]], [0, 8000], atol=1e-9)
    if warp > 1:
        assert np.all(warped[1:-1] > hz[1:-1])  # above 1 the filters move up
    if warp < 1:
        assert np.all(warped[1:-1] < hz[1:-1])


def test_warped_bank_moves_its_filters_and_keeps_its_widths_norm():
    plain = mel_filterbank(16000, 512, 40, 0.0, 8000.0)
    up = mel_filterbank(16000, 512, 40, 0.0, 8000.0, warp_factor=1.1)
    bins = np.arange(257)
    centres = [(b.weights * bins).sum(axis=1) / b.weights.sum(axis=1) for b in (plain, up)]
    assert np.all(centres[1][1:-1] > centres[0][1:-1])
    edges = mel_frequencies(42, 0.0, 8000.0)
    unnormalised = mel_filterbank(16000, 512, 40, 0.0, 8000.0, norm=None, warp_factor=1.1)
    np.testing.assert_allclose(
        up.weights, unnormalised.weights * (2 / (edges[2:] - edges[:-2]))[:, None], rtol=1e-6
    )


def test_factor_of_one_is_no_warping():
    plain = mel_filterbank(16000, 512, 40, 0.0, 8000.0)
    np.testing.assert_array_equal(
        mel_filterbank(16000, 512, 40, 0.0, 8000.0, warp_factor=1.0).weights, plain.weights
    )
    hz = np.linspace(0, 8000, 9)
    np.testing.assert_array_equal(warp_frequencies(hz, 1.0, 16000), hz)


def test_banks_are_shared_and_read_only():
    bank = mel_filterbank(16000, 512, 40, 0.0, 8000.0)
    with pytest.raises(ValueError, match="read-only"):
        bank.weights[0] = 1
