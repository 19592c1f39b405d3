"""The contract of every neural estimator, found by walking the package.

Each property is checked on frames (``encoder=None``) and, where the encoder matters, on recordings
with an augmentation in the encoder. Networks are small and train for two epochs.
"""

from __future__ import annotations

import functools
import os
import pickle
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import sklearn
import torch
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils.validation import check_is_fitted
from skorch.callbacks import Callback

from skaudio.augmentation import Noise
from skaudio.classifiers import LeNetClassifier
from skaudio.encoders import MelSpectrogram

from .walk import ESTIMATORS, build

# Parameters that make a network small. One that is not listed keeps its defaults.
SMALL = {
    "LeNetClassifier": {"channels": (4, 8), "embedding_size": 8},
    "GRUClassifier": {"hidden_size": 4, "n_layers": 1},
    "NetEmbedder": {"hidden_size": 4, "n_layers": 1},
    "SiameseEmbedder": {"module": "lenet", "module_params": {"channels": (4,)}},
    "EventDetector": {"channels": (4, 8), "frame_stride": 2, "hidden_size": 4},
}
METHODS = ("decision_function", "predict_proba", "predict", "predict_frames", "transform")
N_GROUPS = 4


def is_neural(name):
    """Whether an estimator, or one inside it, trains a network."""
    return any(key.split("__")[-1] == "net_params" for key in build(name).get_params())


# Trains a pretrained network, which takes neither frames nor an encoder: see
# tests/pretrained/test_fine_tuned.py for its contract.
APART = ("FineTunedClassifier",)
NEURAL = [name for name in ESTIMATORS if is_neural(name) and name not in APART]
TRAINED = [name for name in NEURAL if "net_params" in build(name).get_params(deep=False)]
every_net = pytest.mark.parametrize("name", NEURAL)
every_trained_net = pytest.mark.parametrize("name", TRAINED)
every_input = pytest.mark.parametrize("kind", ["frames", "recordings"])


def make(name, kind="frames", **params):
    """Return a small instance, with an augmentation in its encoder if it takes recordings."""
    encoder = None
    if kind == "recordings":
        mel = MelSpectrogram(sample_rate=8000, n_mels=8, n_fft=256, hop_length=80)
        encoder = make_pipeline(Noise(), mel)
    fast = {"encoder": encoder, "max_epochs": 2, "batch_size": 8, "random_state": 0}
    prefix = "" if name in TRAINED else "estimator__"
    params = {**fast, **SMALL.get(name, {}), **params}
    return build(name).set_params(**{prefix + key: value for key, value in params.items()})


def trained(estimator):
    """Return the estimator that holds the network."""
    return getattr(estimator, "estimator_", estimator)


def weights(estimator):
    return [p.detach().clone() for p in trained(estimator).net_.module_.parameters()]


@functools.cache
def data(kind):
    """X, y, groups: 16 items. The number of frames modulo 4 is the group."""
    rng = np.random.default_rng(0)
    y = np.array(["high", "low"] * 8)
    groups = np.repeat(np.arange(8) % N_GROUPS, 2)
    lengths = 12 + N_GROUPS * rng.integers(0, 5, len(y)) + groups
    if kind == "frames":
        shift = np.linspace(-1, 1, 8)[:, None] * np.where(y == "high", 1, -1)[:, None, None]
        items = [rng.standard_normal((8, n)) + s for n, s in zip(lengths, shift, strict=True)]
    else:
        hz = np.where(y == "high", 2000, 400)
        times = [np.arange(80 * n) / 8000 for n in lengths]
        tones = [np.sin(2 * np.pi * f * t) for f, t in zip(hz, times, strict=True)]
        items = [tone + 0.1 * rng.standard_normal(len(tone)) for tone in tones]
    return [item.astype(np.float32) for item in items], y, groups


@functools.cache
def fitted(name, kind="frames"):
    return make(name, kind).fit(*data(kind)[:2])


def outputs(estimator, X):
    """Return what each method of prediction gives, one array per item of X."""
    return {m: list(getattr(estimator, m)(X)) for m in METHODS if hasattr(estimator, m)}


def assert_equal(found, expected):
    assert found.keys() == expected.keys()
    for method, rows in expected.items():
        assert len(found[method]) == len(rows)
        for i, (a, b) in enumerate(zip(found[method], rows, strict=True)):
            np.testing.assert_array_equal(a, b, err_msg=f"{method}, item {i}")


