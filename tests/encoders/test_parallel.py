"""However the work is split, the numbers are the same, bit by bit, and nothing hangs."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from skaudio.encoders import MFCC, STFT, MelSpectrogram, Spectrogram, Waveform
from skaudio.pooling import FramePooling

ENCODERS = [
    Waveform(),
    STFT(),
    Spectrogram(),
    MelSpectrogram(),
    MFCC(),
    MFCC(n_fft=600),  # no power of two: another implementation
]


@pytest.fixture(params=[1, 2, 3])
def n_threads(request):
    """As many torch threads, for as long as the test lasts."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def clips(make_clip):
    """More than one block, and no length twice in a row."""
    return [make_clip(0.05 + 0.01 * (i % 7), seed=i) for i in range(50)]


@pytest.fixture(scope="module")
def alone(clips):
    """What each encoder makes of each clip by itself."""
    return {
        repr(encoder): [encoder.fit_transform([clip])[0] for clip in clips] for encoder in ENCODERS
    }


def assert_same(frames, expected):
    assert len(frames) == len(expected)
    for a, b in zip(frames, expected, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("encoder", ENCODERS, ids=repr)
def test_threads(encoder, clips, alone, n_threads):
    assert_same(encoder.fit_transform(clips), alone[repr(encoder)])
    assert torch.get_num_threads() == n_threads  # the caller's own count is left alone


@pytest.mark.parametrize("encoder", ENCODERS, ids=repr)
def test_workers(encoder, clips, alone, two_threads):
    for n_jobs in (1, 2, -1):
        encoder.set_params(n_jobs=n_jobs)
        assert_same(encoder.fit_transform(clips), alone[repr(encoder.set_params(n_jobs=None))])


@pytest.mark.parametrize("backend", ["threading", "loky", "sequential"])
def test_backends_the_user_chose(backend, clips, alone):
    with joblib.parallel_config(backend, n_jobs=2):
        assert_same(MFCC().fit_transform(clips), alone["MFCC()"])


@pytest.mark.parametrize("size", [1, 3, 16, 33, 49])
def test_any_split(size, clips, alone, two_threads):
    for encoder in ENCODERS:
        encoder.fit(clips)
        parts = [encoder.transform(clips[i : i + size]) for i in range(0, len(clips), size)]
        assert_same([f for part in parts for f in part], alone[repr(encoder)])


def test_neighbours_do_not_matter(clips, alone, rng):
    order = rng.permutation(len(clips))
    shuffled = MelSpectrogram().fit_transform([clips[i] for i in order])
    assert_same(shuffled, [alone["MelSpectrogram()"][i] for i in order])


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_encoder_in_a_search_of_two_workers(n_jobs, make_clip, two_threads):
    clips = [make_clip(0.2, seed=i) * (0.1 if i % 2 else 1.0) for i in range(12)]
    y = [i % 2 for i in range(12)]
    steps = make_pipeline(MFCC(n_jobs=n_jobs), FramePooling(), LogisticRegression())
    search = GridSearchCV(steps, {"mfcc__n_mfcc": [2, 4]}, cv=2, n_jobs=2, error_score="raise")
    search.fit(clips, y)
    assert search.best_score_ == 1
    with joblib.parallel_config("threading", n_jobs=2):
        scores = cross_val_score(steps, clips, y, cv=2, error_score="raise")
    assert scores.tolist() == [1, 1]


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_error_in_a_worker_names_the_recording(n_jobs, clips, two_threads):
    bad = clips.copy()
    bad[37] = np.full(800, np.nan, np.float32)
    with pytest.raises(ValueError, match="recording 37 contains NaN at sample 0"):
        MFCC(n_jobs=n_jobs).fit_transform(bad)
    # The pool is in order afterwards.
    assert len(MFCC(n_jobs=n_jobs).fit_transform(clips)) == len(clips)


def test_interrupted_consumer_leaves_no_thread_behind(clips, two_threads):
    """The output is asked for in batches, and given up after the first."""
    batches = MFCC().transform_batches(clips, batch_size=20)
    assert len(next(batches)) == 20
    batches.close()
    assert len(MFCC().fit_transform(clips)) == len(clips)


@pytest.mark.parametrize("size", [7, 50, 1000])
def test_batches_are_the_whole_in_pieces(size, clips, alone, two_threads):
    for encoder in (MelSpectrogram(), STFT()):
        pieces = list(encoder.transform_batches(clips, batch_size=size))
        assert [len(p) for p in pieces[:-1]] == [size] * (len(pieces) - 1)
        assert_same([f for piece in pieces for f in piece], alone[repr(encoder)])


@pytest.mark.slow
@pytest.mark.parametrize("n_threads", [1, 2])
def test_fork_after_threads_does_not_hang(n_threads):
    """Forked workers that inherit a used thread pool are what hangs torch; ours ends each time."""
    program = """
        import multiprocessing
        import sys
        import numpy as np
        import torch
        from skaudio.encoders import MFCC

        N_THREADS = int(sys.argv[1])
        clips = [np.ones(4000, np.float32)] * 400  # enough for threads

        def encode(_):
            if N_THREADS == 1:
                torch.set_num_threads(1)
            return MFCC().fit_transform(clips).shape

        torch.set_num_threads(2)
        MFCC().fit_transform(clips)
        if __name__ == "__main__":
            with multiprocessing.get_context("fork").Pool(2) as pool:
                print(pool.map(encode, range(2)))
    """
    result = subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore::DeprecationWarning",
            "-c",
            textwrap.dedent(program),
            str(n_threads),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,  # it takes five seconds on a quiet machine
        cwd=Path(__file__).parents[2],
    )
    assert result.returncode == 0, result.stderr
    assert "(400, 20, 26)" in result.stdout
