"""Long recordings: worked through in blocks, with the numbers of the whole.

Every neural estimator is found by walking the package. `LONG_FRAMES` is lowered, so that sequences
of some hundred frames are long.
"""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline

from skaudio._neural import can_walk, long_frames, predict
from skaudio.augmentation import Noise
from skaudio.classifiers import GRUClassifier, LeNetClassifier, NetClassifier
from skaudio.detectors import EventDetector
from skaudio.embedders import NetEmbedder, SiameseEmbedder
from skaudio.encoders import MFCC, MelSpectrogram
from skaudio.nets import GRU, POOLINGS, LeNet, TimePooling

pytestmark = pytest.mark.slow  # walks over all estimators take long together

RATE = 8000
N_FEATURES = 8
TOLERANCE = 1e-5

MEL = MelSpectrogram(sample_rate=RATE, n_mels=N_FEATURES)
FAST = {"max_epochs": 2, "random_state": 0, "lr": 0.01}
NETS = {
    **{f"LeNet {p}": (LeNetClassifier, {"channels": (4, 8), "pooling": p}) for p in POOLINGS},
    **{f"GRU {p}": (GRUClassifier, {"hidden_size": 6, "pooling": p}) for p in POOLINGS},
    "GRU stem": (GRUClassifier, {"hidden_size": 6, "stem": (4, 6), "pooling": "mean_std"}),
    "GRU forwards": (GRUClassifier, {"hidden_size": 6, "bidirectional": False}),
    "wide LeNet": (LeNetClassifier, {"channels": (4, 4, 4), "kernel_size": 5}),
    "NetClassifier": (NetClassifier, {"module": LeNet, "module_params": {"channels": (4,)}}),
    "Siamese tdnn": (SiameseEmbedder, {"embedding_size": 6}),
    "Siamese statistics": (SiameseEmbedder, {"module": "statistics", "embedding_size": 6}),
    "Siamese lenet": (SiameseEmbedder, {"module": "lenet", "module_params": {"channels": (4,)}}),
    "Siamese gru": (SiameseEmbedder, {"module": "gru", "module_params": {"hidden_size": 6}}),
    "detector": (EventDetector, {"channels": (4, 4), "frame_stride": 2, "hidden_size": 6}),
}


@pytest.fixture(scope="module")
def data():
    """Sequences of frames, of which three are long, and their labels."""
    rng = np.random.default_rng(0)
    lengths = [40, 41, 48, 48, 233, 317, 407, 45]
    y = np.arange(len(lengths)) % 2
    X = [rng.standard_normal((N_FEATURES, n)) + c for n, c in zip(lengths, y, strict=True)]
    # Louder and louder: what is gathered over time is not that of any part.
    return [x * np.linspace(0.5, 1.5, x.shape[1]) for x in X], y


def outputs(estimator, X):
    methods = ("decision_function", "predict_proba", "transform", "predict_frames")
    return {m: list(getattr(estimator, m)(X)) for m in methods if hasattr(estimator, m)}


def shorten(monkeypatch, n_frames=200, block=64):
    """Let sequences of more than so many frames be long."""
    for module in (long_frames, predict):
        monkeypatch.setattr(module, "LONG_FRAMES", n_frames)
        monkeypatch.setattr(module, "BLOCK_FRAMES", block)


def assert_close(found, expected):
    assert found.keys() == expected.keys()
    for method, rows in expected.items():
        for a, b in zip(found[method], rows, strict=True):
            assert a.shape == b.shape
            np.testing.assert_allclose(a, b, rtol=TOLERANCE, atol=TOLERANCE, err_msg=method)


@pytest.fixture
def walked(monkeypatch):
    """Count the recordings that are walked through."""
    seen = []
    real = predict.walk
    monkeypatch.setattr(predict, "walk", lambda *a, **k: seen.append(1) or real(*a, **k))
    return seen


