"""Long recordings: worked through in blocks, with the numbers of the whole."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

from skaudio._neural import long_frames
from skaudio.augmentation import Noise
from skaudio.detectors import EventDetector
from skaudio.encoders import MFCC, MelSpectrogram
from skaudio.pooling import FrameUnion

from .conftest import RATE, SMALL, make_tones, weak

# Trained on arrays, used on files.
pytestmark = pytest.mark.filterwarnings("ignore:X holds recordings that state:UserWarning")

# Blocks of 50 frames round matrix products differently; nothing else does.
TOLERANCE = 1e-5

VARIANTS = {
    "one layer": {"n_layers": 1},
    "two layers": {"n_layers": 2},
    "forwards": {"n_layers": 1, "bidirectional": False, "pooling": "attention"},
    "recurrent": {"channels": (), "frame_stride": 3, "n_layers": 1},
    "convolutional": {"channels": (4, 4, 4), "frame_stride": 4},
    "own mean": {"standardize": "both", "pooling": "max"},
    "cepstra": {"encoder": MFCC(sample_rate=RATE, n_mfcc=8, top_db=40.0)},
    "augmented": {"encoder": make_pipeline(Noise(), MelSpectrogram(sample_rate=RATE, n_mels=16))},
    "not streamed": {
        "encoder": FrameUnion(
            [("a", MelSpectrogram(sample_rate=RATE, n_mels=8)), ("b", MFCC(sample_rate=RATE))]
        )
    },
}


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_blocks_leave_no_trace(variant, tones, tmp_path, write_audio):
    X, events = tones[0][:12], tones[1]
    params = {**SMALL, "max_epochs": 1, **variant}
    detector = EventDetector(**params).fit(X, weak(events, len(X)))
    long = np.concatenate(X[:4])
    recordings = [
        X[0],
        {"array": long, "sampling_rate": RATE},
        write_audio(tmp_path / "long.flac", np.stack([long, long[::-1]]), RATE),
        write_audio(tmp_path / "fast.wav", np.repeat(long, 2), 2 * RATE),
    ]
    whole_frames, whole = detector.predict_frames(recordings), detector.predict_proba(recordings)
    expected = detector.predict_events(recordings)
    assert whole_frames[1].shape[1] > 3 * whole_frames[0].shape[1]
    for block_duration in (0.77, 3.0):
        detector.set_params(block_duration=block_duration)
        frames = detector.predict_frames(recordings)
        for a, b in zip(whole_frames, frames, strict=True):
            np.testing.assert_allclose(b, a, atol=TOLERANCE)
        np.testing.assert_allclose(detector.predict_proba(recordings), whole, atol=TOLERANCE)
        found = detector.predict_events(recordings)
        assert found.iloc[:, :4].equals(expected.iloc[:, :4])


def test_long_frames_and_wrong_ones(tones):
    X, events = tones[0][:12], tones[1]
    frames = list(SMALL["encoder"].transform(X))
    detector = EventDetector(**{**SMALL, "encoder": None, "max_epochs": 1, "n_layers": 1})
    detector.fit(frames, weak(events, len(X)))
    whole = detector.predict_frames(frames)
    detector.set_params(block_duration=0.3)
    for a, b in zip(whole, detector.predict_frames(frames), strict=True):
        np.testing.assert_allclose(b, a, atol=TOLERANCE)
    with pytest.raises(ValueError, match="X has 9 features per frame, expected the 16"):
        detector.predict_frames([f[:9] for f in frames])


def test_only_long_recordings_are_read_in_blocks(tones, monkeypatch):
    X, events = tones[0][:12], tones[1]
    detector = EventDetector(**{**SMALL, "max_epochs": 1}).fit(X, weak(events, len(X)))
    seen = []
    real = long_frames.LongRecording

    def spy(encoder, recording):
        seen.append(recording.name)
        return real(encoder, recording)

    monkeypatch.setattr(long_frames, "LongRecording", spy)
    short, long = X[0], np.concatenate(X[:3])
    detector.set_params(block_duration=2.5)
    detector.predict_frames([short, long, short])
    assert seen == ["recording 1"]
    # Of a long recording, an encoder may take a short part.
    detector.encoder_.set_params(duration=1.0)
    assert detector.predict_frames([long])[0].shape[1] == 26  # of 51
    assert len(seen) == 1


def test_progress_bar_over_a_long_recording(tones, capsys):
    X, events = tones[0][:12], tones[1]
    detector = EventDetector(**{**SMALL, "max_epochs": 1}).fit(X, weak(events, len(X)))
    detector.set_params(block_duration=0.5, verbose=1)
    detector.predict_events([np.concatenate(X[:3])])
    assert "100%" in capsys.readouterr().err


def test_memory_does_not_grow_with_the_recording(tmp_path, write_audio):
    """Python and numpy memory; the output, and little else, is proportional to the length."""
    X, events = make_tones(8, 2.0, seed=0)
    detector = EventDetector(**{**SMALL, "max_epochs": 1}, block_duration=5.0)
    detector.fit(X, weak(events, len(X)))
    minute = np.resize(np.concatenate(X), 60 * RATE)
    peaks = []
    for n_minutes in (4, 12):
        path = write_audio(tmp_path / f"{n_minutes}.wav", np.tile(minute, n_minutes), RATE)
        tracemalloc.start()
        detector.predict_frames([path])
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    samples = 8 * 60 * RATE * 4
    assert peaks[1] - peaks[0] < samples / 10
