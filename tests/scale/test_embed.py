"""Rows of collections in folders: what is written, what is left, what is refused."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet
import pytest
import soundfile as sf
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import skaudio
from skaudio.audio import AudioBatch
from skaudio.detectors import EventDetector
from skaudio.embedders import NetEmbedder
from skaudio.encoders import MFCC, MelSpectrogram
from skaudio.pooling import FramePooling
from skaudio.pretrained import AudioTagger, PretrainedEmbedder
from skaudio.scale import (
    detect,
    embed,
    folder_state,
    iterate_rows,
    load_events,
    load_rows,
    tag,
)
from skaudio.scale._identity import model_digest

from .conftest import DAMAGED, N, contents, small_model

seen: list[str] = []


def count(X):
    """Note the recordings that come by."""
    seen.extend(X)
    return X


class TestWritten:
    def test_rows_are_those_of_transform(self, files, good, model, tmp_path):
        state = embed(model, files, tmp_path, part_size=5)
        rows = load_rows(tmp_path)
        np.testing.assert_array_equal(rows.data, model.transform(good))
        assert rows.feature_names == [f"mfcc{i}_{s}" for s in ("mean", "std") for i in range(5)]
        assert rows.recordings["file"].tolist() == good
        assert rows.recordings["recording"].tolist() == [i for i in range(N) if i not in DAMAGED]
        assert (state.n_recordings, state.n_parts, state.n_failed) == (N, 5, 2)
        assert state.is_complete
        assert "24 of 24 recordings done (5 of 5 parts), 2 could not be read" in str(state)

    def test_facts_of_recordings(self, good, model, tmp_path):
        embed(model, good, tmp_path)
        table = load_rows(tmp_path).recordings
        first = table.iloc[0]
        assert first["content"] == hashlib.sha256(Path(good[0]).read_bytes()).hexdigest()
        assert first["onset"] == 0
        assert first["offset"] == pytest.approx(sf.info(good[0]).duration)

    def test_damaged_files_are_listed_with_reasons(self, files, model, tmp_path):
        embed(model, files, tmp_path, part_size=5)
        failures = load_rows(tmp_path).failures
        assert failures["recording"].tolist() == list(DAMAGED)
        assert failures["file"].tolist() == [files[i] for i in DAMAGED]
        assert failures["reason"][0].startswith("is truncated or damaged")
        assert failures["reason"][1].startswith("no such file")

    def test_parquet_is_read_by_others(self, good, model, tmp_path):
        embed(model, good, tmp_path, part_size=5)
        table = pd.read_parquet(tmp_path / "rows")
        np.testing.assert_array_equal(np.stack(table["row"]), model.transform(good))
        types = pyarrow.parquet.read_schema(tmp_path / "rows" / "part-00000000.parquet")
        assert str(types.field("row").type) == "fixed_size_list<element: float>[10]"

    def test_half_precision(self, good, model, tmp_path):
        embed(model, good, tmp_path, dtype="float16")
        rows = load_rows(tmp_path).data
        assert rows.dtype == np.float16
        np.testing.assert_allclose(rows, model.transform(good), rtol=1e-3)

    def test_values_beyond_half_precision_are_failures(self, good, tmp_path):
        large = make_pipeline(small_model(), FunctionTransformer(np.multiply, kw_args={"x2": 1e4}))
        large.set_params(functiontransformer__func=times)
        large.set_params(functiontransformer__kw_args=None)
        embed(large, good[:3], tmp_path, dtype="float16")
        assert (
            load_rows(tmp_path).failures["reason"].tolist()
            == ["its row has values beyond float16"] * 3
        )

    def test_rows_as_a_mapped_array(self, files, good, model, tmp_path):
        embed(model, files, tmp_path, part_size=5)
        for _ in range(2):  # made, and found
            rows = load_rows(tmp_path, mmap_mode="r")
            assert isinstance(rows.data, np.memmap)
            np.testing.assert_array_equal(rows.data, model.transform(good))
            assert len(rows.recordings) == len(good)

    def test_rows_part_by_part(self, files, good, model, tmp_path):
        embed(model, files, tmp_path, part_size=5)
        parts = list(iterate_rows(tmp_path))
        np.testing.assert_array_equal(
            np.concatenate([part.data for part in parts]), model.transform(good)
        )
        assert [len(part.recordings) for part in parts] == [4, 5, 5, 4, 4]

    def test_a_part_of_failures_alone(self, files, model, tmp_path):
        embed(model, [*files[4:6], files[3]], tmp_path, part_size=2)
        rows = load_rows(tmp_path)
        assert rows.data.shape == (2, 10)
        assert rows.failures["recording"].tolist() == [2]
        assert load_rows(tmp_path, mmap_mode="r").data.shape == (2, 10)


def times(X):
    return np.asarray(X) * 1e6


class TestRecordings:
    """X, as the encoders take it."""

    def test_a_folder(self, good, model, tmp_path):
        embed(model, Path(good[0]).parent, tmp_path / "rows")
        assert load_rows(tmp_path / "rows").recordings["file"].tolist() == good

    @pytest.mark.parametrize("kind", [tuple, pd.Series, np.array, lambda x: pd.DataFrame({"f": x})])
    def test_containers_of_paths(self, kind, good, model, tmp_path):
        embed(model, kind(good), tmp_path, part_size=5)
        np.testing.assert_array_equal(load_rows(tmp_path).data, model.transform(good))

    def test_tables_of_other_libraries(self, good, model, tmp_path):
        polars = pytest.importorskip("polars")
        embed(model, polars.Series(good), tmp_path / "a", part_size=5)
        embed(model, pyarrow.table({"file": good}), tmp_path / "b", part_size=5)
        for name in "ab":
            np.testing.assert_array_equal(load_rows(tmp_path / name).data, model.transform(good))

    def test_clips_of_files(self, good, model, tmp_path):
        clips = pd.DataFrame({"file": [good[0]] * 3, "onset": [0, 0.05, 0.1], "offset": [0.1] * 3})
        clips["offset"] += [0, 0.05, 0.1]
        embed(model, clips, tmp_path, part_size=2)
        rows = load_rows(tmp_path)
        np.testing.assert_array_equal(rows.data, model.transform(clips))
        pd.testing.assert_frame_equal(rows.recordings[["file", "onset", "offset"]], clips)
        assert rows.recordings["content"].nunique() == 1

    @pytest.mark.parametrize("clips", [False, True])
    def test_a_parquet_file(self, clips, good, model, tmp_path):
        """Parts do not begin where row groups do."""
        table = pd.DataFrame({"file": good, "speaker": "ann"})
        if clips:
            table["onset"], table["offset"] = 0.05, 0.15
        table.to_parquet(tmp_path / "list.parquet", row_group_size=3)
        embed(model, tmp_path / "list.parquet", tmp_path / "rows", part_size=5)
        rows = load_rows(tmp_path / "rows")
        X = table[["file", "onset", "offset"]] if clips else good
        np.testing.assert_array_equal(rows.data, model.transform(X))
        assert rows.recordings["file"].tolist() == good
        embed(model, X, tmp_path / "rows", part_size=5)  # the same X

    def test_what_is_no_list_of_recordings(self, good, model, tmp_path):
        path = tmp_path / "list.parquet"
        with pytest.raises(ValueError, match="is no Parquet file that can be read"):
            embed(model, path, tmp_path / "rows")
        pd.DataFrame({"path": good}).to_parquet(path)
        with pytest.raises(ValueError, match=r"has the columns \['path'\], expected file"):
            embed(model, path, tmp_path / "rows")

    def test_samples(self, make_clip, model, tmp_path):
        clips = [make_clip(0.2 + 0.01 * i, seed=i) for i in range(5)]
        mixed = [*clips, {"array": clips[0], "sampling_rate": 8000}]
        for name, X in {"list": clips, "batch": AudioBatch(clips, 16000), "mixed": mixed}.items():
            embed(model, X, tmp_path / name, part_size=2)
            rows = load_rows(tmp_path / name)
            np.testing.assert_array_equal(rows.data, model.transform(X))
            assert rows.recordings["file"].isna().all()
            assert rows.recordings["content"].nunique() == 5

    def test_a_table_of_clips_of_one_length(self, make_clip, model, tmp_path):
        X = np.stack([make_clip(0.2, seed=i) for i in range(5)])
        model.fit(X)
        embed(model, X, tmp_path, part_size=2)
        np.testing.assert_array_equal(load_rows(tmp_path).data, model.transform(X))

    @pytest.mark.parametrize("X", ["a.wav", [], {"a.wav"}, None, 3])
    def test_no_recordings(self, X, model, tmp_path):
        with pytest.raises((TypeError, ValueError), match=r"X|recording"):
            embed(model, X, tmp_path / "rows")
        assert not (tmp_path / "rows").exists()

    def test_nothing_is_recognised_that_is_done(self, good, model, tmp_path):
        """A second call of a million files looks at their names alone."""
        embed(model, good, tmp_path)
        moved = [path.replace("recordings", "gone") for path in good]
        with pytest.raises(ValueError, match="X has as many recordings, but other ones"):
            embed(model, moved, tmp_path)


class TestGoingOn:
    def test_finished_parts_are_not_repeated(self, good, tmp_path):
        counting = make_pipeline(FunctionTransformer(count), small_model())
        seen.clear()
        embed(counting, good, tmp_path / "a", part_size=5)
        assert seen == good
        embed(counting, good, tmp_path / "a", part_size=5)
        assert seen == good
        before = contents(tmp_path / "a")
        (tmp_path / "a" / "rows" / "part-00000002.parquet").unlink()
        embed(counting, good, tmp_path / "a", part_size=5)
        assert seen == good + good[10:15]
        assert contents(tmp_path / "a") == before

    def test_an_interrupted_run_goes_on(self, files, model, tmp_path, monkeypatch):
        from skaudio.scale import _compute

        embed(model, files, tmp_path / "whole", part_size=5)
        written = []

        def interrupted(folder, kind, part, tables):
            written.append(part)
            if len(written) == 3:
                raise KeyboardInterrupt
            return _compute._parts.__dict__["write_tables_"](folder, kind, part, tables)

        monkeypatch.setattr(
            _compute._parts, "write_tables_", _compute._parts.write_tables, raising=False
        )
        monkeypatch.setattr(_compute._parts, "write_tables", interrupted)
        with pytest.raises(KeyboardInterrupt):
            embed(model, files, tmp_path / "cut", part_size=5)
        state = folder_state(tmp_path / "cut")
        assert (state.n_finished, state.missing, state.is_complete) == (2, (2, 3, 4), False)
        embed(model, files, tmp_path / "cut", part_size=5)
        assert written == [0, 1, 2, 2, 3, 4]
        assert contents(tmp_path / "cut") == contents(tmp_path / "whole")

    def test_failures_are_tried_again_on_demand(self, files, tmp_path):
        copies = []
        for i, path in enumerate(files):
            copies.append(tmp_path / f"{i}.wav")
            if i not in DAMAGED:
                copies[-1].write_bytes(Path(path).read_bytes())
        counting = make_pipeline(FunctionTransformer(count), small_model())
        folder = tmp_path / "rows"
        embed(counting, copies, folder, part_size=5)
        load_rows(folder, mmap_mode="r")
        copies[3].write_bytes(Path(files[4]).read_bytes())
        seen.clear()
        assert embed(counting, copies, folder, part_size=5).n_failed == 2
        assert seen == []
        assert embed(counting, copies, folder, part_size=5, retry_failures=True).n_failed == 1
        assert set(seen) == {str(copies[i]) for i in DAMAGED}
        for mode in (None, "r"):
            rows = load_rows(folder, mmap_mode=mode)
            assert rows.recordings["recording"].tolist() == [i for i in range(N) if i != 17]
            np.testing.assert_array_equal(rows.data[3], rows.data[4])

    def test_shards(self, files, model, tmp_path):
        embed(model, files, tmp_path / "whole", part_size=5)
        first = embed(model, files, tmp_path / "shards", part_size=5, shard=(1, 2))
        assert first.missing == (0, 2, 4)
        with pytest.raises(ValueError, match=r"is not complete: 10 of 24 recordings are done"):
            load_rows(tmp_path / "shards")
        assert len(load_rows(tmp_path / "shards", partial=True).data) == 9
        assert embed(model, files, tmp_path / "shards", part_size=5, shard=(0, 2)).is_complete
        assert contents(tmp_path / "shards") == contents(tmp_path / "whole")

    def test_more_shards_than_parts(self, good, model, tmp_path):
        assert embed(model, good, tmp_path, shard=(7, 8)).n_done == 0

    def test_left_by_a_killed_process(self, good, model, tmp_path):
        embed(model, good, tmp_path)
        import socket

        ended = tmp_path / "rows" / f".part-1.parquet-{socket.gethostname()}-{2**22 + 1}-ab.tmp"
        other = tmp_path / "rows" / ".part-1.parquet-elsewhere-77-ab.tmp"
        ended.touch()
        other.touch()  # may be running
        embed(model, good, tmp_path)
        assert not ended.exists()
        assert other.exists()


class TestRefused:
    def test_another_transformer(self, good, model, tmp_path):
        embed(model, good, tmp_path)
        before = contents(tmp_path)
        with pytest.raises(ValueError, match=r"the estimator is .*n_mfcc=5.* there, .*n_mfcc=6"):
            embed(model.set_params(mfcc__n_mfcc=6), good, tmp_path)
        assert contents(tmp_path) == before

    def test_another_fit(self, good, tmp_path):
        scaled = make_pipeline(small_model(), StandardScaler())
        embed(scaled.fit(good), good, tmp_path)
        with pytest.raises(ValueError, match="has learned something else"):
            embed(scaled.fit(good[:9]), good, tmp_path)

    def test_other_recordings(self, good, model, tmp_path):
        embed(model, good, tmp_path)
        with pytest.raises(ValueError, match="X has 22 recordings there, 21 here"):
            embed(model, good[1:], tmp_path)
        with pytest.raises(ValueError, match="as many recordings, but other ones, or in another"):
            embed(model, good[::-1], tmp_path)

    def test_other_options(self, good, model, tmp_path):
        embed(model, good, tmp_path)
        with pytest.raises(ValueError, match="part_size is 1000 there, 7 here"):
            embed(model, good, tmp_path, part_size=7)
        with pytest.raises(ValueError, match="dtype is 'float32' there, 'float16' here"):
            embed(model, good, tmp_path, dtype="float16")

    def test_another_version(self, good, model, tmp_path):
        embed(model, good, tmp_path)
        manifest = json.loads((tmp_path / "manifest.json").read_text())
        manifest["versions"]["numpy"] = "1.0"
        (tmp_path / "manifest.json").write_text(json.dumps(manifest))
        with pytest.warns(UserWarning, match=r"other versions of libraries \(numpy 1.0 ->"):
            embed(model, good, tmp_path)
        manifest["versions"]["skaudio"] = "0.0"
        (tmp_path / "manifest.json").write_text(json.dumps(manifest))
        with pytest.raises(ValueError, match=r"another version of skaudio \(skaudio 0.0 ->"):
            embed(model, good, tmp_path)

    def test_what_changes_no_result_may_change(self, good, model, tmp_path):
        embed(model, good, tmp_path)
        assert embed(model.set_params(mfcc__n_jobs=2, mfcc__verbose=1), good, tmp_path).is_complete

    def test_a_folder_of_something_else(self, good, model, tmp_path):
        (tmp_path / "thesis.tex").touch()
        with pytest.raises(ValueError, match=r"holds other files \('thesis.tex'...\)"):
            embed(model, good, tmp_path)
        with pytest.raises(ValueError, match=r"has no manifest.json: expected a folder that"):
            load_rows(tmp_path)

    @pytest.mark.parametrize("text", ["{", "[]", "{}", '{"format": 9}'])
    def test_a_damaged_manifest(self, text, good, model, tmp_path):
        (tmp_path / "manifest.json").write_text(text)
        with pytest.raises(ValueError, match=r"manifest.json is (damaged|not a manifest)"):
            embed(model, good, tmp_path)

    def test_a_damaged_part(self, good, model, tmp_path):
        embed(model, good, tmp_path, part_size=5)
        path = tmp_path / "rows" / "part-00000001.parquet"
        path.write_bytes(path.read_bytes()[:100])
        with pytest.raises(ValueError, match=r"part-00000001.parquet is damaged .* Remove it"):
            load_rows(tmp_path)

    def test_frames(self, good, tmp_path):
        with pytest.raises(TypeError, match=r"MFCC returns .* expected a row of numbers for each"):
            embed(MFCC(), good, tmp_path)

    def test_what_is_no_transformer(self, good, tmp_path):
        detector = EventDetector(MFCC())
        for wrong in (MFCC, "mn04_as", len):
            with pytest.raises(TypeError, match="expected an estimator of recordings"):
                embed(wrong, good, tmp_path)
        with pytest.raises(TypeError, match=r"no method transform: use skaudio.scale.detect"):
            embed(detector, good, tmp_path)
        with pytest.raises(TypeError, match=r"no method tag: use skaudio.scale.embed"):
            tag(MFCC(), good, tmp_path)

    def test_what_is_not_fitted(self, good, tmp_path):
        with pytest.raises(NotFittedError):
            embed(make_pipeline(small_model(), PCA()), good, tmp_path)

    @pytest.mark.parametrize(
        "shard, error, message",
        [
            ((2, 2), ValueError, r"0 <= i < n. The first of 2 shards is \(0, 2\)"),
            ((-1, 2), ValueError, "0 <= i < n"),
            (3, TypeError, "expected a pair"),
            ((1.0, 2), TypeError, "whole numbers"),
        ],
    )
    def test_shards(self, shard, error, message, good, model, tmp_path):
        with pytest.raises(error, match=message):
            embed(model, good, tmp_path, shard=shard)

    @pytest.mark.parametrize("name, value", [("dtype", "float64"), ("on_failed_part", "skip")])
    def test_words(self, name, value, good, model, tmp_path):
        with pytest.raises(ValueError, match=f"{name}='{value}': expected"):
            embed(model, good, tmp_path, **{name: value})

    def test_a_part_that_fails_as_a_whole(self, model, tmp_path):
        gone = [str(tmp_path / f"{i}.wav") for i in range(60)]
        folder = tmp_path / "rows"
        with pytest.raises(ValueError, match=r"all 60 recordings of part 0 fail; the first: no su"):
            embed(model, gone, folder)
        assert folder_state(folder).n_done == 0
        assert embed(model, gone, folder, on_failed_part="keep").n_failed == 60

    def test_without_pyarrow(self, good, model, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "pyarrow", None)
        with pytest.raises(ImportError, match=r'pip install "skaudio\[scale\]"'):
            embed(model, good, tmp_path / "rows")
        assert not (tmp_path / "rows").exists()


class TestModels:
    """What tells one model from another."""

    def test_saved_and_loaded(self, good, make_clip, tmp_path):
        X = [make_clip(0.3, seed=i) for i in range(12)]
        y = np.arange(12) % 2
        net = skaudio.LeNetClassifier(
            MelSpectrogram(n_mels=16), channels=(4,), max_epochs=1, random_state=0
        )
        models = [
            small_model(),
            make_pipeline(small_model(), StandardScaler(), PCA(2)).fit(X),
            NetEmbedder(net).fit(X, y),
            PretrainedEmbedder("mn01_as", weights="random").fit(X),
        ]
        for i, model in enumerate(models):
            path = skaudio.save(model, tmp_path / f"{i}.skaudio")
            digest = model_digest(model)
            model.transform(X)
            assert model_digest(model) == digest
            assert model_digest(skaudio.load(path)) == digest
        assert len({model_digest(model) for model in models}) == len(models)

    def test_functions_of_the_user(self, good):
        def first(X):
            return X

        def second(X):
            return X[:]

        makers = [make_pipeline(FunctionTransformer(f), small_model()) for f in (first, second)]
        assert model_digest(makers[0]) != model_digest(makers[1])
        assert model_digest(makers[0]) == model_digest(
            make_pipeline(FunctionTransformer(first), small_model(n_jobs=2))
        )
        scaled = [
            make_pipeline(FunctionTransformer(first), small_model(), StandardScaler()).fit(X)
            for X in (good[:9], good)
        ]
        assert model_digest(scaled[0]) != model_digest(scaled[1])


class TestEvents:
    def test_tags(self, files, good, tmp_path):
        tagger = AudioTagger("mn01_as", weights="random")
        state = tag(tagger, files, tmp_path, top=2, part_size=5)
        loaded = load_events(tmp_path)
        expected = tagger.tag(good, top=2)
        pd.testing.assert_frame_equal(loaded.events[expected.columns.tolist()], expected)
        assert loaded.failures["recording"].tolist() == list(DAMAGED)
        assert loaded.recordings["file"].tolist() == good
        assert state.n_failed == 2
        with pytest.raises(ValueError, match="holds events: use load_events"):
            load_rows(tmp_path)
        with pytest.raises(ValueError, match=r"the options is \{'top': 2"):
            tag(tagger, files, tmp_path, top=3, part_size=5)

    def test_failures_are_tried_again(self, good, tmp_path):
        tagger = AudioTagger("mn01_as", weights="random")
        paths = [tmp_path / f"{i}.wav" for i in range(4)]
        for i, path in enumerate(paths):
            path.write_bytes(b"RIFF" if i == 1 else Path(good[i]).read_bytes())
        assert tag(tagger, paths, tmp_path / "tags").n_failed == 1
        paths[1].write_bytes(Path(good[1]).read_bytes())
        assert tag(tagger, paths, tmp_path / "tags", retry_failures=True).n_failed == 0
        tag(tagger, paths, tmp_path / "whole")
        assert contents(tmp_path / "tags") == contents(tmp_path / "whole")

    def test_events_of_clips_of_one_file(self, make_clip, write_audio, tmp_path):
        path = write_audio(tmp_path / "long.wav", make_clip(3.0))
        X = AudioBatch([make_clip(0.5, seed=i) for i in range(8)], 16000)
        detector = EventDetector(
            MelSpectrogram(n_mels=16, hop_length=320),
            channels=(4, 4),
            max_epochs=1,
            threshold=0.3,
            random_state=0,
        ).fit(X, np.arange(8) % 2)
        clips = pd.DataFrame({"file": path, "onset": [0.0, 1.0, 0.5], "offset": [1.0, 2.0, 2.5]})
        detect(detector, clips, tmp_path / "events", part_size=2)
        found = load_events(tmp_path / "events").events
        expected = detector.predict_events(clips)
        assert len(expected) > 0
        pd.testing.assert_frame_equal(found[expected.columns.tolist()], expected)
        assert found["recording"].is_monotonic_increasing

    def test_no_events_at_all(self, make_clip, good, tmp_path):
        X = AudioBatch([make_clip(0.5, seed=i) for i in range(8)], 16000)
        encoder = MelSpectrogram(n_mels=16, hop_length=320)
        detector = EventDetector(encoder, channels=(4, 4), max_epochs=1, threshold=1.0)
        detect(detector.fit(X, np.arange(8) % 2), good, tmp_path)
        loaded = load_events(tmp_path)
        assert len(loaded.events) == 0
        assert len(loaded.recordings) == len(good)


def test_pooled_rows_of_a_transformer_without_names(good, tmp_path):
    nameless = make_pipeline(MFCC(n_mfcc=5), FramePooling(), FunctionTransformer(times))
    embed(nameless, good, tmp_path)
    assert load_rows(tmp_path).feature_names is None