SLOW = [
    f"{net} {pooling}"
    for net in ("LeNet", "GRU")
    for pooling in ("mean", "max", "last", "mean_std")
]


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow if n in SLOW else ()) for n in NETS]
)
def test_blocks_leave_no_trace(name, data, monkeypatch, walked):
    X, y = data
    kind, params = NETS[name]
    standardize = "both" if name != "detector" else "recording"
    estimator = kind(standardize=standardize, **FAST, **params).fit(X, y)
    assert can_walk(estimator.net_.module_.net)
    expected = outputs(estimator, X)
    assert not walked
    shorten(monkeypatch)
    if name == "detector":
        estimator.set_params(block_duration=2.0)  # frames of 10 ms
        monkeypatch.setattr(predict, "LONG_FRAMES", 200)
    found = outputs(estimator, X)
    assert len(walked) == 3 * (len(found) if name != "detector" else 2) or name == "detector"
    assert_close(found, expected)
    # Bit-equal whatever else is predicted.
    alone = outputs(estimator, X[5:6])
    for method, rows in alone.items():
        np.testing.assert_array_equal(rows[0], found[method][5])


def layers_of(estimator):
    names = [n for n, _ in estimator.net_.module_.net.named_modules() if n]
    return ["embedding", *names]


EMBEDDED = {
    "LeNet": (LeNetClassifier, {"channels": (4, 8), "pooling": "attention"}),
    "GRU": (GRUClassifier, {"hidden_size": 6, "pooling": "mean_max"}),
    "GRU attention": (GRUClassifier, {"hidden_size": 6, "pooling": "attention"}),
    "GRU stem": (GRUClassifier, {"hidden_size": 6, "n_layers": 1, "stem": (4,)}),
    "detector": (EventDetector, {"channels": (4, 4), "frame_stride": 2, "hidden_size": 6}),
    "Siamese": (SiameseEmbedder, {"embedding_size": 6}),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.exhaustive if n == "GRU" else ()) for n in EMBEDDED]
)
def test_every_layer_of_a_long_recording(name, data, monkeypatch):
    X, y = data
    kind, params = EMBEDDED[name]
    frozen = FrozenEstimator(kind(standardize="both", **FAST, **params).fit(X, y))
    X = X[3:6]  # a short one and two long ones
    embedders, n_read = [], 0
    for layer in layers_of(frozen.estimator):
        for frames in (False, True):
            embedder = NetEmbedder(frozen, layer=layer, frames=frames)
            try:
                embedders.append((embedder, outputs(embedder, X)))
            except ValueError as error:  # no frames after the pooling, lists of layers do not run
                assert "has no frames" in str(error) or "is not run" in str(error)  # noqa: PT017
    shorten(monkeypatch)
    for embedder, expected in embedders:
        assert_close(outputs(embedder, X), expected)
        n_read += 1
    assert n_read > len(layers_of(frozen.estimator)) / 2


class Squared(LeNet):
    """Computes something else than its parts say."""

    def forward(self, x, lengths):
        return super().forward(x, lengths) ** 2


class Own(torch.nn.Module):
    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.pooling = TimePooling(n_features)
        self.head = torch.nn.Linear(n_features, n_outputs)

    def forward(self, x, lengths):
        return self.head(self.pooling(x, lengths))


@pytest.mark.parametrize("module", [Squared, Own])
def test_modules_of_other_shapes_take_the_whole(module, data, monkeypatch, walked):
    X, y = data
    net = NetClassifier(module=module, **FAST).fit(X, y)
    expected = outputs(net, X)
    shorten(monkeypatch)
    assert_close(outputs(net, X), expected)
    assert not walked


@pytest.mark.parametrize(
    "encoder",
    [MEL, MFCC(sample_rate=RATE, n_mfcc=N_FEATURES, top_db=40.0), make_pipeline(Noise(), MEL)],
    ids=["mel", "cepstra", "augmented"],
)
def test_long_files_are_encoded_in_pieces(encoder, make_clip, tmp_path, write_audio, monkeypatch):
    clips = [make_clip(0.4, RATE, seed=i) for i in range(6)]
    y = np.arange(6) % 2
    clips = [{"array": clip, "sampling_rate": RATE} for clip in clips]
    estimator = LeNetClassifier(encoder, channels=(4,), **FAST).fit(clips, y)
    long = make_clip(5.0, RATE, seed=9)
    X = [
        clips[0],
        {"array": long, "sampling_rate": RATE},
        write_audio(tmp_path / "long.flac", np.stack([long, long[::-1]]), RATE),
        write_audio(tmp_path / "fast.wav", np.repeat(long, 2), 2 * RATE),
    ]
    embedder = NetEmbedder(FrozenEstimator(estimator), frames=True)
    expected = outputs(estimator, X), outputs(embedder, X)
    shorten(monkeypatch, 200)
    opened = []
    real = long_frames.LongRecording.open
    monkeypatch.setattr(
        long_frames.LongRecording, "open", lambda self: opened.append(1) or real(self)
    )
    assert_close(outputs(estimator, X), expected[0])
    assert_close(outputs(embedder, X), expected[1])
    assert len(opened) == 9  # three recordings, two methods and the embedder


