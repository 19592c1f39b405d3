"""Recordings with tones somewhere in noise, and where they are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from skaudio.encoders import MelSpectrogram

RATE = 8000
PITCH = {"high": 2000, "low": 400}
SMALL = {
    # Frames of 20 ms, two of which become one of the detector; no recurrent layers: seconds saved.
    "encoder": MelSpectrogram(sample_rate=RATE, n_mels=16, hop_length=160),
    "channels": (4, 8),
    "frame_stride": 2,
    "n_layers": 0,
    "hidden_size": 6,
    "max_epochs": 25,
    "batch_size": 8,
    "lr": 2e-2,
    "random_state": 0,
}


def make_tones(n, seconds, seed, most=2):
    """Return n waveforms with up to ``most`` tones each, and their events."""
    rng = np.random.default_rng(seed)
    waveforms, rows = [], []
    for i in range(n):
        length = round(seconds * RATE * rng.uniform(0.7, 1.0))
        waveform = 0.01 * rng.standard_normal(length)
        for label in rng.permutation(sorted(PITCH))[: rng.integers(0, most + 1)]:
            size = round(rng.uniform(0.3, 0.6) * RATE)
            start = rng.integers(length - size)
            hz = PITCH[label] * rng.uniform(0.9, 1.1)
            waveform[start : start + size] += 0.2 * np.sin(2 * np.pi * hz * np.arange(size) / RATE)
            rows.append((i, start / RATE, (start + size) / RATE, str(label)))
        waveforms.append(waveform.astype(np.float32))
    return waveforms, pd.DataFrame(rows, columns=["file", "onset", "offset", "event_label"])


def weak(events, n):
    """Lists of labels."""
    return [sorted(set(events[events["file"] == i]["event_label"])) for i in range(n)]


@pytest.fixture(scope="session")
def tones():
    return make_tones(36, 2.0, seed=0)


@pytest.fixture(scope="session")
def other_tones():
    return make_tones(16, 2.0, seed=1)
