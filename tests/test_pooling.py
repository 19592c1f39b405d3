"""FramePooling and FrameUnion against plain numpy and librosa, and inside scikit-learn."""

import pickle

import joblib
import librosa
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils.estimator_checks import estimator_checks_generator
from sklearn.utils.validation import check_is_fitted

from skaudio.audio import AudioBatch
from skaudio.classifiers import GRUClassifier
from skaudio.encoders import MFCC, STFT, MelSpectrogram, Spectrogram, Waveform
from skaudio.pooling import FramePooling, FrameUnion

ALL_STATS = ("mean", "std", "min", "max", "median", "p10", "p97.5")
EVERYTHING = {"stats": ALL_STATS, "n_segments": 3, "deltas": True, "cmvn": True}
BY_CHANGE = {"n_segments": 3, "segment_by": "change", "segment_overlap": 0.25, "deltas": True}


def make_union(**params):
    return FrameUnion([("mel", MelSpectrogram()), ("mfcc", MFCC())], **params)


@pytest.fixture
def frames(rng):
    """Seven recordings of four features and 1 to 40 frames."""
    return [rng.normal(5, 2, (4, n)).astype(np.float32) for n in (12, 40, 1, 12, 2, 9, 12)]


@pytest.fixture
def clips(make_clip):
    return [make_clip(seconds, seed=i) for i, seconds in enumerate((0.3, 0.5, 0.3))]


@pytest.mark.parametrize(
    "estimator",
    [
        FramePooling(),
        FramePooling(**EVERYTHING),
        FramePooling(**BY_CHANGE),
        make_union(),
        make_union(deltas=2),
    ],
    ids=["pooling", "pooling everything", "pooling by change", "union", "union with deltas"],
)
def test_scikit_learn_contract(estimator):
    for checked, check in estimator_checks_generator(estimator):
        if check.func.__name__ != "check_array_api_input":  # asks for an environment variable
            check(checked)


