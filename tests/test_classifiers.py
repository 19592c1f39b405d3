"""Neural classifiers as scikit-learn users meet them."""

import pickle

import numpy as np
import pytest
import sklearn
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from skaudio.audio import AudioBatch
from skaudio.augmentation import VTLP, Noise, TimeShift
from skaudio.classifiers import GRUClassifier, LeNetClassifier, NetClassifier
from skaudio.encoders import MFCC, MelSpectrogram
from skaudio.nets import GRU

SMALL = {
    "lenet": lambda **p: LeNetClassifier(
        **{"channels": (4, 8), "embedding_size": 16, "max_epochs": 4, "random_state": 0, **p}
    ),
    "gru": lambda **p: GRUClassifier(
        **{"hidden_size": 8, "n_layers": 1, "max_epochs": 4, "random_state": 0, **p}
    ),
    "net": lambda **p: NetClassifier(
        module=GRU, **{"module_params": {"hidden_size": 8}, "max_epochs": 4, "random_state": 0, **p}
    ),
}
every_net = pytest.mark.parametrize("make", SMALL.values(), ids=SMALL)


@pytest.fixture(scope="module")
def tones():
    """Low and high tones of many lengths by three "speakers": X, y, groups."""
    rng = np.random.default_rng(0)
    y = np.array(["low", "high"] * 18)
    groups = np.repeat(["ann", "bob", "eve"], 12)
    waveforms = []
    for label in y:
        n = rng.integers(1600, 6400)
        hz = (300 if label == "low" else 2000) * rng.uniform(0.9, 1.1)
        tone = np.sin(2 * np.pi * hz * np.arange(n) / 16000)
        waveforms.append((tone * np.hanning(n) + 0.1 * rng.standard_normal(n)).astype(np.float32))
    return waveforms, y, groups


def augmented():
    return Pipeline(
        [
            ("noise", Noise(snr_db=(10, 30))),
            ("vtlp", VTLP()),
            ("mfcc", MFCC(n_mfcc=13)),
        ]
    )


# Whole numbers of 64 bits are what some checks pass on; as samples they deserve the warning.
@pytest.mark.filterwarnings("ignore:recording .* holds int64 samples:UserWarning")
@parametrize_with_checks(
    [
        make(encoder=make_pipeline(TimeShift(), Noise(), MelSpectrogram(n_mels=16)), max_epochs=1)
        for make in SMALL.values()
    ]
)
def test_scikit_learn_checks_with_a_pipeline_inside(estimator, check):
    check(estimator)


@every_net
def test_learns_and_remembers(make, tones):
    X, y, _ = tones
    clf = make(encoder=MelSpectrogram(), max_epochs=15).fit(X, y)
    assert clf.score(X, y) > 0.9
    assert clf.classes_.tolist() == ["high", "low"]
    assert clf.n_iter_ == len(clf.history_) == 15
    again = pickle.loads(pickle.dumps(clf))
    assert np.array_equal(again.predict_proba(X), clf.predict_proba(X))


@every_net
@pytest.mark.parametrize("encoder", [MelSpectrogram(), augmented()], ids=["plain", "augmented"])
def test_same_seed_same_net(make, encoder, tones):
    X, y, _ = tones
    state = torch.get_rng_state()
    first, second, other = (
        make(encoder=encoder, random_state=seed).fit(X, y).decision_function(X)
        for seed in (1, 1, 2)
    )
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)


@every_net
def test_predictions_do_not_depend_on_company(make, tones):
    X, y, _ = tones
    clf = make(encoder=augmented()).fit(X, y)
    together = clf.predict_proba(X)
    order = np.random.default_rng(0).permutation(len(X))
    assert np.array_equal(clf.predict_proba([X[i] for i in order]), together[order])
    alone = np.concatenate([clf.predict_proba([x]) for x in X])
    assert np.array_equal(alone, together)


def test_augmentation_acts_in_fit_alone(tones):
    X, y, _ = tones
    make = SMALL["gru"]
    noisy = make(encoder=augmented()).fit(X, y)
    clean = make(encoder=MFCC(n_mfcc=13)).fit(X, y)
    assert noisy.history_[-1]["train_loss"] != clean.history_[-1]["train_loss"]
    frames = noisy.encoder_.transform(X)
    expected = MFCC(n_mfcc=13).fit_transform(X)
    assert all(np.array_equal(a, b) for a, b in zip(frames, expected, strict=True))


