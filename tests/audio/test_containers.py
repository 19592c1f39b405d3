"""Every container of recordings through everything scikit-learn does with X."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaudio.audio import AudioBatch, _containers, check_recordings
from skaudio.encoders import MFCC, Waveform
from skaudio.pooling import FramePooling

N = 8
RATE = 16000


@pytest.fixture(scope="module")
def clips():
    """Eight half-second clips of float32 on the grid of 16 bits: high tones and low ones."""
    rng = np.random.default_rng(0)
    t = np.arange(RATE // 2) / RATE
    high = np.arange(N) % 2
    pitch = np.where(high, 2000, 300) * rng.uniform(0.9, 1.1, N)
    tones = 0.4 * np.sin(2 * np.pi * pitch[:, None] * t)
    noisy = tones + 0.02 * rng.standard_normal(tones.shape)
    return (np.round(noisy * 2**15) / 2**15).astype(np.float32)


@pytest.fixture(scope="module")
def y():
    return np.array(["low", "high"] * (N // 2))


@pytest.fixture(scope="module")
def paths(clips, tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    made = [str(folder / f"{i}.wav") for i in range(N)]
    for path, clip in zip(made, clips, strict=True):
        sf.write(path, clip, RATE, subtype="FLOAT")
    return made


class Recorded(Sequence):
    """A sequence of another library's making."""

    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, key):
        # scikit-learn takes the items of a sequence one by one.
        return self.items[key]


class Samples:
    def __init__(self, data, sample_rate):
        self.data, self.sample_rate = data, sample_rate


class Decoder:
    """What torchcodec's AudioDecoder looks like from here."""

    def __init__(self, samples, sample_rate):
        self.samples, self.sample_rate = samples, sample_rate

    def get_all_samples(self):
        return Samples(self.samples[np.newaxis], self.sample_rate)


def as_objects(items):
    out = np.empty(len(items), dtype=object)
    for i, item in enumerate(items):
        out[i] = item
    return out


# Each makes X of the clips and their paths.
CONTAINERS = {
    "list of paths": lambda clips, paths: list(paths),
    "list of Path": lambda clips, paths: [Path(p) for p in paths],
    "tuple of paths": lambda clips, paths: tuple(paths),
    "sequence of paths": lambda clips, paths: Recorded(paths),
    "str array": lambda clips, paths: np.array(paths),
    "object array of paths": lambda clips, paths: np.array(paths, dtype=object),
    "object array of paths (n, 1)": lambda clips, paths: np.array(paths, dtype=object)[:, None],
    "str array (n, 1)": lambda clips, paths: np.array(paths)[:, None],
    "Series of paths": lambda clips, paths: pd.Series(paths, index=range(100, 100 + N)),
    "Series of object paths": lambda clips, paths: pd.Series(paths, dtype=object),
    "Series of Path": lambda clips, paths: pd.Series([Path(p) for p in paths]),
    "DataFrame of paths": lambda clips, paths: pd.DataFrame(
        {"path": paths}, index=list("abcdefgh")
    ),
    "DataFrame of categories": lambda clips, paths: pd.DataFrame({"path": pd.Categorical(paths)}),
    "list of waveforms": lambda clips, paths: list(clips),
    "tuple of waveforms": lambda clips, paths: tuple(clips),
    "list of float64": lambda clips, paths: list(clips.astype(np.float64)),
    "list of lists": lambda clips, paths: [c.tolist() for c in clips],
    "object array of waveforms": lambda clips, paths: as_objects(list(clips)),
    "object array of waveforms (n, 1)": lambda clips, paths: as_objects(list(clips))[:, None],
    "Series of waveforms": lambda clips, paths: pd.Series(list(clips)),
    "DataFrame of waveforms": lambda clips, paths: pd.DataFrame({"audio": list(clips)}),
    "2-D float32": lambda clips, paths: clips,
    "2-D float64": lambda clips, paths: clips.astype(np.float64),
    "2-D, column by column": lambda clips, paths: np.asfortranarray(clips),
    "strided waveforms": lambda clips, paths: [np.repeat(c[::-1], 2)[::-2] for c in clips],
    "2-D int16": lambda clips, paths: (clips * 2**15).astype(np.int16),
    "DataFrame of samples": lambda clips, paths: pd.DataFrame(clips),
    "AudioBatch": lambda clips, paths: AudioBatch(clips, RATE),
    "AudioBatch, rate unstated": lambda clips, paths: AudioBatch(list(clips)),
    "list of int16": lambda clips, paths: list((clips * 2**15).astype(np.int16)),
    "list of int32": lambda clips, paths: list((clips * 2.0**31).astype(np.int32)),
    "list of stereo": lambda clips, paths: [np.stack([c, c]) for c in clips],
    "array mappings": lambda clips, paths: [{"array": c, "sampling_rate": RATE} for c in clips],
    "array mappings with paths": lambda clips, paths: [
        {"array": c, "sampling_rate": RATE, "path": p} for c, p in zip(clips, paths, strict=True)
    ],
    "path mappings": lambda clips, paths: [{"path": p, "bytes": None} for p in paths],
    "bytes mappings": lambda clips, paths: [
        {"bytes": Path(p).read_bytes(), "path": "not/here.wav"} for p in paths
    ],
    "Series of mappings": lambda clips, paths: pd.Series(
        [{"array": c, "sampling_rate": RATE} for c in clips]
    ),
    "list of bytes": lambda clips, paths: [Path(p).read_bytes() for p in paths],
    "decoders": lambda clips, paths: [Decoder(c, RATE) for c in clips],
    "mixed": lambda clips, paths: [
        paths[0],
        Path(paths[1]),
        clips[2],
        {"array": clips[3], "sampling_rate": RATE},
        {"path": paths[4]},
        {"bytes": Path(paths[5]).read_bytes()},
        Decoder(clips[6], RATE),
        np.stack([clips[7]] * 2),
    ],
}

