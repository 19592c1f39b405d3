"""Frames of a long recording, made piece by piece, are those of the whole."""

from __future__ import annotations

import numpy as np
import pytest

from skaudio.audio import check_recordings
from skaudio.encoders import (
    MFCC,
    STFT,
    LongEncoding,
    MelSpectrogram,
    Spectrogram,
    Waveform,
    can_stream,
)

ENCODERS = [
    MelSpectrogram(n_mels=20),
    MelSpectrogram(n_mels=20, scale="db"),
    MelSpectrogram(n_mels=20, center=False, hop_length=333),
    MelSpectrogram(n_mels=20, pad_mode="reflect", normalize="max"),
    MelSpectrogram(n_mels=20, pad_mode="symmetric", sample_rate=22050, n_fft=1000, win_length=900),
    Spectrogram(pad_mode="edge", normalize="rms", offset=0.3, duration=1.7),
    MFCC(n_mfcc=9),
    MFCC(n_mfcc=9, top_db=30.0, sample_rate=8000),
    MFCC(n_mfcc=9, top_db=None),
]


def by_pieces(encoder, item, block):
    recording = check_recordings(Waveform(), [item], reset=True)[0]
    encoding = LongEncoding(encoder, recording, block)
    pieces = list(encoding.pieces())
    assert all(piece.shape[0] == encoding.n_rows for piece in pieces)
    return np.concatenate([encoding.finish(piece) for piece in pieces], axis=1), len(pieces)


@pytest.mark.parametrize("encoder", ENCODERS, ids=[repr(e).replace("\n", "") for e in ENCODERS])
@pytest.mark.parametrize("block", [100, 5000, 50_000])
def test_equal_to_transform(encoder, block, make_clip):
    clip = make_clip(2.5)
    clip[20_000:] *= 0.01  # the loudest is not everywhere
    item = {"array": clip, "sampling_rate": 16000}
    expected = encoder.transform([item])[0]
    found, n_pieces = by_pieces(encoder, item, block)
    assert found.shape == expected.shape
    assert n_pieces > 1 or block > len(clip)
    np.testing.assert_allclose(found, expected, atol=2e-4 * np.abs(expected).max())


@pytest.mark.parametrize("n_samples", [1, 100, 256, 257, 400, 513])
@pytest.mark.parametrize("pad_mode", ["constant", "symmetric"])
def test_short_recordings(n_samples, pad_mode, make_clip):
    clip = make_clip(0.1)[:n_samples]
    encoder = MelSpectrogram(n_mels=20, pad_mode=pad_mode)
    expected = encoder.transform([clip])[0]
    np.testing.assert_allclose(by_pieces(encoder, clip, 60)[0], expected, atol=1e-4)


def test_too_short(make_clip):
    with pytest.raises(ValueError, match=r"recording 0 has 100 samples, expected at least n_fft"):
        by_pieces(MelSpectrogram(center=False), make_clip(0.1)[:100], 60)


def test_what_can_be_streamed():
    assert can_stream(MFCC())
    assert not can_stream(MFCC(target_frames=10))
    assert not can_stream(STFT())
    assert not can_stream(Waveform())
