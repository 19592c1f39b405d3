"""What other libraries hold: Arrow's and polars' scalars and tables, masks, tensors, gaps."""

from __future__ import annotations

import array
import re
import warnings
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import torch

from skaudio.audio import AudioBatch
from skaudio.encoders import MFCC, Waveform
from skaudio.events import file_names

N = 4000


@pytest.fixture
def paths(tmp_path, make_clip, write_audio):
    return [write_audio(tmp_path / f"{i}.wav", make_clip(0.25, seed=i)) for i in range(2)]


@pytest.fixture
def ints(make_clip):
    return [(make_clip(0.25, seed=i) * 20000).astype(np.int16) for i in range(2)]


def read(X):
    return list(Waveform().fit_transform(X))


def same(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


class TestArrow:
    @pytest.fixture
    def pa(self):
        return pytest.importorskip("pyarrow")

    @pytest.mark.parametrize("kind", ["array", "chunks", "dictionary", "structs", "table", "list"])
    def test_paths_are_paths(self, kind, pa, paths):
        X = {
            "array": lambda: pa.array(paths),
            "chunks": lambda: pa.chunked_array([paths[:1], paths[1:]]),
            "dictionary": lambda: pa.array(paths).dictionary_encode(),
            "structs": lambda: pa.array([{"path": path} for path in paths]),
            "table": lambda: pa.table({"path": paths}),
            "list": lambda: [pa.scalar(path) for path in paths],
        }[kind]()
        same(read(X), read(paths))

    def test_bytes_are_files(self, pa, paths):
        content = [Path(path).read_bytes() for path in paths]
        same(read(pa.array(content)), read(paths))
        same(read([pa.py_buffer(c) for c in content]), read(paths))
        same(read([memoryview(c) for c in content]), read(paths))
        same(read([array.array("B", c) for c in content]), read(paths))

    def test_lists_are_samples_of_their_type(self, pa, ints):
        same(read(pa.array([x.tolist() for x in ints], pa.list_(pa.int16()))), read(ints))
        stereo = [np.stack([x, x]) for x in ints]
        nested = pa.array([s.tolist() for s in stereo], pa.list_(pa.list_(pa.float64())))
        same(read(nested), read([s.astype(float) for s in stereo]))
        rows = [{"array": x, "sampling_rate": 8000} for x in ints]
        kind = pa.struct([("array", pa.list_(pa.int16())), ("sampling_rate", pa.int64())])
        same(read(pa.array(rows, kind)), read(rows))

    def test_missing_values_are_named(self, pa, paths):
        with pytest.raises(TypeError, match=r"recording 1 is None .* A missing value"):
            MFCC().fit(pa.array([paths[0], None]))
        with pytest.raises(TypeError, match=r"recording 1 is None .* A missing value"):
            MFCC().fit(pa.array([{"path": paths[0]}, None]))

    def test_a_table_of_several_columns_is_refused(self, pa, paths):
        with pytest.raises(ValueError, match=r"the columns \['path', 'age'\], .* X\[\['path'\]\]"):
            MFCC().fit(pa.table({"path": paths, "age": [1, 2]}))

    def test_names_of_files(self, pa, paths):
        assert file_names(pa.array(paths)) == paths


class TestPolars:
    @pytest.fixture
    def pl(self):
        return pytest.importorskip("polars")

    def test_paths_are_paths(self, pl, paths):
        for X in (pl.Series(paths), pl.DataFrame({"path": paths})):
            same(read(X), read(paths))
        same(read(pl.Series([{"path": path} for path in paths])), read(paths))

    def test_lists_are_samples_of_their_type(self, pl, ints):
        X = pl.Series([x.tolist() for x in ints], dtype=pl.List(pl.Int16))
        same(read(X), read(ints))

    def test_missing_values_are_named(self, pl, paths):
        with pytest.raises(TypeError, match=r"recording 1 is None .* A missing value"):
            MFCC().fit(pl.Series([paths[0], None]))

    def test_numbers_are_clips(self, pl, make_clip):
        table = np.stack([make_clip(0.01, seed=i) for i in range(3)])
        same(read(pl.DataFrame(table)), list(table))


class Item:
    """An item of an array of Arrow, whose bytes are no samples."""

    def __init__(self, value):
        self.value = value

    def as_py(self):
        return self.value


def test_items_are_asked_for_their_value(paths):
    """As of Arrow, where that is not installed."""
    same(read([Item(path) for path in paths]), read(paths))
    with pytest.raises(TypeError, match="recording 0 is None"):
        MFCC().fit([Item(None)])


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NaT, pd.NA])
def test_missing_values_are_named(missing, paths):
    for column in (
        pd.Series([paths[0], missing], dtype=object),
        pd.DataFrame({"path": [paths[0], missing]}),
        np.array([paths[0], missing], dtype=object),
    ):
        with pytest.raises(TypeError, match=r"recording 1 is .* A missing value in the table"):
            MFCC().fit(column)


