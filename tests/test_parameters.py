"""The parameters of every estimator: declared, documented as declared, checked before X is read.

``python -m tests.test_parameters`` prints the table of messages: every parameter of every estimator
with values of the wrong type and out of range.
"""

from __future__ import annotations

import inspect
import re
import sys
import traceback

import numpy as np
import pytest
from numpydoc.docscrape import ClassDoc
from sklearn.base import clone

import skaudio
from skaudio._validation import constraints_of
from skaudio.encoders import MFCC

from .walk import ESTIMATORS, build

# Tried for every parameter; those that its constraint accepts are left out.
WRONG_VALUES = [
    *(-1, 0, 2.5, 1e9, float("nan"), float("inf"), True, None),
    *("", "32", "no such value", b"bytes", [], [-1], ["x"], {}, {1: 2}, (3, 2, 1), object(), MFCC),
]
# Values that a parameter of this name refuses in every estimator, whatever its constraint says: a
# constraint that becomes too wide is noticed. The parameters of INPUTS take recordings or steps.
NAN, INF, TEXT = float("nan"), float("inf"), "no such value"
REFUSED = [
    (
        (-1, 0, 1, 2.5, NAN, INF, True, None, TEXT, []),
        "device distance dtype estimator hinge loss metric mode model module on_error pad_mode "
        "precision resample_quality resolution segment_by "
        "scale stats transformer unit validation_fraction",
    ),
    (
        (-1, 0, 1, 2.5, NAN, INF, True, TEXT, []),
        "augmentation class_weight dct_norm encoder func lr_multipliers model_params module_params "
        "n_fft net_params normalize pooling sample_rate standardize",
    ),
    (
        (-1, 0, 1, 2.5, NAN, INF, None, TEXT, []),
        "bidirectional center cmvn early_stopping fixed frames freeze_batch_norm htk rollup "
        "statistics unit_norm warm_start",
    ),
    (
        (-1, 0, 2.5, NAN, INF, True, None, TEXT, []),
        "embedding_size frame_stride head_epochs hidden_size hysteresis kernel_size max_epochs "
        "n_iter_no_change n_lists n_mels n_mfcc n_neighbors n_per_class n_probes n_segments "
        "unfreeze warp",
    ),
    (
        (-1, 0, NAN, INF, True, None, TEXT, []),
        "block_duration chunk_hop eps frame_duration lr power rate reverberation_time temperature",
    ),
    (
        (-1, 0, 2.5, NAN, INF, True, TEXT, []),
        "batch_size hop_length max_bytes n_pairs target_frames win_length",
    ),
    (
        (-1, NAN, INF, True, None, TEXT, []),
        "fmin lifter max_gap median_filter min_duration offset width",
    ),
    (
        (-1, 2.5, NAN, INF, True, None, TEXT, []),
        "min_recall mix n_draws n_layers n_masks p segment_overlap shrinkage",
    ),
    ((-1, 1, 2.5, NAN, INF, True, None, TEXT, []), "dropout input_dropout label_smoothing"),
    ((-1, 0, NAN, INF, True, TEXT, []), "chunk_duration fmax top_db"),
    ((NAN, INF, True, None, TEXT, []), "fill gain_db shift snr_db"),
    ((NAN, INF, True, TEXT, []), "level_db"),
    ((-1, NAN, INF, True, TEXT, []), "duration factor"),
    ((-1, 0, NAN, True, TEXT, []), "norm"),
    ((-1, 2.5, NAN, INF, True, TEXT), "threshold"),
    ((-1, 0, NAN, INF, True, TEXT, []), "margin"),
    ((-1, 2.5, NAN, INF, True, TEXT, []), "random_state"),
    ((0, 2.5, NAN, INF, True, TEXT, []), "n_jobs"),
    ((-1, 2.5, NAN, INF, None, TEXT, []), "deltas verbose"),
    ((-1, 0, 2.5, NAN, INF, None, TEXT, []), "dct_type"),
    ((-1, 0, 1, 2.5, NAN, INF, True, TEXT), "callbacks classes labels speeds"),
    ((-1, 0, 1, 2.5, NAN, INF, True, None, TEXT), "channels"),
    ((-1, 0, 1, 2.5, NAN, INF, True, TEXT, []), "stem"),
    ((-1, 0, 1, 2.5, NAN, INF, True, None, []), "memory path model_id"),
    ((0, 2.5, NAN, INF, None, TEXT, []), "time_axis"),
    ((-1, 0, 1, 2.5, NAN, INF, True, []), "data_home input output"),
    ((2.5, NAN, INF, True, []), "layer"),
    ((-1, 0, 1, 2.5, NAN, INF, True), "weights"),
]
INPUTS = {"impulse_response", "noise", "transformers", "window"}
# X that cannot be read: parameters are checked before.
UNREADABLE = ["/no/such/recording.wav"] * 4
LABELS = [0, 1, 0, 1]

