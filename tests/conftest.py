"""What all tests share: small recordings, ways to write them, and where real ones are."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

# scikit-learn's checks train an estimator of these packages some hundred times.
TRAINED = (
    "skaudio.classifiers",
    "skaudio.detectors",
    "skaudio.embedders",
    "skaudio.pretrained._fine",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark scikit-learn's checks of estimators that train a network as slow."""
    for item in items:
        params = item.callspec.params if hasattr(item, "callspec") else {}
        if "check" in params and type(params.get("estimator")).__module__.startswith(TRAINED):
            item.add_marker(pytest.mark.slow)


def named_folder(variable: str, what: str) -> Path:
    """Return the folder that an environment variable names, or skip and say why."""
    if not os.environ.get(variable):
        pytest.skip(f"{variable} names no folder of {what}")
    return Path(os.environ[variable])


@pytest.fixture(scope="session")
def data_home() -> Path:
    """Real recordings, one folder per data set."""
    return named_folder("SKAUDIO_DATA", "real recordings")


@pytest.fixture(scope="session")
def reference_home() -> Path:
    """Numbers of other implementations."""
    return named_folder("SKAUDIO_REFERENCE", "reference numbers")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def make_clip():
    """Make a float32 waveform: a gliding, throbbing tone with its octave, in a little noise."""

    def make(seconds: float = 0.5, sample_rate: float = 16000, *, seed: int = 0) -> np.ndarray:
        rng = np.random.default_rng(seed)
        t = np.arange(round(seconds * sample_rate)) / sample_rate
        glide = 2 * np.pi * np.cumsum(220 + 180 * np.sin(2 * np.pi * (0.3 + 0.1 * seed) * t))
        tone = np.sin(glide / sample_rate) + 0.4 * np.sin(2 * glide / sample_rate)
        throb = 0.6 + 0.4 * np.sin(2 * np.pi * 3 * t + seed)
        clip = 0.3 * tone * throb + 0.02 * rng.standard_normal(len(t))
        return clip.astype(np.float32)

    return make


@pytest.fixture(scope="session")
def write_audio():
    """Write ``(n_times,)`` or ``(n_channels, n_times)`` samples to a file by libsndfile."""

    def write(
        path: Path,
        samples: np.ndarray,
        sample_rate: int = 16000,
        *,
        format: str | None = None,
        subtype: str | None = None,
    ) -> str:
        samples = np.atleast_2d(samples).T
        n_channels = samples.shape[1]
        # A long Ogg file crashes libsndfile if it is written in one call: write it by the second.
        with sf.SoundFile(
            path, "w", sample_rate, n_channels, format=format, subtype=subtype
        ) as file:
            for start in range(0, len(samples), sample_rate):
                file.write(samples[start : start + sample_rate])
        return str(path)

    return write


@pytest.fixture
def wav(tmp_path, make_clip, write_audio) -> str:
    """Half a second of 16-bit WAV at 16 kHz."""
    return write_audio(tmp_path / "clip.wav", make_clip())