@pytest.mark.slow
@pytest.mark.parametrize("name", ["LeNet mean_max", "GRU mean_max", "Siamese statistics"])
def test_memory_does_not_grow_with_the_recording(
    name, tmp_path, make_clip, write_audio, monkeypatch
):
    """Python and numpy memory: frames on disk, one block of samples and of frames held."""
    kind, params = NETS[name]
    clips = [make_clip(0.4, RATE, seed=i) for i in range(6)]
    estimator = kind(MelSpectrogram(sample_rate=RATE, n_mels=N_FEATURES), **FAST, **params)
    estimator.fit([{"array": clip, "sampling_rate": RATE} for clip in clips], np.arange(6) % 2)
    shorten(monkeypatch, 2000, 500)
    minute = np.resize(make_clip(10.0, RATE), 60 * RATE)
    peaks = []
    for n in (1, 2):
        path = write_audio(tmp_path / f"{n}.wav", np.tile(minute, n), RATE)
        tracemalloc.start()
        outputs(estimator, [path])
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    samples = 60 * RATE * 4
    assert peaks[1] - peaks[0] < samples / 5


@pytest.mark.slow
def test_recordings_of_medium_length_share_batches(data):
    """GRU: batches hold several lengths, and results do not depend on them."""
    rng = np.random.default_rng(1)
    X = [rng.standard_normal((N_FEATURES, n)) for n in (*range(100, 900, 17), 4100)]
    gru = GRUClassifier(hidden_size=6, standardize="both", **FAST).fit(*data)
    together = gru.decision_function(X)  # the first time, it is tried how large batches may be
    shapes = []
    net = gru.net_.module_.net
    net.register_forward_pre_hook(lambda module, inputs: shapes.append(tuple(inputs[0].shape)))
    np.testing.assert_array_equal(gru.decision_function(X), together)
    assert len(shapes) == 3  # two of up to 32 sequences, one of long ones
    for i in (5, 46, len(X) - 1):
        np.testing.assert_array_equal(gru.decision_function(X[i : i + 1]), together[i : i + 1])


class Attending(GRU):
    """A GRU whose forward relates each frame to all others of the padded batch."""

    def forward(self, x, lengths):
        frames, lengths = self.forward_frames(x, lengths)
        scores = (frames.transpose(1, 2) @ frames).softmax(-1)
        return self.classify(frames @ scores, lengths)


def test_what_a_subclass_adds_does_not_see_the_lengths_of_others(data):
    rng = np.random.default_rng(1)
    X = [rng.standard_normal((N_FEATURES, n)) for n in (20, 60, 35, 61)]
    net = NetClassifier(module=Attending, max_epochs=1, random_state=0).fit(*data)
    together = net.decision_function(X)
    for i in range(len(X)):
        np.testing.assert_array_equal(net.decision_function(X[i : i + 1]), together[i : i + 1])


@pytest.mark.parametrize("long_only", [True, False])
def test_unreadable_recordings_of_all_lengths_are_told_in_one_error(
    long_only, tmp_path, write_audio, monkeypatch
):
    well = np.random.default_rng(0).standard_normal(RATE // 2).astype(np.float32) * 0.1
    broken = np.append(well, np.float32(np.nan))
    waves = {"short": well if long_only else broken, "a": np.tile(broken, 8), "b": np.tile(well, 8)}
    waves["c"] = waves["a"]
    paths = [write_audio(tmp_path / f"{n}.wav", w, RATE, subtype="FLOAT") for n, w in waves.items()]
    gru = GRUClassifier(MFCC(sample_rate=RATE), hidden_size=4, **FAST)
    gru.fit([paths[2], paths[2]], [0, 1])
    shorten(monkeypatch)
    with pytest.raises(ValueError, match=r"(?s) 4 recordings .*a\.wav.*c\.wav") as caught:
        gru.predict(paths)
    assert ("short.wav" in str(caught.value)) == (not long_only)
    assert "b.wav" not in str(caught.value)