def test_draws_do_not_depend_on_batches(tones, monkeypatch):
    """Whatever the batch size, a recording sees the same augmentations in the same epoch."""
    X, y, _ = tones
    seen = {}
    real = Noise.augment

    def spy(self, X, seeds):
        out = real(self, X, seeds)
        for seed, name, waveform in zip(seeds, X, out, strict=True):
            seen.setdefault(int(seed), []).append((float(name.sum()), float(waveform.sum())))
        return out

    monkeypatch.setattr(Noise, "augment", spy)
    for batch_size in (5, 32):
        SMALL["gru"](encoder=augmented(), batch_size=batch_size, max_epochs=2).fit(X, y)
    assert len(seen) == 2 * len(X)
    assert all(len(set(draws)) == 1 and len(draws) == 2 for draws in seen.values())


def test_containers_of_frames(tones):
    """What encoders and embedders return is taken with encoder=None."""
    X, y, _ = tones
    frames = MFCC().fit_transform(X)
    assert frames.dtype == object
    make = SMALL["gru"]
    assert make(max_epochs=15).fit(frames, y).score(frames, y) > 0.9
    equal = MFCC(target_frames=20).fit_transform(X)
    assert equal.ndim == 3
    assert make(max_epochs=15).fit(equal, y).score(equal, y) > 0.9
    rows = np.stack([f.mean(axis=1) for f in frames])
    clf = make(max_epochs=30).fit(rows, y)
    assert clf.n_features_in_ == 20
    assert clf.score(rows, y) > 0.9


def test_recordings_without_an_encoder():
    with pytest.raises(TypeError, match=r"recording 0 is 'a\.wav'.*pass encoder= to GRU"):
        GRUClassifier().fit(["a.wav", "b.wav"], [0, 1])
    waveforms = AudioBatch([np.zeros(10), np.zeros(12)], 16000)
    with pytest.raises(ValueError, match=r"recording 0 is one-dimensional.*pass encoder="):
        LeNetClassifier().fit(waveforms, [0, 1])


@pytest.mark.parametrize("encoder", [MFCC(), augmented()], ids=["plain", "augmented"])
def test_a_dead_recording_stops_before_the_first_epoch(encoder, tones, tmp_path):
    X, y, _ = tones
    missing = str(tmp_path / "gone.wav")
    X = [*X[:20], missing, *X[21:]]
    clf = SMALL["gru"](encoder=encoder)
    with pytest.raises(ValueError, match=r"recording 20 \('.*gone\.wav'\): no such file"):
        clf.fit(X, y)
    assert not hasattr(clf, "net_")


@pytest.mark.parametrize("encoder", [MFCC(), augmented()], ids=["plain", "augmented"])
def test_a_dead_recording_among_many(encoder, rng):
    X = list(rng.standard_normal((2000, 800)).astype(np.float32))
    X[1234][567] = np.nan
    clf = SMALL["gru"](encoder=encoder)
    with pytest.raises(ValueError, match="recording 1234 contains NaN at sample 567"):
        clf.fit(X, np.arange(2000) % 2)
    assert not hasattr(clf, "net_")


def test_early_stopping_holds_out_whole_groups(tones, monkeypatch):
    from skaudio._neural import fit, predict

    X, y, groups = tones
    held = []
    real = fit.hold_out

    def spy(*args):
        out = real(*args)
        held.append(out)
        return out

    monkeypatch.setattr(fit, "hold_out", spy)
    clf = SMALL["lenet"](
        encoder=MelSpectrogram(), early_stopping=True, validation_fraction=0.3, n_iter_no_change=2,
        max_epochs=30,
    )  # fmt: skip
    y = np.random.default_rng(0).permutation(y)  # nothing to learn: the loss soon rises
    clf.fit(X, y, groups=groups)
    train, validation = held[0]
    assert not set(groups[train]) & set(groups[validation])
    assert sorted([*train, *validation]) == list(range(len(X)))
    losses = [row["valid_loss"] for row in clf.history_]
    assert len(losses) < 30
    # The best epoch's weights are back: its loss is that of the net as it stands.
    frames = MelSpectrogram().fit_transform([X[i] for i in validation])
    logits = torch.from_numpy(predict.predict_rows(clf.net_.module_, list(frames), "cpu"))
    codes = torch.from_numpy(np.searchsorted(clf.classes_, y[validation]))
    loss = torch.nn.functional.cross_entropy(logits, codes, label_smoothing=clf.label_smoothing)
    assert float(loss) == pytest.approx(min(losses), abs=1e-5)


