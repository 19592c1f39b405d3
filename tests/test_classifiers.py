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
from skorch.callbacks import Callback

import skaudio
from skaudio.audio import AudioBatch
from skaudio.augmentation import (
    VTLP,
    Noise,
    RandomSegment,
    TimeShift,
    TrainingPath,
    epoch_seeds,
)
from skaudio.classifiers import GRUClassifier, LeNetClassifier, NetClassifier
from skaudio.encoders import MFCC, MelSpectrogram, Waveform
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
def test_learns(make, tones):
    X, y, _ = tones
    clf = make(encoder=MelSpectrogram(), max_epochs=15).fit(X, y)
    assert clf.score(X, y) > 0.9
    assert clf.classes_.tolist() == ["high", "low"]
    assert clf.n_iter_ == len(clf.history_) == 15


class Listener(torch.nn.Module):
    """Records its inputs, in training and in prediction, and the type its layer computes in."""

    def __init__(self, n_features, n_classes, seen):
        super().__init__()
        self.output = torch.nn.Linear(n_features, n_classes)
        self.seen = seen

    def forward(self, x, lengths):
        logits = self.output(x.sum(dim=2) / lengths[:, None])
        self.seen.append((self.training, x.clone(), logits.dtype))
        return logits


class Seen(list):
    """A list that a clone of the estimator shares."""

    def __sklearn_clone__(self):
        return self

    def __deepcopy__(self, memo):
        return self


def listen(X, y, **params):
    """Return what a network sees in two epochs of one batch each, and then in prediction."""
    seen = Seen()
    clf = NetClassifier(
        module=Listener, module_params={"seen": seen}, max_epochs=2, batch_size=64, random_state=0,
        standardize=None, **params,
    )  # fmt: skip
    clf.fit(X, y).predict(X)
    training = [inputs for is_training, inputs, _ in seen if is_training]
    assert len(training) == 2
    return training, seen


def energies(inputs):
    """One number per recording, in an order that does not depend on the batch."""
    return np.sort((inputs.double() ** 2).sum(dim=(1, 2)).numpy())


def test_augmentation_acts_in_fit_alone(tones):
    X, y, _ = tones
    (first, second), seen = listen(X, y, encoder=augmented())
    (clean, again), clean_seen = listen(X, y, encoder=MFCC(n_mfcc=13))
    np.testing.assert_allclose(energies(clean), energies(again), rtol=1e-6)
    assert (abs(energies(first) / energies(clean) - 1) > 1e-3).mean() > 0.9
    assert (abs(energies(first) / energies(second) - 1) > 1e-3).mean() > 0.9
    in_prediction, clean_in_prediction = (
        [inputs for is_training, inputs, _ in calls if not is_training]
        for calls in (seen, clean_seen)
    )
    assert in_prediction
    for a, b in zip(in_prediction, clean_in_prediction, strict=True):
        assert torch.equal(a, b)


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
    # The standardisation is learned on the first epoch as it will be drawn.
    assert all(len(set(draws)) == 1 and len(draws) >= 2 for draws in seen.values())


