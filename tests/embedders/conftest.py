"""Recordings of a few "speakers", each with a resonance of its own, who say two words."""

import numpy as np
import pytest

SPEAKERS = ["ann", "bob", "eve", "joe", "kim", "lou"]


@pytest.fixture(scope="session")
def voices():
    """X (waveforms of many lengths), speaker, word: 16 recordings of each speaker."""
    rng = np.random.default_rng(0)
    speakers, words = np.repeat(SPEAKERS, 16), np.tile(["low", "high"], 48)
    resonances = dict(zip(SPEAKERS, rng.permutation(np.linspace(500, 3500, 6)), strict=True))
    waveforms = []
    for speaker, word in zip(speakers, words, strict=True):
        n = rng.integers(2400, 5600)
        harmonics = np.arange(1, 21) * (150 if word == "low" else 300) * rng.uniform(0.95, 1.05)
        levels = 0.1 + np.exp(-0.5 * ((harmonics - resonances[speaker]) / 400) ** 2)
        tone = levels @ np.sin(2 * np.pi * np.outer(harmonics, np.arange(n) / 16000))
        noise = 0.005 * rng.standard_normal(n)
        waveforms.append((0.05 * tone * np.hanning(n) + noise).astype(np.float32))
    return waveforms, speakers, words