def differ(found, expected):
    method = next(m for m in METHODS if m in found and m != "predict")
    pairs = zip(found[method], expected[method], strict=True)
    return not all(np.allclose(a, b, rtol=1e-5, atol=1e-6) for a, b in pairs)


def random_states():
    """Return the states of the global generators."""
    kind, keys, *rest = np.random.get_state()  # noqa: NPY002 (the global state is meant)
    return random.getstate(), (kind, keys.tobytes(), *rest), torch.get_rng_state().tolist()


def test_walk_finds_the_neural_estimators():
    known = {"EventDetector", "GRUClassifier", "LeNetClassifier", "NetClassifier"}
    assert known | {"NetEmbedder", "SiameseEmbedder"} <= set(NEURAL)
    assert set(SMALL) <= set(NEURAL)


@every_net
def test_outputs_depend_on_the_item(name):
    """Otherwise most of what follows would pass without meaning anything."""
    X, y, _ = data("frames")
    found = outputs(fitted(name), X)
    assert found
    for method in found.keys() - {"predict"}:
        assert len({np.asarray(row).tobytes() for row in found[method]}) > len(y) / 2


# Seeds


@every_input
@every_net
def test_the_seed_decides_the_fit(name, kind):
    X, y, _ = data(kind)
    torch.manual_seed(1234)  # a state that no other fit has left
    before = random_states()
    same = make(name, kind).fit(X, y)
    expected = outputs(fitted(name, kind), X)
    assert random_states() == before
    assert_equal(outputs(same, X), expected)
    assert differ(outputs(make(name, kind, random_state=1).fit(X, y), X), expected)


@every_net
def test_the_seed_decides_the_first_weights(name):
    X, y, _ = data("frames")
    nets = [make(name, random_state=seed, lr=1e-12).fit(X, y) for seed in (0, 1)]
    assert not all(torch.allclose(a, b) for a, b in zip(*map(weights, nets), strict=True))


@every_input
@every_net
def test_predictions_draw_no_random_numbers(name, kind):
    X = data(kind)[0]
    before = random_states()
    first = outputs(fitted(name, kind), X)
    assert random_states() == before
    assert_equal(outputs(fitted(name, kind), X), first)


# Padding and order


@every_input
@every_net
def test_predictions_do_not_depend_on_company(name, kind):
    X = data(kind)[0]
    estimator = fitted(name, kind)
    together = outputs(estimator, X)
    beside_a_long_one = outputs(estimator, [np.tile(X[0], 20), *X])
    assert_equal({m: rows[1:] for m, rows in beside_a_long_one.items()}, together)
    for i in (0, 5, 15):
        assert_equal(outputs(estimator, [X[i]]), {m: [rows[i]] for m, rows in together.items()})


@every_net
def test_predictions_follow_the_order_of_X(name):
    X = data("frames")[0]
    together = outputs(fitted(name), X)
    order = np.random.default_rng(1).permutation(len(X))
    permuted = {m: [rows[i] for i in order] for m, rows in together.items()}
    assert_equal(outputs(fitted(name), [X[i] for i in order]), permuted)


@pytest.mark.parametrize("standardize", ["global", "both"])
def test_bands_above_the_bandwidth_are_not_scaled_up(standardize):
    """At twice the sample rate of the recordings, the upper bands hold rounding alone."""
    rng = np.random.default_rng(0)
    X = [
        {"array": gain * rng.normal(size=4000) * np.hanning(4000), "sampling_rate": 8000}
        for gain in (0.001, 0.01, 0.03, 0.1)
    ]
    encoder = MelSpectrogram(scale="db", top_db=40)
    how = {"channels": (4,), "max_epochs": 1, "standardize": standardize, "random_state": 0}
    for frames in (False, True):
        net = LeNetClassifier(None if frames else encoder, **how)
        net.fit(encoder.fit_transform(X) if frames else X, [0, 1, 0, 1])
        scale = net.net_.module_.standardize.scale
        assert scale.max() < 20 * scale.median()


