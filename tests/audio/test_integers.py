"""Integer samples are scaled by their full range, unsigned ones centred first."""

from __future__ import annotations

import numpy as np
import pytest

from skaudio.encoders import MelSpectrogram, Waveform


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.uint8, np.uint16])
@pytest.mark.parametrize("form", ["list", "2-D", "stereo", "mapping"])
def test_integers_are_scaled_by_their_full_range(dtype, form):
    info = np.iinfo(dtype)
    centre = (int(info.max) + int(info.min) + 1) // 2
    half = (int(info.max) - int(info.min) + 1) / 2
    samples = np.array([info.min, centre, info.max, centre + 1] * 50, dtype=dtype)
    scaled = (samples.astype(np.float64) - centre) / half
    X = {
        "list": [samples],
        "2-D": samples[np.newaxis],
        "stereo": [np.stack([samples, samples])],
        "mapping": [{"array": samples, "sampling_rate": 16000}],
    }[form]
    ours = np.asarray(Waveform().fit_transform(X))[0]
    assert ours.dtype == np.float32
    np.testing.assert_allclose(ours, scaled, rtol=2e-7)
    assert ours.min() == -1.0


def test_unsigned_silence_is_silent():
    frames = MelSpectrogram().fit_transform([np.full(8000, 128, np.uint8)])
    np.testing.assert_allclose(frames, np.log(1e-6))
