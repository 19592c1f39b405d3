"""What a fit leaves behind, and what it leaves alone: for every neural estimator.

The second part of the contract in `test_neural_contract`: what fitted estimators carry, trainings
that diverge, are interrupted or fail, the part that early stopping holds out.
``python -m tests.test_neural_fits`` prints a table of the estimators and of what holds for them.
"""

from __future__ import annotations

import contextlib
import copy
import io
import itertools
import pickle
import re
import signal
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.validation import check_is_fitted
from skorch.callbacks import Callback, EarlyStopping
from tqdm.auto import tqdm

from skaudio._neural import as_frames
from skaudio._neural.held_out import Classes, hold_out
from skaudio._neural.portable import portable_copies
from skaudio.augmentation import Noise
from skaudio.encoders import MFCC, MelSpectrogram
from skaudio.pooling import FramePooling

from .test_neural_contract import (
    METHODS,
    NEURAL,
    TRAINED,
    Parts,
    assert_equal,
    data,
    every_input,
    every_net,
    every_trained_net,
    make,
    outputs,
    trained,
    weights,
)
from .walk import build

pytestmark = pytest.mark.slow
exhaustive = pytest.mark.exhaustive

# Words of scikit-learn's splitters and of skorch, which no user of these estimators has passed.
FOREIGN = re.compile("n_splits|test_size|train_size|n_samples|predefined_split|train_split")
ABSENT = "cuda:99"


def inner(name, parameter):
    """Return the name of a parameter of the estimator that is trained."""
    return parameter if name in TRAINED else f"estimator__{parameter}"


def state_of(estimator):
    """Return what an estimator has learned, by identity."""
    return {key: id(value) for key, value in vars(estimator).items()}


class Kept(Callback):
    """A callback that `clone` does not copy, as its tests count what happens."""

    def __sklearn_clone__(self):
        return self


class Poison(Kept):
    """Makes the weights NaN: at an epoch's end, or before a batch that holds a large value."""

    def __init__(self, epoch=None, above=None):
        self.epoch = epoch
        self.above = above

    def poison(self, net):
        with torch.no_grad():
            for values in net.module_.parameters():
                values.fill_(float("nan"))

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        if self.above is not None and batch[0]["x"].abs().max() > self.above:
            self.poison(net)

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == self.epoch:
            self.poison(net)


