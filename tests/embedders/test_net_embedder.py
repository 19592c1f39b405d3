"""Neural estimators without their heads: any layer, rows and frames, no leak."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import sklearn
import torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier, KNeighborsTransformer, NearestNeighbors
from sklearn.pipeline import make_pipeline

from skaudio.audio import AudioBatch
from skaudio.augmentation import Noise
from skaudio.classifiers import GRUClassifier, LeNetClassifier, NetClassifier
from skaudio.embedders import NetEmbedder, SiameseEmbedder
from skaudio.embedders._layers import LayerReader
from skaudio.encoders import MFCC, MelSpectrogram
from skaudio.nets import Standardize, StandardizedNet


def lenet(encoder=None, **params):
    defaults = {"channels": (4, 8), "embedding_size": 16, "max_epochs": 2, "random_state": 0}
    return LeNetClassifier(encoder, **{**defaults, **params})


def gru(encoder=None, **params):
    defaults = {"hidden_size": 6, "max_epochs": 2, "random_state": 0}
    return GRUClassifier(encoder, **{**defaults, **params})


@pytest.fixture(scope="module")
def frames(voices):
    return list(MFCC(n_mfcc=13).fit_transform(voices[0]))


@pytest.fixture(scope="module")
def fitted(voices, frames):
    return {
        "lenet": lenet().fit(frames, voices[2]),
        "gru": gru().fit(frames, voices[2]),
    }


def test_trains_a_clone_and_returns_what_comes_before_its_head(voices, frames):
    _, _, words = voices
    classifier = lenet()
    embedder = NetEmbedder(classifier).fit(frames, words)
    assert not hasattr(classifier, "net_")
    rows = embedder.transform(frames)
    assert rows.shape == (96, 16)
    assert rows.dtype == np.float32
    assert rows.flags.c_contiguous
    head = embedder.estimator_.net_.module_.net.head
    logits = head(torch.from_numpy(rows)).detach().numpy()
    scores = embedder.estimator_.decision_function(frames)
    np.testing.assert_allclose(logits[:, 1] - logits[:, 0], scores, atol=1e-5)
    assert embedder.get_feature_names_out().tolist() == [f"netembedder{i}" for i in range(16)]
    unit = embedder.set_params(unit_norm=True).transform(frames)
    np.testing.assert_allclose(unit, rows / np.linalg.norm(rows, axis=1, keepdims=True), atol=1e-6)


def test_a_frozen_estimator_needs_neither_fit_nor_labels(fitted, voices, frames):
    embedder = NetEmbedder(FrozenEstimator(fitted["lenet"]))
    rows = embedder.transform(frames)
    assert embedder.get_feature_names_out().shape == (16,)
    module = fitted["lenet"].net_.module_
    assert np.array_equal(embedder.fit(frames).transform(frames), rows)
    assert embedder.estimator_.net_.module_ is module
    pipe = make_pipeline(NetEmbedder(FrozenEstimator(fitted["lenet"])), KNeighborsClassifier(1))
    assert pipe.fit(frames, voices[2]).score(frames, voices[2]) > 0.9
    with pytest.raises(NotFittedError):
        NetEmbedder(fitted["lenet"]).transform(frames)
    with pytest.raises(NotFittedError):
        NetEmbedder(FrozenEstimator(lenet())).fit(frames)


LAYERS = {
    "lenet": ["convolutions.0", "convolutions.1", "norms.1", "pooling", "embedding.1", "head.1"],
    "gru": ["input_dropout", "forwards.0", "backwards.1", "dropout", "pooling", "head"],
}


def alone(module, name, item):
    """Return what a layer puts out for one sequence, unpadded: features first, then time."""
    seen = []
    layer = dict(module.net.named_modules())[name]
    handle = layer.register_forward_hook(lambda _, inputs, output: seen.append(output))
    with torch.inference_mode():
        module(torch.from_numpy(item)[None], torch.tensor([item.shape[1]]))
    handle.remove()
    out = seen[-1]
    if isinstance(out, tuple):  # of a recurrent layer: (sequences, frames, features), states
        return out[0][0].T
    if name == "dropout":
        return out[0].T
    return out[0].flatten(0, -2) if out.ndim > 2 else out[0]


@pytest.mark.parametrize(
    "kind, layer", [(kind, layer) for kind, layers in LAYERS.items() for layer in layers]
)
def test_every_layer_as_it_is_without_padding(kind, layer, fitted, frames):
    embedder = NetEmbedder(FrozenEstimator(fitted[kind]), layer=layer)
    module = fitted[kind].net_.module_.eval()
    lone = [alone(module, layer, item) for item in frames[:12]]
    rows = embedder.transform(frames)
    expected = torch.stack([out.mean(-1) if out.ndim == 2 else out for out in lone]).numpy()
    np.testing.assert_allclose(rows[:12], expected, atol=2e-5)
    assert len(embedder.get_feature_names_out()) == rows.shape[1]
    in_frames = NetEmbedder(FrozenEstimator(fitted[kind]), layer=layer, frames=True)
    if lone[0].ndim == 1:
        with pytest.raises(ValueError, match=f"layer='{layer}' has no frames: expected a layer"):
            in_frames.transform(frames)
        return
    sequences = in_frames.transform(frames)
    assert sequences.dtype == object
    for got, one in zip(sequences, lone, strict=False):
        assert got.shape == tuple(one.shape)
        np.testing.assert_allclose(got, one, atol=2e-5)


@pytest.mark.parametrize("kind", ["lenet", "gru"])
def test_frames_before_the_pooling(kind, fitted, frames):
    embedder = NetEmbedder(FrozenEstimator(fitted[kind]), frames=True)
    sequences = embedder.transform(frames)
    module = fitted[kind].net_.module_
    pooled = []
    for item in sequences:
        assert item.shape[0] == len(embedder.get_feature_names_out())
        with torch.inference_mode():
            one = module.net.pooling(torch.from_numpy(item)[None], torch.tensor([item.shape[1]]))
            pooled.append(module.net.embedding(one)[0] if kind == "lenet" else one[0])
    rows = NetEmbedder(FrozenEstimator(fitted[kind])).transform(frames)
    np.testing.assert_allclose(torch.stack(pooled).numpy(), rows, atol=1e-5)
    unit = NetEmbedder(FrozenEstimator(fitted[kind]), frames=True, unit_norm=True)
    lengths = np.linalg.norm(unit.transform(frames)[0], axis=0)
    assert np.allclose(lengths[lengths > 0], 1, atol=1e-5)
    # Frames go on into whatever takes frames.
    words = np.tile(["low", "high"], 48)
    assert gru(max_epochs=1).fit(sequences, words).predict(sequences).shape == (96,)


def test_rows_do_not_depend_on_company(fitted, frames):
    for layer in ("embedding", "convolutions.1"):
        embedder = NetEmbedder(FrozenEstimator(fitted["lenet"]), layer=layer)
        together = embedder.transform(frames)
        one_by_one = np.concatenate([embedder.transform([item]) for item in frames[:10]])
        assert np.array_equal(one_by_one, together[:10])


@pytest.mark.parametrize(
    ("kind", "layer"), [("lenet", "convolutions.0"), ("lenet", "head.1"), ("gru", "forwards.0")]
)
def test_threads_read_the_layers_of_their_own_calls(kind, layer, fitted, frames):
    """One embedder, or several of one estimator, in threads: what they return one by one."""
    frozen = FrozenEstimator(fitted[kind])
    shared = NetEmbedder(frozen, layer=layer)
    parts = [frames[i : i + 2] for i in range(0, 48, 2)]
    expected = [shared.transform(part) for part in parts]
    embedders = [shared, NetEmbedder(frozen, layer=layer)] * 12
    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            calls = pool.map(lambda e, part: e.transform(part), embedders, parts)
            for found, rows in zip(calls, expected, strict=True):
                np.testing.assert_array_equal(found, rows)
    assert not any(m._forward_hooks for m in fitted[kind].net_.module_.modules())


class Twice(torch.nn.Module):
    """A layer under two names, run twice."""

    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.first = torch.nn.Linear(n_features, n_outputs)
        self.stack = torch.nn.Sequential(self.first, torch.nn.Tanh())

    def forward(self, x, lengths):
        mean = x.sum(-1) / lengths[:, None]
        return self.first(mean) + self.stack(2 * mean)


def test_a_layer_that_is_run_twice_is_read_the_last_time():
    net = Twice(3, 2)
    module = StandardizedNet(Standardize(torch.zeros(3), torch.ones(3)), net)
    x, lengths = torch.randn(4, 3, 10), torch.full((4,), 10)
    rows = LayerReader(module, "first").rows(module, x, lengths)
    torch.testing.assert_close(rows, net.first(2 * x.mean(-1)))


class Bare(torch.nn.Module):
    """A module without forward_features, with a layer that is never run."""

    def __init__(self, n_features, n_classes):
        super().__init__()
        self.hidden = torch.nn.Linear(n_features, 5)
        self.idle = torch.nn.Linear(2, 2)
        self.output = torch.nn.Linear(5, n_classes)

    def forward(self, x, lengths):
        return self.output(torch.relu(self.hidden(x.sum(-1) / lengths[:, None])))


def test_a_module_of_ones_own(frames, voices):
    bare = NetClassifier(module=Bare, max_epochs=1, random_state=0)
    assert NetEmbedder(bare, layer="hidden").fit_transform(frames, voices[2]).shape == (96, 5)
    with pytest.raises(
        ValueError, match=r"'embedding' is not a layer of Bare.*no forward_features"
    ):
        NetEmbedder(bare).fit(frames, voices[2])
    with pytest.raises(ValueError, match="layer='idle' is not run when the network is"):
        NetEmbedder(bare, layer="idle").fit(frames, voices[2])


def test_what_is_wrong_is_said(fitted, frames, voices):
    with pytest.raises(
        ValueError, match=r"layer='last' is not a layer of LeNet: expected one of 'co"
    ):
        NetEmbedder(FrozenEstimator(fitted["lenet"]), layer="last").transform(frames)
    with pytest.raises(TypeError, match=r"RandomForestClassifier\(\).*expected a neural estimator"):
        NetEmbedder(RandomForestClassifier()).fit(frames, voices[2])
    with pytest.raises(TypeError, match=r"expected a neural estimator"):
        NetEmbedder(LeNetClassifier).fit(frames, voices[2])
    with pytest.raises(ValueError, match="requires y to be passed"):
        NetEmbedder(lenet()).fit(frames)
    with pytest.raises(ValueError, match="X has 5 features per frame, expected the 13 of fit"):
        NetEmbedder(FrozenEstimator(fitted["gru"])).transform([f[:5] for f in frames])


def test_the_training_part_alone_is_learned_from(voices, frames, monkeypatch):
    """In a cross-validated Pipeline, no net sees a recording it is tested with."""
    speakers = voices[1]
    seen = []
    real = LeNetClassifier.fit

    def spy(self, X, y, groups=None):
        seen.append({id(item) for item in X})
        return real(self, X, y, groups)

    monkeypatch.setattr(LeNetClassifier, "fit", spy)
    pipe = make_pipeline(NetEmbedder(lenet(max_epochs=8)), KNeighborsClassifier(3))
    folds = list(StratifiedKFold(3).split(frames, speakers))
    assert cross_val_score(pipe, frames, speakers, cv=folds).mean() > 0.6
    for ids, (train, test) in zip(seen, folds, strict=True):
        assert ids == {id(frames[i]) for i in train}
        assert not ids & {id(frames[i]) for i in test}
    # With labels that mean nothing, what is left is chance.
    noise = np.random.default_rng(1).permutation(speakers)
    assert cross_val_score(pipe, frames, noise, cv=folds).mean() < 0.4


def test_pipeline_in_a_pipeline(voices):
    recordings, speakers, words = voices
    inner = make_pipeline(MFCC(), lenet(max_epochs=1))
    rows = [
        NetEmbedder(pipe).fit(recordings, words, groups=speakers).transform(recordings)
        for pipe in (inner, make_pipeline("passthrough", inner))
    ]
    np.testing.assert_array_equal(*rows)


def test_search_through_the_wrapper(voices, frames):
    pipe = make_pipeline(NetEmbedder(lenet(max_epochs=1)), KNeighborsClassifier(1))
    grid = {
        "netembedder__estimator__embedding_size": [4, 8],
        "netembedder__layer": ["embedding", "convolutions.0"],
    }
    search = GridSearchCV(pipe, grid, cv=2).fit(frames, voices[2])
    assert len(search.cv_results_["params"]) == 4


def test_groups_reach_the_estimator(voices, frames):
    _, speakers, words = voices
    seen = []

    class Spy(LeNetClassifier):
        def fit(self, X, y, groups=None):
            seen.append(groups)
            return super().fit(X, y, groups)

    spy = Spy(**lenet(max_epochs=1).get_params())
    NetEmbedder(spy).fit(frames, words, groups=speakers)
    NetEmbedder(make_pipeline("passthrough", spy)).fit(frames, words, groups=speakers)
    with sklearn.config_context(enable_metadata_routing=True):
        pipe = make_pipeline(NetEmbedder(spy), KNeighborsClassifier(1))
        pipe.fit(frames, words, groups=speakers)
    assert len(seen) == 3
    assert all(np.array_equal(groups, speakers) for groups in seen)


@pytest.mark.filterwarnings("ignore:X holds:UserWarning")  # rates are stated at times
def test_other_estimators_and_recordings(voices):
    X, speakers, words = voices
    encoder = make_pipeline(Noise(), MelSpectrogram(n_mels=12))
    siamese = SiameseEmbedder(
        encoder, module="lenet", module_params={"channels": (4,)}, max_epochs=1
    )
    embedder = NetEmbedder(siamese).fit(X, speakers)
    assert embedder.transform(AudioBatch(X, 16000)).shape == (96, 128)
    piped = NetEmbedder(make_pipeline(MFCC(), gru()), frames=True).fit(X, words)
    sequences = piped.transform(X[:3])
    assert [len(s) for s in sequences] == [12, 12, 12]
    frozen = NetEmbedder(FrozenEstimator(piped.estimator_), frames=True)
    assert np.array_equal(frozen.transform(X[:3])[1], sequences[1])
    batch = AudioBatch(X[:3], 16000, labels=["x", "y", "z"])
    table = NetEmbedder(FrozenEstimator(siamese.fit(X, speakers))).set_output(transform="pandas")
    rows = table.transform(batch)
    assert rows.index.tolist() == ["x", "y", "z"]
    assert rows.columns[0] == "netembedder0"
    column = frozen.set_output(transform="pandas").transform(X[:3])
    assert column.shape == (3, 1)
    assert np.array_equal(column.iloc[1, 0], sequences[1])


def test_neighbours_as_they_are(fitted, voices, frames):
    _, _, words = voices
    rows = NetEmbedder(FrozenEstimator(fitted["lenet"]), unit_norm=True).transform(frames)
    neighbours = NearestNeighbors(n_neighbors=3).fit(rows)
    assert np.shares_memory(neighbours._fit_X, rows)
    graph = make_pipeline(
        KNeighborsTransformer(n_neighbors=5, mode="distance"),
        KNeighborsClassifier(n_neighbors=3, metric="precomputed"),
    )
    plain = KNeighborsClassifier(n_neighbors=3).fit(rows, words)
    new = rows[::7] + np.float32(1e-3)
    assert np.array_equal(graph.fit(rows, words).predict(new), plain.predict(new))
