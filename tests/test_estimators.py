"""The contract of every estimator, found by walking the package: a new one cannot escape."""

from __future__ import annotations

import importlib
import inspect
import pickle
import pkgutil
import re

import joblib
import numpy as np
import pytest
from numpydoc.docscrape import ClassDoc
from sklearn.base import BaseEstimator, clone, is_classifier
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks
from skorch import NeuralNet

import skaudio
from skaudio.encoders import MFCC, Waveform
from skaudio.encoders._encoder import Encoder
from skaudio.pooling import FramePooling

from .walk import ESTIMATORS, build

# How many parameters may be given by position, where it is not the first alone.
POSITIONAL = {"CachedTransformer": 2}

# An augmentation acts in fit_transform and not in transform: these two checks compare the two on
# an array (the first one on a read-only one as well).
ACTS_IN_FIT_ONLY = {
    "check_transformer_general": "acts in fit_transform, not in transform",
    "check_transformer_data_not_an_array": "acts in fit_transform, not in transform",
}
# Checks of scikit-learn that are expected to fail -> why. An augmentation that is not listed does
# nothing to the arrays of the checks: their clips of three samples are shorter than the shift of a
# sample and their one frame is shorter than the shortest mask; VTLP changes warp factors and no
# samples; FunctionAugmentation has no function by default; the range of their frames is less than
# what DynamicRange leaves.
EXPECTED_FAILURES = {
    "Convolution": ACTS_IN_FIT_ONLY,
    "FrequencyMask": ACTS_IN_FIT_ONLY,
    "Noise": ACTS_IN_FIT_ONLY,
    "RandomSegment": ACTS_IN_FIT_ONLY,
    "Speed": ACTS_IN_FIT_ONLY,
    "Volume": ACTS_IN_FIT_ONLY,
}


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    """What is cached in a folder beside the test stays there."""
    monkeypatch.chdir(tmp_path)


every_estimator = pytest.mark.parametrize("name", ESTIMATORS)


def test_walk_finds_what_there_is():
    assert {"MFCC", "STFT", "Waveform", "FramePooling", "FrameUnion"} <= set(ESTIMATORS)


def test_no_estimator_is_forgotten():
    """An estimator is exported by its package, a base class of one that is, or a net within one."""
    hidden = {
        name
        for module in pkgutil.walk_packages(skaudio.__path__, "skaudio.")
        for name, item in vars(importlib.import_module(module.name)).items()
        if inspect.isclass(item)
        and issubclass(item, BaseEstimator)
        and item.__module__ == module.name
        and not any(issubclass(kind, item) for kind in ESTIMATORS.values())
        and not issubclass(item, NeuralNet)
    }
    assert not hidden


@parametrize_with_checks(
    [build(name) for name in ESTIMATORS],
    expected_failed_checks=lambda e: EXPECTED_FAILURES.get(type(e).__name__, {}),
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def test_expected_failures_are_of_estimators_that_exist():
    assert set(EXPECTED_FAILURES) <= set(ESTIMATORS)


@every_estimator
def test_no_check_is_hidden(name):
    tags = get_tags(build(name))
    assert not tags._skip_test
    assert not tags.no_validation
    assert not tags.non_deterministic
    assert tags.input_tags.two_d_array
    if is_classifier(build(name)) and tags.classifier_tags.poor_score:
        assert name == "FineTunedClassifier" or build(name).encoder is not None


@every_estimator
def test_constructor_spells_its_parameters_out_and_only_stores(name):
    kind = ESTIMATORS[name]
    parameters = list(inspect.signature(kind.__init__).parameters.values())[1:]
    kinds = {parameter.kind for parameter in parameters}
    assert not kinds & {inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL}
    if len(parameters) > 2:
        rest = parameters[POSITIONAL.get(name, 1) :]
        assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in rest)
    estimator = build(name)
    assert set(vars(estimator)) == {parameter.name for parameter in parameters}
    odd = {
        parameter.name: object()
        for parameter in parameters
        if parameter.name not in ("transformers", "estimator")
    }
    needed = {"transformers": [], "estimator": None}
    needed = {k: v for k, v in needed.items() if k in {p.name for p in parameters}}
    stored = kind(**odd, **needed)  # nonsense is refused by fit, not by the constructor
    assert all(getattr(stored, key) is value for key, value in odd.items())


@every_estimator
def test_every_parameter_is_documented(name):
    kind = ESTIMATORS[name]
    doc = ClassDoc(kind)
    documented = [p for entry in doc["Parameters"] for p in entry.name.split(", ")]
    assert documented == list(inspect.signature(kind.__init__).parameters)[1:]
    assert ">>>" in "\n".join(doc["Examples"])
    assert doc["Summary"]
    for entry in doc["Parameters"]:
        assert entry.desc, entry.name


