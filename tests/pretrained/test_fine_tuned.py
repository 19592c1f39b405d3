"""FineTunedClassifier: what is trained and what is frozen, labels, augmentations, copies."""

from __future__ import annotations

import functools
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks
from skorch.callbacks import Callback

import skaudio
from skaudio.augmentation import FrequencyMask, Noise, TimeShift, Volume
from skaudio.encoders import Waveform
from skaudio.pretrained import AudioTagger, FineTunedClassifier, PretrainedEmbedder
from skaudio.pretrained._fine_tuning_net import FineTuningNet, _pool
from skaudio.pretrained._lr_factors import lr_factors
from skaudio.pretrained._registry import MODELS, load_net

SMALL = {
    "weights": "random",
    "head_epochs": 2,
    "max_epochs": 2,
    "batch_size": 8,
    "precision": "float32",
    "random_state": 0,
}
pytestmark = pytest.mark.slow  # trains some sixty nets

METHODS = ("decision_function", "predict_proba", "predict")


def make(model="mn01_as", **params):
    return FineTunedClassifier(model, **{**SMALL, **params})


@functools.cache
def data(n=12, rate=32000):
    """X, y, groups: tones of two pitches in noise, of different lengths."""
    rng = np.random.default_rng(0)
    y = np.array(["high", "low"] * n)[:n]
    lengths = rate * (0.2 + 0.02 * np.arange(n))
    X = []
    for label, length in zip(y, lengths, strict=True):
        t = np.arange(round(length)) / rate
        tone = np.sin(2 * np.pi * (4000 if label == "high" else 300) * t)
        X.append((tone + 0.1 * rng.standard_normal(len(t))).astype(np.float32))
    return X, y, np.arange(n) // 2


@functools.cache
def fitted(**params):
    return make(**params).fit(*data()[:2])


def outputs(classifier, X):
    return {method: getattr(classifier, method)(X) for method in METHODS}


def assert_equal(found, expected):
    for method, rows in expected.items():
        np.testing.assert_array_equal(found[method], rows, err_msg=method)


def state(classifier):
    return {k: v.clone() for k, v in classifier.net_.module_.state_dict().items()}


class Watch(Callback):
    """Keeps the groups of the optimizer, the inputs of the first batches, and what is held out."""

    def __init__(self, seen):
        self.seen = seen

    def __deepcopy__(self, memo):
        return self

    def __sklearn_clone__(self):
        return self

    def get_params(self, deep=True):
        return {"seen": self}

    def on_train_begin(self, net, X, y=None, **kwargs):
        held_out = [] if net.train_split is None else net.train_split(X)[1].index.tolist()
        self.seen.append({"training": X.index.tolist(), "held_out": held_out, "batches": []})
        groups = net.optimizer_.param_groups
        self.seen[-1]["groups"] = [(g["max_lr"], len(g["params"])) for g in groups]

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        if training:
            self.seen[-1]["batches"].append({k: v.clone() for k, v in batch[0].items()})


def watched(**params):
    seen = []
    return make(callbacks=[("watch", Watch(seen))], **params), seen


# What is trained


@pytest.mark.parametrize("name", MODELS)
def test_stages_compose_to_the_embedding(name):
    net = load_net(name, "random", None, None)
    seconds = net.chunk_duration if net.fixed else 0.5
    rate = net.front_end.sample_rate
    x = net.front_end(np.random.default_rng(0).normal(size=(2, round(seconds * rate))))
    with torch.inference_mode():
        out = x
        for stage in net.stages():
            out = stage.run(out)
            if out.ndim == 4:  # its maps have time on the axis that is stated
                assert net.time_axis in (2, 3)
        torch.testing.assert_close(out, net(x).embedding, rtol=1e-6, atol=1e-6)
    inside = {id(p) for stage in net.stages() for m in stage.modules for p in m.parameters()}
    assert {id(p) for p in net.parameters()} >= inside
    assert inside