class TestDrawsInPrediction:
    """``n_draws``: means over augmented versions, which are those of training."""

    @every_net
    def test_is_the_mean_of_the_logits(self, make, tones):
        X, y, _ = tones
        model = make(encoder=augmented(), max_epochs=1).fit(X, y)
        path = TrainingPath(model.encoder_)
        batch = AudioBatch(X, 16000)
        frames = [path(batch, np.repeat(epoch_seeds(0, k, [0]), len(X))) for k in range(3)]
        bare = clone(model).set_params(encoder=None)
        for name in ("net_", "classes_"):
            setattr(bare, name, getattr(model, name))
        expected = np.mean([bare.decision_function(list(f)) for f in frames], axis=0)
        found = model.set_params(n_draws=3).decision_function(X)
        np.testing.assert_allclose(found, expected, atol=1e-6)
        assert not np.array_equal(found, model.set_params(n_draws=0).decision_function(X))

    def test_draws_at_the_rate_of_training(self, tones):
        """Bare waveforms have the encoder's rate, others are resampled before they are altered."""
        X, y, _ = tones
        encoder = make_pipeline(RandomSegment(0.1, unit="seconds"), MelSpectrogram(n_mels=8))
        model = SMALL["lenet"](encoder=encoder, max_epochs=1, n_draws=2)
        bare = clone(model).fit(X, y).predict_proba(X)
        model.fit(AudioBatch(X, 16000), y)
        assert np.array_equal(model.predict_proba(AudioBatch(X, 16000)), bare)
        faster = AudioBatch(X, 48000)
        resampled = AudioBatch(list(Waveform(sample_rate=16000).transform(faster)), 16000)
        assert np.array_equal(model.predict_proba(faster), model.predict_proba(resampled))

    def test_does_not_depend_on_other_recordings(self, tones):
        X, y, _ = tones
        model = SMALL["lenet"](encoder=augmented(), max_epochs=1, n_draws=2).fit(X, y)
        together = model.predict_proba(X)
        alone = np.concatenate([model.predict_proba(X[i : i + 1]) for i in range(len(X))])
        assert np.array_equal(together, alone)
        assert np.array_equal(model.predict(X), model.classes_[together.argmax(axis=1)])

    @pytest.mark.parametrize("encoder", [None, MFCC(n_mfcc=13)])
    def test_needs_an_augmentation(self, encoder, tones):
        X, y, _ = tones
        X = X if encoder else list(MFCC(n_mfcc=13).fit_transform(X))
        with pytest.raises(ValueError, match=r"n_draws=4: the encoder has no augmentation"):
            SMALL["lenet"](encoder=encoder, n_draws=4).fit(X, y)

    def test_does_not_stream(self, tones):
        X, y, _ = tones
        model = SMALL["lenet"](encoder=augmented(), max_epochs=1, n_draws=2).fit(X, y)
        with pytest.raises(ValueError, match=r"n_draws=2 needs augmented versions"):
            model.stream()

    def test_is_not_exported(self, tones, tmp_path):
        pytest.importorskip("onnx")
        X, y, _ = tones
        model = SMALL["lenet"](encoder=augmented(), max_epochs=1, n_draws=2).fit(X, y)
        with pytest.warns(UserWarning, match=r"n_draws=2 of LeNetClassifier is not exported"):
            skaudio.export_onnx(model, tmp_path / "model.onnx")

    def test_names_what_cannot_be_read(self, tones, tmp_path):
        X, y, _ = tones
        stated = [{"array": x, "sampling_rate": 16000} for x in X]
        model = SMALL["lenet"](encoder=augmented(), max_epochs=1, n_draws=2).fit(stated, y)
        with pytest.raises(ValueError, match=r"recording 1 .*no such file"):
            model.predict([stated[0], tmp_path / "missing.wav"])


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


def test_early_stopping_restores_the_best_epoch(tones, monkeypatch):
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
    validation = held[0][1]
    losses = [row["valid_loss"] for row in clf.history_]
    assert len(losses) < 30
    # The best epoch's weights are back: its loss is that of the net as it stands.
    frames = MelSpectrogram().fit_transform([X[i] for i in validation])
    logits = torch.from_numpy(predict.predict_rows(clf.net_.module_, list(frames)))
    codes = torch.from_numpy(np.searchsorted(clf.classes_, y[validation]))
    loss = torch.nn.functional.cross_entropy(logits, codes, label_smoothing=clf.label_smoothing)
    assert float(loss) == pytest.approx(min(losses), abs=1e-5)


def test_groups_arrive_through_a_nested_search(tones):
    X, y, groups = tones
    frames = MFCC().fit_transform(X)
    with sklearn.config_context(enable_metadata_routing=True):
        seen = []

        class Spy(GRUClassifier):
            def fit(self, X, y, groups=None):
                seen.append(None if groups is None else set(groups))
                return super().fit(X, y, groups)

        spy = Spy(**SMALL["gru"](max_epochs=2).get_params())
        search = GridSearchCV(spy, {"hidden_size": [4, 8]}, cv=GroupKFold(2))
        cross_validate(search, frames, y, params={"groups": groups}, cv=GroupKFold(3))
    # 3 outer folds x (2 inner folds x 2 candidates + 1 refit), none without its groups
    assert len(seen) == 15
    assert None not in seen


@pytest.mark.slow
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


