"""AudioBatch: what travels between steps, and what scikit-learn does with it."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.utils import shuffle

from skaudio.audio import AudioBatch
from skaudio.encoders import MFCC, Waveform


@pytest.fixture
def batch(make_clip):
    return AudioBatch(
        [make_clip(0.1 * (i + 1), seed=i) for i in range(4)],
        [8000, 16000, None, 44100],
        names=["a.wav", None, "c.wav", "d.wav"],
        labels=[10, 20, 30, 40],
        warp_factors=[None, 0.9, None, 1.1],
    )


def facts(batch):
    return batch.sample_rates, batch.names, batch.labels, batch.warp_factors


def same(a, b):
    return facts(a) == facts(b) and all(map(np.array_equal, a, b)) and len(a) == len(b)


@pytest.mark.parametrize(
    ("key", "positions"),
    [
        ([2, 0], [2, 0]),
        (np.array([3, 3, 1]), [3, 3, 1]),
        (slice(1, 3), [1, 2]),
        (slice(None, None, -1), [3, 2, 1, 0]),
        (np.array([True, False, False, True]), [0, 3]),
        ([-1], [3]),
        ((np.array([1, 2]), ...), [1, 2]),
        ([], []),
    ],
)
def test_index_keeps_what_goes_along(batch, key, positions):
    part = batch[key] if len(positions) or not isinstance(key, list) else batch[np.array([], int)]
    assert isinstance(part, AudioBatch)
    assert part.shape == (len(positions),)
    for got, all_of_them in zip(facts(part), facts(batch), strict=True):
        assert got == tuple(all_of_them[i] for i in positions)
    for got, i in zip(part, positions, strict=True):
        np.testing.assert_array_equal(got, batch[i])


@pytest.mark.parametrize("position", [0, -1, np.int64(2)])
def test_one_position_gives_the_waveform(batch, position):
    waveform = batch[position]
    assert isinstance(waveform, np.ndarray)
    assert waveform.ndim == 1


def test_index_out_of_range(batch):
    with pytest.raises(IndexError):
        batch[4]
    with pytest.raises(IndexError, match="one-dimensional"):
        batch[0, 1]
    with pytest.raises(IndexError):
        batch[np.array([True, False])]


def test_empty_list_of_positions(batch):
    assert batch[[]].shape == (0,)


def test_waveforms_are_read_only(batch):
    with pytest.raises(ValueError, match="read-only"):
        batch[0][0] = 1.0


def test_source_is_neither_copied_nor_locked(make_clip):
    clip = make_clip()
    batch = AudioBatch([clip])
    assert np.shares_memory(batch[0], clip)
    clip[0] = 0.5  # its owner may still write
    assert batch[0][0] == 0.5


@pytest.mark.parametrize("copy", [pickle.dumps, "joblib"])
def test_pickle(batch, copy, tmp_path):
    if copy == "joblib":
        joblib.dump(batch, tmp_path / "batch")
        back = joblib.load(tmp_path / "batch")
    else:
        back = pickle.loads(pickle.dumps(batch))
    assert same(batch, back)
    with pytest.raises(ValueError, match="read-only"):
        back[0][0] = 1.0


def test_hash_is_that_of_the_content(batch, make_clip):
    """What `Pipeline(memory=...)` goes by: neither identity nor process may matter."""
    assert joblib.hash(batch) == joblib.hash(batch[:])
    assert joblib.hash(batch) == joblib.hash(pickle.loads(pickle.dumps(batch)))
    assert joblib.hash(batch) != joblib.hash(batch[::-1])
    assert joblib.hash(batch) != joblib.hash(batch.replace(warp_factors=[None] * 4))
    clip = make_clip()
    once, twice = AudioBatch([clip, clip]), AudioBatch([clip, clip.copy()])
    assert joblib.hash(once) == joblib.hash(twice)


@pytest.mark.slow
def test_hash_is_the_same_in_another_process():
    program = (
        "import joblib, numpy as np\n"
        "from skaudio.audio import AudioBatch\n"
        "from skaudio.encoders import MFCC\n"
        "X = AudioBatch([np.arange(9.0), np.ones(5)], 8000, names=['a', None], labels=['x', 'y'])\n"
        "found = joblib.hash((X, MFCC(fmax=4000), [MFCC()]))\n"
    )
    here: dict[str, str] = {}
    exec(program, here)
    other = subprocess.run(
        [sys.executable, "-c", program + "print(found)"],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert other.stdout.strip() == here["found"]


def test_scikit_learn_splits_and_shuffles(batch):
    train, test = train_test_split(batch, test_size=2, random_state=0)
    assert isinstance(train, AudioBatch)
    assert sorted(train.labels + test.labels) == [10, 20, 30, 40]
    assert isinstance(shuffle(batch, random_state=0), AudioBatch)


def test_array_is_two_dimensional_where_lengths_agree(make_clip):
    clips = np.stack([make_clip(seed=i) for i in range(3)])
    array = np.asarray(AudioBatch(clips))
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, clips)
    assert np.asarray(AudioBatch(clips), dtype=np.float64).dtype == np.float64


def test_array_of_ragged_lengths_is_one_of_objects(batch):
    array = np.asarray(batch)
    assert array.shape == (4,)
    assert array.dtype == object
    with pytest.raises(ValueError, match="without a copy"):
        np.array(batch, copy=False)


def test_common_rate(batch):
    with pytest.raises(ValueError, match="different sample rates"):
        batch.sample_rate  # noqa: B018
    assert batch[[0]].sample_rate == 8000
    assert batch[[2]].sample_rate is None


def test_replace(batch):
    louder = batch.replace(waveforms=[2 * w for w in batch])
    assert facts(louder) == facts(batch)
    np.testing.assert_array_equal(louder[1], 2 * batch[1])
    assert batch.replace(sample_rate=8000).sample_rates == (8000,) * 4


def test_repr_says_what_is_in_it(batch):
    assert repr(batch) == (
        "AudioBatch(4 recordings, 16000 Hz, 44100 Hz, 8000 Hz, rate unstated, 1600 to 6400 samples)"
    )
    assert repr(batch[[]]) == "AudioBatch(0 recordings)"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"waveforms": [np.zeros((2, 9))]},
            r"Waveform 0 has shape \(2, 9\), expected \(n_times,\)",
        ),
        (
            {"waveforms": [np.zeros(9)], "sample_rate": [8000, 8000]},
            "2 rates given for 1 waveforms",
        ),
        ({"waveforms": [np.zeros(9)], "names": []}, "0 names given for 1 waveforms"),
        ({"waveforms": [np.zeros(9)], "labels": [1, 2]}, "2 labels given for 1"),
        ({"waveforms": [np.zeros(9)], "warp_factors": [1, 2]}, "2 warp_factors given for 1"),
        ({"waveforms": [np.zeros(9)], "sample_rate": 44.1}, "did you pass kHz"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        AudioBatch(**arguments)


def test_encoders_resample_what_states_a_rate(make_clip):
    clip = make_clip(0.5, 8000)
    stated = MFCC().fit_transform(AudioBatch([clip], 8000))
    np.testing.assert_array_equal(
        stated, MFCC().fit_transform([{"array": clip, "sampling_rate": 8000}])
    )
    unstated = MFCC().fit_transform(AudioBatch([clip]))
    np.testing.assert_array_equal(unstated, MFCC().fit_transform([clip]))


def test_waveform_step_keeps_names_labels_and_warps(batch):
    after = Waveform(sample_rate=8000).fit_transform(batch)
    assert after.sample_rates == (8000,) * 4
    assert facts(after)[1:] == facts(batch)[1:]


def test_waveform_step_makes_a_batch_of_the_index(wav):
    series = pd.Series([wav, wav], index=["x", "y"])
    batch = Waveform().fit_transform(series)
    assert batch.labels == ("x", "y")
    assert batch.names == (wav, wav)


def test_errors_keep_the_name_across_steps(wav):
    steps = make_pipeline(Waveform(duration=0.01), MFCC(center=False))
    with pytest.raises(ValueError, match=r"recording 0 \('.*clip.wav'\) has 160 samples"):
        steps.fit_transform([wav])


def test_clone_of_a_holder_shares_nothing(batch):
    """A batch may be a parameter, such as impulse responses."""

    class Holder(Waveform):
        def __init__(self, responses=None):
            self.responses = responses

    assert same(clone(Holder(batch)).responses, batch)


def test_a_notebook_shows_the_first_recordings():
    long = np.zeros(8000 * 7)
    waveforms = [long, np.zeros(0), *[np.zeros(800)] * 5]
    names = ["/home/some body/<a>.wav", None, *"bcdef"]
    page = AudioBatch(
        waveforms, [8000, 8000, None, 8000, 8000, 8000, 8000], names=names
    )._repr_html_()
    assert page.count("<audio") == 3  # of five rows: one is empty, one has no rate
    assert "&lt;a&gt;.wav" in page
    assert "some body" not in page
    assert "7.00 s at 8000 Hz" in page
    assert "(the first 5 s)" in page
    assert "800 samples, sample rate unstated" in page
    assert "and 2 more recordings" in page
    assert "more" not in AudioBatch([long], 8000)._repr_html_()