class TestStatistics:
    def test_every_statistic(self, frames):
        rows = FramePooling(ALL_STATS).fit_transform(frames)
        for row, item in zip(rows, frames, strict=True):
            x = item.astype(np.float64)
            expected = [x.mean(1), x.std(1), x.min(1), x.max(1), np.median(x, axis=1)]
            expected += [np.percentile(x, 10, axis=1), np.percentile(x, 97.5, axis=1)]
            np.testing.assert_allclose(row, np.concatenate(expected), rtol=1e-6, atol=1e-9)

    def test_rows_are_plain_tables(self, frames):
        rows = FramePooling(**EVERYTHING).fit_transform(frames)
        assert rows.dtype == np.float32
        assert rows.flags.c_contiguous

    @pytest.mark.parametrize("n_frames", [1, 2, 5, 9, 30])
    def test_deltas_are_librosas(self, rng, n_frames):
        x = rng.normal(size=(1, 3, n_frames)).astype(np.float32)
        delta = librosa.feature.delta(x[0], mode="nearest")
        row = FramePooling(("mean", "max"), deltas=True).fit_transform(x)[0]
        expected = [x[0].mean(1), delta.mean(1), x[0].max(1), delta.max(1)]
        np.testing.assert_allclose(row, np.concatenate(expected), atol=1e-6)

    def test_segments_are_parts_of_the_recording(self, rng):
        x = rng.normal(size=(2, 3, 10)).astype(np.float32)
        rows = FramePooling(("mean",), n_segments=3).fit_transform(x)
        parts = [x[..., :3], x[..., 3:6], x[..., 6:]]
        expected = np.hstack([part.mean(-1) for part in parts])
        np.testing.assert_allclose(rows, expected, rtol=1e-5)

    @given(n_frames=st.integers(1, 40), n_segments=st.integers(1, 40))
    @settings(deadline=None)
    def test_every_segment_has_a_frame_and_every_frame_a_segment(self, n_frames, n_segments):
        ramp = np.arange(n_frames, dtype=np.float32).reshape(1, 1, -1)
        row = FramePooling(("min", "max"), n_segments=n_segments).fit_transform(ramp)[0]
        first, last = row[0::2], row[1::2]
        assert first[0] == 0
        assert last[-1] == n_frames - 1
        assert (first <= last).all()
        if n_segments <= n_frames:
            np.testing.assert_array_equal(first[1:], last[:-1] + 1)
            assert np.ptp(last - first) <= 1

    def test_segments_overlap_their_neighbours(self, rng):
        x = rng.normal(size=(1, 2, 12)).astype(np.float32)
        row = FramePooling(("mean",), n_segments=3, segment_overlap=0.25).fit_transform(x)[0]
        parts = [x[0, :, :5], x[0, :, 3:9], x[0, :, 7:]]
        np.testing.assert_allclose(row, np.hstack([part.mean(-1) for part in parts]), rtol=1e-5)

    def test_segments_by_change_follow_the_sound_and_not_the_silence_around_it(self, rng):
        word = np.repeat(rng.normal(size=(3, 4)), 12, axis=1)
        padded = np.pad(word, ((0, 0), (100, 30)), mode="edge")
        slower = np.repeat(word, 2, axis=1)
        items = [item.astype(np.float32) for item in (word, padded, slower)]
        rows = FramePooling(("mean",), n_segments=4, segment_by="change").fit_transform(items)
        np.testing.assert_allclose(rows[1], rows[0], atol=0.3)
        np.testing.assert_allclose(rows[2], rows[0], atol=0.3)
        equal = FramePooling(("mean",), n_segments=4).fit_transform(items)
        assert np.abs(equal[1] - equal[0]).max() > 1

    def test_segments_by_change_are_of_equal_length_where_all_changes_alike(self):
        ramp = np.arange(40, dtype=np.float32).reshape(1, 1, -1)
        flat = np.zeros_like(ramp)
        for x in (ramp, flat):
            by_time, by_change = (
                FramePooling(("min",), n_segments=4, segment_by=how).fit_transform(x)
                for how in ("time", "change")
            )
            np.testing.assert_allclose(by_change, by_time, atol=1)

    def test_cmvn_standardises_each_recording(self, frames):
        many = [f for f in frames if f.shape[1] > 1]
        rows = FramePooling(cmvn=True).fit_transform(many)
        np.testing.assert_allclose(rows[:, :4], 0, atol=1e-6)
        np.testing.assert_allclose(rows[:, 4:], 1, rtol=1e-6)

    def test_cmvn_forgets_level_and_scale(self, frames):
        moved = [(3 * f - 7).astype(np.float32) for f in frames]
        pooling = FramePooling(**EVERYTHING)
        expected = pooling.fit_transform(frames)
        np.testing.assert_allclose(pooling.transform(moved), expected, atol=2e-5)

    @pytest.mark.parametrize("value", [0.0, 0.1, 1e30, -97.3])
    def test_what_does_not_vary_becomes_zero(self, value):
        flat = np.full((2, 3, 50), value, np.float32)
        cmvn = FramePooling(ALL_STATS, cmvn=True, deltas=True, n_segments=2)
        assert not cmvn.fit_transform(flat).any()
        assert not FramePooling(("std",)).fit_transform(flat).any()

    def test_two_dimensions_are_one_frame_each(self, rng):
        table = rng.normal(size=(5, 3)).astype(np.float32)
        rows = FramePooling(("mean", "std", "max")).fit_transform(table)
        np.testing.assert_array_equal(rows, np.hstack([table, 0 * table, table]))


class TestBatches:
    @pytest.mark.parametrize("params", [{}, EVERYTHING, BY_CHANGE])
    def test_a_row_depends_on_its_recording_alone(self, frames, params):
        pooling = FramePooling(**params).fit(frames)
        rows = pooling.transform(frames)
        for row, item in zip(rows, frames, strict=True):
            np.testing.assert_array_equal(row, pooling.transform([item])[0])

    def test_many_long_recordings(self, rng):
        x = rng.normal(size=(30, 20, 700)).astype(np.float32)
        pooling = FramePooling(**EVERYTHING)
        rows = pooling.fit_transform(x)
        for i in (0, 14, 29):
            np.testing.assert_array_equal(rows[i], pooling.transform(x[i : i + 1])[0])

    def test_containers(self, frames):
        expected = FramePooling().fit_transform(frames)
        ragged = np.empty(len(frames), dtype=object)
        ragged[:] = frames
        for container in (ragged, tuple(frames), pd.DataFrame({"mfcc": frames})):
            np.testing.assert_array_equal(FramePooling().fit_transform(container), expected)

    def test_input_is_left_alone(self, frames):
        before = [f.copy() for f in frames]
        FramePooling(**EVERYTHING).fit_transform(frames)
        for item, copy in zip(frames, before, strict=True):
            np.testing.assert_array_equal(item, copy)