@pytest.mark.parametrize("standardize", ["global", "recording", "both", None])
@every_net
def test_what_stands_in_the_padding_does_not_count(name, standardize):
    X, y, _ = data("frames")
    module = trained(make(name, standardize=standardize, max_epochs=1).fit(X, y)).net_.module_
    calls = [c for c in ("forward", "forward_features", "forward_frames") if hasattr(module.net, c)]
    assert "forward" in calls
    for item in X[:4]:
        alone, length = torch.from_numpy(item)[None], torch.tensor([item.shape[1]])
        padded = torch.nn.functional.pad(alone, (0, 12), value=1000.0)
        for call in calls:
            with torch.inference_mode():
                expected = getattr(module, call)(alone, length)
                found = getattr(module, call)(padded, length)
            if call == "forward_frames":
                assert torch.equal(found[1], expected[1])
                expected, found = expected[0], found[0][..., : expected[0].shape[-1]]
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5, msg=call)


# Groups


class Parts(Callback):
    """Records the items that each fit trains on and holds out, by their number of frames."""

    def __init__(self, seen):
        self.seen = seen

    def __deepcopy__(self, memo):
        return self

    def on_train_begin(self, net, X, y=None, **kwargs):
        held_out = [] if net.train_split is None else net.train_split(X)[1]
        self.seen.append([[part[i][0] for i in range(len(part))] for part in (X, held_out)])

    def get_params(self, deep=True):
        return {"seen": self}  # clone must keep the list

    def __sklearn_clone__(self):
        return self


def groups_of(items):
    return {item.shape[1] % N_GROUPS for item in items}


def make_stopping(name):
    """Return an estimator that holds a part out, and the parts of each of its fits."""
    seen = []
    params = {"early_stopping": True, "validation_fraction": 0.3, "max_epochs": 1}
    return make(name, callbacks=[("parts", Parts(seen))], **params), seen


@every_net
def test_labels_are_checked_before_anything_is_decoded(name):
    X = [f"not_there_{i}.wav" for i in range(4)]
    for labels in ([1.5, 2.5, 3.25, 1.0], ["a", "a", "b", None], ["a", "a", 1, 2]):
        with pytest.raises((ValueError, TypeError), match=r"label|NaN|y contains|y\["):
            make(name, "recordings").fit(X, labels)


@every_net
@every_input
@pytest.mark.parametrize("shorter", ["y", "groups"])
def test_lengths_are_compared_before_anything_is_decoded(name, kind, shorter):
    X, y, groups = data(kind)
    given = {"y": y, "groups": groups}
    given[shorter] = given[shorter][:-1]
    if kind == "recordings":
        X = [f"not_there_{i}.wav" for i in range(len(X))]
    with pytest.raises(ValueError, match=r"inconsistent numbers .*\(X has \d+, y has \d+"):
        make(name, kind).fit(X, **given)


@every_net
def test_early_stopping_holds_out_whole_groups(name):
    X, y, groups = data("frames")
    estimator, seen = make_stopping(name)
    estimator.fit(X, y, groups=groups)
    Pipeline([("net", estimator)]).fit(X, y, net__groups=groups)
    with sklearn.config_context(enable_metadata_routing=True):
        make_pipeline(estimator).fit(X, y, groups=groups)
        search = GridSearchCV(estimator, {}, cv=GroupKFold(2), scoring=lambda *_: 0.0)
        make_pipeline(search).fit(X, y, groups=groups)
    assert len(seen) == 6  # of which three are the search's
    for training, held_out in seen:
        assert training
        assert held_out
        assert not groups_of(training) & groups_of(held_out)
    assert [len(a) + len(b) for a, b in seen] == [16, 16, 16, 8, 8, 16]


@every_net
def test_without_groups_items_are_held_out(name):
    """Otherwise the test above would pass with any split."""
    X, y, _ = data("frames")
    estimator, seen = make_stopping(name)
    estimator.fit(X, y)
    (training, held_out), = seen  # fmt: skip
    assert groups_of(training) & groups_of(held_out)


@every_net
def test_the_part_held_out_does_not_reach_the_standardisation(name):
    X, y, groups = data("frames")
    estimator, seen = make_stopping(name)
    standardize = trained(estimator.fit(X, y, groups=groups)).net_.module_.standardize
    mean = np.concatenate(seen[0][0], axis=1).mean(axis=1)
    np.testing.assert_allclose(standardize.mean, mean, atol=1e-5)


# Warm start


@every_trained_net
def test_warm_start_goes_on(name):
    X, y, _ = data("frames")
    estimator = make(name, warm_start=True).fit(X, y)
    before = weights(estimator)
    estimator.set_params(lr=1e-12, max_epochs=3).fit(X, y)
    assert estimator.n_iter_ == 5
    assert len(estimator.history_) == 3
    assert all(torch.allclose(a, b) for a, b in zip(weights(estimator), before, strict=True))
    estimator.set_params(warm_start=False).fit(X, y)
    assert estimator.n_iter_ == 3
    assert not all(torch.allclose(a, b) for a, b in zip(weights(estimator), before, strict=True))