def test_all_missing_values_are_told():
    with pytest.raises(TypeError, match="2 of 3 recordings cannot be read:\nrecording 0 is None"):
        MFCC().fit(pd.Series([None, "a.wav", pd.NA], dtype=object))
    with pytest.raises(TypeError, match="At least 10 of 999 recordings"):
        MFCC().fit([None] * 999)


WIDE = {
    "list": lambda x: [x[0], x[1]],
    "tuple of lists": lambda x: (x[0].tolist(), x[1].tolist() + [1]),
    "mapping": lambda x: [{"array": row, "sampling_rate": 16000} for row in x],
    "2-D": lambda x: x,
    "DataFrame": lambda x: pd.DataFrame(x),
    "Series": lambda x: pd.Series(list(x)),
    "tensors": lambda x: [torch.tensor(row) for row in x],
    "2-D tensor": lambda x: torch.tensor(x),
    "stereo": lambda x: [x],
}


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@pytest.mark.parametrize("kind", WIDE)
def test_narrow_samples_in_wide_integers_warn(kind, dtype, ints):
    X = WIDE[kind](np.stack(ints).astype(dtype))
    with pytest.warns(UserWarning, match=r"holds int\d\d samples up to \d+: .*they are silence"):
        MFCC().fit(X)


def test_narrow_samples_in_an_audio_batch_warn(ints):
    with pytest.warns(UserWarning, match="Waveform 0 holds int64 samples"):
        AudioBatch([x.astype(np.int64) for x in ints], 16000)


def test_an_audio_batch_scales_integers_like_a_list(ints):
    same(list(AudioBatch(ints, 16000)), read(ints))


def test_wide_samples_in_wide_integers_do_not_warn(ints):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MFCC().fit([x.astype(np.int32) << 16 for x in ints])
        MFCC().fit([x.astype(np.int32) << 8 for x in ints])  # 24 bits
        MFCC().fit(np.ones((3, 4), np.int64))  # scikit-learn's little tables
        MFCC().fit([np.zeros(N, np.int64)])


class TestMasks:
    def test_no_mask_is_an_array(self, make_clip):
        clip = make_clip(0.1)
        same(read([np.ma.array(clip, mask=False)]), [clip])

    @pytest.mark.parametrize("kind", ["list", "mapping", "2-D", "paths", "batch"])
    def test_masked_values_are_refused(self, kind, make_clip):
        clip = np.ma.array(make_clip(0.1))
        masked = clip.copy()
        masked[7:9] = np.ma.masked
        make = {
            "list": lambda: MFCC().fit([clip, masked]),
            "mapping": lambda: MFCC().fit([clip, {"array": masked, "sampling_rate": 16000}]),
            "2-D": lambda: MFCC().fit(np.ma.stack([clip, masked])),
            "paths": lambda: MFCC().fit(np.ma.array(["a.wav", "b.wav"], mask=[False, True])),
            "batch": lambda: AudioBatch([clip, masked]),
        }[kind]
        with pytest.raises(ValueError, match=r"(recording|Waveform) 1 is a masked array, [12] of"):
            make()


class TestTensors:
    @pytest.mark.parametrize(
        ("tensor", "kind", "reason"),
        [
            (torch.zeros(N, requires_grad=True), ValueError, "requires grad"),
            (torch.zeros(N, dtype=torch.bfloat16), TypeError, "BFloat16"),
        ],
    )
    def test_what_numpy_cannot_hold_is_named(self, tensor, kind, reason, make_clip):
        message = rf"recording 1 \(Tensor\) is not an array of numbers: .*{reason}.*detach\(\)"
        for X in ([make_clip(), tensor], [make_clip(), {"array": tensor, "sampling_rate": 16000}]):
            with pytest.raises(kind, match=message):
                MFCC().fit(X)
        with pytest.raises(kind, match=rf"X \(Tensor\) is not an array of numbers: .*{reason}"):
            MFCC().fit(tensor.reshape(4, -1))
        with pytest.raises(kind, match=r"Waveform 0 \(Tensor\)"):
            AudioBatch([tensor])