class TestNames:
    def test_in_a_pipeline(self, clips):
        model = make_pipeline(MFCC(n_mfcc=2), FramePooling(("mean", "p10"), deltas=True)).fit(clips)
        assert model.get_feature_names_out().tolist() == [
            *("mfcc0_mean", "mfcc1_mean", "mfcc0_delta_mean", "mfcc1_delta_mean"),
            *("mfcc0_p10", "mfcc1_p10", "mfcc0_delta_p10", "mfcc1_delta_p10"),
        ]

    def test_each_name_is_that_of_its_column(self, rng):
        """One feature, one part and one statistic is moved; only its column may change."""
        x = rng.normal(size=(1, 3, 12)).astype(np.float32)
        pooling = FramePooling(("mean", "max"), n_segments=2).fit(x)
        moved = x.copy()
        moved[0, 1, 8] += 100
        changed = (pooling.transform(x) != pooling.transform(moved))[0]
        names = pooling.get_feature_names_out()[changed]
        assert names.tolist() == ["x1_mean_part2", "x1_max_part2"]

    def test_names_come_with_a_data_frame(self, clips):
        table = MFCC(n_mfcc=2).set_output(transform="pandas").fit_transform(clips)
        pooling = FramePooling(("max",)).fit(table)
        assert pooling.get_feature_names_out().tolist() == ["mfcc0_max", "mfcc1_max"]
        with pytest.raises(ValueError, match="input_features is not equal to feature_names_in_"):
            pooling.get_feature_names_out(["a", "b"])

    def test_refitting_forgets(self, frames, clips):
        pooling = FramePooling(("max",))
        pooling.fit(MFCC(n_mfcc=4).set_output(transform="pandas").fit_transform(clips))
        pooling.fit(frames)
        assert pooling.get_feature_names_out().tolist() == ["x0_max", "x1_max", "x2_max", "x3_max"]

    def test_unfitted(self, frames):
        pooling = FramePooling(("max",))
        assert pooling.transform(frames).shape == (7, 4)
        assert pooling.get_feature_names_out(["a"]).tolist() == ["a_max"]
        with pytest.raises(NotFittedError, match="pass input_features"):
            pooling.get_feature_names_out()

    def test_pandas_output(self, clips):
        X = pd.DataFrame({"clip": clips}, index=["a", "b", "c"])
        model = make_pipeline(MFCC(n_mfcc=2), FramePooling()).set_output(transform="pandas")
        rows = model.fit_transform(X)
        assert rows.index.tolist() == ["a", "b", "c"]
        assert rows.columns.tolist() == ["mfcc0_mean", "mfcc1_mean", "mfcc0_std", "mfcc1_std"]
        assert (rows.dtypes == np.float32).all()

    def test_column_transformer(self, clips):
        table = pd.DataFrame({"clip": clips, "age": [3, 5, 8]})
        features = make_column_transformer(
            (make_pipeline(MFCC(n_mfcc=2), FramePooling(("mean",))), ["clip"]),
            remainder="passthrough",
        ).set_output(transform="pandas")
        columns = features.fit_transform(table).columns
        assert columns.tolist() == [
            *("pipeline__mfcc0_mean", "pipeline__mfcc1_mean", "remainder__age")
        ]