@every_estimator
def test_documented_defaults_are_the_defaults(name):
    kind = ESTIMATORS[name]
    for entry in ClassDoc(kind)["Parameters"]:
        stated = re.search(r"default=(.*)$", entry.type)
        for parameter in entry.name.split(", "):
            default = inspect.signature(kind.__init__).parameters[parameter].default
            if default is inspect.Parameter.empty:
                assert stated is None, parameter
            else:
                assert stated is not None, parameter
                assert eval(stated[1], {}) == default, parameter


@every_estimator
def test_public_methods_are_documented(name):
    kind = ESTIMATORS[name]
    ours = {
        key: item
        for base in kind.__mro__
        if base.__module__.startswith("skaudio.")
        for key, item in vars(base).items()
        if inspect.isfunction(item) and not key.startswith("_")
    }
    for key, method in ours.items():
        assert inspect.getdoc(method), key


@every_estimator
def test_clone_and_pickle_keep_the_parameters(name):
    estimator = build(name)
    for copy in (clone(estimator), pickle.loads(pickle.dumps(estimator))):
        assert type(copy) is type(estimator)
        assert repr(copy) == repr(estimator)
        assert joblib.hash(copy) == joblib.hash(estimator)


@pytest.fixture
def clips(make_clip):
    return [make_clip(0.1 * i, seed=i) for i in (2, 3, 4)]


TRANSFORMERS = [
    name
    for name, kind in ESTIMATORS.items()
    if issubclass(kind, Encoder) or name in ("FrameUnion", "FramePooling", "CachedTransformer")
]


def input_of(name, clips):
    return MFCC().fit_transform(clips) if name == "FramePooling" else clips


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_transform_needs_no_fit(name, clips):
    X = input_of(name, clips)
    if not get_tags(build(name)).requires_fit:
        fitted, unfitted = build(name).fit(X).transform(X), build(name).transform(X)
        for a, b in zip(fitted, unfitted, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_fitted_transformer_survives_pickle(name, clips):
    X = input_of(name, clips)
    fitted = build(name).fit(X)
    loaded = pickle.loads(pickle.dumps(fitted))
    for a, b in zip(fitted.transform(X), loaded.transform(X), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_names_fit_the_features(name, clips):
    X = input_of(name, clips)
    fitted = build(name).fit(X)
    names = fitted.get_feature_names_out()
    assert len(set(names)) == len(names)
    out = fitted.transform(X)
    if name != "Waveform":
        assert len(out[0]) == len(names)
    prefix = name.lower()
    if issubclass(ESTIMATORS[name], Encoder):
        assert all(n.startswith(prefix) for n in names)


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_pandas_output_is_a_data_frame_with_the_same_values(name, clips):
    X = input_of(name, clips)
    plain = build(name).fit(X).transform(X)
    frame = build(name).set_output(transform="pandas").fit(X).transform(X)
    assert len(frame) == len(clips)
    if name == "FramePooling":
        np.testing.assert_array_equal(frame.to_numpy(), plain)
        assert frame.columns.tolist() == build(name).fit(X).get_feature_names_out().tolist()
    else:
        assert frame.shape == (len(clips), 1)
        for cell, one in zip(frame.iloc[:, 0], plain, strict=True):
            np.testing.assert_array_equal(cell["array"] if name == "Waveform" else cell, one)


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_set_output_survives_clone_and_goes_back(name, clips):
    X = input_of(name, clips)
    asked = build(name).set_output(transform="pandas")
    assert hasattr(clone(asked).fit(X).transform(X), "iloc")
    asked.set_output(transform=None)
    assert hasattr(asked.fit(X).transform(X), "iloc")
    assert not hasattr(asked.set_output(transform="default").fit(X).transform(X), "iloc")


@pytest.mark.parametrize("name", [n for n in TRANSFORMERS if n != "FramePooling"])
def test_what_set_output_cannot_do_is_said(name):
    with pytest.raises(ValueError, match="transform='polars': frames cannot be held"):
        build(name).set_output(transform="polars")
    with pytest.raises(ValueError, match="transform='panda': expected 'default', 'pandas'"):
        build(name).set_output(transform="panda")


def test_set_output_on_a_whole_pipeline(clips):
    steps = make_pipeline(Waveform(), MFCC(n_mfcc=3), FramePooling())
    plain = steps.fit_transform(clips)
    rows = steps.set_output(transform="pandas").fit_transform(clips)
    np.testing.assert_array_equal(rows.to_numpy(), plain)
    assert rows.columns.tolist() == steps.get_feature_names_out().tolist()
