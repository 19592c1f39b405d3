"""One contract of everything that runs a network over chunks, whatever the network is."""

from __future__ import annotations

import pickle
import threading

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

import skaudio
from skaudio.audio import AudioBatch
from skaudio.caching import CachedTransformer
from skaudio.encoders import MelSpectrogram
from skaudio.pretrained import (
    OnnxEmbedder,
    PretrainedEmbedder,
    TorchEmbedder,
    TransformersEmbedder,
)

from .walk import TINY_ONNX, TINY_WAV2VEC2, WaveNet

EMBEDDERS = {
    "pretrained": lambda **kw: PretrainedEmbedder("mn01_as", weights="random", **kw),
    "torch": lambda **kw: TorchEmbedder(WaveNet, **kw),
    "instance": lambda **kw: TorchEmbedder(NET, **kw),
    "encoder": lambda **kw: TorchEmbedder(
        Frames, module_params={"n_features": 16}, encoder=MelSpectrogram(n_mels=16), **kw
    ),
    "onnx": lambda **kw: OnnxEmbedder(TINY_ONNX, **kw),
    "transformers": lambda **kw: TransformersEmbedder(TINY_WAV2VEC2, weights="random", **kw),
}
# What reads frames inside chunks.
FRAMES = {
    "pretrained": {"layer": "features.6"},
    "onnx": {"output": "frames"},
}
every_embedder = pytest.mark.parametrize("name", EMBEDDERS)


class Frames(torch.nn.Module):
    """A module over frames, with lengths."""

    def __init__(self, n_features):
        super().__init__()
        self.linear = torch.nn.Conv1d(n_features, 5, 1)

    def forward(self, x, lengths):
        assert lengths.tolist() == [x.shape[-1]] * len(x)
        return self.linear(x)


with torch.random.fork_rng():
    torch.manual_seed(0)  # of some filters, all features of a short clip are 0
    NET = WaveNet(4)


def make(name, **kwargs):
    return EMBEDDERS[name](**kwargs)


def rate(name):
    return make(name).sample_rate


@pytest.fixture(scope="module")
def clips():
    rng = np.random.default_rng(0)
    seconds = (0.3, 1, 2.4, 1, 0.01, 5.1, 1)
    return [rng.normal(scale=0.1, size=round(16000 * s)).astype(np.float32) for s in seconds]


@every_embedder
def test_rows(name, clips):
    embedder = make(name, chunk_duration=0.5)
    rows = embedder.transform(clips)
    assert rows.shape == (7, len(embedder.get_feature_names_out()))
    assert rows.dtype == np.float32
    assert rows.flags.c_contiguous
    assert np.isfinite(rows).all()
    table = embedder.set_output(transform="pandas").transform(clips)
    assert table.columns[1] == f"{type(embedder).__name__.lower()}1"


@every_embedder
def test_a_row_is_its_recordings_alone(name, clips):
    embedder = make(name, chunk_duration=0.5, chunk_hop=0.2)
    together = embedder.transform(clips)
    for clip, row in zip(clips, together, strict=True):
        np.testing.assert_array_equal(embedder.transform([clip])[0], row)
    np.testing.assert_array_equal(embedder.fit(clips).transform(clips[::-1])[::-1], together)


@every_embedder
def test_batches_differ_by_rounding(name, clips):
    expected = make(name, chunk_duration=0.5).transform(clips)
    for size in (2, 20):
        found = make(name, chunk_duration=0.5, batch_size=size).transform(clips)
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


@every_embedder
def test_chunks_and_their_times(name, clips):
    embedder = make(name, pooling=None, chunk_duration=0.5, chunk_hop=0.25)
    n = round(5.1 * 16000 / rate(name) * 4) - 1
    frames = embedder.transform(clips)
    assert abs(frames[5].shape[1] - n) <= 1
    assert frames[4].shape[1] == 1  # shorter than a chunk
    np.testing.assert_allclose(embedder.chunk_times(2), [[0, 0.5], [0.25, 0.75]])
    np.testing.assert_allclose(embedder.frame_times(2), [0.25, 0.5])
    for how, pool in (("mean", np.mean), ("max", np.max)):
        rows = clone(embedder).set_params(pooling=how).transform(clips)
        np.testing.assert_allclose(rows, [pool(f, axis=1) for f in frames], rtol=1e-5, atol=1e-6)


@every_embedder
def test_whole_recordings(name, clips):
    embedder = make(name, chunk_duration=None)
    assert np.isfinite(embedder.transform(clips)).all()
    with pytest.raises(ValueError, match="a recording is one chunk"):
        embedder.chunk_times(2)