def test_groups_arrive_through_a_pipeline_and_through_routing(tones):
    X, y, groups = tones
    frames = MFCC().fit_transform(X)
    make = SMALL["gru"]
    clf = make(early_stopping=True, validation_fraction=0.34, max_epochs=2)
    pipe = Pipeline([("clf", clf)])
    pipe.fit(frames, y, clf__groups=groups)
    assert pipe.score(frames, y) >= 0.0
    with sklearn.config_context(enable_metadata_routing=True):
        seen = []

        class Spy(GRUClassifier):
            def fit(self, X, y, groups=None):
                seen.append(None if groups is None else set(groups))
                return super().fit(X, y, groups)

        spy = Spy(**{**clf.get_params(), "early_stopping": False})
        search = GridSearchCV(spy, {"hidden_size": [4, 8]}, cv=GroupKFold(2))
        cross_validate(search, frames, y, params={"groups": groups}, cv=GroupKFold(3))
    # 3 outer folds x (2 inner folds x 2 candidates + 1 refit), none without its groups
    assert len(seen) == 15
    assert None not in seen


def test_grid_search_over_everything(tones):
    X, y, groups = tones
    clf = SMALL["gru"](encoder=augmented(), max_epochs=2)
    grid = {
        "encoder__mfcc__n_mfcc": [8, 13],
        "encoder__noise__snr_db": [20, (10, 30)],
        "hidden_size": [4],
        "input_dropout": [0.0],
    }
    scores = [
        GridSearchCV(clf, grid, cv=GroupKFold(3), n_jobs=n_jobs)
        .fit(X, y, groups=groups)
        .cv_results_["mean_test_score"]
        for n_jobs in (2, 3)
    ]
    assert np.array_equal(scores[0], scores[1])
    assert len(scores[0]) == 4


def test_class_weight_balances(tones):
    X, y, _ = tones
    few = [i for i in range(len(y)) if y[i] == "low" or i < 6]
    frames = [MFCC().fit_transform([X[i]])[0] for i in few]
    y = y[few]
    make = SMALL["gru"]
    plain, balanced = (
        make(class_weight=weight, max_epochs=1).fit(frames, y).predict_proba(frames)[:, 0].mean()
        for weight in (None, "balanced")
    )
    assert balanced > plain


def test_warm_start_goes_on(tones):
    X, y, _ = tones
    frames = list(MFCC().fit_transform(X))
    clf = SMALL["gru"](warm_start=True, max_epochs=3).fit(frames, y)
    before = clf.net_.module_
    clf.set_params(max_epochs=2).fit(frames, y)
    assert clf.net_.module_ is before
    assert clf.n_iter_ == 5
    with pytest.raises(ValueError, match=r"warm_start: the classes are \['a', 'b'\]"):
        clf.fit(frames, np.where(y == "low", "a", "b"))


def test_net_params_and_callbacks_replace_the_defaults(tones):
    from skorch.callbacks import Callback

    class Count(Callback):
        def on_epoch_end(self, net, **kwargs):
            net.history.record("seen", True)

    X, y, _ = tones
    frames = list(MFCC().fit_transform(X))
    params = {"optimizer": torch.optim.SGD, "optimizer__weight_decay": 0.0}
    clf = SMALL["gru"](
        net_params={**params, "callbacks__schedule": None}, callbacks=[("count", Count())]
    )
    clf.fit(frames, y)
    assert isinstance(clf.net_.optimizer_, torch.optim.SGD)
    assert all(row["seen"] for row in clf.history_)
    assert {row["event_lr"] for row in clf.history_ if "event_lr" in row} <= {clf.lr}


