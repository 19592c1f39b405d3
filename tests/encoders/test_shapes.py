"""Numbers of frames and their times, for any framing and any length."""

from __future__ import annotations

import warnings

import librosa
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from skaudio.encoders import MFCC, STFT, MelSpectrogram, Spectrogram

ENCODERS = [STFT, Spectrogram, MelSpectrogram, MFCC]


@st.composite
def framed_lengths(draw):
    """Draw frames, and the length of a recording that has one at least."""
    n_fft = draw(st.integers(2, 600))
    parameters = {
        "n_fft": n_fft,
        "win_length": draw(st.integers(1, n_fft)),
        "hop_length": draw(st.integers(1, 700)),
        "center": draw(st.booleans()),
    }
    return parameters, draw(st.integers(1 if parameters["center"] else n_fft, 3000))


@given(drawn=framed_lengths(), seed=st.integers(0, 9))
@settings(max_examples=150, deadline=None)
def test_any_framing(drawn, seed):
    parameters, length = drawn
    y = np.random.default_rng(seed).standard_normal(length).astype(np.float32)
    (ours,) = STFT(window="boxcar", **parameters).fit_transform([y])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="n_fft=.* is too large")
        theirs = librosa.stft(y, window="boxcar", pad_mode="constant", **parameters)
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= 1e-5 * np.abs(theirs).max()


@given(drawn=framed_lengths(), rate=st.integers(400, 96000), offset=st.floats(0, 100))
@settings(max_examples=100, deadline=None)
def test_frame_times(drawn, rate, offset):
    parameters, _ = drawn
    encoder = STFT(sample_rate=rate, offset=offset, **parameters)
    expected = librosa.frames_to_time(
        np.arange(20),
        sr=rate,
        hop_length=parameters["hop_length"],
        n_fft=None if parameters["center"] else parameters["n_fft"],
    )
    np.testing.assert_allclose(encoder.frame_times(20), offset + expected, rtol=1e-12)


@given(
    lengths=st.lists(st.integers(1, 3000), min_size=2, max_size=6),
    encoder_class=st.sampled_from(ENCODERS),
)
@settings(max_examples=60, deadline=None)
def test_alone_or_together_bit_by_bit(lengths, encoder_class):
    rng = np.random.default_rng(sum(lengths))
    clips = [rng.standard_normal(n).astype(np.float32) for n in lengths]
    encoder = encoder_class()
    together = encoder.fit_transform(clips)
    for clip, frames in zip(clips, together, strict=True):
        np.testing.assert_array_equal(frames, encoder.fit_transform([clip])[0])


@given(length=st.integers(1, 5000), target=st.integers(1, 40), scale=st.sampled_from(["db", "log"]))
@settings(max_examples=60, deadline=None)
def test_target_frames_trims_or_pads_with_silence(length, target, scale):
    clip = np.random.default_rng(length).standard_normal(length).astype(np.float32)
    encoder = MelSpectrogram(scale=scale, top_db=None)
    (whole,) = encoder.fit_transform([clip])
    (fixed,) = encoder.set_params(target_frames=target).fit_transform([clip])
    assert fixed.shape == (64, target)
    n = min(target, whole.shape[1])
    np.testing.assert_array_equal(fixed[:, :n], whole[:, :n])
    silence = -100.0 if scale == "db" else np.log(1e-6)
    np.testing.assert_allclose(fixed[:, n:], silence, rtol=1e-6)
