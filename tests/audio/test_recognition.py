"""Recognition happens once: `Recordings` and what was decoded pass through as they are."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import make_pipeline

from skaudio.audio import AudioBatch, Recording, Recordings, check_recordings
from skaudio.augmentation import Noise
from skaudio.classifiers import GRUClassifier
from skaudio.encoders import MelSpectrogram, Waveform


@pytest.fixture
def recognised(monkeypatch):
    """Count what is asked of the function that recognises one recording."""
    from skaudio.audio import _containers

    asked = []

    def counting(item, position):
        asked.append(item)
        return plain(item, position)

    plain = _containers.as_recording
    monkeypatch.setattr(_containers, "as_recording", counting)
    return asked


def test_training_recognises_each_recording_once(tmp_path, make_clip, write_audio, recognised):
    paths = [write_audio(tmp_path / f"{i}.wav", make_clip(0.2, seed=i)) for i in range(64)]
    encoder = make_pipeline(Noise(), MelSpectrogram())
    gru = GRUClassifier(encoder, max_epochs=2, hidden_size=4, random_state=0)
    gru.fit(paths, ["a", "b"] * 32)
    assert recognised == paths


def test_recordings_pass_as_they_are(make_clip, recognised):
    column = pd.Series([make_clip(0.1, seed=i) for i in range(5)], index=list("abcde"))
    recordings = check_recordings(None, column, reset=True)
    assert len(recognised) == 5
    estimator = Waveform().fit(np.zeros((2, 9)))
    assert check_recordings(estimator, recordings, reset=True) is recordings
    assert not hasattr(estimator, "n_features_in_")
    assert len(recognised) == 5
    batch = AudioBatch(list(column), labels=column.index)
    assert check_recordings(None, batch, reset=True).index == tuple("abcde")
    assert len(recognised) == 5


def test_slices_keep_the_index(make_clip):
    column = pd.Series([make_clip(0.1, seed=i) for i in range(5)], index=list("abcde"))
    recordings = check_recordings(None, column, reset=True)
    part = pickle.loads(pickle.dumps(recordings))[1:4]
    assert isinstance(part, Recordings)
    assert part.index.tolist() == ["b", "c", "d"]
    assert [r.name for r in part] == ["recording 1", "recording 2", "recording 3"]
    assert isinstance(recordings[1], Recording)
    table = check_recordings(Waveform(), np.zeros((3, 50)), reset=True)
    assert table[:2].is_array
    assert table[:2].index is None
    with pytest.raises(ValueError, match="X holds no recordings"):
        check_recordings(None, table[:0], reset=True)


def test_recordings_of_a_table_have_its_width():
    recordings = check_recordings(Waveform(), np.zeros((3, 50)), reset=True)
    estimator = Waveform()
    assert check_recordings(estimator, recordings, reset=True) is recordings
    assert estimator.n_features_in_ == 50
    narrower = check_recordings(Waveform(), np.zeros((3, 40)), reset=True)
    with pytest.raises(ValueError, match="X has 40 features, but Waveform is expecting 50"):
        check_recordings(estimator, narrower, reset=False)


def test_recordings_are_keys(make_clip):
    """Each is itself: what it holds may be an array, which has no hash."""
    recording, same = (Recording(make_clip(0.1), "recording 0") for _ in range(2))
    assert {recording: 1, same: 2} == {same: 2, recording: 1}
    assert recording != same