# Parameters that mean another thing in some class, and are described differently there: why.
OWN_DESCRIPTION = {
    "batch_size": "recordings, pairs or chunks",
    "channels": "what each convolution does to the frames differs",
    "chunk_duration": "what 'auto' is",
    "chunk_hop": "what 'auto' is",
    "class_weight": "a detector has several labels per recording",
    "device": "Waveform has none to compute on",
    "dropout": "where it is applied",
    "duration": "of what is read, or of what is cut out",
    "embedding_size": "of a layer, or of the output",
    "encoder": "of a neural estimator, or in front of a network",
    "fill": "the mean is along time, or along the features",
    "fixed": "a file may say so itself",
    "layer": "of which network",
    "max_epochs": "passes over recordings, or over pairs",
    "mode": "what a graph holds, or what a shift puts in",
    "model": "a tagger needs a network with classes",
    "min_duration": "of an event, or of a chunk",
    "module": "what it is called with",
    "n_jobs": "recordings or encoders are shared out",
    "n_layers": "a detector may have none",
    "pooling": "of frames, of probabilities, of chunks",
    "precision": "of training, or of a network that is not trained",
    "random_state": "what is drawn",
    "resolution": "of a layer, or of an output",
    "sample_rate": "to resample to, or of bare arrays",
    "standardize": "a detector has no default that depends on the encoder",
    "target_frames": "frames or samples",
    "threshold": "of a score, or of the probability at which an event begins",
    "unit": "of which parameter",
    "weights": "of a tagger: as for the embedder",
    "top_db": "of the encoder, or drawn for each recording",
}


def parameters():
    return [
        (name, parameter)
        for name in ESTIMATORS
        for parameter in sorted(build(name).get_params(deep=False))
    ]


def wrong_values(estimator, parameter):
    """Yield the values that the constraint of a parameter refuses."""
    constraint = constraints_of(type(estimator))[parameter]
    for value in WRONG_VALUES:
        try:
            constraint.check(parameter, value)
        except (TypeError, ValueError):
            yield value


def message_of(name, parameter, value):
    """Return the error that `fit` raises for a wrong value, None if it raises none."""
    estimator = build(name)
    setattr(estimator, parameter, value)
    try:
        estimator.fit(UNREADABLE, LABELS)
    except Exception as error:
        return error
    return None


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_parameter_is_declared(name):
    estimator = build(name)
    assert set(constraints_of(type(estimator))) == set(estimator.get_params(deep=False))


@pytest.mark.parametrize("name", ESTIMATORS)
def test_defaults_are_allowed(name):
    signature = inspect.signature(ESTIMATORS[name])
    for parameter, constraint in constraints_of(ESTIMATORS[name]).items():
        default = signature.parameters[parameter].default
        if default is not inspect.Parameter.empty:
            constraint.check(parameter, default)


def alternatives(kind):
    """Split "int, str or None" into its parts; a set of values in braces is one."""
    return set(re.split(r", (?![^{]*\})(?![^(]*\))| or ", kind))


@pytest.mark.parametrize("name", ESTIMATORS)
def test_documented_as_declared(name):
    """The type in a docstring is the constraint's, and the default is the signature's."""
    signature = inspect.signature(ESTIMATORS[name])
    documented = {
        p.name: " ".join(p.type.split()) for p in ClassDoc(ESTIMATORS[name])["Parameters"]
    }
    for parameter, constraint in constraints_of(ESTIMATORS[name]).items():
        default = signature.parameters[parameter].default
        kind, _, stated = documented[parameter].partition(", default=")
        expected, found = alternatives(constraint.documented), alternatives(kind)
        if default is None:  # said by the default already
            expected, found = expected - {"None"}, found - {"None"}
        assert found == expected, (parameter, constraint.documented)
        if default is inspect.Parameter.empty:
            assert stated == "", parameter
        else:
            assert eval(stated) == default, parameter


