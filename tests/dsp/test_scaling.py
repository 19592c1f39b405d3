"""Linear, logarithmic and decibel scales."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
import torch

from skaudio.dsp._stages import Scale


@pytest.fixture
def powers(rng):
    """From far below librosa's floor to loud."""
    return (10.0 ** rng.uniform(-14, 3, (20, 30))).astype(np.float32)


def scaled(scale, spectrum):
    return scale.clip(scale.apply(torch.from_numpy(spectrum))).numpy()


@pytest.mark.parametrize("top_db", [80.0, 20.0, None])
def test_decibels_are_librosas(powers, top_db):
    np.testing.assert_allclose(
        scaled(Scale("db", 2.0, top_db=top_db), powers),
        librosa.power_to_db(powers, top_db=top_db),
        atol=1e-4,
    )
    amplitudes = np.sqrt(powers)
    np.testing.assert_allclose(
        scaled(Scale("db", 1.0, top_db=top_db), amplitudes),
        librosa.amplitude_to_db(amplitudes, top_db=top_db),
        atol=1e-4,
    )


@pytest.mark.parametrize("power", [0.5, 1.0, 1.7, 2.0, 3.0])
def test_decibels_do_not_depend_on_the_power(powers, power):
    ours = scaled(Scale("db", power), np.sqrt(powers) ** np.float32(power))
    np.testing.assert_allclose(ours, librosa.power_to_db(powers), atol=1e-3)


def test_natural_logarithm(powers):
    np.testing.assert_allclose(
        scaled(Scale("log", eps=1e-6), powers), np.log(powers + np.float32(1e-6)), atol=1e-5
    )


@pytest.mark.parametrize("kind", ["linear", "log", "db"])
@pytest.mark.parametrize("power", [1.0, 2.0])
def test_undo(powers, kind, power):
    scale = Scale(kind, power, top_db=None)
    heard = np.maximum(powers, 1e-4)  # of what is under floor or eps nothing is left
    back = scale.undo(torch.from_numpy(scaled(scale, heard))).numpy()
    np.testing.assert_allclose(back, heard, rtol=2e-2 if kind == "log" else 1e-4)


@pytest.mark.parametrize("kind", ["linear", "log", "db"])
def test_undo_is_never_negative(kind):
    assert Scale(kind).undo(torch.tensor([-1e4, -1.0, 0.0])).min() >= 0


def test_only_decibels_with_a_range_clip(powers):
    assert Scale("db").clips
    for scale in (Scale("db", top_db=None), Scale("log"), Scale("linear")):
        assert not scale.clips
        spectrum = torch.from_numpy(powers)
        assert scale.clip(spectrum) is spectrum