@pytest.fixture(autouse=True)
def ctrl_c():
    """Let Ctrl-C interrupt: a process that was started in the background may ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class Interrupt(Kept):
    """Presses Ctrl-C in the middle of the second epoch."""

    def on_batch_begin(self, net, **kwargs):
        if len(net.history) == 2:
            signal.raise_signal(signal.SIGINT)


class Fail(Kept):
    """Fails when all epochs are done."""

    def on_train_end(self, net, **kwargs):
        raise RuntimeError("late")


# What a fitted estimator carries


def n_bytes(estimator):
    return sum(values.nbytes for values in trained(estimator).net_.module_.state_dict().values())


@pytest.mark.parametrize("size", ["small", pytest.param("default", marks=exhaustive)])
@every_net
def test_a_pickle_is_hardly_larger_than_the_weights(name, size):
    X, y, _ = data("frames")
    callbacks = [EarlyStopping("train_loss", load_best=True)]
    params = {"early_stopping": True, "validation_fraction": 0.3, "verbose": 1}
    if size == "small":
        estimator = make(name, max_epochs=8, callbacks=callbacks, **params)
    else:
        shared = {"encoder": None, "max_epochs": 1, "callbacks": callbacks, **params}
        estimator = build(name).set_params(**{inner(name, k): v for k, v in shared.items()})
    loaded = pickle.dumps(estimator.fit(X, y))
    assert len(loaded) <= 1.2 * n_bytes(estimator) + 20_000
    assert_equal(outputs(pickle.loads(loaded), X), outputs(estimator, X))


@every_net
def test_only_the_module_and_the_history_stay(name):
    X, y, _ = data("frames")
    callback = EarlyStopping("train_loss", load_best=True)
    estimator = trained(make(name, callbacks=[callback]).fit(X, y))
    modules, optimizers = [], []
    pending = [*vars(estimator.net_).values(), *vars(callback).values()]
    while pending:
        value = pending.pop()
        if isinstance(value, torch.nn.Module):
            modules.append(value)
        elif isinstance(value, (torch.optim.Optimizer, torch.Tensor)):
            optimizers.append(value)
        elif isinstance(value, dict):
            pending += value.values()
        elif isinstance(value, (list, tuple)):
            pending += value
    assert {id(module) for module in modules} == {id(estimator.net_.module_)}
    assert not optimizers


@every_input
@every_net
def test_a_pickle_needs_no_device(name, kind, monkeypatch):
    """Tensors are tagged as those of a GPU are when they are pickled, if torch pickles them."""
    X, y, _ = data(kind)
    params = {"early_stopping": True, "validation_fraction": 0.3, "verbose": 1}
    estimator = make(name, kind, callbacks=[EarlyStopping(load_best=True)], **params).fit(X, y)
    expected = outputs(estimator, X)
    with monkeypatch.context() as patched:
        patched.setattr("torch.serialization.location_tag", lambda storage: "cuda:0")
        content = pickle.dumps(estimator)
    assert b"cuda:0" not in content
    assert_equal(outputs(pickle.loads(content), X), expected)


@exhaustive
@every_input
@every_trained_net
def test_a_missing_device_gives_way_to_the_cpu(name, kind):
    X, y, _ = data(kind)
    estimator = make(name, kind).fit(X, y)
    expected = outputs(estimator, X)
    estimator.set_params(device=ABSENT)
    estimator.net_.device = ABSENT
    if kind == "recordings":
        estimator.encoder_.set_params(melspectrogram__device=ABSENT)
    content = pickle.dumps(estimator)
    with pytest.warns(UserWarning, match=f"device='{ABSENT}', which is not present here"):
        loaded = pickle.loads(content)
    assert loaded.device == loaded.net_.device == "cpu"
    assert_equal(outputs(loaded, X), expected)
    assert_equal(outputs(loaded.fit(X, y), X), expected)


@exhaustive
@every_net
def test_a_device_that_is_set_after_fit_counts_in_the_next_fit(name):
    X, y, _ = data("frames")
    estimator = make(name).fit(X, y)
    expected = {m: getattr(estimator, m)(X) for m in METHODS if hasattr(estimator, m)}
    trained(estimator).device = "meta"
    for method, rows in expected.items():
        for a, b in zip(getattr(estimator, method)(X), rows, strict=True):
            np.testing.assert_array_equal(a, b)


@every_net
def test_copies_share_nothing(name):
    X, y, _ = data("frames")
    estimator = make(name).fit(X, y)
    copied = copy.deepcopy(estimator)
    expected = outputs(estimator, X)
    for values in weights(estimator):
        assert values.device.type == "cpu"
    with torch.no_grad():
        for values in trained(estimator).net_.module_.parameters():
            values.zero_()
    assert_equal(outputs(copied, X), expected)


@pytest.mark.parametrize(
    "standardize",
    ["both", *(pytest.param(value, marks=exhaustive) for value in ("global", "recording", None))],
)
@every_net
def test_the_state_dict_is_all_that_prediction_needs(name, standardize):
    X, y, _ = data("frames")
    first = make(name, standardize=standardize).fit(X, y)
    louder = [3 * x + np.linspace(0, 5, x.shape[1], dtype=np.float32) for x in X]
    other = make(name, standardize=standardize, random_state=1, max_epochs=1).fit(louder, y)
    module = trained(other).net_.module_
    module.load_state_dict(trained(first).net_.module_.state_dict())
    assert_equal(outputs(other, X), outputs(first, X))


def test_state_dicts_of_other_standardisations_do_not_match():
    X, y, _ = data("frames")
    subtracts, does_not = (
        trained(make("GRUClassifier", standardize=s).fit(X, y)).net_.module_
        for s in ("both", "global")
    )
    for a, b in itertools.permutations([subtracts, does_not]):
        with pytest.raises(RuntimeError, match=r"standardize\.inverse_temperature"):
            a.load_state_dict(b.state_dict())


class Odd(torch.nn.Module):
    """Has tensors of every kind, and where state dicts do not find them."""

    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(3, 3, bias=False)
        self.tied = torch.nn.Linear(3, 3, bias=False)
        self.tied.weight = self.linear.weight
        self.frozen = torch.nn.Parameter(torch.ones(2), requires_grad=False)
        self.gru = torch.nn.GRU(2, 2)
        self.convolution = torch.nn.Conv2d(2, 3, 3).to(memory_format=torch.channels_last)
        self.register_buffer("brain", torch.randn(4).bfloat16())
        self.register_buffer("count", torch.tensor(3))
        self.register_buffer("nothing", None)
        self.windows = [torch.hann_window(4), {"gaps": torch.arange(9.0)[::2]}]
        self.spread = torch.ones(1, 3).expand(4, 3)
        self.empty = torch.empty(0, 2)
        self.phases = torch.ones(2, dtype=torch.complex64)
        self.again = [self.gru]


@pytest.mark.parametrize("copied", [lambda v: pickle.loads(pickle.dumps(v)), copy.deepcopy])
def test_portable_copies_are_equal(copied):
    module = Odd()
    both = copied(portable_copies({"module": module, "module_": module}))
    found = both["module"]
    assert found is both["module_"]
    assert type(found) is Odd
    assert found.state_dict().keys() == module.state_dict().keys()
    for key, expected in module.state_dict().items():
        assert torch.equal(found.state_dict()[key], expected)
        assert found.state_dict()[key].dtype == expected.dtype
    assert found.tied.weight is found.linear.weight
    assert not found.frozen.requires_grad
    assert found.linear.weight.requires_grad
    assert found.convolution.weight.stride() == module.convolution.weight.stride()
    assert torch.equal(found.windows[0], module.windows[0])
    assert torch.equal(found.windows[1]["gaps"], module.windows[1]["gaps"])
    assert torch.equal(found.spread, module.spread)
    assert torch.equal(found.phases, module.phases)
    assert found.empty.shape == (0, 2)
    assert found.again[0] is found.gru
    x = torch.randn(5, 1, 2)
    assert torch.equal(found.gru(x)[0], module.gru(x)[0])
    assert found.linear.weight.data_ptr() != module.linear.weight.data_ptr()
    (found.linear.weight.sum() + found.gru(x)[0].sum()).backward()


# Trainings that diverge


@every_net
def test_divergence_is_an_error(name):
    X, y, _ = data("frames")
    estimator = make(name, callbacks=[Poison(epoch=1)], lr=0.5)
    with pytest.raises(ValueError, match=r"the loss is nan in epoch 2.*not the cause.*lr.* 0\.5"):
        estimator.fit(X, y)
    with pytest.raises(NotFittedError):
        check_is_fitted(estimator)


@every_net
def test_divergence_in_the_last_step_is_an_error(name):
    X, y, _ = data("frames")
    with pytest.raises(ValueError, match="after epoch 2 the weights of the network are not finite"):
        make(name, callbacks=[Poison(epoch=2)]).fit(X, y)


@exhaustive
@every_net
def test_divergence_on_the_part_held_out_is_an_error(name):
    X, y, _ = data("frames")
    held_out = {"early_stopping": True, "validation_fraction": 0.3, "max_epochs": 1}

    class BeforeValidation(Poison):
        def on_batch_begin(self, net, batch=None, training=False, **kwargs):
            if not training:
                self.poison(net)

    with pytest.raises(ValueError, match="the loss on the part held out is nan in epoch 1"):
        make(name, callbacks=[BeforeValidation()], **held_out).fit(X, y)


@every_net
def test_recordings_that_cause_divergence_are_named(name):
    X, y, _ = data("frames")
    X = [*X[:5], 1e6 * X[5], *X[6:]]
    estimator = make(name, standardize=None, callbacks=[Poison(above=1e5)])
    with pytest.raises(
        ValueError, match=r"in a batch with recording 5(, recording 5)*\. The largest"
    ):
        estimator.fit(X, y)


@pytest.mark.parametrize("augment", [False, True])
def test_recordings_are_named_with_their_paths(tmp_path, write_audio, augment):
    X, y, _ = data("recordings")
    paths = [write_audio(tmp_path / f"{i}.wav", x, 8000) for i, x in enumerate(X)]
    encoder = MFCC(sample_rate=8000, n_mfcc=8)
    if augment:
        encoder = make_pipeline(Noise(), encoder)
    frames = MFCC(sample_rate=8000, n_mfcc=8).transform([paths[3]])[0]
    above = float(np.abs(frames).max()) * 0.5
    estimator = make("LeNetClassifier", standardize=None, callbacks=[Poison(above=above)])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("skaudio._neural.checks.OUTLYING", 0.0)
        with pytest.raises(ValueError, match=r"recording \d+ \('.*\d.wav'\)"):
            estimator.set_params(encoder=encoder).fit(paths, y)
    estimator.set_params(callbacks=None).fit(paths, y)
    estimator.net_.module_.standardize.mean.fill_(np.nan)
    with pytest.raises(ValueError, match=r"recording 0 \('.*0.wav'\): the network returned NaN"):
        estimator.predict(paths)


@every_net
def test_batches_without_any_weight_teach_nothing(name):
    X, y, _ = data("frames")
    if "class_weight" not in trained(make(name).fit(X, y)).get_params():
        pytest.skip("has no class_weight")
    names = np.unique(y).tolist()

    def train(*weights):
        given = {inner(name, "class_weight"): dict(zip(names, weights, strict=True))}
        few = {"batch_size": 1, "early_stopping": True, "validation_fraction": 0.3}
        return make(name, **few).set_params(**given).fit(X, y)

    weights = [0.0] * (len(names) - 1) + [1.0]
    history = trained(train(*weights)).history_
    assert np.isfinite(history[:, ("train_loss", "valid_loss")]).all()
    with pytest.raises(ValueError, match=r"class_weight=.* gives every class of y the weight 0"):
        train(*[0.0] * len(names))


def test_pairs_that_cause_divergence_are_named():
    X, _, _ = data("frames")
    left, right = X[:8], [*X[8:14], 1e6 * X[14], X[15]]
    estimator = make("SiameseEmbedder", standardize=None, callbacks=[Poison(above=1e5)])
    with pytest.raises(ValueError, match=r"in a batch with right recording 6\. The largest"):
        estimator.fit_pairs(left, right, [True, False] * 4)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
@every_net
def test_a_search_never_picks_a_net_that_diverged(name):
    X, y, _ = data("frames")
    grid = {inner(name, "callbacks"): [[Poison(epoch=1)], [Poison(epoch=2)], []]}
    search = GridSearchCV(make(name), grid, cv=2, scoring=lambda *_: 1.0).fit(X, y)
    assert search.best_index_ == 2


@every_net
def test_predictions_are_never_nan(name):
    X, y, _ = data("frames")
    estimator = make(name).fit(X, y)
    module = trained(estimator).net_.module_
    with torch.no_grad():
        next(iter(module.parameters())).view(-1)[0] = float("nan")
    for method in METHODS:
        if hasattr(estimator, method):
            with pytest.raises(ValueError, match=r"recording 0: .* NaN .*weights are not finite"):
                getattr(estimator, method)(X)


@every_net
def test_recordings_without_a_finite_prediction_are_named(name):
    X, y, _ = data("frames")
    estimator = make(name, standardize="global").fit(X, y)
    X = [*X[:5], np.full_like(X[5], 3e38), *X[6:]]
    X[5][::2] *= -1
    trained(estimator).net_.module_.standardize.scale *= 10
    for method in METHODS:
        if hasattr(estimator, method):
            with pytest.raises(
                ValueError, match=r"recording 5: .* largest standardised feature is inf"
            ):
                getattr(estimator, method)(X)


def test_scores_of_long_recordings_are_never_nan():
    X, y, _ = data("frames")
    detector = make("EventDetector").fit(X, y)
    long = [X[0], np.tile(X[1], 10)]
    detector.set_params(block_duration=0.5).predict_frames(long)
    long[1][3, 100] = 3e38
    detector.net_.module_.standardize.scale *= 10
    with pytest.raises(ValueError, match="recording 1: the network returned NaN"):
        detector.predict_frames(long)


# The part held out


def make_stopping(name, **params):
    """Return an estimator that holds a part out, and the parts of each of its fits."""
    seen = []
    held_out = {"early_stopping": True, "max_epochs": 1, "callbacks": [("parts", Parts(seen))]}
    return make(name, **{**held_out, **params}), seen


def classes_of(items, X, y):
    return {y[i] for i, x in enumerate(X) if any(x is item for item in items)}


def fit_or_explain(estimator, *args, **kwargs):
    """Fit; return False if an error says in the words of these estimators why not."""
    message = ""
    try:
        estimator.fit(*args, **kwargs)
    except ValueError as error:
        message = str(error)
        if "early_stopping" not in message:
            raise
    assert not FOREIGN.search(message)
    return not message


@every_net
def test_no_class_is_held_out_as_a_whole(name):
    """Groups 0 to 2 are of one class, and 3 is all of the other."""
    X, y, _ = data("frames")
    groups = np.where(y == "high", np.arange(16) // 2 % 3, 3)
    for seed in range(3):
        estimator, seen = make_stopping(name, validation_fraction=0.3, random_state=seed)
        done = fit_or_explain(estimator, X, y, groups=groups)
        assert done or name == "SiameseEmbedder"  # no pairs of two classes in one class
        for training, _ in seen:
            assert classes_of(training, X, y) == set(y)


@exhaustive
@pytest.mark.parametrize("grouping", ["one per class", "one"])
@every_net
def test_groups_that_cannot_be_held_out(name, grouping):
    X, y, _ = data("frames")
    groups = y if grouping == "one per class" else ["one microphone"] * 16
    message = "each of the 2 groups is the only one" if grouping != "one" else "are of one group"
    estimator, seen = make_stopping(name)
    with pytest.raises(ValueError, match=f"early_stopping=True holds out whole groups.*{message}"):
        estimator.fit(X, y, groups=groups)
    assert not seen


@exhaustive
@every_net
def test_few_recordings_of_each_class(name):
    X = data("frames")[0][:12]
    y = np.repeat(list("abcd"), 3)
    for seed in range(2):
        estimator, seen = make_stopping(name, validation_fraction=0.1, random_state=seed)
        done = fit_or_explain(estimator, X, y)
        assert done or name == "SiameseEmbedder"  # two recordings make no pairs of both kinds
        if done:
            (training, held_out), = seen  # fmt: skip
            assert classes_of(training, X, y) == set(y)
            assert len(held_out) == 2
    single = make_stopping(name)[0]
    if name != "SiameseEmbedder":  # refuses single recordings of all classes anyway
        assert not fit_or_explain(single, X[:3], ["a", "b", "c"])


def test_a_missing_group_of_pairs_is_named():
    X, _, groups = data("frames")
    groups = groups[:8].astype(float)
    groups[7] = np.nan
    with pytest.raises(ValueError, match=r"groups\[7\] is nan"):
        make("SiameseEmbedder").fit_pairs(X[:8], X[8:], [True, False] * 4, groups=groups)


def test_labels_of_a_detector_stay_in_the_training_part():
    """With several labels per recording, those with a label stay, and those without."""
    X, _, _ = data("frames")
    Y = np.zeros((16, 2))
    Y[::2, 0] = 1
    Y[3, 1] = 1  # one recording alone
    for seed in range(6):
        estimator, seen = make_stopping("EventDetector", validation_fraction=0.5, random_state=seed)
        estimator.fit(X, Y)
        assert any(item is X[3] for item in seen[0][0])


@pytest.mark.parametrize("seed", range(60))
def test_hold_out(seed):
    """Random classes and groups: every class stays, and shares are kept where they can be."""
    rng = np.random.default_rng(seed)
    n, n_classes = int(rng.integers(4, 60)), int(rng.integers(1, 6))
    fraction = float(rng.choice([0.1, 0.2, 0.5, 0.9]))
    codes = rng.choice(n_classes, n, p=rng.dirichlet(np.ones(n_classes)))
    members = codes[:, None] == np.arange(n_classes)
    if seed % 3 == 0:
        members = rng.random((n, n_classes)) < 0.4
    groups = np.unique(rng.integers(0, 8, n), return_inverse=True)[1] if seed % 2 else None
    classes = Classes([str(i) for i in range(n_classes)], members)
    units = np.arange(n) if groups is None else groups
    has = np.array([members[units == u].any(axis=0) for u in range(units.max() + 1)])
    try:
        training, held = hold_out(fraction, classes, groups, seed)
    except ValueError:
        # Each group or recording is the only one that has some class.
        assert all((has[u] & (has.sum(axis=0) == 1)).any() for u in range(len(has)))
        return
    assert np.array_equal(np.sort(np.concatenate([training, held])), np.arange(n))
    assert len(training)
    assert len(held)
    assert not set(units[training]) & set(units[held])
    assert np.array_equal(members[training].any(axis=0), members.any(axis=0))
    wanted = int(np.ceil(fraction * len(has)))
    assert len(set(units[held])) <= wanted
    if seed % 3 and groups is None:
        counts = members.sum(axis=0)
        most = np.minimum(np.ceil(fraction * counts), counts - 1)
        most = np.maximum(most, 0)
        if most.sum() >= wanted:
            assert (members[held].sum(axis=0) <= most).all()
        assert len(held) == min(wanted, (counts - 1)[counts > 0].sum())


@every_net
def test_the_score_of_the_part_held_out_is_in_the_history(name):
    X, y, _ = data("frames")
    y = np.random.default_rng(0).permutation(y)  # the scores of both parts differ
    params = {"validation_fraction": 0.5, "max_epochs": 3, "batch_size": 4, "lr": 0.01}
    estimator, seen = make_stopping(name, **params)
    history = trained(estimator.fit(X, y)).history_
    scores = [row["valid_score"] for row in history]
    assert len(scores) == 3
    assert all(type(score) is float and 0 <= score <= 1 for score in scores)
    if hasattr(estimator, "predict"):
        held_out = [i for i, x in enumerate(X) if any(x is item for item in seen[0][1])]
        best = int(np.argmin([row["valid_loss"] for row in history]))
        expected = estimator.score([X[i] for i in held_out], y[held_out])
        assert scores[best] == pytest.approx(expected)
    assert "valid_score" not in trained(make(name).fit(X, y)).history_[-1]


def test_the_score_of_pairs_held_out():
    X, _, _ = data("frames")
    left, right, same = X[:8] * 2, X[8:] + X[1:8] + X[:1], np.arange(16) % 2 == 0
    estimator, seen = make_stopping("SiameseEmbedder", validation_fraction=0.5)
    estimator.fit_pairs(left, right, same)
    held_out = [i for i in range(16) if any(left[i] is item for item in seen[0][1])]
    assert 0 <= estimator.history_[-1, "valid_score"] <= 1
    assert held_out


# Interrupts and failures


@every_net
def test_ctrl_c_stops_the_fit(name):
    X, y, _ = data("frames")
    estimator = make(name, callbacks=[Interrupt()], verbose=1)
    before = state_of(estimator)
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(X, y)
    assert state_of(estimator) == before
    assert not tqdm._instances


@every_net
def test_ctrl_c_stops_a_search(name):
    X, y, _ = data("frames")
    search = GridSearchCV(make(name, callbacks=[Interrupt()]), {}, cv=2, scoring=lambda *_: 0.0)
    with pytest.raises(KeyboardInterrupt):
        search.fit(X, y)
    assert not hasattr(search, "best_estimator_")


@pytest.mark.parametrize("warm_start", [False, pytest.param(True, marks=exhaustive)])
@pytest.mark.parametrize(
    "cause", [Fail, *(pytest.param(c, marks=exhaustive) for c in (Interrupt, lambda: Poison(1)))]
)
@every_net
def test_a_broken_fit_leaves_what_was_learned(name, cause, warm_start):
    X, y, _ = data("frames")
    estimator = make(name, warm_start=warm_start).fit(X, y)
    expected, history = outputs(estimator, X), list(trained(estimator).history_)
    if hasattr(estimator, "tune_thresholds"):
        estimator.thresholds_ = np.array([0.3, 0.4])
    estimator.set_params(**{inner(name, "callbacks"): [cause()]})
    before = state_of(estimator)
    labels = y if warm_start else np.where(y == "high", "one", "other")
    with pytest.raises((KeyboardInterrupt, RuntimeError, ValueError)):
        estimator.fit(X, labels)
    assert state_of(estimator) == before
    assert_equal(outputs(estimator, X), expected)
    assert trained(estimator).history_ == history


@exhaustive
@every_net
def test_early_stopping_of_skorch_ends_a_training(name):
    X, y, _ = data("frames")
    stop = EarlyStopping("train_loss", patience=2, lower_is_better=False, threshold=1e9)
    estimator = make(name, callbacks=[stop], max_epochs=9).fit(X, y)
    assert len(trained(estimator).history_) < 9
    assert outputs(estimator, X)


# Warm start

# Another value of each parameter that makes the net. Any parameter that is neither here nor in FREE
# fails the test: it has to be in the one or the other.
OTHER = {
    "bidirectional": False,
    "channels": (4, 8, 4),
    "dropout": 0.5,
    "embedding_size": 9,
    "frame_stride": 1,
    "hidden_size": 5,
    "input_dropout": 0.4,
    "kernel_size": 5,
    "module": None,
    "module_params": {"channels": (5,)},
    "n_layers": 2,
    "pooling": "attention",
    "standardize": None,
    "statistics": False,
    "stem": (4,),
    "unit_norm": False,
}
FREE = (
    "encoder max_epochs batch_size lr class_weight label_smoothing early_stopping "
    "validation_fraction n_iter_no_change precision device random_state warm_start verbose "
    "callbacks net_params threshold hysteresis median_filter min_duration max_gap frame_duration "
    "block_duration hinge margin distance n_draws n_pairs loss speeds temperature n_per_class"
)


class OtherNet(torch.nn.Module):
    pass


@every_trained_net
def test_warm_start_refuses_another_architecture(name):
    X, y, _ = data("frames")
    estimator = make(name, warm_start=True).fit(X, y)
    expected = outputs(estimator, X)
    given = estimator.get_params(deep=False)
    for parameter in given.keys() - set(FREE.split()):
        value = OtherNet if parameter == "module" else OTHER[parameter]
        assert value != given[parameter]
        estimator.set_params(**{parameter: value})
        with pytest.raises(ValueError, match=f"warm_start: {parameter}=.* as in the first fit"):
            estimator.fit(X, y)
        if parameter == "unit_norm":  # it also acts in transform
            estimator.set_params(unit_norm=given[parameter])
        assert_equal(outputs(estimator, X), expected)
        estimator.set_params(**{parameter: given[parameter]})
    lists = {k: list(v) for k, v in given.items() if isinstance(v, tuple)}
    assert estimator.set_params(**lists).fit(X, y).n_iter_ == 4


@every_trained_net
def test_warm_start_refuses_other_frames(name):
    X, y, _ = data("frames")
    estimator = make(name, warm_start=True).fit(X, y)
    expected = outputs(estimator, X)
    with pytest.raises(ValueError, match="warm_start: X has 6 features per frame, expected 8"):
        estimator.fit([x[:6] for x in X], y)
    assert_equal(outputs(estimator, X), expected)


@exhaustive
@every_trained_net
def test_warm_start_refuses_another_encoder(name):
    X, y, _ = data("recordings")
    estimator = make(name, "recordings", warm_start=True).fit(X, y)
    expected = outputs(estimator, X)
    shared = {"sample_rate": 8000, "n_fft": 256}
    for encoder, message in (
        (MFCC(n_mfcc=8, hop_length=80, **shared), r"steps=\('MFCC',\), .*'MelSpectrogram'"),
        (MelSpectrogram(n_mels=8, hop_length=40, **shared), "MelSpectrogram__hop_length=40, .* 80"),
        (
            MelSpectrogram(n_mels=8, hop_length=80, scale="db", **shared),
            "MelSpectrogram__scale='db', expected 'log'",
        ),
    ):
        kept = estimator.encoder
        with pytest.raises(ValueError, match=f"warm_start: encoder {message}"):
            estimator.set_params(encoder=encoder).fit(X, y)
        assert_equal(outputs(estimator.set_params(encoder=kept), X), expected)
    mel = MelSpectrogram(n_mels=8, hop_length=80, n_jobs=1, **shared)
    stronger = make_pipeline(Noise(snr_db=0.0), mel)
    assert estimator.set_params(encoder=stronger).fit(X, y).n_iter_ == 4


# Encoders that leave no frames


@every_net
def test_an_encoder_that_returns_rows_is_refused(name):
    X, y, _ = data("recordings")
    encoder = make_pipeline(MFCC(sample_rate=8000, n_mfcc=4), FramePooling())
    estimator = make(name).set_params(**{inner(name, "encoder"): encoder})
    with pytest.raises(ValueError, match=r"one row per recording, .*\(16, 8\).*FramePooling"):
        estimator.fit(X, y)
    augmented = make_pipeline(Noise(), *[step for _, step in encoder.steps])
    with pytest.raises(ValueError, match="one row per recording"):
        estimator.set_params(**{inner(name, "encoder"): augmented}).fit(X, y)


@exhaustive
@every_net
def test_single_frames_without_their_mean_are_refused(name):
    X, y, _ = data("frames")
    single = [x[:, :1] for x in X]
    for standardize in ("recording", "both"):
        with pytest.raises(
            ValueError, match=f"standardize='{standardize}' subtracts .* single frame"
        ):
            make(name, standardize=standardize).fit(single, y)
    make(name, standardize="global").fit(single, y)


@pytest.mark.parametrize("name", ["GRUClassifier", "NetClassifier"])
def test_single_frames_of_recordings_are_learned_from(name):
    X, y, _ = data("recordings")
    mel = MelSpectrogram(sample_rate=8000, n_mels=8, n_fft=256, target_frames=1)
    net = make(name, encoder=mel, max_epochs=30, batch_size=16, lr=0.03).fit(X, y)
    assert net.score(X, y) > 0.9


@pytest.mark.parametrize(
    "rows", [np.ones((3, 8), np.float32), pd.DataFrame(np.ones((3, 8))), sparse.eye_array(3)]
)
def test_rows_are_refused_in_any_container(rows):
    with pytest.raises(ValueError, match="one row per recording"):
        as_frames(rows)


def test_frames_in_a_table_are_no_rows():
    frames = [np.ones((2, 4), np.float32), np.zeros((2, 3), np.float32)]
    table = pd.DataFrame({"mfcc": pd.Series(frames, dtype=object)})
    assert_equal({"frames": as_frames(table)}, {"frames": frames})


# Columns of the table that ``python -m tests.test_neural_fits`` prints.
TABLE = {
    "pickle with bar": lambda name: test_a_pickle_is_hardly_larger_than_the_weights(name, "small"),
    "tensors on the CPU": lambda name: no_device(name),
    "nothing left over": lambda name: test_only_the_module_and_the_history_stay(name),
    "state dict": lambda name: test_the_state_dict_is_all_that_prediction_needs(name, "both"),
    "interrupt": lambda name: test_a_broken_fit_leaves_what_was_learned(name, Interrupt, True),
    "NaN": lambda name: (
        test_divergence_is_an_error(name),
        test_a_search_never_picks_a_net_that_diverged(name),
        test_predictions_are_never_nan(name),
    ),
    "late failure": lambda name: test_a_broken_fit_leaves_what_was_learned(name, Fail, False),
    "classes stay": lambda name: test_no_class_is_held_out_as_a_whole(name),
}


def no_device(name):
    with pytest.MonkeyPatch.context() as patched:
        test_a_pickle_needs_no_device(name, "frames", patched)


def holds(check, name):
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            check(name)
        except (Exception, KeyboardInterrupt, pytest.fail.Exception):
            return "no"
    return "yes"


def size_of(name):
    estimator = make(name, early_stopping=True, validation_fraction=0.3).fit(*data("frames")[:2])
    return f"{len(pickle.dumps(estimator))} / {n_bytes(estimator)}"


if __name__ == "__main__":
    print("| estimator |", " | ".join(TABLE), "| bytes pickled / of weights |")
    print("|---" * (len(TABLE) + 2) + "|")
    for name in NEURAL:
        columns = [holds(check, name) for check in TABLE.values()]
        print("|", " | ".join([name, *columns, size_of(name)]), "|", flush=True)
