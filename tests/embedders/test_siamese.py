"""The siamese embedder as users meet it."""

import pickle

import numpy as np
import pytest
import sklearn
import torch
from scipy.spatial.distance import pdist
from sklearn.model_selection import GridSearchCV, GroupKFold, LeaveOneGroupOut, cross_validate
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback

from skaudio.audio import AudioBatch
from skaudio.augmentation import Noise
from skaudio.embedders import WCCN, SiameseEmbedder
from skaudio.encoders import MFCC, MelSpectrogram
from skaudio.metrics import equal_error_rate, precision_at_k
from skaudio.pooling import FramePooling

NEW = ["joe", "kim"]


def small(encoder=None, **params):
    defaults = {
        "module": "lenet",
        "unit_norm": True,
        "lr": 3e-3,
        "module_params": {"channels": (4, 8), "dropout": 0.0},
        "embedding_size": 8,
        "max_epochs": 8,
        "random_state": 0,
    }
    return SiameseEmbedder(encoder, **{**defaults, **params})


def all_pairs(X, y):
    left, right = np.triu_indices(len(X), 1)
    return [X[i] for i in left], [X[i] for i in right], y[left] == y[right]


@pytest.fixture(scope="module")
def split(voices):
    """Frames of four speakers to learn from, and of all six."""
    X, speakers, _ = voices
    frames = list(MelSpectrogram(n_mels=20).fit_transform(X))
    known = np.flatnonzero(~np.isin(speakers, NEW))
    return [frames[i] for i in known], speakers[known], frames, speakers


@pytest.fixture(scope="module")
def fitted(split):
    X, y, _, _ = split
    return small(max_epochs=15).fit(X, y)


def test_speakers_never_heard(fitted, split):
    _, _, X, y = split
    rows = fitted.transform(X)
    assert rows.shape == (96, 8)
    assert rows.dtype == np.float32
    assert rows.flags.c_contiguous
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    new = np.isin(y, NEW)
    assert fitted.score([X[i] for i in np.flatnonzero(new)], y[new]) > 0.9
    assert precision_at_k(rows, y, k=5) > 0.9
    assert fitted.get_feature_names_out().tolist() == [f"siameseembedder{i}" for i in range(8)]


def test_polarity_of_distances(fitted, split):
    X, y, _, _ = split
    left, right, same = all_pairs(X[::4], y[::4])
    distances = fitted.pair_distance(left, right)
    assert distances.shape == same.shape
    assert distances[same].mean() < distances[~same].mean()
    assert not fitted.pair_distance(X[:3], X[:3]).any()
    assert equal_error_rate(same, -distances) < 0.1


@pytest.mark.parametrize("loss", ["all_pairs", "pairs"])
@pytest.mark.parametrize("distance", ["euclidean", "cosine"])
@pytest.mark.parametrize("hinge", ["squared", "linear"])
def test_every_contrastive_loss_learns(hinge, distance, loss, split):
    X, y, _, _ = split
    margin = 0.5 if distance == "cosine" else 1.0
    embedder = small(loss=loss, hinge=hinge, distance=distance, margin=margin, max_epochs=12).fit(
        X, y
    )
    assert embedder.score(X, y) > 0.9
    rows = embedder.transform(X)
    pairs = embedder.pair_distance(X[:5], X[5:10])
    by_hand = [pdist(rows[[i, 5 + i]].astype(float), distance)[0] for i in range(5)]
    np.testing.assert_allclose(pairs, by_hand, atol=1e-5)


@pytest.mark.parametrize("loss", ["supervised_contrastive", "angular_margin"])
@pytest.mark.parametrize("module", ["tdnn", "statistics"])
def test_every_loss_of_classes_learns(loss, module, split):
    X, y, frames, speakers = split
    new = np.flatnonzero(np.isin(speakers, NEW))
    params = {"module": module, "module_params": None, "statistics": False}
    embedder = small(loss=loss, **params, lr=0.01).fit(X, y)
    assert embedder.score([frames[i] for i in new], speakers[new]) > 0.9
    untrained = small(loss=loss, **params, lr=1e-12).fit(X, y)
    assert untrained.score(X, y) < embedder.score(X, y) - 0.05


