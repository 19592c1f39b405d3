"""Every recording is computed once: over folds, grid points, runs and processes."""

import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import Pipeline

from skaudio.caching import CachedTransformer

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def start(log, memory, paths):
    """Start a process that sends all recordings through the cache."""

    def start(**environment):
        script = Path(__file__).with_name("counting.py")
        variables = {"PYTHONPATH": f"{ROOT}{os.pathsep}{script.parent}", "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(
            [sys.executable, script, log, memory, *paths],
            env={**os.environ, **variables, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_five_folds_and_six_grid_points(
    counting, log, memory, paths, n_jobs, make_clip, write_audio
):
    cached = CachedTransformer(counting.Counting(log), memory, batch_size=3)
    model = Pipeline([("features", cached), ("clf", RidgeClassifier())])
    y, groups = np.arange(20) % 2, np.arange(20) // 4
    grid = {"clf__alpha": np.logspace(-3, 3, 6)}
    search = GridSearchCV(model, grid, cv=GroupKFold(5), n_jobs=n_jobs, refit=False)
    search.fit(paths, y, groups=groups)
    assert Counter(counting.computed(log)) == dict.fromkeys(paths, 1)
    info = cached.cache_info()
    assert info.misses == info.currsize == 20
    assert info.hits == 6 * 5 * 20 - 20  # each fold looks every recording up, to fit or to score

    # The same again, as another run would: nothing is computed.
    clone(search).fit(paths, y, groups=groups)
    assert len(counting.computed(log)) == 20
    # One recording more: one is computed.
    paths.append(write_audio(Path(paths[0]).with_name("new.wav"), make_clip(0.05, seed=99)))
    clone(search).fit(paths, np.arange(21) % 2, groups=np.arange(21) // 4)
    assert counting.computed(log)[20:] == paths[20:]
    assert cached.cache_info().misses == 21


@pytest.mark.slow
def test_killed_half_way_the_rest_is_computed(counting, log, memory, paths, start):
    process = start(COUNTING_DIES_AT=paths[10])
    process.communicate(timeout=120)
    assert process.returncode == -9
    assert counting.computed(log) == paths[:11]
    cached = CachedTransformer(counting.Counting(log), memory, batch_size=4)
    assert cached.cache_info().currsize == 8  # two batches of four; the third died
    rows = cached.fit_transform(paths)
    assert counting.computed(log)[11:] == paths[8:]
    np.testing.assert_array_equal(rows, counting.Counting(log).fit_transform(paths))
    left = [path.suffix for path in Path(memory).rglob("*") if path.is_file()]
    assert set(left) == {".npy", ".json", ".lock"}
    assert left.count(".lock") == 1  # that of the counts; those of recordings are gone


@pytest.mark.slow
def test_two_processes_at_once(counting, log, memory, paths, start):
    processes = [start(COUNTING_PAUSE="0.05") for _ in range(2)]
    sums = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert Counter(counting.computed(log)) == dict.fromkeys(paths, 1)
    expected = counting.Counting(log).fit_transform(paths)
    assert sums == [f"{expected.sum(dtype=np.float64)}\n"] * 2
    n_computed = len(counting.computed(log))
    cached = CachedTransformer(counting.Counting(log), memory)
    np.testing.assert_array_equal(cached.fit_transform(paths), expected)
    assert len(counting.computed(log)) == n_computed
    assert cached.cache_info()[:2] == (40, 20)


class TestComputedAgain:
    @pytest.fixture
    def cached(self, counting, log, memory, paths):
        cached = CachedTransformer(counting.Counting(log), memory)
        cached.fit_transform(paths)
        return cached

    def test_edited_file(self, cached, counting, log, paths, make_clip, write_audio):
        before = cached.transform(paths)
        status = os.stat(paths[3])
        write_audio(Path(paths[3]), make_clip(0.05, seed=50))
        assert os.stat(paths[3]).st_size == status.st_size
        os.utime(paths[3], ns=(status.st_atime_ns, status.st_mtime_ns + 1))
        after = cached.transform(paths)
        assert counting.computed(log)[20:] == [paths[3]]
        assert np.flatnonzero((before != after).any(axis=1)).tolist() == [3]
        np.testing.assert_array_equal(after, counting.Counting(log).transform(paths))

    def test_other_parameter(self, cached, counting, log, paths):
        doubled = clone(cached).set_params(transformer__scale=2.0)
        np.testing.assert_array_equal(doubled.transform(paths), 2 * cached.transform(paths))
        assert len(counting.computed(log)) == 40
        assert doubled.cache_info()[:2] == (0, 20)

    def test_parameter_that_changes_no_number(self, cached, counting, log, paths):
        cached.set_params(transformer__n_jobs=2, batch_size=5, max_bytes=None).transform(paths)
        assert len(counting.computed(log)) == 20

    def test_deleted_results(self, cached, counting, log, memory, paths):
        shutil.rmtree(memory)
        cached.transform(paths)
        assert len(counting.computed(log)) == 40

    def test_relative_path_is_the_same_file(self, cached, counting, log, paths, monkeypatch):
        monkeypatch.chdir(Path(paths[0]).parent)
        cached.transform([Path(path).name for path in paths])
        assert len(counting.computed(log)) == 20


def test_recording_that_stands_in_X_twice(counting, log, memory, paths):
    cached = CachedTransformer(counting.Counting(log), memory)
    rows = cached.fit_transform([paths[0], paths[1], paths[0]])
    assert counting.computed(log) == paths[:2]
    np.testing.assert_array_equal(rows[0], rows[2])
    assert cached.cache_info()[:2] == (1, 2)


def test_broken_recording_leaves_the_batches_before_it(counting, log, memory, paths):
    Path(paths[10]).write_bytes(b"no sound")
    cached = CachedTransformer(counting.Counting(log), memory, batch_size=4)
    with pytest.raises(ValueError, match=r"10\.wav.*is not audio that can be decoded"):
        cached.fit_transform(paths)
    assert cached.cache_info().currsize == 8
    assert not list(Path(memory, "skaudio").glob("*/*/*.lock"))