class TestPoolingRefuses:
    @pytest.mark.parametrize(
        ("params", "error", "match"),
        [
            ({"stats": "mean"}, TypeError, r"stats='mean': expected a sequence, \('mean',\)"),
            ({"stats": ()}, ValueError, r"stats=\(\): expected one or more"),
            ({"stats": ("mean", "mean")}, ValueError, "each once"),
            ({"stats": ("variance",)}, ValueError, "unknown 'variance', expected 'mean', 'std'"),
            ({"stats": ("p101",)}, ValueError, "unknown 'p101'"),
            ({"stats": ("p-1",)}, ValueError, "unknown 'p-1'"),
            ({"stats": ("p",)}, ValueError, "unknown 'p'"),
            ({"stats": (10,)}, ValueError, "unknown 10"),
            ({"n_segments": 0}, ValueError, "n_segments=0: expected an integer of 1 or more"),
            ({"n_segments": 2.0}, TypeError, "n_segments=2.0: expected an integer"),
        ],
    )
    def test_parameters(self, frames, params, error, match):
        for method in ("fit", "transform"):
            with pytest.raises(error, match=match):
                getattr(FramePooling(**params), method)(frames)

    def test_other_features_than_in_fit(self, rng, frames):
        pooling = FramePooling().fit(frames)
        with pytest.raises(ValueError, match="X has 5 features, but FramePooling is expecting 4"):
            pooling.transform(rng.normal(size=(2, 5, 10)))

    def test_recordings(self, clips):
        with pytest.raises(ValueError, match=r"recording 0 is one-dimensional.* encoder"):
            FramePooling().fit(clips)
        with pytest.raises(TypeError, match=r"recording 0 is 'a\.wav'.* encoder"):
            FramePooling().fit(["a.wav"])


