"""Frames, windows and padding."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skaudio.dsp import PAD_MODES, Framing, window_weights


@given(
    n_fft=st.integers(2, 50),
    hop_length=st.integers(1, 60),
    center=st.booleans(),
    n_samples=st.integers(1, 300),
)
def test_number_of_frames_by_counting(n_fft, hop_length, center, n_samples):
    framing = Framing(n_fft, n_fft, hop_length, center=center)
    padded = n_samples + 2 * (n_fft // 2) * center
    starts = [s for s in range(0, padded, hop_length) if s + n_fft <= padded]
    assert max(framing.n_frames(n_samples), 0) == len(starts)
    if starts:
        framing.check_length(n_samples, "recording 0")
    else:
        with pytest.raises(ValueError, match=f"recording 0 has {n_samples} samples, expected at"):
            framing.check_length(n_samples, "recording 0")


@pytest.mark.parametrize("mode", PAD_MODES)
@pytest.mark.parametrize("n_fft", [8, 9])
def test_padding_is_numpys(mode, n_fft, rng):
    signal = rng.standard_normal(20).astype(np.float32)
    framing = Framing(n_fft, n_fft, 2, pad_mode=mode)
    np.testing.assert_array_equal(framing.pad(signal), np.pad(signal, n_fft // 2, mode=mode))
    plain = Framing(n_fft, n_fft, 2, center=False, pad_mode=mode)
    np.testing.assert_array_equal(plain.pad(signal), signal)


@pytest.mark.parametrize("mode", PAD_MODES)
def test_padding_longer_than_the_signal(mode):
    padded = Framing(64, 64, 8, pad_mode=mode).pad(np.ones(3, np.float32))
    assert padded.shape == (67,)
    assert padded.dtype == np.float32


@given(
    win_length=st.integers(1, 40),
    spare=st.integers(0, 20),
    hop_length=st.integers(1, 60),
    center=st.booleans(),
    n_samples=st.integers(1, 200),
    n_frames=st.integers(1, 30),
)
def test_samples_that_no_frame_sees(win_length, spare, hop_length, center, n_samples, n_frames):
    framing = Framing(win_length + spare, win_length, hop_length, center=center)
    first = framing.lead - framing.margin
    seen = {first + t * hop_length + i for t in range(n_frames) for i in range(win_length)}
    sees_all = framing.sees_all(n_samples, n_frames)
    assert sees_all <= (set(range(n_samples)) <= seen)
    if hop_length <= win_length:  # else gaps might lie beyond the end, which is not worked out
        assert sees_all == (set(range(n_samples)) <= seen)


@pytest.mark.parametrize(
    "window", ["hann", "hamming", "blackman", "boxcar", ("kaiser", 8.0), ("tukey", 0.3), 8.0]
)
@pytest.mark.parametrize("win_length", [1, 2, 7, 400])
def test_windows_are_librosas(window, win_length):
    expected = librosa.filters.get_window(window, win_length).astype(np.float32)
    np.testing.assert_array_equal(window_weights(window, win_length), expected)


def test_window_of_ones_own():
    weights = np.linspace(0, 1, 10)
    for own in (weights, list(weights), tuple(weights)):
        np.testing.assert_array_equal(Framing(16, 10, 4, own).weights, weights.astype(np.float32))
    np.testing.assert_array_equal(
        Framing(16, 10, 4, np.hanning).weights, np.float32(np.hanning(10))
    )


def test_window_of_another_length_is_refused():
    with pytest.raises(ValueError, match=r"shape \(9,\), expected \(win_length,\) = \(10,\)"):
        Framing(16, 10, 4, np.ones(9)).weights  # noqa: B018


def test_windows_are_read_only():
    weights = window_weights("hann", 400)
    with pytest.raises(ValueError, match="read-only"):
        weights[0] = 1
