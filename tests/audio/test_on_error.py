"""Recordings that cannot be read: all told at once, or NaN in their place."""

from __future__ import annotations

import warnings

import joblib
import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skaudio.audio import AudioBatch
from skaudio.augmentation import Noise, TimeMask
from skaudio.caching import CachedTransformer
from skaudio.classifiers import GRUClassifier
from skaudio.detectors import EventDetector
from skaudio.embedders import NetEmbedder, SiameseEmbedder
from skaudio.encoders import MFCC, STFT, MelSpectrogram, Spectrogram, Waveform
from skaudio.pooling import FramePooling, FrameUnion
from skaudio.pretrained import AudioTagger, PretrainedEmbedder

BAD = [2, 5, 7]
N = 9
LABELS = [0, 1, 0] * 3
ENCODERS = [Waveform, STFT, Spectrogram, MelSpectrogram, MFCC]
NAN = {"on_error": "nan"}
NET = {"weights": "random"}


@pytest.fixture
def mixed(tmp_path, write_audio, make_clip):
    """Nine recordings, three of which cannot be read: gone, text, with NaN."""
    X = [write_audio(tmp_path / f"{i}.wav", make_clip(0.2, seed=i)) for i in range(N)]
    X[2] = str(tmp_path / "gone.wav")
    (tmp_path / "5.wav").write_text("The notes of a field trip.")
    X[7] = {"array": np.full(800, np.nan), "sampling_rate": 16000, "path": "nan.wav"}
    return X


@pytest.fixture
def healthy(mixed):
    return [x for i, x in enumerate(mixed) if i not in BAD]


def check_message(message):
    assert message.startswith("3 of 9 recordings cannot be read:\nrecording 2 (")
    assert "gone.wav'): no such file" in message
    assert "5.wav') is not audio" in message
    assert "recording 7 ('nan.wav') contains NaN" in message


@pytest.fixture
def trained(healthy):
    """Estimators with a net, fitted on what can be read."""
    y = [LABELS[i] for i in range(N) if i not in BAD]
    gru = GRUClassifier(MFCC(), max_epochs=1, hidden_size=4, random_state=0).fit(healthy, y)
    detector = EventDetector(
        MelSpectrogram(), channels=(4,), frame_stride=1, max_epochs=1, random_state=0
    )
    siamese = SiameseEmbedder(MFCC(), max_epochs=1, random_state=0)
    return {
        "classifier": gru,
        "embedder": NetEmbedder(gru).fit(healthy, y),
        "detector": detector.fit(healthy, y),
        "siamese": siamese.fit(healthy, y),
    }


RAISING = {
    "Waveform": lambda X: Waveform().fit_transform(X),
    "MFCC": lambda X: MFCC().fit_transform(X),
    "MFCC by torch": lambda X: MFCC(n_fft=600).fit_transform(X),
    "augmentation": lambda X: Noise(random_state=0).fit_transform(X),
    "union": lambda X: FrameUnion([("a", MFCC()), ("b", MelSpectrogram())]).fit_transform(X),
    "embedder": lambda X: PretrainedEmbedder("mn01_as", **NET).fit_transform(X),
    "tagger": lambda X: AudioTagger("mn01_as", **NET).tag(X),
    "net": lambda X: GRUClassifier(MFCC(), max_epochs=1).fit(X, LABELS),
    "net with noise": lambda X: GRUClassifier(make_pipeline(Noise(), MFCC())).fit(X, LABELS),
    "pairs": lambda X: SiameseEmbedder(MFCC(), max_epochs=1).fit(X, LABELS),
}


@pytest.mark.slow
def test_workers_tell_all_faults_at_once(mixed):
    with pytest.raises(ValueError, match="3 of 9 recordings") as caught:
        MFCC(n_jobs=2).fit_transform(mixed)
    check_message(str(caught.value))


@pytest.mark.parametrize("kind", RAISING)
def test_all_faults_are_told_at_once(kind, mixed):
    with pytest.raises(ValueError, match="3 of 9 recordings") as caught:
        RAISING[kind](mixed)
    check_message(str(caught.value))


@pytest.mark.parametrize("kind", ["classifier", "embedder", "detector", "siamese"])
def test_prediction_tells_all_faults_at_once(kind, mixed, trained):
    estimator = trained[kind]
    with pytest.raises(ValueError, match="3 of 9 recordings") as caught:
        (estimator.predict if hasattr(estimator, "predict") else estimator.transform)(mixed)
    check_message(str(caught.value))


@pytest.mark.parametrize("batch_size", [2, 64])
def test_a_cache_tells_all_faults_at_once(batch_size, mixed, tmp_path):
    cached = CachedTransformer(MFCC(), tmp_path / "cache", batch_size=batch_size)
    for _ in range(2):
        with pytest.raises(ValueError, match="3 of 9 recordings") as caught:
            cached.fit_transform(mixed)
        check_message(str(caught.value))


