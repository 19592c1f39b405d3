"""CachedTransformer gives what its transformer gives, whatever holds the recordings."""

import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skaudio.audio import AudioBatch
from skaudio.caching import CachedTransformer, CacheInfo
from skaudio.classifiers import GRUClassifier
from skaudio.display import SpectrogramDisplay
from skaudio.encoders import MFCC, STFT, MelSpectrogram, Waveform
from skaudio.pooling import FramePooling, FrameUnion

ROWS = make_pipeline(MFCC(), FramePooling())
TRANSFORMERS = {
    "rows": ROWS,
    "frames": MelSpectrogram(n_mels=8),
    "complex": STFT(),
    "union": FrameUnion([("mel", MelSpectrogram(n_mels=8)), ("mfcc", MFCC(n_mfcc=4))]),
    "doubles": FunctionTransformer(lambda X: np.array([[len(x), 0.5] for x in X])),
}


def same(a, b):
    assert type(a) is type(b)
    assert len(a) == len(b)
    assert a.dtype == b.dtype
    assert a.shape == b.shape
    for x, y in zip(a, b, strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.fixture
def clips(make_clip):
    return [make_clip(0.1 * i, seed=i) for i in (2, 3, 4)]


@pytest.mark.parametrize("lengths", ["same", "different"])
@pytest.mark.parametrize("name", TRANSFORMERS)
def test_same_output(name, lengths, clips, tmp_path):
    transformer = TRANSFORMERS[name]
    X = clips if lengths == "different" else [clip[:3000] for clip in clips]
    expected = clone(transformer).fit_transform(X)
    cached = CachedTransformer(transformer, tmp_path, batch_size=2)
    same(cached.fit_transform(X), expected)  # computed
    same(cached.fit_transform(X), expected)  # found
    same(clone(cached).transform(X), expected)  # without fit
    assert cached.cache_info()[:2] == (6, 3)
    rows = cached.transform(X)
    for row in rows:  # to be written to, each for itself
        row[...] = 0
    same(cached.transform(X), expected)


def test_containers(clips, wav, tmp_path):
    table = np.stack([clip[:3000] for clip in clips])
    containers = [
        table,
        table.astype(np.float64),
        pd.DataFrame(table),
        [wav, clips[0]],
        (clips[0], {"array": clips[1], "sampling_rate": 8000}),
        np.array([wav, wav]),
        pd.Series([wav], index=[7]),
        AudioBatch(clips, 22050),
    ]
    for X in containers:
        cached = CachedTransformer(ROWS, tmp_path / "memory")
        for _ in range(2):
            same(cached.fit_transform(X), clone(ROWS).fit_transform(X))


def test_table_fixes_the_number_of_samples(clips, tmp_path):
    cached = CachedTransformer(ROWS, tmp_path).fit(np.stack([clip[:3000] for clip in clips]))
    assert cached.n_features_in_ == 3000
    with pytest.raises(ValueError, match="is expecting 3000 features"):
        cached.transform(np.zeros((2, 200)))


def test_pandas_output(clips, tmp_path):
    X = pd.Series(clips, index=["a", "b", "c"])
    rows = CachedTransformer(ROWS, tmp_path).set_output(transform="pandas")
    expected = clone(ROWS).set_output(transform="pandas").fit_transform(X)
    for _ in range(2):
        frame = rows.fit_transform(X)
        assert frame.index.tolist() == ["a", "b", "c"]
        assert frame.columns.tolist() == expected.columns.tolist()
        np.testing.assert_array_equal(frame.to_numpy(), expected.to_numpy())
    # What the inner one is set to is its own affair.
    inner = CachedTransformer(clone(ROWS).set_output(transform="pandas"), tmp_path)
    np.testing.assert_array_equal(inner.fit_transform(X), expected.to_numpy())
    frames = CachedTransformer(MFCC(), tmp_path).set_output(transform="pandas").fit_transform(X)
    same(frames.iloc[1, 0], MFCC().fit_transform([clips[1]])[0])


def test_names_and_times_are_those_of_the_transformer(tmp_path, clips):
    rows = CachedTransformer(ROWS, tmp_path)
    assert rows.get_feature_names_out()[0] == "mfcc0_mean"
    encoder = MelSpectrogram(hop_length=200)
    frames = CachedTransformer(encoder, tmp_path)
    np.testing.assert_array_equal(frames.frame_times(5), encoder.frame_times(5))
    assert not hasattr(CachedTransformer(FunctionTransformer(), tmp_path), "frame_times")
    display = SpectrogramDisplay.from_estimator(frames, clips[0])
    np.testing.assert_array_equal(display.times, encoder.frame_times(display.frames))


def test_in_a_grid_over_what_is_inside(clips, tmp_path):
    X, y = clips * 4, [0, 1, 2] * 4
    X = [clip + np.float32(0.001 * i) for i, clip in enumerate(X)]
    model = make_pipeline(CachedTransformer(ROWS, tmp_path), KNeighborsClassifier(1))
    grid = {"cachedtransformer__transformer__mfcc__n_mfcc": [5, 13]}
    search = GridSearchCV(model, grid, cv=3).fit(X, y)
    infos = [
        CachedTransformer(make_pipeline(MFCC(n_mfcc=n), FramePooling()), tmp_path).cache_info()
        for n in (5, 13)
    ]
    assert [info.misses for info in infos] == [12, 12]
    assert search.best_estimator_.predict(X[:3]).tolist() == [0, 1, 2]


def test_as_the_encoder_of_a_net(clips, tmp_path):
    X, y = clips * 2, [0, 1, 0] * 2
    encoder = MelSpectrogram(n_mels=8)
    nets = [
        GRUClassifier(e, hidden_size=4, max_epochs=2, random_state=0).fit(X, y)
        for e in (encoder, CachedTransformer(encoder, tmp_path))
    ]
    np.testing.assert_array_equal(nets[0].predict_proba(X), nets[1].predict_proba(X))
    assert nets[1].encoder.cache_info().misses == 3


def test_cache_in_a_cache(clips, tmp_path):
    inner = CachedTransformer(MFCC(), tmp_path)
    outer = CachedTransformer(make_pipeline(inner, FramePooling()), tmp_path)
    same(outer.fit_transform(clips), clone(ROWS).fit_transform(clips))
    assert inner.cache_info().misses == outer.cache_info().misses == 3


def test_info(clips, tmp_path):
    cached = CachedTransformer(ROWS, tmp_path, max_bytes=10**6)
    assert cached.cache_info() == CacheInfo(0, 0, 0, 0, 0, 10**6)
    cached.fit_transform(clips)
    info = cached.cache_info()
    assert info[:4] == (0, 3, 0, 3)
    assert info.n_bytes == sum(path.stat().st_size for path in tmp_path.rglob("*.npy"))
    assert pickle.loads(pickle.dumps(cached)).cache_info() == info


def test_memory_of_joblib_and_home(clips, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for memory in (joblib.Memory(tmp_path / "a", verbose=0), "~/b", tmp_path / "c"):
        CachedTransformer(ROWS, memory).fit_transform(clips)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "c"]


@pytest.mark.parametrize("memory", [None, joblib.Memory(None), 3])
def test_memory_that_is_no_folder(memory, clips, tmp_path):
    with pytest.raises(TypeError, match=r"memory=.*: expected the name of a folder"):
        CachedTransformer(ROWS, memory).fit(clips)


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"batch_size": 0}, "batch_size=0: expected an integer of 1"),
        ({"batch_size": 1.5}, "batch_size=1.5: expected an integer"),
        ({"max_bytes": 0}, "max_bytes=0: expected"),
    ],
)
def test_bad_parameters(parameters, message, clips, tmp_path):
    with pytest.raises((TypeError, ValueError), match=message):
        CachedTransformer(ROWS, tmp_path, **parameters).fit(clips)