@pytest.mark.parametrize(
    ("path", "message"),
    [("a\0b.wav", "null byte in its path"), ("a\ud800.wav", "is not a valid file name")],
)
def test_impossible_paths_are_named(path, message):
    for item in (path, {"path": path}):
        with pytest.raises(ValueError, match=f"recording 1 .*{message}"):
            MFCC().fit(["b.wav", item])


NO_RECORDINGS = {
    "a number in a list": (["a.wav", [3]], r"recording 1 is \[3\] \(list\), expected a path"),
    "a list of numbers in lists": ([[3], [5]], r"recording 0 is \[3\] \(list\), expected a path"),
    "a number": (["a.wav", 3], r"recording 1 is 3 \(int\), expected a path"),
    "a scalar of numpy": (["a.wav", np.float32(3)], r"recording 1 is .*3.* \(float32\), expected"),
    "a scalar tensor": (["a.wav", torch.tensor(3.0)], r"recording 1 is tensor\(3.\) \(Tensor\)"),
    "a 0-d array": (["a.wav", np.array(3)], r"recording 1 is array\(3\) \(ndarray\), expected"),
    "a path in a list": (
        ["a.wav", ["b.wav"]],
        r"recording 1 is an array of <U5.* Is \['b.wav'\] a path",
    ),
    "a path in an array": (["a.wav", np.array(["b.wav"])], r"Is \['b.wav'\] a path in a list"),
    "a structured array": (np.array([("a", 1)], "U1,i4"), r"X is an array of .*'f0'.* one field"),
}


@pytest.mark.parametrize("kind", NO_RECORDINGS)
def test_what_is_no_recording_is_named(kind):
    X, message = NO_RECORDINGS[kind]
    with pytest.raises(TypeError, match=message):
        MFCC().fit(X)


class TestMappings:
    def test_sample_rate_is_sampling_rate(self, make_clip):
        clip = make_clip(0.2, 8000)
        one, other = ({"array": clip, key: 8000} for key in ("sample_rate", "sampling_rate"))
        same(read([one]), read([other]))
        same(read([{**one, **other}]), read([other]))

    def test_two_rates_are_refused(self, make_clip):
        item = {"array": make_clip(), "sample_rate": 8000, "sampling_rate": 16000}
        with pytest.raises(ValueError, match="recording 0 states two rates"):
            MFCC().fit([item])

    def test_keys_are_told(self, make_clip):
        message = r"but without 'sampling_rate', expected both; its keys are \['array', 'sr'\]"
        with pytest.raises(ValueError, match=message):
            MFCC().fit([{"array": make_clip(), "sr": 8000}])
        with pytest.raises(ValueError, match=r"keys \['file'\], expected 'array' and 'sampling"):
            MFCC().fit([{"file": "a.wav"}])


def test_numpys_strings_are_plain_in_messages():
    name = np.str_("gone.wav")
    for X in (np.array([name]), [name], [{"path": name}]):
        with pytest.raises(ValueError, match=re.escape("recording 0 ('gone.wav'): no such file")):
            MFCC().fit_transform(X)
    batch = AudioBatch([np.full(800, np.nan)], names=np.array([name]))
    with pytest.raises(ValueError, match=re.escape("recording 0 ('gone.wav') contains NaN")):
        MFCC().fit_transform(batch)


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["multiprocessing", "threading", "loky"])
def test_any_backend_encodes(backend, make_clip):
    """Not every backend gives results one after the other."""
    clips = [make_clip(0.1, seed=i) for i in range(6)]
    with joblib.parallel_config(backend, n_jobs=2):
        frames = MFCC().fit_transform(clips)
    np.testing.assert_array_equal(frames, MFCC().fit_transform(clips))


def test_a_backend_is_asked_for_what_it_can_do(make_clip, monkeypatch):
    from joblib._parallel_backends import ThreadingBackend

    clips = [make_clip(0.1, seed=i) for i in range(6)]
    expected = MFCC().fit_transform(clips)
    monkeypatch.setattr(ThreadingBackend, "supports_return_generator", False)
    with joblib.parallel_config("threading", n_jobs=2):
        np.testing.assert_array_equal(MFCC().fit_transform(clips), expected)