def test_a_single_fault_keeps_its_words(mixed):
    with pytest.raises(ValueError, match=r"^recording 1 \('.*gone.wav'\): no such") as caught:
        MFCC().fit_transform([mixed[0], mixed[2], mixed[1]])
    assert str(caught.value).endswith("The other 2 of 3 recordings can be read.")
    with pytest.raises(ValueError, match=r"^recording 0 .*the working directory\.$"):
        MFCC().fit_transform([mixed[2]])


@pytest.mark.parametrize("read", [MFCC().fit_transform, Noise().fit_transform])
def test_looking_stops_after_ten(read, monkeypatch):
    from skaudio.audio import _recording

    opened = []
    plain = _recording.open_encoded
    monkeypatch.setattr(
        _recording, "open_encoded", lambda s, *part: opened.append(s) or plain(s, *part)
    )
    paths = [f"/nowhere/{i}.wav" for i in range(1000)]
    with pytest.raises(ValueError, match=r"^At least 10 of 1000 recordings") as caught:
        read(paths)
    lines = str(caught.value).splitlines()
    assert [line.split(" (")[0] for line in lines[1:]] == [
        *(f"recording {i}" for i in range(10)),
        "...",
    ]
    assert len(set(opened)) < 200


def test_faults_of_one_kind_keep_their_type():
    with pytest.raises(TypeError, match=r"^2 of 2 recordings"):
        MFCC().fit_transform([np.array([True] * 800), np.array([False] * 800)])


@pytest.mark.parametrize(
    ("kind", "n_jobs"),
    [*((kind, None) for kind in ENCODERS), pytest.param(MFCC, 2, marks=pytest.mark.slow)],
)
def test_encoders_put_one_frame_of_nan(kind, n_jobs, mixed, healthy):
    with pytest.warns(UserWarning, match="3 of 9") as caught:
        frames = kind(n_jobs=n_jobs, **NAN).fit_transform(mixed)
    assert len(caught) == 1
    check_message(str(caught[0].message))
    assert caught[0].filename == __file__
    assert len(frames) == N
    expected = iter(kind().fit_transform(healthy))
    for i, found in enumerate(frames):
        if i in BAD:
            assert found.shape[-1] == 1
            assert np.isnan(found).all()
        else:
            np.testing.assert_array_equal(found, next(expected))


def test_one_frame_of_nan_where_lengths_are_set_is_as_long_as_the_others(mixed):
    with pytest.warns(UserWarning, match="3 of 9"):
        frames = MelSpectrogram(target_frames=12, **NAN).fit_transform(mixed)
    assert frames.shape == (N, 64, 12)
    np.testing.assert_array_equal(np.isnan(frames).all(axis=(1, 2)), np.isin(range(N), BAD))


def test_rows_of_a_table_become_nan(make_clip):
    table = np.stack([make_clip(0.1, seed=i) for i in range(4)])
    table[1, 7] = np.nan
    with pytest.warns(UserWarning, match="1 of 4"):
        waveforms = Waveform(duration=0.05, **NAN).fit_transform(table)
    assert waveforms.shape == (4, 800)
    assert np.isnan(waveforms).all(axis=1).tolist() == [False, True, False, False]


def test_batches_put_nan(mixed):
    with pytest.warns(UserWarning, match="cannot be read"):
        batches = list(MFCC(**NAN).transform_batches(mixed, batch_size=4))
    assert [np.isnan(f).all() for batch in batches for f in batch] == [i in BAD for i in range(N)]


@pytest.mark.parametrize("pooling", ["mean", "max", None])
@pytest.mark.parametrize("kind", [PretrainedEmbedder, AudioTagger])
def test_pretrained_nets_put_one_row_of_nan(kind, pooling, mixed, healthy):
    estimator = kind("mn01_as", pooling=pooling, **NET)
    with pytest.warns(UserWarning, match="3 of 9") as caught:
        rows = estimator.set_params(**NAN).fit_transform(mixed)
    assert len(caught) == 1
    check_message(str(caught[0].message))
    assert [bool(np.isnan(row).all()) for row in rows] == [i in BAD for i in range(N)]
    np.testing.assert_array_equal(np.delete(rows, BAD, axis=0), estimator.transform(healthy))


def test_tags_of_what_cannot_be_read_are_missing(mixed):
    tagger = AudioTagger("mn01_as", **NET, **NAN)
    with pytest.warns(UserWarning, match="3 of 9"):
        table = tagger.tag(mixed, top=1)
    assert len(table) == N
    assert table.drop(columns="file").isna().all(axis=1).tolist() == [i in BAD for i in range(N)]
    assert table["file"].tolist() == [x["path"] if isinstance(x, dict) else x for x in mixed]