@pytest.mark.parametrize(
    "transformer, message",
    [
        (Waveform(), "Waveform returns AudioBatch, expected rows or frames"),
        (FunctionTransformer(lambda X: [len(x) for x in X]), "returns array.* for a recording"),
        (FunctionTransformer(lambda X: [["a"] for _ in X]), "returns array.* for a recording"),
        (FunctionTransformer(lambda X: np.zeros((1, 2))), "returns 1 results for 3 recordings"),
        (FunctionTransformer(lambda X: [x[:100] for x in X]), "returns rows of different lengths"),
    ],
)
def test_output_that_is_none(transformer, message, clips, tmp_path):
    X = [clips[0], clips[1], clips[2][:50]]
    with pytest.raises((TypeError, ValueError), match=message):
        CachedTransformer(transformer, tmp_path).fit_transform(X)


def test_messages_name_the_recording_by_its_place_in_X(clips, tmp_path):
    cached = CachedTransformer(ROWS, tmp_path, batch_size=2)
    with pytest.raises(ValueError, match="recording 3 contains NaN"):
        cached.fit_transform([*clips, np.full(3000, np.nan)])


def test_unreadable_recordings_are_those_of_the_transformer(clips, tmp_path):
    X = [clips[0], "gone.wav", np.full(3000, np.nan)]
    with pytest.raises(ValueError, match=r"(?s)2 of 3 recordings.*recording 1 \('gone\.wav'\)"):
        CachedTransformer(ROWS, tmp_path).fit_transform(X)
    lenient = clone(ROWS).set_params(mfcc__on_error="nan")
    with pytest.warns(UserWarning, match="2 of 3 recordings"):
        expected = lenient.fit_transform(X)
    assert np.isnan(expected).all(axis=1).tolist() == [False, True, True]
    cached = CachedTransformer(lenient, tmp_path)
    for _ in range(2):
        with pytest.warns(UserWarning, match="2 of 3 recordings"):
            same(cached.fit_transform(X), expected)
    assert cached.cache_info()[:4] == (1, 1, 0, 1)  # what can be read is kept


def test_progress_counts_what_is_found_and_what_is_computed(clips, tmp_path, capsys):
    cached = CachedTransformer(ROWS, tmp_path, verbose=1)
    cached.fit_transform(clips)
    assert "3/3" in capsys.readouterr().err
