"""One analysis, however it is computed: for one recording, or for a batch on a device."""

from __future__ import annotations

import pickle
from functools import partial

import numpy as np
import pytest

from skaudio.dsp import Framing, Scale
from skaudio.dsp._analysis import Analysis
from skaudio.dsp._cepstrum import dct_matrix
from skaudio.dsp._mel import mel_filterbank

FRAMING = Framing(512, 400, 160)
ODD = Framing(501, 399, 70, center=False)


def bank(framing):
    return partial(mel_filterbank, 16000, framing.n_fft, 40, 0.0, 8000.0, False, "slaney")


ANALYSES = {
    "stft": Analysis(FRAMING, power=None),
    "stft, odd": Analysis(ODD, power=None),
    "power": Analysis(FRAMING),
    "magnitude in dB": Analysis(ODD, power=1.0, scale=Scale("db", 1.0)),
    "log mel": Analysis(FRAMING, filters=bank(FRAMING), scale=Scale("log")),
    "log mel, odd": Analysis(ODD, filters=bank(ODD), scale=Scale("log")),
    "mfcc": Analysis(FRAMING, filters=bank(FRAMING), scale=Scale("db"), dct=dct_matrix(13, 40)),
    "fixed length": Analysis(
        FRAMING, filters=bank(FRAMING), scale=Scale("db"), dct=dct_matrix(13, 40), target_frames=40
    ),
}
each_analysis = pytest.mark.parametrize("name", ANALYSES)


@pytest.fixture
def clips(rng):
    return [rng.uniform(-0.5, 0.5, n).astype(np.float32) for n in (600, 5000, 16001)]


def by_numpy(analysis, clip, warp=1.0):
    """The whole analysis in double precision, one step after the other."""
    framing = analysis.framing
    padded = framing.pad(clip).astype(np.float64)
    starts = framing.hop_length * np.arange(framing.n_frames(len(clip)))
    window = np.zeros(framing.n_fft)
    window[framing.lead : framing.lead + framing.win_length] = framing.weights
    frames = padded[starts[:, None] + np.arange(framing.n_fft)] * window
    spectrum = np.fft.rfft(frames, axis=1).T
    missing = max((analysis.target_frames or 0) - spectrum.shape[1], 0)
    spectrum = np.pad(spectrum, [(0, 0), (0, missing)])
    if analysis.power is None:
        return spectrum
    features = np.abs(spectrum) ** analysis.power
    if analysis.filters is not None:
        features = analysis.filters(warp).weights.astype(np.float64) @ features
    scale = analysis.scale
    if scale.kind == "log":
        features = np.log(features + scale.eps)
    elif scale.kind == "db":
        factor = 20 / scale.power
        features = factor * np.log10(np.maximum(features, 10 ** (-100 / factor)))
        features = np.maximum(features, features.max() - scale.top_db)
    if analysis.dct is not None:
        features = analysis.dct.astype(np.float64) @ features
    return features[:, : analysis.target_frames]


def assert_near(found, expected, decibels=False):
    assert found.shape == expected.shape
    if decibels:  # rounding is a share of the maximum: faint bins are off by more in dB
        found, expected = (10 ** (x.astype(np.float64) / 20) for x in (found, expected))
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()


@each_analysis
def test_one_recording(name, clips):
    analysis = ANALYSES[name]
    for clip in clips:
        found = analysis.encode(clip)
        assert found.dtype == analysis.dtype
        assert len(found) == analysis.n_features
        assert_near(found, by_numpy(analysis, clip), decibels=name.endswith("dB"))


@each_analysis
def test_batch(name, clips):
    analysis = ANALYSES[name]
    for found, clip in zip(analysis.encode_batch(clips), clips, strict=True):
        assert_near(found.numpy(), by_numpy(analysis, clip), decibels=name.endswith("dB"))


@pytest.mark.parametrize("name", ["log mel", "log mel, odd", "mfcc"])
def test_warped_recordings(name, clips):
    analysis = ANALYSES[name]
    warp_factors = [0.9, 1.0, 1.13]
    batch = analysis.encode_batch(clips, warp_factors)
    for found, clip, warp in zip(batch, clips, warp_factors, strict=True):
        expected = by_numpy(analysis, clip, warp)
        assert_near(found.numpy(), expected)
        assert_near(analysis.encode(clip, warp), expected)
    assert not np.allclose(batch[0].numpy(), by_numpy(analysis, clips[0]), rtol=1e-3)


@each_analysis
def test_result_can_be_written_where_one_says(name, clips):
    analysis = ANALYSES[name]
    for clip in clips:
        out = np.full((analysis.n_features, analysis.n_output_frames(len(clip))), 7, analysis.dtype)
        assert analysis.encode(clip, out=out) is out
        np.testing.assert_array_equal(out, analysis.encode(clip))


@each_analysis
def test_recording_is_left_alone(name, clips):
    analysis = ANALYSES[name]
    clip = clips[1]
    before = clip.copy()
    clip.flags.writeable = False
    analysis.encode(clip)
    analysis.encode_batch([clip])
    np.testing.assert_array_equal(clip, before)


@each_analysis
def test_pickle(name, clips):
    analysis = ANALYSES[name]
    found = pickle.loads(pickle.dumps(analysis)).encode(clips[0])
    np.testing.assert_array_equal(found, analysis.encode(clips[0]))


def test_warp_without_a_bank_is_refused():
    with pytest.raises(ValueError, match=r"recording 3 .* warp factor 0\.9"):
        ANALYSES["power"].check_warp(0.9, "recording 3")
    assert ANALYSES["log mel"].check_warp(None, "recording 3") == 1.0
