"""recipe: what it returns for each task, that it can be edited, and that it learns something."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skaudio import recipe
from skaudio.classifiers import LeNetClassifier
from skaudio.datasets import load_spoken_digits, make_soundscapes
from skaudio.detectors import EventDetector
from skaudio.embedders import SiameseEmbedder
from skaudio.metrics import equal_error_rate
from skaudio.pretrained import PretrainedEmbedder

TASKS = ["words", "voices", "environment", "events"]
PRETRAINED = ["voices", "environment", "events"]
CASES = [(task, None) for task in TASKS] + [(task, p) for task in PRETRAINED for p in (False, True)]


@pytest.fixture(scope="module")
def digits():
    return load_spoken_digits()


def few_epochs(estimator, **changes):
    """Make training short and repeatable, wherever the parameters are."""
    wanted = {"max_epochs": 3, "random_state": 0, **changes}
    for name in estimator.get_params():
        last = name.rpartition("__")[2]
        if last in wanted and "encoder__" not in name:
            estimator.set_params(**{name: wanted[last]})
    return estimator


@pytest.mark.parametrize(("task", "pretrained"), CASES)
class TestEveryRecipe:
    def test_is_unfitted_and_new(self, task, pretrained):
        first, second = recipe(task, pretrained=pretrained), recipe(task, pretrained=pretrained)
        for one, other in zip(parts(first), parts(second), strict=True):
            assert one is not other
            assert not [name for name in vars(one) if name.endswith("_")]
        with pytest.raises(Exception, match="not fitted"):
            check_is_fitted(first)

    def test_clone_and_print(self, task, pretrained):
        model = recipe(task, pretrained=pretrained)
        assert repr(clone(model)) == repr(model)
        assert "..." not in repr(model)
        for part in parts(model):
            assert type(part).__name__ in repr(model)

    def test_chance_is_left_to_the_user(self, task, pretrained):
        params = recipe(task, pretrained=pretrained).get_params()
        assert {v for k, v in params.items() if k.endswith("random_state")} <= {None}

    def test_fewer_recordings_need_more_epochs(self, task, pretrained):
        epochs = [max_epochs(recipe(task, n, pretrained)) for n in (None, 1500, 400, 100, 10)]
        assert epochs[0] == epochs[1]
        assert epochs == sorted(epochs)


def parts(estimator):
    """Return an estimator and all in it."""
    inside = [v for v in estimator.get_params().values() if hasattr(v, "get_params")]
    return [estimator, *inside]


def max_epochs(estimator):
    found = [v for k, v in estimator.get_params().items() if k.endswith("max_epochs")]
    return found[0] if found else 0


def test_words(digits):
    model = few_epochs(recipe("words", 45), max_epochs=12)
    assert isinstance(model, LeNetClassifier)
    few = digits.target < 3
    X, y, voices = digits.data[few], digits.target[few], digits.groups[few]
    scores = cross_val_score(model, X, y, groups=voices, cv=GroupKFold(2))
    assert scores.mean() > 0.6, "of voices not heard; chance is 0.33"


def test_words_of_few_voices_are_augmented_more():
    few, many = recipe("words", 400), recipe("words", 1500)
    assert few.encoder[0].warp[0] < many.encoder[0].warp[0] < 1
    assert few.n_draws == many.n_draws > 0
    assert recipe("words", 60).batch_size < recipe("words").batch_size


def test_words_take_any_rate():
    rng = np.random.default_rng(0)
    X = [{"array": rng.normal(size=n), "sampling_rate": n} for n in (8000, 11025, 16000, 44100)]
    model = few_epochs(recipe("words"), max_epochs=1).fit(X, [0, 1, 0, 1])
    assert model.predict_proba(X).shape == (4, 2)


def test_voices(digits):
    known = np.isin(digits.groups, np.unique(digits.groups)[:5])
    model = few_epochs(recipe("voices"))
    assert isinstance(model, SiameseEmbedder)
    model.fit(digits.data[known], digits.groups[known])
    rows = model.transform(digits.data[~known])
    assert rows.shape == (150, model.embedding_size + 2 * 64)
    assert model.score(digits.data[~known], digits.groups[~known]) > 0.55, "chance is 0.5"


def test_voices_pretrained(digits):
    """With random weights, the network adds nothing; the statistics tell voices apart."""
    model = recipe("voices", pretrained=True).set_params(network__weights="random")
    assert [p.model for p in parts(model) if isinstance(p, PretrainedEmbedder)] == ["ge2e"]
    known = np.isin(digits.groups, np.unique(digits.groups)[:5])
    rows = model.fit(digits.data[known], digits.groups[known]).transform(digits.data[~known])
    assert rows.shape == (150, 256 + 2 * (64 + 128))
    voices = digits.groups[~known]
    i, j = np.triu_indices(len(rows), 1)
    similarity = (rows @ rows.T)[i, j]
    assert equal_error_rate(voices[i] == voices[j], similarity) < 0.4, "chance is 0.5"


def test_environment_pretrained(digits):
    model = recipe("environment", pretrained="mn01_as").set_params(embedder__weights="random")
    assert isinstance(model, Pipeline)
    X, y = digits.data[::10], digits.target[::10]
    model.fit(X, y)
    assert model.predict_proba(X[:2]).shape == (2, 10)
    assert model.score(X, y) > 0.9


def test_environment_from_scratch(digits):
    X, y = digits.data[::10], digits.target[::10]
    model = few_epochs(recipe("environment", len(X), pretrained=False), max_epochs=1)
    assert model.fit(X, y).predict_proba(X[:2]).shape == (2, 10)


@pytest.fixture(scope="module")
def scenes(digits):
    hiss = 0.01 * np.random.default_rng(0).normal(size=64000)
    few = digits.target < 2
    words = digits.target_names[digits.target[few]]
    return make_soundscapes(
        digits.data[few], words, [hiss], n_soundscapes=8, duration=4.0, random_state=0
    )


@pytest.mark.parametrize("pretrained", [False, "mn01_as"])
def test_events(scenes, pretrained):
    model = few_epochs(recipe("events", 8, pretrained), threshold=0.2)
    assert isinstance(model, EventDetector)
    if pretrained:
        model.set_params(encoder__weights="random")
    events = model.fit(scenes.data, scenes.target).predict_events(scenes.data)
    assert set(events["event_label"]) <= set(scenes.events["event_label"])
    tuned = model.tune_thresholds(scenes.data, scenes.events)
    assert tuned.thresholds_.shape == (2,)
    step = np.diff(model.frame_times(2))[0]
    assert step == pytest.approx(0.16 if pretrained else 0.04)


class TestParameters:
    def test_signature(self):
        assert str(inspect.signature(recipe)) == (
            "(task: 'str', n_recordings: 'int | None' = None, "
            "pretrained: 'bool | str | None' = None) -> 'Any'"
        )

    @pytest.mark.parametrize("task", ["word", "", None, 3])
    def test_unknown_task_names_the_choices(self, task):
        with pytest.raises(ValueError, match="'words' or 'voices' or 'environment' or 'events'"):
            recipe(task)

    @pytest.mark.parametrize("n", [0, -3, 2.5, "many"])
    def test_bad_number(self, n):
        with pytest.raises((ValueError, TypeError), match="n_recordings"):
            recipe("words", n)

    @pytest.mark.parametrize("task", ["environment", "events"])
    def test_names_of_networks(self, task):
        model = recipe(task, pretrained="mn10_as")
        assert [p.model for p in parts(model) if isinstance(p, PretrainedEmbedder)] == ["mn10_as"]
        with pytest.raises(ValueError, match="Did you mean 'mn04_as'"):
            recipe(task, pretrained="mn4_as")
        with pytest.raises(TypeError, match="pretrained=1: expected True, False, None or the name"):
            recipe(task, pretrained=1)

    def test_no_pretrained_network_for_words(self):
        with pytest.raises(ValueError, match="no recipe with a pretrained network"):
            recipe("words", pretrained=True)

    def test_events_need_frames(self):
        with pytest.raises(
            ValueError, match="pretrained='yamnet': expected an EfficientAT network"
        ):
            recipe("events", pretrained="yamnet")

    def test_pretrained_false_has_no_pretrained_network(self):
        for task in TASKS:
            model = recipe(task, pretrained=False)
            assert not [p for p in parts(model) if isinstance(p, PretrainedEmbedder)]