def test_net_params_and_callbacks_replace_the_defaults(tones):
    class LearningRate(Callback):
        def on_batch_end(self, net, **kwargs):
            assert isinstance(net.optimizer_, torch.optim.SGD)
            net.history.record_batch("rate", net.optimizer_.param_groups[0]["lr"])

    X, y, _ = tones
    frames = list(MFCC().fit_transform(X))
    params = {"optimizer": torch.optim.SGD, "optimizer__weight_decay": 0.0}
    plain, scheduled = (
        SMALL["gru"](net_params={**params, **more}, callbacks=[("rate", LearningRate())])
        for more in ({"callbacks__schedule": None}, {})
    )
    plain.fit(frames, y)
    assert set(np.ravel(plain.history_[:, "batches", :, "rate"])) == {plain.lr}
    rates = np.ravel(scheduled.fit(frames, y).history_[:, "batches", :, "rate"])
    assert len(set(rates)) == len(rates) == 8
    assert rates.max() <= plain.lr


def test_bad_parameters(tones):
    X, y, _ = tones
    frames = list(MFCC().fit_transform(X))
    with pytest.raises(ValueError, match=r"standardize='mean': expected 'auto'"):
        SMALL["gru"](standardize="mean").fit(frames, y)
    with pytest.raises(ValueError, match=r"precision='half': expected 'auto'"):
        SMALL["gru"](precision="half").fit(frames, y)
    with pytest.raises(ValueError, match=r"validation_fraction=2: expected a number that"):
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


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_precision_is_that_of_training_and_prediction_is_in_float32(precision, tones):
    X, y, _ = tones
    seen = listen(list(MelSpectrogram().fit_transform(X)), y, precision=precision)[1]
    assert {dtype for training, _, dtype in seen if training} == {getattr(torch, precision)}
    assert {dtype for training, _, dtype in seen if not training} == {torch.float32}


def test_bfloat16_learns(tones):
    X, y, _ = tones
    frames = list(MelSpectrogram().fit_transform(X))
    nets = [
        SMALL["lenet"](precision=precision, max_epochs=15).fit(frames, y)
        for precision in ("float32", "bfloat16")
    ]
    losses = [net.history_[:, "train_loss"] for net in nets]
    np.testing.assert_allclose(losses[0], losses[1], rtol=0.1)
    assert nets[1].score(frames, y) > 0.9
    assert {p.dtype for p in nets[1].net_.module_.parameters()} == {torch.float32}


def test_decoded_recordings_spill_to_disk(tones, monkeypatch):
    from skaudio._neural import decoding

    X, y, _ = tones
    clf = SMALL["gru"](encoder=augmented())
    in_memory = clone(clf).fit(X, y).decision_function(X)
    monkeypatch.setattr(decoding, "MEMORY_LIMIT", 0)
    monkeypatch.setattr(decoding, "DECODE_BLOCK", 7)
    assert np.array_equal(clone(clf).fit(X, y).decision_function(X), in_memory)


def test_a_pickled_net_does_not_carry_its_data(tones):
    X, y, _ = tones
    clf = SMALL["gru"](encoder=augmented(), stem=None, early_stopping=True)
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


def test_a_stem_by_default_for_frames_close_in_time(tones):
    X, y, _ = tones

    def stem(encoder, X=X, **params):
        gru = GRUClassifier(encoder, hidden_size=4, max_epochs=1, random_state=0, **params)
        return len(gru.fit(X, y).net_.module_.net.strides)

    mel = MelSpectrogram(n_mels=8)
    assert stem(make_pipeline(Noise(), mel)) == 2
    assert stem(mel, stem=np.array([4])) == 1
    assert stem(mel, stem=None) == 0
    assert stem(mel, bidirectional=False) == 0
    assert stem(MelSpectrogram(n_mels=8, hop_length=800)) == 0
    assert stem(None, mel.transform(X)) == 0


def test_the_standardisation_counts_what_augmentation_adds():
    """Bands that are empty without noise are not scaled up by their tiny deviation."""
    t = np.arange(2000) / 8000
    X = [np.sin(2 * np.pi * f * t).astype(np.float32) for f in (300, 320, 500, 520)]
    mel = MelSpectrogram(sample_rate=8000, n_mels=16, scale="db", top_db=20)
    net = LeNetClassifier(
        make_pipeline(Noise(snr_db=0), mel),
        channels=(4,),
        max_epochs=1,
        standardize="global",
        random_state=0,
    ).fit(X, [0, 0, 1, 1])
    seed = int(np.random.RandomState(0).randint(2**31 - 1))
    frames = TrainingPath(net.encoder_)(X, epoch_seeds(seed, 0, np.arange(4)))
    scaled = np.hstack(list(frames)).std(axis=1) * net.net_.module_.standardize.scale.numpy()
    np.testing.assert_allclose(scaled, 1, rtol=1e-3)