@every_embedder
def test_frames_inside_chunks(name, clips):
    embedder = make(
        name, resolution="layer", pooling=None, chunk_duration=1.0, **FRAMES.get(name, {})
    )
    frames = embedder.fit(clips).transform([clips[5], clips[2]])
    assert len(frames[0]) == len(embedder.get_feature_names_out())
    times = embedder.frame_times(frames[0])
    assert np.diff(times) == pytest.approx(times[1])
    seconds = len(clips[5]) / rate(name)
    assert abs(times[-1] - seconds) < max(3 * times[1], 0.05)
    if name != "pretrained":  # whose features of a layer are channels in bands
        rows = clone(embedder).set_params(resolution="chunk", chunk_duration=None, pooling="mean")
        one = clone(embedder).set_params(chunk_duration=None).transform([clips[2]])[0]
        np.testing.assert_allclose(rows.transform([clips[2]])[0], one.mean(axis=1), rtol=1e-4)


@every_embedder
def test_a_stream_gives_the_same(name, clips):
    for extra in ({}, {"resolution": "layer", **FRAMES.get(name, {})}):
        embedder = make(name, pooling=None, chunk_duration=0.5, chunk_hop=0.4, **extra)
        signal = clips[5]
        live = embedder.stream()
        pieces = [live.push(piece) for piece in np.split(signal, [100, 9000, 40000, 40001])]
        found = np.concatenate([*pieces, live.finish()], axis=1)
        np.testing.assert_array_equal(found, embedder.transform([signal])[0])


@every_embedder
def test_unit_norm_and_bad_recordings(name, clips):
    rows = make(name, unit_norm=True).transform(clips)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)
    bad = [clips[0], "nowhere.wav", np.full(1000, np.nan)]
    with pytest.raises(ValueError, match=r"(?s)2 of 3 recordings.*recording 1 \('nowhere\.wav'\)"):
        make(name).transform(bad)
    with pytest.warns(UserWarning, match="2 of 3 recordings"):
        rows = make(name, on_error="nan").transform(bad)
    assert np.isnan(rows).all(axis=1).tolist() == [False, True, True]


@every_embedder
def test_resampled(name, make_clip):
    slow = AudioBatch([make_clip(1.0, 8000)], 8000)
    waveform = skaudio.Waveform(sample_rate=rate(name)).transform(slow)[0]
    np.testing.assert_array_equal(make(name).transform(slow), make(name).transform([waveform]))


@every_embedder
def test_in_a_pipeline_and_in_threads(name, clips):
    X, y = clips * 2, np.arange(14) % 7 % 2
    search = GridSearchCV(
        make_pipeline(make(name), LogisticRegression()),
        {f"{type(make(name)).__name__.lower()}__pooling": ["mean", "max"]},
        cv=2,
    )
    assert search.fit(X, y).predict(X).shape == (14,)
    embedder = make(name, chunk_duration=0.5).fit(X)
    expected, found = embedder.transform(X), [None] * 3

    def run(i):
        found[i] = embedder.transform(X)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for rows in found:
        np.testing.assert_array_equal(rows, expected)


@every_embedder
def test_pickled_and_saved(name, clips, tmp_path):
    embedder = make(name, chunk_duration=0.5).fit(clips)
    rows = embedder.transform(clips)
    again = pickle.loads(pickle.dumps(embedder))
    np.testing.assert_array_equal(again.transform(clips), rows)
    path = skaudio.save(embedder, tmp_path / "model.skaudio")
    given = {"WaveNet": WaveNet(4) if name == "instance" else WaveNet, "Frames": Frames}
    loaded = skaudio.load(path, modules=given)
    assert loaded.weights_hash() == embedder.weights_hash()
    np.testing.assert_array_equal(loaded.transform(clips), rows)
    np.testing.assert_array_equal(clone(embedder).transform(clips), rows)


@every_embedder
def test_cached_by_weights(name, clips, tmp_path):
    cached = CachedTransformer(make(name), tmp_path)
    rows = cached.fit_transform(clips)
    np.testing.assert_array_equal(clone(cached).fit_transform(clips), rows)
    assert cached.cache_info().misses + clone(cached).cache_info().hits >= 7
    other = make(name)
    other.set_params(pooling="max", chunk_duration=0.5)
    assert not np.array_equal(
        clone(cached).set_params(transformer=other).fit_transform(clips), rows
    )


@every_embedder
def test_bfloat16_is_near(name, clips):
    if name == "onnx":
        pytest.skip("the precision is the file's")
    rows, near = (make(name, precision=p).transform(clips[:4]) for p in ("float32", "bfloat16"))
    assert near.dtype == np.float32
    assert not np.array_equal(rows, near)
    cosines = (rows * near).sum(1) / np.linalg.norm(rows, axis=1) / np.linalg.norm(near, axis=1)
    assert cosines.min() > 0.95