@every_trained_net
def test_warm_start_refuses_other_classes(name):
    X, y, _ = data("frames")
    estimator = make(name, warm_start=True).fit(X, y)
    expected = outputs(estimator, X)
    others = np.where(y == "low", "a", "b")
    if is_classifier(estimator):
        with pytest.raises(ValueError, match=r"warm_start: the (classes|labels) are \['a', 'b'\]"):
            estimator.fit(X, others)
        assert_equal(outputs(estimator, X), expected)
    else:  # distances are of any classes
        assert estimator.fit(X, others).n_iter_ == 4


def test_an_estimator_around_one_trains_anew():
    """NetEmbedder trains a clone, which has no weights to go on from."""
    X, y, _ = data("frames")
    for name in set(NEURAL) - set(TRAINED):
        twice = make(name, warm_start=True).fit(X, y).fit(X, y)
        assert trained(twice).n_iter_ == 2
        assert_equal(outputs(twice, X), outputs(fitted(name), X))


# Copies


@every_net
def test_clone_keeps_parameters_and_nothing_learned(name):
    X, y, _ = data("frames")
    copy = clone(fitted(name))
    assert vars(copy).keys() == vars(make(name)).keys()
    with pytest.raises(NotFittedError):
        check_is_fitted(copy)
    assert_equal(outputs(copy.fit(X, y), X), outputs(fitted(name), X))


@every_input
@every_net
def test_pickle_after_a_fit_with_a_progress_bar(name, kind, capsys):
    X, y, _ = data(kind)
    estimator = make(name, kind, verbose=1).fit(X, y)
    assert "2/2" in capsys.readouterr().err
    loaded = pickle.loads(pickle.dumps(estimator))
    assert_equal(outputs(loaded, X), outputs(estimator, X))
    assert_equal(outputs(loaded, X), outputs(fitted(name, kind), X))
    if name in TRAINED:
        assert loaded.set_params(warm_start=True).fit(X, y).n_iter_ == 4


@pytest.fixture(scope="module")
def reloaded(tmp_path_factory):
    """What every estimator predicts in a fresh process, by name and kind of input."""
    folder = tmp_path_factory.mktemp("pickles")
    cases = [(name, kind) for name in NEURAL for kind in ("frames", "recordings")]
    given = [(pickle.dumps(fitted(*case)), data(case[1])[0]) for case in cases]
    (folder / "given").write_bytes(pickle.dumps(given))
    code = (
        "import pickle, sys, pathlib\n"
        f"METHODS = {METHODS}\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "found = []\n"
        "for pickled, X in pickle.loads((folder / 'given').read_bytes()):\n"
        "    e = pickle.loads(pickled)\n"
        "    found.append({m: list(getattr(e, m)(X)) for m in METHODS if hasattr(e, m)})\n"
        "(folder / 'found').write_bytes(pickle.dumps(found))\n"
    )
    root = str(Path(__file__).parents[1])
    path = os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])
    subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        env={**os.environ, "PYTHONPATH": path},
        check=True,
        timeout=120,
    )
    return dict(zip(cases, pickle.loads((folder / "found").read_bytes()), strict=True))


@every_input
@every_net
def test_pickle_loads_in_a_fresh_process(name, kind, reloaded):
    assert_equal(reloaded[name, kind], outputs(fitted(name, kind), data(kind)[0]))


# Threads


@every_net
def test_threads_predict_as_one_does(name):
    X = data("frames")[0]
    estimator = fitted(name)
    parts = [X[i : i + 3] for i in range(0, len(X), 3)]
    expected = [outputs(estimator, part) for part in parts]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            calls = pool.map(lambda part: outputs(estimator, part), parts)
            for found, one in zip(calls, expected, strict=True):
                assert_equal(found, one)


@every_net
def test_threads_fit_as_one_does(name):
    X, y, _ = data("frames")
    with ThreadPoolExecutor(4) as pool:
        nets = list(pool.map(lambda s: make(name, random_state=s).fit(X, y), [1, 0, 2, 0]))
    for i in (1, 3):
        assert_equal(outputs(nets[i], X), outputs(fitted(name), X))