@pytest.mark.parametrize("loss", ["supervised_contrastive", "angular_margin", "all_pairs", "pairs"])
def test_random_state_is_the_only_source_of_chance(loss, split):
    """Of the weights of a loss, too: the global generator has no influence, and does not change."""
    X, y, _, _ = split
    rows = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        state = torch.random.get_rng_state()
        rows.append(small(loss=loss, max_epochs=1).fit(X, y).transform(X))
        assert torch.equal(torch.random.get_rng_state(), state)
    assert np.array_equal(*rows)


class TestStatistics:
    params = {"module": "tdnn", "module_params": {"channels": (8, 8, 8, 8)}, "max_epochs": 1}

    def test_are_those_of_scikit_learn(self, split):
        """Pooled, scaled, whitened within classes: half of the squared length of a row."""
        X, y, frames, _ = split
        embedder = small(**self.params).fit(X, y)
        rows = embedder.transform(frames)
        assert rows.shape == (96, 8 + 2 * 20)
        assert embedder.get_feature_names_out().shape == (48,)
        pooled = FramePooling().fit_transform
        expected = make_pipeline(StandardScaler(), WCCN(0.3)).fit(pooled(X), y)
        found = expected.transform(pooled(frames)) / np.sqrt(2)
        np.testing.assert_allclose(rows[:, 8:], found, atol=2e-4)
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)

    def test_of_given_pairs(self, split):
        X, y, frames, _ = split
        left, right, same = all_pairs(X[:20], y[:20])
        rows = small(**self.params).fit_pairs(left, right, same).transform(frames)
        assert rows.shape == (96, 48)
        assert np.ptp(rows[:, 8:], axis=0).min() > 0

    def test_of_equal_recordings(self):
        """Nothing varies within a class, and nothing is infinite."""
        X = [np.full((4, 9), i, np.float32) for i in (0, 0, 1, 1, 5, 5)]
        rows = small(**self.params).fit(X, [0, 0, 1, 1, 2, 2]).transform(X)
        assert np.isfinite(rows).all()

    def test_where_they_are_not(self, split):
        X, y, _, _ = split
        for others in ({"module": "statistics", "module_params": None}, {"statistics": False}):
            assert small(**{**self.params, **others}).fit(X, y).transform(X[:2]).shape == (2, 8)
        attention = {"channels": (8, 8, 8, 8), "pooling": "attention_stats"}
        embedder = small(**{**self.params, "module_params": attention})
        assert embedder.fit(X, y).transform(X[:2]).shape == (2, 8)
        with pytest.raises(ValueError, match=r"statistics=True: expected module='tdnn'.*'attenti"):
            embedder.set_params(statistics=True).fit(X, y)

    def test_early_stopping_and_warm_start(self, split):
        X, y, _, _ = split
        params = {**self.params, "early_stopping": True, "warm_start": True, "max_epochs": 2}
        for loss in ("supervised_contrastive", "angular_margin", "all_pairs", "pairs"):
            embedder = small(**params, loss=loss).fit(X, y).fit(X, y)
            assert embedder.transform(X[:2]).shape == (2, 48)


def test_the_loss_that_is_asked_for(split):
    """Losses as the history has them at the start of training, where weights are the same."""
    X, y, _, _ = split
    params = {"lr": 1e-12, "max_epochs": 1, "unit_norm": True, "module": "statistics"}
    params["module_params"] = None

    def first(**others):
        return small(**{**params, **others}).fit(X, y).history_[0]["train_loss"]

    n_others = 63  # a batch is the whole of X
    assert first(temperature=1e6) == pytest.approx(np.log(n_others), rel=1e-3)
    assert first(temperature=0.1) != pytest.approx(first(temperature=0.2), rel=0.01)
    # Two angles of margin differ; the logits of random vectors are around zero.
    assert first(loss="angular_margin", margin=1.5) > first(loss="angular_margin") + 1
    for loss in ("all_pairs", "pairs"):
        losses = [first(loss=loss, hinge="linear", margin=m) for m in (4.0, 5.0)]
        assert losses[1] - losses[0] == pytest.approx(0.5, abs=0.01)