class TestUnion:
    def test_stacks(self, clips):
        stacked = make_union().fit_transform(clips)
        assert stacked.shape == (3,)
        for stack, mel, mfcc in zip(
            stacked, MelSpectrogram().transform(clips), MFCC().transform(clips), strict=True
        ):
            assert stack.dtype == np.float32
            np.testing.assert_array_equal(stack, np.vstack([mel, mfcc]))

    def test_equal_lengths_make_an_array(self, clips):
        assert make_union().fit_transform(np.stack([clips[0], clips[2]])).shape == (2, 84, 31)

    @pytest.mark.parametrize("order", [1, 2])
    def test_deltas_are_librosas(self, clips, order):
        x = MFCC().transform(clips[:1])[0]
        stack = FrameUnion([("mfcc", MFCC())], deltas=order).fit_transform(clips[:1])[0]
        expected = [x]
        for k in range(1, order + 1):
            expected.append(librosa.feature.delta(x, order=k, mode="nearest"))
        np.testing.assert_allclose(stack, np.vstack(expected), atol=1e-4)

    def test_numpy_integers_are_taken(self, clips):
        expected = make_union(deltas=1).fit_transform(clips)[0]
        found = make_union(deltas=np.int64(1)).fit_transform(clips)[0]
        np.testing.assert_array_equal(found, expected)

    def test_names(self, clips):
        union = make_union(deltas=2).set_params(mel__n_mels=2, mfcc__n_mfcc=1).fit(clips)
        base = ["mel__melspectrogram0", "mel__melspectrogram1", "mfcc__mfcc0"]
        assert union.get_feature_names_out().tolist() == [
            *base,
            *(f"{name}_delta" for name in base),
            *(f"{name}_delta2" for name in base),
        ]
        assert len(union.get_feature_names_out()) == len(union.transform(clips)[0])

    def test_names_reach_the_columns(self, clips):
        union = make_union().set_params(mel="drop", mfcc__n_mfcc=1)
        model = make_pipeline(union, FramePooling()).fit(clips)
        assert model.get_feature_names_out().tolist() == ["mfcc__mfcc0_mean", "mfcc__mfcc0_std"]

    def test_pipelines_inside(self, clips):
        direct = FrameUnion([("a", MFCC(offset=0.1)), ("b", MelSpectrogram(offset=0.1))])
        piped = FrameUnion(
            [
                ("a", make_pipeline(Waveform(offset=0.1), MFCC())),
                ("b", Pipeline([("cut", Waveform(offset=0.1)), ("mel", MelSpectrogram())])),
            ]
        ).fit(clips)
        for one, other in zip(piped.transform(clips), direct.transform(clips), strict=True):
            np.testing.assert_array_equal(one, other)
        assert piped.get_feature_names_out()[20] == "b__melspectrogram0"

    def test_nested_parameters(self, clips):
        union = make_union()
        union.set_params(mel__n_mels=32, deltas=1)
        assert union.get_params()["mel__n_mels"] == 32
        assert union.get_params()["mfcc"] is union.transformers[1][1]
        copy = clone(union).set_params(mfcc=MFCC(n_mfcc=5))
        assert copy.fit_transform(clips)[0].shape == (2 * (32 + 5), 31)
        assert union.get_params()["mfcc__n_mfcc"] == 20
        assert union.set_params(mel="drop").fit_transform(clips)[0].shape == (40, 31)

    def test_fit_leaves_the_parameters_alone(self, clips):
        pipeline = make_pipeline(Waveform(), MFCC())
        union = FrameUnion([("a", pipeline)]).fit(np.stack(clips[::2]))
        assert not hasattr(pipeline[0], "n_features_in_")
        assert union.transformers_[0][1][0].n_features_in_ == len(clips[0])

    def test_needs_no_fit_where_its_encoders_do_not(self, clips):
        union = make_union()
        expected = clone(union).fit(clips).transform(clips)
        check_is_fitted(union)
        for one, other in zip(union.transform(clips), expected, strict=True):
            np.testing.assert_array_equal(one, other)

    def test_pickle(self, clips):
        union = make_union(deltas=1).fit(clips)
        copy = pickle.loads(pickle.dumps(union))
        np.testing.assert_array_equal(copy.transform(clips)[1], union.transform(clips)[1])

    def test_workers(self, clips):
        one, other = make_union().fit(clips), make_union(n_jobs=2)
        with joblib.parallel_config(backend="threading"):  # starts at once
            stacked = other.fit_transform(clips)
        np.testing.assert_array_equal(one.transform(clips)[0], stacked[0])

    def test_grid_search(self, make_clip):
        X = AudioBatch([make_clip(0.2, seed=i % 3) for i in range(12)], 16000)
        model = make_pipeline(
            FrameUnion([("mel", MelSpectrogram()), ("mfcc", MFCC())]),
            FramePooling(),
            LogisticRegression(),
        )
        search = GridSearchCV(
            model, {"frameunion__mel__n_mels": [20, 30], "frameunion__mfcc": ["drop"]}, cv=2
        ).fit(X, np.arange(12) % 3)
        assert search.best_estimator_[-1].n_features_in_ in (40, 60)
        assert search.best_score_ > 0.9

    def test_pandas_output(self, clips):
        X = pd.Series(clips, index=["a", "b", "c"])
        table = make_union().set_output(transform="pandas").fit_transform(X)
        assert table.index.tolist() == ["a", "b", "c"]
        assert table.columns.tolist() == ["frameunion"]
        assert table.iloc[0, 0].shape == (84, 31)
        rows = FramePooling(("max",)).set_output(transform="pandas").fit_transform(table)
        assert rows.index.tolist() == ["a", "b", "c"]
        assert rows.columns[0] == "mel__melspectrogram0_max"

    def test_pandas_output_of_a_numeric_table(self, clips):
        X = pd.DataFrame(np.stack(clips[::2]), index=["a", "b"])
        table = make_union().set_output(transform="pandas").fit_transform(X)
        assert table.index.tolist() == ["a", "b"]

    def test_pandas_output_inside(self, clips):
        inner = MFCC().set_output(transform="pandas")
        stack = FrameUnion([("mel", MelSpectrogram()), ("mfcc", inner)]).fit_transform(clips)
        np.testing.assert_array_equal(stack[0], make_union().fit_transform(clips)[0])

    def test_frame_times(self):
        mfcc = make_pipeline(Waveform(), MFCC(offset=0.5, hop_length=80))
        union = FrameUnion([("mfcc", mfcc), ("mel", MelSpectrogram(hop_length=80))])
        np.testing.assert_allclose(union.frame_times(3), [0.5, 0.505, 0.51])

    def test_drawn_side_by_side(self):
        assert "mel" in make_union()._repr_html_()
        assert "sk-parallel" in make_union()._repr_html_()


