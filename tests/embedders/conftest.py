"""Recordings of a few "speakers": tones with a timbre each, saying one of two things."""

import numpy as np
import pytest


@pytest.fixture(scope="session")
def voices():
    """X (waveforms of many lengths), speaker, word."""
    rng = np.random.default_rng(0)
    speakers = np.repeat(["ann", "bob", "eve", "joe"], 16)
    words = np.tile(["low", "high"], 32)
    timbres = {name: rng.uniform(0.05, 1, 6) for name in np.unique(speakers)}
    waveforms = []
    for speaker, word in zip(speakers, words, strict=True):
        n = rng.integers(2400, 5600)
        f0 = (180 if word == "low" else 320) * rng.uniform(0.95, 1.05)
        t = np.arange(n) / 16000
        harmonics = timbres[speaker] * np.sin(2 * np.pi * f0 * np.outer(t, np.arange(1, 7)))
        tone = harmonics.sum(axis=1) * np.hanning(n)
        waveforms.append((0.2 * tone + 0.01 * rng.standard_normal(n)).astype(np.float32))
    return waveforms, speakers, words
