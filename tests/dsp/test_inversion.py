"""Overlap-add, coverage and what filters let guess."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from skaudio.dsp import Framing
from skaudio.dsp._inversion import check_invertible, griffin_lim, istft, unmix
from skaudio.dsp._mel import mel_filterbank


def by_loops(spectrum, framing):
    """Weighted overlap-add, one sample at a time."""
    n_frames = spectrum.shape[1]
    window = np.zeros(framing.n_fft)
    window[framing.lead : framing.lead + framing.win_length] = framing.weights
    total = framing.n_fft + framing.hop_length * (n_frames - 1)
    signal, energy = np.zeros(total), np.zeros(total)
    for t in range(n_frames):
        frame = np.fft.irfft(spectrum[:, t], framing.n_fft)
        for i in range(framing.n_fft):
            signal[t * framing.hop_length + i] += frame[i] * window[i]
            energy[t * framing.hop_length + i] += window[i] ** 2
    signal = np.where(energy > 1e-10, signal / np.maximum(energy, 1e-10), signal)
    return signal[framing.margin : total - framing.margin]


@pytest.mark.parametrize(
    "framing",
    [
        Framing(16, 16, 4),
        Framing(16, 10, 3),
        Framing(15, 9, 4),
        Framing(16, 16, 4, center=False),
        Framing(8, 8, 8, "boxcar"),
    ],
)
def test_istft_by_loops(framing, rng):
    shape = (framing.n_bins, 9)
    spectrum = (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)
    ours = istft(torch.from_numpy(spectrum), framing).numpy()
    expected = by_loops(spectrum, framing)
    # Where the window has all but faded, its square divides rounding errors by next to nothing.
    np.testing.assert_allclose(ours, expected, atol=1e-4 * np.abs(expected).max())


def test_istft_pads_and_trims_to_a_length(rng):
    spectrum = torch.from_numpy(rng.standard_normal((9, 5)).astype(np.complex64))
    framing = Framing(16, 16, 4)
    whole = istft(spectrum, framing)
    assert whole.shape == (16,)
    np.testing.assert_array_equal(istft(spectrum, framing, 7), whole[:7])
    assert istft(spectrum, framing, 100).shape == (100,)


def test_istft_of_a_batch(rng):
    spectra = torch.from_numpy(rng.standard_normal((3, 9, 5)).astype(np.complex64))
    framing = Framing(16, 16, 4)
    together = istft(spectra, framing)
    for one, spectrum in zip(together, spectra, strict=True):
        np.testing.assert_allclose(one, istft(spectrum, framing), atol=1e-6)


@pytest.mark.parametrize(
    ("framing", "possible"),
    [
        (Framing(512, 400, 200), True),
        (Framing(512, 400, 399), True),  # barely: under the feet of two windows
        (Framing(512, 400, 400), False),  # a Hann window begins with a zero
        (Framing(512, 400, 401), False),
        (Framing(512, 400, 400, "boxcar"), True),
        (Framing(512, 400, 401, "boxcar"), False),
        (Framing(512, 400, 400, "hamming"), True),
    ],
)
def test_coverage(framing, possible):
    if possible:
        check_invertible(framing)
    else:
        with pytest.raises(ValueError, match="leaves samples that no frame sees"):
            check_invertible(framing)


def test_griffin_lim_without_momentum_never_gets_worse(rng):
    """The original method's guarantee: the error of the magnitudes falls in every iteration."""
    framing = Framing(64, 64, 16)
    stft = Framed(framing)
    target = np.abs(stft(rng.standard_normal(800).astype(np.float32)))
    errors = []
    for n_iter in (1, 2, 4, 8, 16, 32):
        waveform = griffin_lim(
            target, stft, framing, n_iter=n_iter, seed=0, length=800, momentum=0.0
        )
        errors.append(np.linalg.norm(np.abs(stft(waveform)) - target))
    assert errors == sorted(errors, reverse=True)


class Framed:
    """A plain STFT to iterate with."""

    def __init__(self, framing):
        self.framing = framing

    def __call__(self, waveform):
        f = self.framing
        padded = f.pad(waveform)
        starts = range(0, f.hop_length * f.n_frames(len(waveform)), f.hop_length)
        frames = np.stack([padded[s : s + f.n_fft] for s in starts])
        return np.fft.rfft(frames * f.weights, axis=1).T.astype(np.complex64)


@pytest.mark.parametrize("level", [1e-12, 1.0, 1e6])
def test_unmixed_spectra_explain_the_filters(level, rng):
    bank = mel_filterbank(16000, 512, 40, 0.0, 8000.0)
    spectra = level * rng.exponential(size=(257, 6)).astype(np.float32)
    filtered = bank.weights @ spectra
    found = unmix(filtered, bank.weights)
    assert found.dtype == np.float32
    assert found.min() >= 0
    np.testing.assert_allclose(bank.weights @ found, filtered, rtol=0.05)


def test_unmixed_silence_is_silent():
    bank = mel_filterbank(16000, 512, 40, 0.0, 8000.0)
    np.testing.assert_array_equal(unmix(np.zeros((40, 3), np.float32), bank.weights), 0)