def test_copies_at_other_speeds(voices):
    """Copies are classes of their own, and what is held out has none in training."""
    X, speakers, _ = voices
    seen = []

    class Spy(MelSpectrogram):
        def transform(self, X):
            frames = super().transform(X)
            seen.append(sum(f.shape[1] for f in frames))
            return frames

    class Codes(Callback):
        def on_batch_begin(self, net, batch=None, training=False, **kwargs):
            codes.setdefault(training, set()).update(batch[1].tolist())

    total = sum(1 + len(x) // 160 for x in X)
    for speeds, expected in (((0.5, 2.0), [total, 2 * total, total / 2]), (None, [total])):
        codes = {}
        encoder = Spy(n_mels=20)
        small(encoder, speeds=speeds, max_epochs=1, callbacks=[Codes()]).fit(X, speakers)
        assert seen == pytest.approx(expected, rel=0.05)
        assert codes == {True: set(range(6 * len(expected)))}
        seen.clear()
    codes = {}
    stopping = {"early_stopping": True, "validation_fraction": 0.4, "callbacks": [Codes()]}
    small(MelSpectrogram(n_mels=20), max_epochs=2, **stopping).fit(X, speakers)
    assert codes[True] <= set(range(18))
    assert codes[False] == set(range(6))


def test_copies_of_augmented_recordings(voices):
    X, speakers, _ = voices
    encoder = make_pipeline(Noise(), MFCC())
    embedders = [small(encoder, max_epochs=1, speeds=(0.9,)).fit(X, speakers) for _ in range(2)]
    np.testing.assert_array_equal(*(e.transform(X[:3]) for e in embedders))
    with pytest.raises(ValueError, match=r"recording 3 at speed 1.1"):
        small(MFCC(center=False), speeds=(1.1,)).fit([*X[:3], np.ones(520)], [0, 0, 1, 1])


def test_frames_have_no_copies(split):
    X, y, _, _ = split
    with pytest.raises(ValueError, match=r"speeds=\(0.9, 1.1\): X holds frames"):
        small(speeds=(0.9, 1.1)).fit(X, y)
    with pytest.raises(ValueError, match=r"speeds=\(20,\): expected numbers from 0.1 to 10"):
        small(MFCC(), speeds=(20,)).fit(X, y)


def test_free_lengths_learn_too(split):
    X, y, _, _ = split
    free = small(unit_norm=False).fit(X, y)
    assert free.score(X, y) > 0.9
    assert np.linalg.norm(free.transform(X), axis=1).std() > 0.01


def test_labels_decide_what_is_learned(split):
    """Two speakers never heard, told apart if speakers were learned, and not if words were."""
    X, y, frames, speakers = split
    new = np.flatnonzero(np.isin(speakers, NEW))
    test = [frames[i] for i in new], speakers[new]
    assert small().fit(X, y).score(*test) > 0.95
    words = np.tile(["low", "high"], 32)
    assert small().fit(X, words).score(*test) < 0.8


def test_threshold(fitted, split):
    X, y, _, _ = split
    embedder = pickle.loads(pickle.dumps(fitted))
    assert embedder.threshold_ == 0.5
    left, right, same = all_pairs(X[::3], y[::3])
    assert embedder.calibrate_threshold(left, right, same) is embedder
    said = embedder.predict_pairs(left, right)
    assert said.dtype == bool
    rate = equal_error_rate(same, -embedder.pair_distance(left, right))
    assert np.mean(~said[same]) == pytest.approx(rate, abs=0.03)
    assert np.mean(said[~same]) == pytest.approx(rate, abs=0.03)
    embedder.threshold_ = 0.0
    assert embedder.predict_pairs(X[:1], X[:1]).tolist() == [True]
    assert not embedder.predict_pairs(X[:1], X[20:21]).any()


def test_score_is_one_minus_the_equal_error_rate(fitted, split):
    X, y, _, _ = split
    left, right, same = all_pairs(X, y)
    rate = equal_error_rate(same, -fitted.pair_distance(left, right))
    assert fitted.score(X, y) == pytest.approx(1 - rate, abs=1e-3)


def test_score_where_all_pairs_are_of_one_kind(fitted, split):
    X, y, _, _ = split
    assert fitted.score(X[:4], y[:4]) == 0.5  # one class
    assert fitted.score([X[0], X[20], X[40]], ["ann", "bob", "eve"]) == 0.5  # one of each
    assert fitted.score(X[:1], y[:1]) == 0.5


def test_search_with_classes_left_out(split):
    _, _, X, y = split
    search = GridSearchCV(
        small(max_epochs=8), {"lr": [1e-9, 3e-3]}, cv=GroupKFold(2), error_score="raise"
    )
    search.fit(X, y, groups=y)
    untrained, trained = search.cv_results_["mean_test_score"]
    assert trained > max(untrained, 0.8)
    assert search.best_params_ == {"lr": 3e-3}
    # One class in each test fold: nothing to say, but nothing breaks.
    search.set_params(cv=LeaveOneGroupOut(), estimator__max_epochs=1).fit(X, y, groups=y)
    assert search.cv_results_["mean_test_score"].tolist() == [0.5, 0.5]


def test_nested_search_with_groups(split):
    _, _, X, y = split
    rooms = np.tile([0, 1, 2, 3], 24)
    room_of = {id(x): room for x, room in zip(X, rooms, strict=True)}
    seen = []

    class Spy(SiameseEmbedder):
        def fit(self, X, y, groups=None):
            seen.append((len(X), groups is not None and [room_of[id(x)] for x in X] == [*groups]))
            return super().fit(X, y, groups)

    spy = Spy(**small(max_epochs=1).get_params())
    search = GridSearchCV(spy, {"hinge": ["linear"]}, cv=GroupKFold(2))
    with sklearn.config_context(enable_metadata_routing=True):
        cross_validate(search, X, y, params={"groups": rooms}, cv=GroupKFold(2))
    # Two outer folds, each with two inner folds and one fit on all of its training part.
    assert seen == 2 * [(24, True), (24, True), (48, True)]


def test_one_class_and_one_recording_of_each(split):
    X, _, _, _ = split
    with pytest.raises(ValueError, match=r"y holds one class alone.*Expected two classes"):
        small().fit(X[:6], ["ann"] * 6)
    with pytest.raises(ValueError, match=r"y holds 3 classes of one recording each.*two record"):
        small().fit(X[:3], ["ann", "bob", "eve"])
    with pytest.raises(ValueError, match=r"requires y to be passed.*go to fit_pairs"):
        small().fit(X[:3], None)


def test_a_class_with_one_recording(split):
    X, y, _, _ = split
    labels = y.astype(object)
    labels[5] = "only once"
    embedder = small().fit(X, labels)
    others = np.arange(len(X)) != 5
    assert embedder.score([x for x, keep in zip(X, others, strict=True) if keep], y[others]) > 0.9


def test_early_stopping_needs_pairs_in_the_part_held_out(split):
    X, y, _, _ = split
    embedder = small(early_stopping=True, validation_fraction=0.3, n_iter_no_change=2)
    # With weights that hardly move, the loss soon stops falling.
    embedder.set_params(max_epochs=20, lr=1e-12).fit(X, y)
    losses = [row["valid_loss"] for row in embedder.history_]
    assert np.argmin(losses) == len(losses) - 3
    assert embedder.n_iter_ == len(losses) < 20
    with pytest.raises(ValueError, match=r"each of the 4 groups is the only one with some class"):
        embedder.fit(X, y, groups=y)
    embedder.set_params(validation_fraction=1 / len(y))
    with pytest.raises(
        ValueError, match="of y that early_stopping holds out holds one class alone"
    ):
        embedder.fit(X, y)


def test_given_pairs(split, voices):
    X, y, frames, speakers = split
    rng = np.random.default_rng(0)
    left, right = rng.integers(len(X), size=(2, 200))
    same = y[left] == y[right]
    halves = [X[i] for i in left], [X[i] for i in right]
    embedder = small().fit_pairs(*halves, same)
    assert embedder.score(frames, speakers) > 0.85
    assert embedder.threshold_ == 0.5
    again = small().fit_pairs(*halves, same)
    assert np.array_equal(again.transform(X), embedder.transform(X))
    # Which half is which does not matter to the polarity.
    swapped = small().fit_pairs(*halves[::-1], same.astype(int))
    assert swapped.score(frames, speakers) > 0.85


@pytest.mark.filterwarnings("ignore:X holds:UserWarning")  # rates are stated at times
def test_given_pairs_of_recordings_with_early_stopping(voices):
    X, speakers, _ = voices
    left, right = np.random.default_rng(0).integers(len(X), size=(2, 40))
    same = speakers[left] == speakers[right]
    encoder = make_pipeline(Noise(), MFCC())
    batch = AudioBatch(X, 16000)
    embedder = small(encoder, max_epochs=2, early_stopping=True, validation_fraction=0.2)
    embedder.fit_pairs(batch[left], [X[i] for i in right], same)
    assert embedder.transform(X[:2]).shape == (2, 8)
    table = np.stack([x[:2400] for x in X])
    embedder.fit_pairs(table[left], table[right], same)
    assert embedder.n_features_in_ == 2400
    bad = [*X[:3], np.full(4000, np.nan)]
    with pytest.raises(ValueError, match="right recording 3 contains NaN"):
        embedder.fit_pairs(X[:4], bad, [True, False, True, False])


def test_given_pairs_that_do_not_do(split):
    X, _, _, _ = split
    with pytest.raises(ValueError, match=r"same holds no pair of two classes \(False\)"):
        small().fit_pairs(X[:3], X[3:6], [1, 1, 1])
    with pytest.raises(ValueError, match=r"same holds no pair of one class \(True\)"):
        small().fit_pairs(X[:3], X[3:6], [0, 0, 0])
    with pytest.raises(ValueError, match=r"same holds \[-1, 1\].*expected True or 1"):
        small().fit_pairs(X[:2], X[3:5], [-1, 1])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        small().fit_pairs(X[:2], X[3:6], [0, 1])


def test_bad_parameters(split):
    X, y, _, _ = split
    with pytest.raises(
        ValueError,
        match=r"module='cnn': expected 'tdnn', 'lenet', 'gru', 'statistics' or the class",
    ):
        small(module="cnn").fit(X, y)
    with pytest.raises(ValueError, match=r"hinge='cubic': expected 'squared' or 'linear'"):
        small(hinge="cubic").fit(X, y)


def test_neighbours_keep_the_embedding_without_a_copy(fitted, split):
    rows = fitted.transform(split[0])
    neighbours = NearestNeighbors().fit(rows)
    assert np.shares_memory(neighbours._fit_X, rows)
    # The furthest of unit rows are the nearest of their opposites.
    furthest = neighbours.kneighbors(-rows, 1, return_distance=False)[:, 0]
    distances = sklearn.metrics.pairwise_distances(rows)
    np.testing.assert_allclose(
        distances[np.arange(len(rows)), furthest], distances.max(axis=1), atol=1e-5
    )


def test_in_a_pipeline_before_neighbours(split):
    X, y, frames, speakers = split
    pipe = make_pipeline(small(), KNeighborsClassifier(1))
    assert pipe.fit(X, y).score(X, y) > 0.9
    rows = pipe[:-1].set_output(transform="pandas").transform(frames)
    assert rows.shape == (96, 8)
    assert precision_at_k(rows, speakers) > 0.9


def test_a_pickled_embedder_does_not_carry_its_data(voices):
    X, speakers, _ = voices
    embedder = small(make_pipeline(Noise(), MFCC()), max_epochs=1)
    embedder.fit(X, speakers)
    weights = sum(p.nbytes for p in embedder.net_.module_.parameters())
    assert len(pickle.dumps(embedder)) < 20 * weights + 50_000 < sum(x.nbytes for x in X)


@pytest.mark.parametrize("method", ["predict_pairs", "pair_distance"])
def test_a_pair_of_paths_is_two_sequences(method):
    siamese = SiameseEmbedder(MelSpectrogram())
    siamese.threshold_ = 0.5
    with pytest.raises(ValueError, match=r"left is a single path \('a.wav'\).*pass \[path\]"):
        getattr(siamese, method)("a.wav", "b.wav")