@pytest.mark.parametrize("name", ESTIMATORS)
def test_constraints_are_not_too_wide(name):
    refused = {parameter: values for values, names in REFUSED for parameter in names.split()}
    constraints = constraints_of(ESTIMATORS[name])
    assert not set(constraints) - set(refused) - INPUTS
    for parameter in sorted(set(constraints) - INPUTS):
        for value in refused[parameter]:
            with pytest.raises((TypeError, ValueError), match=rf"^{parameter}=.*expected"):
                constraints[parameter].check(parameter, value)


@pytest.mark.parametrize(("name", "parameter"), parameters())
def test_wrong_values_are_refused_before_anything_is_read(name, parameter):
    for value in wrong_values(build(name), parameter):
        error = message_of(name, parameter, value)
        assert error is not None, value
        assert isinstance(error, (TypeError, ValueError)), (value, error)
        shown = [repr(value), getattr(value, "__name__", repr(value))]
        starts = tuple(f"{parameter}={text}"[:60] for text in shown)
        assert str(error).startswith(starts), (value, error)
        assert "expected" in str(error)
        raised_in = traceback.extract_tb(error.__traceback__)[-1].filename
        assert "skaudio" in raised_in.replace("\\", "/").split("/"), raised_in


def test_a_device_that_is_not_there():
    with pytest.raises(ValueError, match=r"torch finds no 'xpu' device here\.$"):
        MFCC(device="xpu").fit(UNREADABLE)
    with pytest.raises(ValueError, match=r"torch finds no 'xpu' device of that number here\.$"):
        MFCC(device="xpu:3").fit(UNREADABLE)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("optimiser", r"skorch\.NeuralNet has no such parameter\. Did you mean 'optimizer'\?"),
        ("batch_sise", r"skorch\.NeuralNet has no such parameter\. Did you mean 'batch_size'\?"),
        (
            "module__n_layers",
            r"skorch\.NeuralNet has no such parameter\. Expected one of crit",
        ),
        ("optimizer__weight_decy", r"AdamW has no parameter .*Did you mean 'weight_decay'\?"),
    ],
)
@pytest.mark.parametrize("name", [n for n in ESTIMATORS if "net_params" in vars(build(n))])
def test_a_key_of_net_params_that_nothing_has(name, key, said):
    with pytest.raises(ValueError, match=rf"^net_params='{key}': {said}"):
        build(name).set_params(net_params={key: 1}).fit(UNREADABLE, LABELS)


def test_described_alike():
    """A parameter of one name is described in the same words wherever it occurs."""
    found: dict[str, dict[str, list[str]]] = {}
    for name, kind in ESTIMATORS.items():
        for entry in ClassDoc(kind)["Parameters"]:
            words = " ".join(" ".join(entry.desc).split())
            found.setdefault(entry.name, {}).setdefault(words, []).append(name)
    several = {
        parameter: list(texts.values())
        for parameter, texts in found.items()
        if len(texts) > 1 and parameter not in OWN_DESCRIPTION
    }
    assert several == {}


def signatures():
    """Every public function, class and method of skaudio with its parameters."""
    for name in [name for names in skaudio._NAMES.values() for name in names.split()]:
        item = getattr(skaudio, name)
        if callable(item):
            yield name, inspect.signature(item).parameters
        for key, method in inspect.getmembers(item, inspect.isroutine):
            if key[0] != "_" and str(getattr(method, "__module__", "")).startswith("skaudio"):
                yield f"{name}.{key}", inspect.signature(method).parameters


def test_one_word_and_one_default_everywhere():
    """The functions say ``random_state``, ``verbose`` and ``n_frames`` as the estimators do."""
    found = dict(signatures())
    assert len(found) > 300
    default = {"random_state": None, "n_jobs": None, "device": "cpu"}
    for name, parameters in found.items():
        for key, parameter in parameters.items():
            value = parameter.default
            if key in default:
                assert value in (default[key], parameter.empty), name
            if key == "verbose":
                assert type(value) is int, name
        if name.endswith(".frame_times"):
            assert list(parameters) == ["self", "n_frames"]


def test_a_clone_of_a_wrong_estimator_is_made():
    """Wrong values are refused by `fit`, as scikit-learn has it, not by the constructor."""
    assert clone(MFCC(n_mfcc=-1)).n_mfcc == -1


if __name__ == "__main__":
    np.set_printoptions(threshold=3)
    for name, parameter in parameters():
        for value in wrong_values(build(name), parameter):
            error = message_of(name, parameter, value)
            print(f"{name:20} {type(error).__name__:10} {error}"[:200], file=sys.stdout)