def test_poolings_put_a_row_of_nan(mixed):
    union = FrameUnion([("a", MFCC(**NAN)), ("b", MelSpectrogram(n_mels=8, **NAN))], deltas=1)
    for maker in (MFCC(**NAN), union, make_pipeline(MFCC(**NAN), TimeMask(random_state=0))):
        pooled = make_pipeline(maker, FramePooling(("mean", "p10"), deltas=1, cmvn=True))
        with pytest.warns(UserWarning, match="3 of 9"):
            rows = pooled.fit_transform(mixed)
        assert np.isnan(rows).all(axis=1).tolist() == [i in BAD for i in range(N)]
        assert not np.isnan(np.delete(rows, BAD, axis=0)).any()


def test_scikit_learn_goes_on_with_rows_of_nan(mixed):
    model = make_pipeline(MFCC(**NAN), FramePooling(), HistGradientBoostingClassifier())
    with pytest.warns(UserWarning, match="3 of 9"):
        assert len(model.fit(mixed, LABELS).predict(mixed)) == N


@pytest.mark.filterwarnings("ignore:3 of 9 recordings")
def test_nets_refuse_nan_by_name(mixed, healthy):
    encoder = MFCC(**NAN)
    message = r"recording 2 \('.*gone.wav'\) could not be read: its frames are NaN"
    with pytest.raises(ValueError, match=message):
        GRUClassifier(encoder, max_epochs=1).fit(mixed, LABELS)
    gru = GRUClassifier(encoder, max_epochs=1, hidden_size=4).fit(healthy, [0, 1] * 3)
    with pytest.raises(ValueError, match=message):
        gru.predict(mixed)
    detector = EventDetector(MelSpectrogram(**NAN), channels=(4,), frame_stride=1, max_epochs=1)
    with pytest.raises(ValueError, match=message):
        detector.fit(healthy, [0, 1] * 3).predict(mixed)
    with pytest.raises(ValueError, match="recording 2 could not be read"):
        GRUClassifier(max_epochs=1).fit(encoder.fit_transform(mixed), LABELS)


def test_frames_with_some_nan_are_refused(make_clip):
    frames = MFCC().fit_transform([make_clip(0.1)] * 2)
    frames[1, 3, 4] = np.nan
    with pytest.raises(ValueError, match="recording 1 contains NaN or infinity in its frames"):
        FramePooling().fit_transform(frames)


@pytest.mark.parametrize("batch_size", [2, 64])
def test_a_cache_never_stores_nan(batch_size, mixed, make_clip, write_audio, tmp_path):
    fill = FunctionTransformer(np.nan_to_num)  # what was NaN looks like a result after it
    features = make_pipeline(MFCC(**NAN), FramePooling(), fill)
    cached = CachedTransformer(features, tmp_path / "cache", batch_size=batch_size)
    with pytest.warns(UserWarning, match=f"3 of {N} recordings") as caught:
        rows = cached.fit_transform(mixed)
    assert len(caught) == 1
    assert (rows[BAD] == 0).all()
    assert cached.cache_info()[:4] == (0, 6, 0, 6)
    write_audio(tmp_path / "gone.wav", make_clip(0.2, seed=2))
    mixed[5] = mixed[7] = mixed[2]
    assert (cached.transform(mixed)[BAD] != 0).any(axis=1).all()
    # The same results, whatever on_error is.
    strict = make_pipeline(MFCC(), FramePooling(), fill)
    again = CachedTransformer(strict, tmp_path / "cache")
    np.testing.assert_array_equal(again.fit_transform(mixed), cached.transform(mixed))
    assert again.cache_info()[1] == 7


def test_a_cache_keeps_frames_of_what_can_be_read(mixed, tmp_path):
    cached = CachedTransformer(MelSpectrogram(**NAN), tmp_path / "cache")
    with pytest.warns(UserWarning, match=f"3 of {N} recordings"):
        frames = cached.fit_transform(mixed)
    assert [np.isnan(f).all() for f in frames] == [i in BAD for i in range(N)]


def test_nothing_is_told_of_healthy_recordings(healthy):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plain = MFCC().fit_transform(healthy)
        np.testing.assert_array_equal(MFCC(**NAN).fit_transform(healthy), plain)


def test_decoded_batches_are_named(make_clip):
    clips = [make_clip(0.1), np.full(1600, np.nan), np.full(1600, np.inf)]
    batch = AudioBatch(clips, 16000, names=["a", "b", "c"])
    with pytest.raises(ValueError, match=r"2 of 3 .*\nrecording 1 \('b'\).*\nrecording 2 \('c'\)"):
        MFCC().fit_transform(batch)


def test_faults_in_workers_of_a_backend(mixed):
    threads = joblib.parallel_config("threading", n_jobs=2)
    with threads, pytest.raises(ValueError, match="3 of 9 recordings"):
        MFCC().fit_transform(mixed)