@pytest.mark.parametrize(
    ("unfreeze", "n_trained"), [("head", 0), (2, 2), ("all", 17), ("staged", 17)]
)
def test_frozen_weights_do_not_change_by_a_bit(unfreeze, n_trained):
    classifier, seen = watched(unfreeze=unfreeze)
    classifier.fit(*data()[:2])
    start = load_net("mn01_as", "random", None, None).state_dict()
    end = classifier.net_.module_.trunk.state_dict()
    layers = {int(k.split(".")[1]): [] for k in start if k.startswith("features.")}
    for key, value in start.items():
        changed = not torch.equal(value, end[key])
        if key.startswith("features."):
            layers[int(key.split(".")[1])].append(changed)
            assert not (changed and "running" in key)  # batch normalisation is frozen
        else:
            assert not changed  # AudioSet's classes are not in use
    assert [any(layers[i]) for i in sorted(layers)] == [i >= 17 - n_trained for i in range(17)]
    assert len(seen) == (2 if unfreeze == "staged" else 1)
    assert classifier.n_iter_ == (4 if unfreeze == "staged" else 2)
    assert [row["epoch"] for row in classifier.history_] == list(range(1, classifier.n_iter_ + 1))


def test_multipliers_are_the_rates_of_the_optimizer():
    multipliers = {
        "*": 0.5,
        "features.1*": 0.1,
        "features.0": 0,
        "features.16.1.bias": 2,
        "head": 1,
    }
    classifier, seen = watched(unfreeze="all", lr_multipliers=multipliers, lr=0.01)
    classifier.fit(*data()[:2])
    (run,) = seen
    rates, counts = zip(*run["groups"], strict=True)
    assert rates == pytest.approx((0.02, 0.01, 0.005, 0.001))
    assert counts[:2] == (1, 2)
    factors = classifier.net_.module_.lr_factors
    assert factors["trunk.features.16.1.bias"] == 2
    assert factors["trunk.features.2.block.0.0.weight"] == 0.5
    assert factors["trunk.features.12.block.0.0.weight"] == 0.1
    assert not any(name.startswith("trunk.features.0.") for name in factors)
    start = load_net("mn01_as", "random", None, None)
    for name, value in start.features[0].state_dict().items():
        assert torch.equal(classifier.net_.module_.trunk.features[0].state_dict()[name], value)
    default = lr_factors(start, "all", None)
    assert default["head.weight"] == 1
    assert {f for n, f in default.items() if "head" not in n} == {0.1}


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"lr_multipliers": {"featurs.0": 1}}, r"lr_multipliers='featurs\.0'.*mean 'features\.0'"),
        ({"lr_multipliers": {"classifier": 1}}, "lr_multipliers='classifier': expected the name"),
        ({"lr_multipliers": {"*": 0}}, "freezes all that could be trained"),
        ({"lr_multipliers": {"*": -1}}, r"lr_multipliers=\{'\*': -1\}: expected a dict"),
        ({"unfreeze": 18}, "unfreeze=18: expected at most 17, the number of layers of Effic"),
        ({"augmentation": Waveform()}, "augmentation: Waveform is no augmentation"),
        ({"chunk_duration": 1.0, "chunk_hop": "fast"}, "chunk_hop='fast': expected"),
        ({"model": "mn03_as"}, "model='mn03_as': expected one of"),
        ({"net_params": {"optimiser": 1}}, "Did you mean 'optimizer'"),
    ],
)
def test_wrong_parameters_are_errors(params, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make(**params).fit(*data()[:2])


def test_batch_normalisation_adapts_where_it_is_trained():
    classifier = make(unfreeze=2, freeze_batch_norm=False).fit(*data()[:2])
    start = load_net("mn01_as", "random", None, None).state_dict()
    end = classifier.net_.module_.trunk.state_dict()
    changed = [k for k in start if "running_mean" in k and not torch.equal(start[k], end[k])]
    assert {int(k.split(".")[1]) for k in changed} == {15, 16}


# Frozen parts are computed once


@pytest.mark.parametrize("name", ["mn01_as", "yamnet", "panns_mobilenetv2"])
@pytest.mark.parametrize("depth", ["head", 1, 3])
def test_inputs_computed_once_give_the_scores_of_the_whole_net(name, depth):
    X, y, _ = data(4, 32000 if name != "yamnet" else 16000)
    classifier, seen = watched(
        model=name, unfreeze=depth, max_epochs=1, chunk_duration="auto", chunk_hop="auto"
    )
    classifier.fit([*X[:3], np.tile(X[3], 8)], y)
    module = classifier.net_.module_
    batch = seen[0]["batches"][0]
    assert module.first > 0
    with torch.inference_mode():
        found = module(**batch).numpy()
    order = [int(i) for i in np.argsort([len(x) for x in X])]  # one batch, in some order
    expected = classifier._logits([*X[:3], np.tile(X[3], 8)])[order]
    nearest = np.abs(found[:, None] - expected[None]).max(axis=2).min(axis=1)
    assert nearest.max() < 1e-3


def test_augmentations_are_drawn_afresh_and_reach_waveforms_and_frames():
    X, y, _ = data()
    steps = make_pipeline(FrequencyMask(width=(0.5, 0.6), fill=0.0), Volume(gain_db=(-20, 20)))
    classifier, seen = watched(unfreeze="all", augmentation=steps, max_epochs=3, batch_size=12)
    classifier.fit(X, y)
    first, second, third = (run["x"] for run in seen[0]["batches"])
    assert not torch.equal(first, second)
    assert not torch.equal(second, third)
    level = [x.amax(dim=(1, 2)) for x in (first, second)]
    assert (level[0] - level[1]).abs().max() > 0.1  # the volume
    hidden = (first[:, :, :10] == 0).all(dim=2).sum(dim=1)
    assert (hidden >= 60).all()  # the mask
    again = make(unfreeze="all", augmentation=steps, max_epochs=3, batch_size=12).fit(X, y)
    assert_equal(outputs(again, X), outputs(classifier, X))
    found = clone(classifier).set_params(augmentation__volume__gain_db=0.0)
    assert found.augmentation.steps[1][1].gain_db == 0.0
    head, seen = watched(unfreeze="head", augmentation=Noise(), max_epochs=1)
    assert head.fit(X, y).net_.module_.first == 0  # noise comes before what is frozen


def test_augmentation_where_it_would_be_skipped_is_an_error():
    from sklearn.preprocessing import FunctionTransformer

    hidden = FunctionTransformer(TimeShift().fit_transform)
    with pytest.raises(ValueError, match="would be skipped in training"):
        make(augmentation=hidden).fit(*data()[:2])


# Labels


def test_learns_to_tell_two_tones():
    X, y, _ = data(24)
    classifier = make(unfreeze="head", max_epochs=40, lr=0.01).fit(X, y)
    assert classifier.score(X, y) == 1.0
    assert classifier.classes_.tolist() == ["high", "low"]
    proba = classifier.predict_proba(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(classifier.decision_function(X) > 0, y == "low")


@pytest.mark.parametrize("kind", ["indicator", "table", "lists"])
def test_several_labels_per_recording(kind):
    X, y, _ = data()
    table = pd.DataFrame({"tone": y == "high", "late": np.arange(len(y)) > 5}).astype(int)
    lists = [[name for name in table if row[name]] for _, row in table.iterrows()]
    given = {"indicator": table.to_numpy(), "table": table, "lists": lists}[kind]
    classifier = make(unfreeze="head", max_epochs=40, lr=0.01, label_smoothing=0.0).fit(X, given)
    names = {"indicator": [0, 1], "table": ["tone", "late"], "lists": ["late", "tone"]}[kind]
    assert classifier.labels_.tolist() == names
    expected = table.to_numpy() if kind != "lists" else table[["late", "tone"]].to_numpy()
    found = classifier.predict(X)
    assert found.shape == (len(X), 2)
    assert (found == expected).mean() > 0.8
    assert classifier.score(X, given) == (found == expected).all(axis=1).mean()
    proba = classifier.predict_proba(X)
    np.testing.assert_array_equal(proba > 0.5, found == 1)
    assert np.abs(proba.sum(axis=1) - 1).max() > 0.05
    if kind != "lists":  # which scikit-learn refuses
        scores = cross_validate(classifier.set_params(max_epochs=1), X, given, cv=2)
        assert len(scores["test_score"]) == 2


def test_class_weights_move_the_decision():
    X, y, _ = data()
    y = np.where(np.arange(len(y)) < 2, "rare", "common")

    def of_rare(**params):
        found = make(unfreeze="head", max_epochs=5, lr=0.01, **params).fit(X, y)
        return found.predict_proba(X)[:, 1].mean()

    assert of_rare(class_weight={"rare": 9.0, "common": 1.0}) > of_rare() + 0.01
    with pytest.raises(ValueError, match="gives every class of y the weight 0"):
        make(class_weight={"rare": 0, "common": 0}).fit(X, y)


# The contract of neural estimators


def test_fits_are_bit_equal_and_draw_from_their_own_seed():
    X, y, _ = data()
    torch.manual_seed(1234)
    before = torch.get_rng_state()
    again = make().fit(X, y)
    assert torch.equal(torch.get_rng_state(), before)
    for key, value in state(fitted()).items():
        assert torch.equal(value, state(again)[key]), key
    other = make(random_state=1).fit(X, y)
    assert not np.allclose(other.predict_proba(X), again.predict_proba(X))


def test_predictions_do_not_depend_on_company():
    X, _, _ = data()
    together = outputs(fitted(), X)
    beside = outputs(fitted(), [np.tile(X[0], 20), *X])
    assert_equal({m: rows[1:] for m, rows in beside.items()}, together)
    alone = outputs(fitted(), [X[5]])
    assert_equal(alone, {m: rows[5:6] for m, rows in together.items()})


def test_early_stopping_holds_out_whole_groups():
    X, y, groups = data()
    classifier, seen = watched(early_stopping=True, validation_fraction=0.3)
    classifier.fit(X, y, groups=groups)
    with sklearn.config_context(enable_metadata_routing=True):
        search = GridSearchCV(classifier, {"unfreeze": ["head"]}, cv=GroupKFold(2))
        make_pipeline(search).fit(X, y, groups=groups)
    assert len(seen) == 5
    for run in seen[:2]:
        assert not set(groups[run["training"]]) & set(groups[run["held_out"]])
        assert run["held_out"] == seen[0]["held_out"]  # the same part in both trainings
    assert "valid_score" in classifier.history_[-1]
    rows = PretrainedEmbedder("mn01_as", weights="random").transform(X)[seen[0]["training"]]
    mean = classifier.net_.module_.standardize.mean.numpy()
    np.testing.assert_allclose(mean, rows.mean(axis=0), rtol=1e-4, atol=1e-5)


def test_grid_search_over_what_is_trained():
    X, y, groups = data()
    grid = {"unfreeze": ["head", 1], "lr_multipliers": [None, {"features": 0.5}]}
    search = GridSearchCV(make(max_epochs=1), grid, cv=GroupKFold(2)).fit(X, y, groups=groups)
    assert len(search.cv_results_["params"]) == 4


def test_warm_start_goes_on():
    X, y, _ = data()
    classifier = make(warm_start=True).fit(X, y)
    before = state(classifier)
    classifier.set_params(lr=1e-12, max_epochs=3).fit(X, y)
    assert classifier.n_iter_ == 7
    for key, value in state(classifier).items():
        torch.testing.assert_close(value, before[key], rtol=1e-5, atol=1e-7)
    with pytest.raises(ValueError, match=r"warm_start: the labels are \['a', 'b'\]"):
        classifier.fit(X, np.where(y == "low", "a", "b"))
    with pytest.raises(ValueError, match="warm_start: pooling='max', expected 'mean'"):
        classifier.set_params(pooling="max").fit(X, y)


def test_a_broken_fit_leaves_what_was_learned():
    class Fail(Callback):
        def on_train_end(self, net, **kwargs):
            if len(net.history) == net.max_epochs and "features" in str(net.module_.lr_factors):
                raise RuntimeError("late")

    X, y, _ = data()
    classifier = make().fit(X, y)
    expected = outputs(classifier, X)
    with pytest.raises(RuntimeError, match="late"):
        classifier.set_params(callbacks=[Fail()]).fit(X, np.where(y == "low", "a", "b"))
    assert_equal(outputs(classifier, X), expected)
    with pytest.raises(NotFittedError):
        clone(classifier).predict(X)


def test_divergence_is_an_error():
    class Poison(Callback):
        def on_batch_begin(self, net, **kwargs):
            with torch.no_grad():
                net.module_.head.weight.fill_(float("nan"))

    with pytest.raises(ValueError, match="Training diverged: the loss is nan in epoch 1"):
        make(callbacks=[Poison()]).fit(*data()[:2])
    classifier = make().fit(*data()[:2])
    classifier.net_.module_.head.weight.data.fill_(float("nan"))
    with pytest.raises(ValueError, match="recording 0: the net returned NaN"):
        classifier.predict(data()[0])


def test_pickle_and_skaudio_files(tmp_path):
    X, _, _ = data()
    classifier = fitted()
    expected = outputs(classifier, X)
    assert_equal(outputs(pickle.loads(pickle.dumps(classifier)), X), expected)
    path = tmp_path / "sounds.skaudio"
    skaudio.save(classifier, path)
    loaded = skaudio.load(path)
    assert_equal(outputs(loaded, X), expected)
    assert loaded.n_iter_ == 4
    assert len(loaded.history_) == 4


def test_saved_weights_serve_the_embedder_and_the_tagger(tmp_path):
    X, _, _ = data()
    classifier = fitted()
    path = classifier.save_weights(tmp_path / "tuned.pt")
    embedder = PretrainedEmbedder("mn01_as", weights=path)
    rows = clone(embedder).fit(X).transform(X)
    own = PretrainedEmbedder("mn01_as", weights="random").transform(X)
    assert np.abs(rows - own).max() > 1e-3
    np.testing.assert_allclose(
        classifier.net_.module_.scores(rows), classifier._logits(X), rtol=1e-5, atol=1e-5
    )
    tagger = AudioTagger("mn01_as", weights=path, labels=classifier.labels_.tolist())
    # All are shorter than a chunk, so a recording's scores are those of its only chunk.
    np.testing.assert_allclose(tagger.transform(X), classifier.predict_proba(X), atol=1e-5)
    assert set(tagger.tag(X[:2], top=1)["event_label"]) <= {"high", "low"}
    with pytest.raises(ValueError, match="the net has 2 outputs, and there are 527 labels"):
        AudioTagger("mn01_as", weights=path).transform(X)
    skaudio.save(tagger, tmp_path / "tagger.skaudio")
    loaded = skaudio.load(tmp_path / "tagger.skaudio")
    np.testing.assert_array_equal(loaded.transform(X), tagger.transform(X))
    further = make(weights=path).fit(*data()[:2])
    assert further.save_weights(path) == path


def test_saved_weights_of_several_labels(tmp_path):
    X, y, _ = data()
    lists = [["a", label] for label in y]
    classifier = make(unfreeze="head", max_epochs=1).fit(X, lists)
    path = classifier.save_weights(tmp_path / "tuned.pt")
    tagger = AudioTagger("mn01_as", weights=path, labels=["a", "high", "low"])
    np.testing.assert_allclose(tagger.transform(X), classifier.predict_proba(X), atol=1e-5)


# Chunks


def test_chunks_are_pooled_as_in_the_embedder():
    X, y, _ = data()
    how = {"chunk_duration": 0.1, "chunk_hop": 0.05}
    for pooling in ("mean", "max"):
        classifier = make(unfreeze=1, pooling=pooling, **how).fit(X, y)
        module = classifier.net_.module_
        with warnings.catch_warnings():
            embedder = PretrainedEmbedder("mn01_as", weights="random", pooling=pooling, **how)
            rows = embedder.fit(X)
        embedder.net_.load_state_dict(module.trunk.state_dict())
        rows = embedder.transform(X)
        np.testing.assert_allclose(module.scores(rows), classifier._logits(X), atol=1e-5)


def test_rows_are_pooled_by_recording():
    rows = torch.arange(12.0).reshape(6, 2)
    mean = _pool(rows, [2, 0, 1, 1, 0, 1], 3, "mean")
    expected = [[5, 6], [20 / 3, 23 / 3], [0, 1]]
    np.testing.assert_allclose(mean, expected, rtol=1e-6)
    assert _pool(rows, [2, 0, 1, 1, 0, 1], 3, "max").tolist() == [[8, 9], [10, 11], [0, 1]]
    assert _pool(rows[:3], [2, 0, 1], 3, "mean").tolist() == [[2, 3], [4, 5], [0, 1]]


def test_padding_and_company_do_not_change_scores():
    trunk = load_net("mn01_as", "random", None, None)
    from skaudio.pretrained._fine_tuning import standardization

    rng = np.random.default_rng(0)
    module = FineTuningNet(
        trunk, standardization(rng.normal(size=(4, trunk.n_features)).astype(np.float32)), 3
    ).eval()
    x = torch.from_numpy(rng.normal(size=(2, 128, 200)).astype(np.float32))
    lengths = torch.tensor([[100, 100], [96, 0]])
    with torch.inference_mode():
        together = module(x, lengths)
        x[1, :, 96:] = 1000.0
        alone = module(x[1:, :, :96], torch.tensor([[96]]))
        torch.testing.assert_close(module(x, lengths), together, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(alone[0], together[1], rtol=1e-4, atol=1e-5)


@pytest.mark.exhaustive
@parametrize_with_checks([FineTunedClassifier(head_epochs=1, max_epochs=1)])
def test_scikit_learn_checks_with_the_official_weights(estimator, check, data_home):
    check(estimator)
