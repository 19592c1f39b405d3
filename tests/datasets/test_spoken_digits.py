"""The bundled digits: complete, balanced, small, decodable, neither trivial nor hopeless."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile as sf
from sklearn.model_selection import LeaveOneGroupOut, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skaudio.datasets import load_spoken_digits


def test_bunch_is_complete_and_aligned():
    digits = load_spoken_digits()
    n = len(digits.data)
    assert n == len(digits.target) == len(digits.groups) == 300
    assert digits.frame is None
    assert digits.feature_names == ["path"]
    assert digits.target_names.tolist()[:3] == ["zero", "one", "two"]
    for path, digit, voice in zip(digits.data, digits.target, digits.groups, strict=True):
        assert Path(path).is_absolute()
        assert Path(path).name.startswith(f"{digit}_{voice}_")


def test_order_is_by_file_name_and_stays():
    first, second = load_spoken_digits(), load_spoken_digits()
    assert first.data.tolist() == sorted(first.data.tolist()) == second.data.tolist()


def test_all_files_on_disk_are_listed():
    digits = load_spoken_digits()
    folder = Path(digits.data[0]).parent
    assert {str(path) for path in folder.glob("*.flac")} == set(digits.data.tolist())


def test_voices_and_digits_are_balanced():
    digits = load_spoken_digits()
    counts = Counter(zip(digits.groups.tolist(), digits.target.tolist(), strict=True))
    assert len(counts) == 100
    assert set(counts.values()) == {3}


def test_return_X_y():
    digits = load_spoken_digits()
    X, y = load_spoken_digits(return_X_y=True)
    np.testing.assert_array_equal(X, digits.data)
    np.testing.assert_array_equal(y, digits.target)


def test_as_frame():
    digits = load_spoken_digits(as_frame=True)
    plain = load_spoken_digits()
    assert digits.data.columns.tolist() == ["path"]
    assert digits.data["path"].tolist() == plain.data.tolist()
    assert digits.target.name == "digit"
    assert digits.target.tolist() == plain.target.tolist()
    assert digits.groups.tolist() == plain.groups.tolist()
    assert digits.frame[["path", "digit", "voice", "take"]].notna().all(axis=None)
    assert digits.frame["pitch"].between(0, 99).all()
    assert digits.frame["snr_db"].between(15, 35).all()
    X, y = load_spoken_digits(return_X_y=True, as_frame=True)
    assert X.equals(digits.data)
    assert y.equals(digits.target)


def test_recordings_decode_and_match_their_metadata():
    frame = load_spoken_digits(as_frame=True).frame
    seen = set()
    for path, level_db in zip(frame["path"], frame["level_db"], strict=True):
        samples, sample_rate = sf.read(path)
        assert sample_rate == 16000
        assert samples.ndim == 1
        assert 0.2 < len(samples) / sample_rate < 1.0
        # Noise adds to the peak of the speech.
        assert 20 * np.log10(np.abs(samples).max()) == pytest.approx(level_db, abs=2.5)
        seen.add(samples.tobytes())
    assert len(seen) == len(frame)


def test_data_is_small():
    folder = Path(load_spoken_digits().data[0]).parent
    assert sum(path.stat().st_size for path in folder.iterdir()) < 3e6


def test_description_tells_origin_and_licence():
    description = load_spoken_digits().DESCR
    for word in ("espeak-ng", "synthetic", "licence", "no benchmark"):
        assert word in description


def test_unseen_voices_are_neither_trivial_nor_hopeless():
    digits = load_spoken_digits()
    features = []
    for path in digits.data:
        samples, sample_rate = sf.read(path, dtype="float32")
        mfcc = librosa.feature.mfcc(
            y=samples,
            sr=sample_rate,
            n_mfcc=20,
            n_mels=40,
            n_fft=512,
            win_length=400,
            hop_length=160,
        )
        features.append(np.r_[mfcc.mean(axis=1), mfcc.std(axis=1)])
    scores = cross_val_score(
        make_pipeline(StandardScaler(), SVC()),
        np.array(features),
        digits.target,
        groups=digits.groups,
        cv=LeaveOneGroupOut(),
    )
    assert len(scores) == 10
    # 0.833 measured; the range leaves room for other versions of librosa.
    assert 0.75 < scores.mean() < 0.92
    assert scores.min() > 0.3