def test_bad_parameters(tones):
    X, y, _ = tones
    frames = list(MFCC().fit_transform(X))
    with pytest.raises(ValueError, match=r"standardize='mean': expected one of 'auto'"):
        SMALL["gru"](standardize="mean").fit(frames, y)
    with pytest.raises(ValueError, match=r"precision='half': expected 'auto'"):
        SMALL["gru"](precision="half").fit(frames, y)
    with pytest.raises(ValueError, match=r"validation_fraction=2: expected a number between 0"):
        SMALL["gru"](early_stopping=True, validation_fraction=2).fit(frames, y)
    with pytest.raises(ValueError, match="only one class is present: all labels are 'low'"):
        SMALL["gru"]().fit(frames, ["low"] * len(frames))
    with pytest.raises(ValueError, match="X has 7 features per frame, expected the 20"):
        SMALL["gru"]().fit(frames, y).predict([f[:7] for f in frames])


@pytest.mark.parametrize("supported", [False, True])
def test_auto_precision_is_for_convolutions_where_the_cpu_has_it(supported, tones, monkeypatch):
    X, y, _ = tones
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: supported)
    frames = list(MelSpectrogram().fit_transform(X))
    reduced = {
        name: make(max_epochs=1).fit(frames, y).net_.module_.reduced for name, make in SMALL.items()
    }
    assert reduced == {"lenet": supported, "gru": False, "net": False}


def test_bfloat16_learns_and_predicts_in_float32(tones):
    X, y, _ = tones
    frames = list(MelSpectrogram().fit_transform(X))
    nets = [
        SMALL["lenet"](precision=precision, max_epochs=15).fit(frames, y)
        for precision in ("float32", "bfloat16")
    ]
    losses = [net.history_[:, "train_loss"] for net in nets]
    assert losses[0] != losses[1]
    np.testing.assert_allclose(losses[0], losses[1], rtol=0.1)
    assert nets[1].score(frames, y) > 0.9
    assert {p.dtype for p in nets[1].net_.module_.parameters()} == {torch.float32}


def test_progress_bar(tones, capsys):
    X, y, _ = tones
    frames = list(MFCC().fit_transform(X))
    clf = SMALL["gru"](verbose=1, max_epochs=2).fit(frames, y)
    assert "2/2" in capsys.readouterr().err
    again = pickle.loads(pickle.dumps(clf))
    assert np.array_equal(again.predict_proba(frames), clf.predict_proba(frames))
    again.set_params(warm_start=True).fit(frames, y)
    assert again.n_iter_ == 4


def test_decoded_recordings_spill_to_disk(tones, monkeypatch):
    from skaudio._neural import batches

    X, y, _ = tones
    clf = SMALL["gru"](encoder=augmented())
    in_memory = clone(clf).fit(X, y).decision_function(X)
    monkeypatch.setattr(batches, "MEMORY_LIMIT", 0)
    monkeypatch.setattr(batches, "DECODE_BLOCK", 7)
    assert np.array_equal(clone(clf).fit(X, y).decision_function(X), in_memory)


def test_a_pickled_net_does_not_carry_its_data(tones):
    X, y, _ = tones
    clf = SMALL["gru"](encoder=augmented(), early_stopping=True, validation_fraction=0.2)
    size = len(pickle.dumps(clf.fit(X, y)))
    weights = sum(p.nbytes for p in clf.net_.module_.parameters())
    assert size < 20 * weights + 50_000 < sum(x.nbytes for x in X)


def test_works_in_a_pipeline_after_an_encoder(tones):
    X, y, _ = tones
    pipe = make_pipeline(MFCC(), SMALL["gru"](max_epochs=15))
    assert pipe.fit(X, y).score(X, y) > 0.9


@pytest.mark.gpu
@every_net
def test_on_a_gpu_as_on_the_cpu(make, tones):
    if not torch.cuda.is_available():
        pytest.skip("torch finds no CUDA device")
    X, y, _ = tones
    clf = make(encoder=augmented(), max_epochs=15, device="cuda", precision="float32").fit(X, y)
    assert clf.score(X, y) > 0.9
    assert next(clf.net_.module_.parameters()).is_cuda
    on_gpu = clf.decision_function(X)
    clf.net_.module_.cpu()
    on_cpu = clf.set_params(device="cpu").decision_function(X)
    np.testing.assert_allclose(on_gpu, on_cpu, rtol=1e-3, atol=1e-3)
