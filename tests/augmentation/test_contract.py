"""What every augmentation promises, whatever it does."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone

import skaudio.augmentation
from skaudio.audio import AudioBatch, check_recordings
from skaudio.augmentation import FunctionAugmentation, epoch_seeds
from skaudio.frames import check_frames

LENGTHS = [4000, 6500, 4000, 9000]
SEEDS = epoch_seeds(0, 0, np.arange(4))


def marks(X):
    """What there is to compare of recordings: their samples, and their warp factors."""
    warp_factors = X.warp_factors if isinstance(X, AudioBatch) else (None,) * len(X)
    return [np.append(x, 0 if w is None else w) for x, w in zip(X, warp_factors, strict=True)]


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(marks(a), marks(b), strict=True))


def differ(a, b):
    """Whether every recording is another one."""
    return not any(np.array_equal(x, y) for x, y in zip(marks(a), marks(b), strict=True))


def test_all_are_exported(name):
    assert name in skaudio.augmentation.__all__
    assert f"\n{name}\n" in skaudio.augmentation.__doc__


def test_common_parameters(make):
    params = make().get_params()
    assert params["p"] == 1.0
    assert params["random_state"] is None


def test_augment_alters_every_recording_and_gives_float32(make, recordings):
    X = recordings(LENGTHS)
    out = make().augment(X, SEEDS)
    assert len(out) == 4
    assert {x.dtype for x in out} == {np.dtype(np.float32)}
    assert differ(out, X)
    assert all(np.isfinite(x).all() for x in out)


def test_input_is_not_mutated(make, recordings):
    X = recordings(LENGTHS)
    before = [x.copy() for x in X]
    make().augment(X, SEEDS)
    make(random_state=0).fit_transform(X)
    assert all(np.array_equal(x, b) for x, b in zip(X, before, strict=True))


def test_read_only_input_will_do(make, recordings):
    X = recordings(LENGTHS)
    for x in X:
        x.flags.writeable = False
    make().augment(X, SEEDS)


def test_transform_is_the_identity(make, recordings):
    X = recordings(LENGTHS)
    assert make().fit(X).transform(X) is X
    assert make().transform(X) is X


def test_p_zero_is_the_identity(make, recordings):
    X = recordings(LENGTHS)
    assert same(make(p=0).augment(X, SEEDS), X)
    assert same(make(p=0).fit_transform(X), X)


def test_p_is_the_part_that_is_altered(make, recordings):
    X = recordings([2000] * 300)
    out = marks(make(p=0.3).augment(X, np.arange(300)))
    altered = sum(not np.array_equal(a, b) for a, b in zip(out, marks(X), strict=True))
    assert 60 <= altered <= 120  # 90, within four standard deviations


def test_same_seed_same_result(make, recordings):
    X = recordings(LENGTHS)
    assert same(make().augment(X, SEEDS), make().augment(X, SEEDS))
    assert same(make(random_state=3).fit_transform(X), make(random_state=3).fit_transform(X))


def test_two_epochs_and_two_random_states_differ(make, recordings, name):
    if name == "FunctionAugmentation":
        pytest.skip("its chance is the function's: test_function_augmentation_draws_too")
    X = recordings([20000] * 4)
    first, second = (make().augment(X, epoch_seeds(0, epoch, np.arange(4))) for epoch in (0, 1))
    assert not same(first, second)
    first, second = (make(random_state=r).fit_transform(X) for r in (0, 1))
    assert not same(first, second)
    assert not same(make().fit_transform(X), make().fit_transform(X))


def test_each_recording_has_its_own_draw(make, recordings, name):
    if name == "FunctionAugmentation":
        pytest.skip("its chance is the function's: test_function_augmentation_draws_too")
    one = recordings([20000])[0]
    out = marks(make(random_state=0).fit_transform([one] * 20))
    # Warp factors, of which there are 16, and places of masks meet again now and then.
    assert len({x.tobytes() for x in out}) >= 10


def test_a_draw_depends_on_the_seed_alone(make, recordings):
    X = recordings(LENGTHS)
    whole = marks(make().augment(X, SEEDS))
    for batch in ([2], [3, 0], [1, 2, 3]):
        part = make().augment([X[i] for i in batch], SEEDS[batch])
        for i, recording in zip(batch, marks(part), strict=True):
            np.testing.assert_array_equal(recording, whole[i])


def test_threads_change_nothing(make, recordings):
    X = recordings([3000, 5000] * 20)
    seeds = epoch_seeds(1, 2, np.arange(40))
    threads = torch.get_num_threads()
    try:
        results = []
        for n in (1, 2):
            torch.set_num_threads(n)
            results.append(make().augment(X, seeds))
    finally:
        torch.set_num_threads(threads)
    assert same(*results)


def test_clone_and_params_and_pickle(make, recordings):
    X = recordings(LENGTHS)
    first = make(p=0.75, random_state=5)
    expected = first.augment(X, SEEDS)
    twin = clone(first)
    assert twin.get_params().keys() == first.get_params().keys()
    again = pickle.loads(pickle.dumps(first.fit(X)))
    other = make().set_params(p=0.75, random_state=5)
    for augmentation in (twin, again, other):
        assert augmentation.get_params()["p"] == 0.75
        assert same(augmentation.augment(X, SEEDS), expected)


def test_global_generators_are_left_alone(make, recordings):
    X = recordings(LENGTHS)
    before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    make().augment(X, SEEDS)
    make(random_state=np.random.RandomState(0)).fit_transform(X)
    make().fit_transform(X)
    np.testing.assert_array_equal(before[0], np.random.get_state()[1])  # noqa: NPY002
    assert torch.equal(before[1], torch.get_rng_state())


def test_random_state_instance(make, recordings, name):
    X = recordings([20000] * 3)
    state = np.random.RandomState(0)
    augmentation = make(random_state=state)
    first, second = augmentation.fit_transform(X), augmentation.fit_transform(X)
    if name != "FunctionAugmentation":
        assert not same(first, second)
    again = make(random_state=np.random.RandomState(0))
    assert same(first, again.fit_transform(X))


class TestContainers:
    """2-D arrays, AudioBatches, tables and lists alike."""

    def test_arrays_hold_the_same_as_lists(self, make, recordings, on_frames, name):
        X = recordings([5000] * 4)
        # Rows of an array cannot become longer: TimeShift moves them inside their length.
        same_length = {"mode": "cut"} if name == "TimeShift" else {}
        listed = make(**same_length).augment(X, SEEDS)
        stacked = make().augment(np.stack(X), SEEDS)
        assert same(stacked, listed)
        if on_frames:
            assert isinstance(stacked, np.ndarray)
            assert stacked.shape == (4, *X[0].shape)
        elif make().keeps_length:
            assert isinstance(stacked, np.ndarray)
            assert stacked.shape == (4, 5000)
            assert stacked.flags.c_contiguous
        else:
            assert isinstance(stacked, AudioBatch)
        assert isinstance(listed, np.ndarray if on_frames else AudioBatch)

    def test_transform_of_an_array_is_the_array(self, make, recordings):
        X = np.stack(recordings([5000] * 3)).astype(np.float64)
        augmentation = make().fit(X)
        out = augmentation.transform(X)
        assert out.dtype == X.dtype
        np.testing.assert_array_equal(out, X)

    def test_an_array_of_another_width_is_refused_after_fit(self, make, recordings, on_frames):
        if on_frames:
            X = np.stack(recordings([5000] * 3))
            with pytest.raises(ValueError, match=r"11 features, but \w+ is expecting 12"):
                make().fit(X).transform(X[:, 1:])
            return
        X = np.stack(recordings([5000] * 3))
        with pytest.raises(ValueError, match="Pass a list of arrays"):
            make().fit(X).transform(X[:, 1:])
        with pytest.raises(ValueError, match="Pass a list of arrays"):
            make().fit(X).augment(X[:, 1:], SEEDS[:3])

    def test_what_a_batch_knows_travels_on(self, make, recordings, on_frames):
        if on_frames:
            pytest.skip("frames travel in arrays")
        facts = {
            "names": ["a.wav", "b.wav", None],
            "labels": [7, 3, 9],
            "warp_factors": [None, 0.9, None],
        }
        X = AudioBatch(recordings([4000, 5000, 6000]), [16000, 8000, None], **facts)
        augmentation = make(sample_rate=16000) if hasattr(make(), "sample_rate") else make()
        assert augmentation.fit(X).transform(X) is X
        out = augmentation.augment(X, SEEDS[:3])
        assert isinstance(out, AudioBatch)
        assert out.sample_rates == (16000, 8000, None)
        assert out.names == ("a.wav", "b.wav", None)
        assert out.labels == (7, 3, 9)
        if type(augmentation).__name__ != "VTLP":
            assert out.warp_factors == (None, 0.9, None)

    def test_files_are_decoded_at_their_own_rate(
        self, make, recordings, on_frames, tmp_path, write_audio
    ):
        if on_frames:
            pytest.skip("frames come from encoders")
        X = [
            write_audio(tmp_path / f"{i}.wav", recordings([n], i)[0], rate)
            for i, (n, rate) in enumerate([(4000, 8000), (6000, 16000)])
        ]
        augmentation = make().fit(X)
        assert augmentation.transform(X) is X
        out = augmentation.augment(X, SEEDS[:2])
        assert out.sample_rates == (8000, 16000)
        assert out.names == tuple(X)
        decoded = AudioBatch([r.read()[0] for r in check_recordings(None, X, reset=False)])
        assert differ(out, decoded)

    def test_pandas_output_loses_nothing(self, make, recordings, on_frames):
        X = recordings([4000, 5000, 6000])
        index = pd.Index(["u", "v", "w"])
        if not on_frames:
            rates = [8000, 16000, 16000]
            X = [
                {"array": x, "sampling_rate": r, "path": f"{r}.wav"}
                for x, r in zip(X, rates, strict=True)
            ]
        column = pd.DataFrame({"recording": pd.Series(X, index=index)})
        plain = make().augment(column, SEEDS[:3])
        augmentation = make().set_output(transform="pandas").fit(column)
        clean, out = augmentation.transform(column), augmentation.augment(column, SEEDS[:3])
        for table in (clean, out):
            assert isinstance(table, pd.DataFrame)
            assert table.shape == (3, 1)
            assert table.index.equals(index)
        if on_frames:
            assert same(check_frames(augmentation, out, reset=False)[0], plain)
            return
        for recording, waveform, rate, warp in zip(
            check_recordings(None, out, reset=False),
            plain,
            plain.sample_rates,
            plain.warp_factors,
            strict=True,
        ):
            np.testing.assert_array_equal(recording.read()[0], waveform)
            assert (recording.sample_rate, recording.warp_factor) == (rate, warp)
            assert recording.path == f"{rate}.wav"

    def test_pandas_output_of_an_array(self, make, recordings, on_frames):
        X = np.stack(recordings([3000] * 3))
        augmentation = make().set_output(transform="pandas").fit(X)
        out = augmentation.augment(X, SEEDS[:3])
        assert isinstance(out, pd.DataFrame)
        if on_frames or not make().keeps_length:
            assert out.shape == (3, 1)
        else:
            assert out.columns.tolist() == augmentation.get_feature_names_out().tolist()
            np.testing.assert_array_equal(out, make().augment(X, SEEDS[:3]))

    def test_feature_names_pass_through(self, make, recordings, on_frames):
        X = np.stack(recordings([1200] * 3))
        width = X.shape[1]
        augmentation = make().fit(X)
        assert len(augmentation.get_feature_names_out()) == width
        given = [f"a{i}" for i in range(width)]
        assert augmentation.get_feature_names_out(given).tolist() == given
        if not on_frames:
            listed = make().fit(list(X))
            assert listed.get_feature_names_out().tolist() == ["recording"]


class TestRefusals:
    def test_seeds(self, make, recordings):
        X = recordings(LENGTHS)
        with pytest.raises(ValueError, match=r"seeds.*expected one integer per recording"):
            make().augment(X, 0)
        with pytest.raises(ValueError, match=r"seeds.*shape \(3,\).*expected.*shape \(4,\)"):
            make().augment(X, SEEDS[:3])
        with pytest.raises(ValueError, match=r"seeds.*float64"):
            make().augment(X, np.ones(4))
        with pytest.raises(ValueError, match="seeds: found -1, expected integers of 0 or more"):
            make().augment(X, [3, -1, 0, 0])

    @pytest.mark.parametrize("p", [-0.1, 1.5, np.nan])
    def test_p(self, make, recordings, p):
        with pytest.raises(ValueError, match=r"p=.*: expected a number that is at least 0 and"):
            make(p=p).fit(recordings(LENGTHS))

    def test_random_state(self, make, recordings):
        with pytest.raises(TypeError, match="random_state='seven': expected an integer"):
            make(random_state="seven").fit_transform(recordings(LENGTHS))

    def test_nothing_is_silently_taken_for_recordings(self, make, on_frames):
        with pytest.raises((ValueError, TypeError), match=r"scalar|sequence of recordings|float"):
            make().fit(3.0)
        with pytest.raises(ValueError, match=r"0 sample|array=\[\]"):
            make().fit([])

    def test_nan_is_named(self, make, recordings, on_frames):
        X = recordings([2000] * 3)
        X[1].flat[5] = np.nan
        with pytest.raises(ValueError, match=r"recording 1.*NaN"):
            make().augment(X, SEEDS[:3])
        with pytest.raises(ValueError, match=r"NaN"):
            make().fit_transform(np.stack(X))


class Fixed:
    """Ways to see what was drawn: input, parameters, and how to read the number off the output."""

    impulse = np.zeros(2001, np.float32)
    impulse[1000] = 1.0
    tone = np.sin(np.arange(4000) * 0.1).astype(np.float32)
    frames = np.arange(1, 1 + 100 * 100, dtype=np.float32).reshape(100, 100)

    probes = {
        "Volume": ({"gain_db": (-12, 6)}, tone, lambda y, x: 20 * np.log10(y[7] / x[7]), (-12, 6)),
        "TimeShift": (
            {"shift": (-0.2, 0.4), "mode": "cut"},
            impulse,
            lambda y, x: (y.argmax() - 1000) / 2001,
            (-0.2, 0.4),
        ),
        "Noise": (
            {"snr_db": (5, 30)},
            tone,
            lambda y, x: 10 * np.log10(np.mean(x**2) / np.mean((y - x) ** 2)),
            (5, 30),
        ),
        # An impulse through an inverted, delayed one: the dry part is what stays in its place.
        "Convolution": (
            {"impulse_response": np.array([0.5, 1.0, 0.5]), "mix": (0.2, 0.8)},
            impulse,
            lambda y, x: y[999] / (0.5 / np.sqrt(1.5)),
            (0.2, 0.8),
        ),
        "VTLP": ({"warp": (0.8, 1.1)}, tone, lambda y, x: y, (0.8, 1.1)),
        "Speed": ({"rate": (0.8, 1.6)}, tone, lambda y, x: len(x) / len(y), (0.8, 1.6)),
        "RandomSegment": ({"duration": (0.3, 0.7)}, tone, lambda y, x: len(y) / len(x), (0.3, 0.7)),
        "FunctionAugmentation": (
            {"func": lambda w, r: w * np.random.uniform(0.5, 2), "sample_rate": 8000},  # noqa: NPY002
            tone,
            lambda y, x: y[7] / x[7],
            (0.5, 2),
        ),
        "DynamicRange": (
            {"top_db": (5, 9)},
            np.linspace(-10, 0, 240, dtype=np.float32).reshape(12, 20),
            lambda y, x: -y.min(),
            (5, 9),
        ),
        "TimeMask": (
            {"width": (0.1, 0.5), "fill": 0},
            frames,
            lambda y, x: np.mean(y[0] == 0),
            (0.1, 0.5),
        ),
        "FrequencyMask": (
            {"width": (0.1, 0.5), "fill": 0},
            frames,
            lambda y, x: np.mean(y[:, 0] == 0),
            (0.1, 0.5),
        ),
    }


def test_ranges_are_respected_and_filled(make, name):
    assert name in Fixed.probes, f"say here how to see what {name} draws"
    params, x, measure, (low, high) = Fixed.probes[name]
    n = 400
    out = make(**params).augment([x] * n, epoch_seeds(0, 0, np.arange(n)))
    if name == "VTLP":
        out = out.warp_factors
    drawn = np.array([measure(y, x) for y in out])
    span = high - low
    assert drawn.min() >= low - 0.01 * span
    assert drawn.max() <= high + 0.01 * span
    assert drawn.min() < low + 0.05 * span
    assert drawn.max() > high - 0.05 * span
    # The mean of n uniform numbers, within four of its standard deviations.
    assert abs(drawn.mean() - (low + high) / 2) < 4 * span / np.sqrt(12 * n)


def test_positions_differ_too(make, name):
    """Where a segment or a mask lies is drawn as well."""
    starts = {
        "RandomSegment": (np.arange(1000.0), lambda y: y[0]),
        "TimeMask": (Fixed.frames, lambda y: np.flatnonzero(y[0] == 0)[0]),
        "FrequencyMask": (Fixed.frames, lambda y: np.flatnonzero(y[:, 0] == 0)[0]),
    }
    if name not in starts:
        pytest.skip("it has no place")
    x, start = starts[name]
    params = {"duration": 0.1} if name == "RandomSegment" else {"width": 0.1, "fill": 0}
    out = make(**params).augment([x] * 200, np.arange(200))
    found = np.array([start(y) for y in out]) / np.max(x.shape)
    assert found.min() < 0.05
    assert found.max() > 0.85
    assert abs(found.mean() - 0.45) < 0.08


def test_function_augmentation_draws_too():
    def wobble(waveform, sample_rate):
        return waveform * np.random.uniform(0.5, 2)  # noqa: NPY002

    X = [np.ones(100)] * 4
    augmentation = FunctionAugmentation(wobble, sample_rate=8000)
    first, second = (augmentation.augment(X, epoch_seeds(0, e, np.arange(4))) for e in (0, 1))
    assert differ(first, second)
    assert len({float(x[0]) for x in first}) == 4