if not _containers.MIXES_STRINGS_UP:
    CONTAINERS["StringDType array"] = lambda clips, paths: np.array(paths, np.dtypes.StringDType())


@pytest.fixture(params=CONTAINERS)
def X(request, clips, paths):
    return CONTAINERS[request.param](clips, paths)


@pytest.fixture(scope="module")
def expected(clips):
    return MFCC().fit_transform(list(clips))


def classifier(memory=None):
    return make_pipeline(
        MFCC(), FramePooling(), StandardScaler(), LogisticRegression(), memory=memory
    )


def test_same_audio_same_numbers(X, expected):
    np.testing.assert_array_equal(MFCC().fit_transform(X), expected)
    np.testing.assert_array_equal(MFCC().transform(X), expected)  # without fit


@pytest.mark.parametrize("shape", [-1, (-1, 1)])
def test_strings_that_numpy_mixes_up_are_refused(paths, shape, monkeypatch):
    monkeypatch.setattr(_containers, "MIXES_STRINGS_UP", True)
    with pytest.raises(TypeError, match=r"StringDType, .* NumPy before 2\.3\.2 .* list\(X\)"):
        MFCC().fit(np.array(paths, np.dtypes.StringDType()).reshape(shape))


def test_train_test_split(X, y, expected):
    train, test, _, _, at_train, at_test = train_test_split(
        X, y, np.arange(N), test_size=3, random_state=0
    )
    mfcc = MFCC().fit(train)
    np.testing.assert_array_equal(mfcc.transform(test), expected[at_test])
    np.testing.assert_array_equal(mfcc.transform(train), expected[at_train])


def test_cross_validate(X, y):
    scores = cross_validate(classifier(), X, y, cv=2, error_score="raise")
    assert scores["test_score"].tolist() == [1, 1]


@pytest.mark.slow
def test_grid_search_of_two_workers(X, y):
    search = GridSearchCV(classifier(), {"mfcc__n_mfcc": [1, 5]}, cv=2, n_jobs=2)
    search.set_params(error_score="raise").fit(X, y)
    assert search.best_score_ == 1
    assert search.predict(X).tolist() == y.tolist()


def test_pipeline_with_memory(X, y, tmp_path):
    memory = joblib.Memory(tmp_path, verbose=0)
    first = classifier(memory).fit(X, y)
    again = classifier(memory).fit(X, y)
    assert first.predict(X).tolist() == again.predict(X).tolist() == y.tolist()
    kept = list(tmp_path.rglob("output.pkl"))
    assert len(kept) == 3  # each transformer once: the second fit found all of them