class TestUnionRefuses:
    def test_other_frames(self, clips):
        union = FrameUnion([("mel", MelSpectrogram()), ("fast", MFCC(hop_length=80))])
        match = r"recording 0 has 31 frames from 'mel' and 61 from 'fast'.*hop in seconds.*center"
        with pytest.raises(ValueError, match=match):
            union.fit_transform(clips)

    def test_names_the_recording(self, wav):
        union = FrameUnion([("mel", MelSpectrogram()), ("other", MFCC(center=False))])
        with pytest.raises(ValueError, match=r"recording 0 \('.*clip.wav'\) has 51 frames"):
            union.fit_transform([wav])

    @pytest.mark.parametrize(
        ("transformer", "error", "match"),
        [
            (STFT(), ValueError, "transformer 'x': recording 0: Complex .* Spectrogram"),
            (Waveform(), ValueError, "transformer 'x': recording 0 is one-dimensional"),
            (make_pipeline(MFCC(), FramePooling()), ValueError, r"'x' returns a table.*Union"),
            (MFCC, TypeError, r"estimator instance \(MFCC\(\)\)"),
            ("mfcc", TypeError, "transformer 'x' is 'mfcc', expected an encoder"),
            ("drop", ValueError, "All transformers are dropped"),
        ],
    )
    def test_transformers(self, clips, transformer, error, match):
        with pytest.raises(error, match=match):
            FrameUnion([("x", transformer)]).fit_transform(clips)

    @pytest.mark.parametrize(
        ("transformers", "match"),
        [
            ([], "expected a list of"),
            ([MFCC()], "expected a list of"),
            (MFCC(), "expected a list of"),
            ([("a", MFCC()), ("a", MFCC())], "not unique"),
            ([("a__b", MFCC())], "must not contain __"),
            ([("deltas", MFCC())], "conflict with constructor arguments"),
        ],
    )
    def test_lists(self, clips, transformers, match):
        with pytest.raises(ValueError, match=match):
            FrameUnion(transformers).fit(clips)

    @pytest.mark.parametrize("deltas", [3, -1, "both"])
    def test_deltas(self, clips, deltas):
        error = TypeError if isinstance(deltas, str) else ValueError
        with pytest.raises(error, match=r"deltas=.*expected 0, 1 or 2"):
            make_union(deltas=deltas).fit(clips)

    def test_no_times(self):
        with pytest.raises(TypeError, match="None of the transformers"):
            FrameUnion([("pooling", FramePooling())]).frame_times(3)

    def test_other_length_than_in_fit(self, rng):
        union = make_union().fit(rng.normal(size=(2, 4000)))
        match = "X has 3000 features, but FrameUnion is expecting 4000"
        with pytest.raises(ValueError, match=match):
            union.transform(rng.normal(size=(2, 3000)))


def test_a_spectrogram_pools_too(clips):
    rows = make_pipeline(Spectrogram(), FramePooling(("p50",))).fit_transform(clips)
    assert rows.shape == (3, 257)
    assert np.isfinite(rows).all()


class TestTablesOfWaveforms:
    """Without an encoder, a table of waveforms is sequences of one frame: hardly what is meant."""

    @pytest.mark.parametrize("length", [1600, 16000])
    @pytest.mark.parametrize("make", [FramePooling, lambda: GRUClassifier(max_epochs=1)])
    def test_waveforms_warn(self, make, length, make_clip):
        table = np.stack([make_clip(length / 16000, seed=i) for i in range(4)])
        with pytest.warns(UserWarning, match=rf"4 sequences of one frame, of {length} features"):
            make().fit(table, [0, 1, 0, 1])

    def test_noise_of_usual_length_warns(self, rng):
        with pytest.warns(UserWarning, match=r"Are these waveforms\? Then put an encoder"):
            FramePooling().fit(rng.normal(size=(4, 8000)))

    @pytest.mark.parametrize(
        "features",
        [
            lambda rng: rng.normal(size=(8, 2048)),  # embeddings
            lambda rng: rng.normal(size=(8, 4096)).clip(0),
            lambda rng: rng.normal(size=(8, 999)).cumsum(axis=1),
            lambda rng: rng.uniform(-60, 0, size=(8, 8192)),  # spectra in decibels
        ],
    )
    def test_features_do_not(self, features, rng):
        FramePooling().fit(features(rng))