def test_clone_and_pickle_of_what_was_fitted(X, y):
    fitted = classifier().fit(X, y)
    loaded = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(loaded.predict_proba(X), fitted.predict_proba(X))
    fresh = clone(fitted).fit(X, y)
    np.testing.assert_array_equal(fresh.predict_proba(X), fitted.predict_proba(X))


def test_pickle_of_recordings(X, expected):
    recordings = pickle.loads(pickle.dumps(check_recordings(MFCC(), X, reset=True)))
    np.testing.assert_array_equal(
        MFCC().fit_transform([r.read(RATE)[0] for r in recordings]), expected
    )


def test_pandas_output_carries_the_index(X, expected):
    frames = MFCC().set_output(transform="pandas").fit_transform(X)
    assert frames.columns.tolist() == ["mfcc"]
    for cell, one in zip(frames["mfcc"], expected, strict=True):
        np.testing.assert_array_equal(cell, one)
    index = X.index if isinstance(X, (pd.Series, pd.DataFrame)) else pd.RangeIndex(N)
    assert frames.index.equals(pd.Index(index))


def test_waveform_step_changes_nothing(X, expected):
    steps = make_pipeline(Waveform(), MFCC())
    np.testing.assert_array_equal(steps.fit_transform(X), expected)
    steps.set_output(transform="pandas")
    for cell, one in zip(steps.fit_transform(X)["mfcc"], expected, strict=True):
        np.testing.assert_array_equal(cell, one)


@pytest.fixture
def table(paths):
    """Recordings beside columns that tell nothing."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {"age": rng.integers(20, 60, N), "path": paths, "sex": ["f", "m"] * 2 + ["m", "f"] * 2},
        index=[f"row {i}" for i in range(N)],
    )


@pytest.mark.parametrize("output", ["default", "pandas"])
@pytest.mark.parametrize("column", ["path", ["path"]])
def test_path_column_beside_tabular_ones(table, y, column, output):
    sound = make_pipeline(MFCC(n_mfcc=5), FramePooling())
    columns = ColumnTransformer(
        [("sound", sound, column), ("age", StandardScaler(), ["age"])],
        verbose_feature_names_out=False,
    ).set_output(transform=output)
    steps = make_pipeline(columns, StandardScaler(), LogisticRegression())
    scores = cross_validate(steps, table, y, cv=2, error_score="raise")
    assert scores["test_score"].tolist() == [1, 1]
    features = columns.fit_transform(table)
    assert features.shape == (N, 11)
    names = columns.get_feature_names_out().tolist()
    assert names == [*sound.get_feature_names_out(), "age"]
    if output == "pandas":
        assert features.index.equals(table.index)
        assert features.columns.tolist() == names


@pytest.mark.slow
def test_path_column_beside_tabular_ones_in_workers(table, y):
    columns = ColumnTransformer(
        [
            ("sound", make_pipeline(MFCC(), FramePooling()), "path"),
            ("age", StandardScaler(), ["age"]),
        ]
    )
    steps = make_pipeline(columns, LogisticRegression(max_iter=2000))
    grid = {"columntransformer__sound__mfcc__n_mfcc": [3, 5]}
    search = GridSearchCV(steps, grid, cv=2, n_jobs=2, error_score="raise").fit(table, y)
    assert search.best_score_ == 1


def test_two_dimensional_arrays_fix_the_length(clips):
    assert MFCC().fit(clips).n_features_in_ == clips.shape[1]
    assert not hasattr(MFCC().fit(list(clips)), "n_features_in_")
    fitted_first_on_array = MFCC().fit(clips).fit(list(clips))
    assert not hasattr(fitted_first_on_array, "n_features_in_")


def test_lengths_may_differ(clips):
    ragged = [clips[0], clips[1][:1234], clips[2][:4000]]
    frames = MFCC().fit_transform(ragged)
    assert frames.dtype == object
    assert [f.shape for f in frames] == [(20, 51), (20, 8), (20, 26)]


def test_input_is_left_alone(clips, paths):
    for make in CONTAINERS.values():
        X = make(clips.copy(), paths)
        before = joblib.hash(X)
        MFCC(normalize="max").fit_transform(X)
        assert joblib.hash(X) == before
