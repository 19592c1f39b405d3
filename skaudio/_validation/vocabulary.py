"""Constraints of parameters by name, which are the same in all estimators.

An estimator declares in ``_constraints`` its own parameters, and parameters with other constraints.
"""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from functools import cache
from os import PathLike
from typing import Any, Protocol

import numpy as np
from sklearn.utils.validation import _num_samples

from skaudio._validation.constraints import (
    Checked,
    Constraint,
    _always,
    anything,
    check_part,
    choice,
    count,
    flag,
    is_number,
    number,
    sample_rate,
    sequence,
)
from skaudio._validation.labels import check_labels


class ParameterConstraint(Protocol):
    """A `Constraint`, or a constraint that is checked by a function."""

    @property
    def documented(self) -> str:
        """The type, as written in docstrings."""

    def check(self, name: str, value: Any) -> None:
        """Raise an error for a wrong value."""


def device() -> Constraint:
    """Return the constraint of a torch device that is present on this machine."""

    def cause(value: Any) -> str:
        if not isinstance(value, str):
            return ""
        kind, colon, _ = value.partition(":")
        if kind in ("cuda", "mps", "xpu"):
            numbered = " of that number" if colon else ""
            return f"torch finds no {kind!r} device{numbered} here."
        return "A GPU is called 'cuda'." if kind.lower() in ("gpu", "nvidia") else ""

    expected = "the name of a torch device that is present here, such as 'cpu'"
    return Constraint(("str",), (), (expected,), _is_text, has_device, cause)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) or type(value).__module__ == "torch"


def has_device(value: Any) -> bool:
    """Whether torch can use a device on this machine."""
    if value == "cpu":  # needs no torch
        return True
    import torch

    try:
        torch.empty(0, device=value)
    except (RuntimeError, TypeError, AssertionError, NotImplementedError):
        return False
    return True


def random_state() -> Constraint:
    """Return the constraint of ``random_state``, as in scikit-learn."""
    return Constraint(
        ("int", "RandomState instance"),
        ("None",),
        ("an integer from 0 to 4294967295", "a numpy RandomState", "None"),
        lambda value: (
            value is None
            or is_number(value, numbers.Integral)
            or isinstance(value, np.random.RandomState)
        ),
        lambda value: not is_number(value, numbers.Integral) or 0 <= value < 1 << 32,
        lambda value: (
            "scikit-learn takes no Generator: pass an integer."
            if isinstance(value, np.random.Generator)
            else ""
        ),
    )


def transformer() -> Constraint:
    """Return the constraint of a transformer."""

    def is_instance(value: Any) -> bool:
        return hasattr(value, "transform") and not isinstance(value, type)

    def cause(value: Any) -> str:
        return f"Pass an instance: {value.__name__}()." if isinstance(value, type) else ""

    expected = "an instance of a transformer", "a Pipeline"
    return Constraint(("transformer", "Pipeline"), (), expected, is_instance, _always, cause)


def mapping(documented: str = "dict") -> Constraint:
    """Return the constraint of keyword arguments in a dict."""
    return Constraint(
        (documented,),
        (),
        ("a dict with names as keys",),
        lambda value: isinstance(value, Mapping),
        lambda value: all(isinstance(key, str) for key in value),
    )


NONE = choice(None)
POSITIVE = number(0, above=True)
POSITIVE_SECONDS = number(0, above=True, unit="seconds")
SECONDS = number(0, unit="seconds")
SHARE = number(0, 1, below=True)
TEXT = Constraint(("str",), (), ("a string",), lambda value: isinstance(value, str))
PATH = Constraint(
    ("path",),
    (),
    ("the name of a file or folder",),
    lambda value: isinstance(value, str | PathLike),
)
CLASS_WEIGHTS = Constraint(
    ("dict",),
    (),
    ("a dict of weights of 0 or more",),
    lambda value: isinstance(value, Mapping),
    lambda value: all(map(number(0).accepts, value.values())),
)
N_JOBS = Constraint(
    ("int",),
    (),
    ("an integer other than 0",),
    lambda value: is_number(value, numbers.Integral),
    lambda value: value != 0,
)
# True and False are accepted as 1 and 0, as in scikit-learn.
VERBOSITY = Constraint(
    ("int",),
    (),
    ("an integer of 0 or more",),
    lambda value: isinstance(value, numbers.Integral),
    lambda value: value >= 0,
)

VOCABULARY: dict[str, ParameterConstraint] = {
    "batch_size": count(),
    "bidirectional": flag(),
    "block_duration": POSITIVE_SECONDS,
    "callbacks": sequence("list of skorch callbacks", "a list of skorch callbacks", anything(""))
    | NONE,
    "center": flag(),
    "channels": sequence("sequence of int", "integers of 1 or more", count()),
    "chunk_duration": POSITIVE_SECONDS | choice("auto", None),
    "chunk_hop": POSITIVE_SECONDS | choice("auto"),
    "class_weight": CLASS_WEIGHTS | choice("balanced", None),
    "data_home": PATH | NONE,
    "deltas": choice(0, 1, 2),
    "device": device(),
    "dropout": SHARE,
    "duration": Checked("float", lambda name, value: check_part(0.0, value)),
    "early_stopping": flag(),
    "embedding_size": count(),
    "encoder": transformer() | NONE,
    "eps": POSITIVE,
    "fmax": number(0, above=True, unit="Hz") | NONE,
    "fmin": number(0, unit="Hz"),
    "hidden_size": count(),
    "hop_length": count() | NONE,
    "htk": flag(),
    "input_dropout": SHARE,
    "label_smoothing": SHARE,
    "lr": POSITIVE,
    "max_epochs": count(),
    "model_params": mapping() | NONE,
    "module_params": mapping() | NONE,
    "n_draws": count(0),
    "n_fft": count(2) | NONE,
    "n_iter_no_change": count(),
    "n_jobs": N_JOBS | NONE,
    "n_layers": count(),
    "n_mels": count(),
    "net_params": mapping() | NONE,
    "normalize": choice(None, "max", "rms"),
    "offset": Checked("float", lambda name, value: check_part(value, None)),
    "on_error": choice("raise", "nan"),
    "p": number(0, 1),
    "power": POSITIVE,
    "precision": choice("auto", "float32", "bfloat16"),
    "random_state": random_state(),
    "resample_quality": choice("QQ", "LQ", "MQ", "HQ", "VHQ"),
    "sample_rate": sample_rate(),
    "scale": choice("linear", "log", "db"),
    "standardize": choice("auto", "global", "recording", "both", None),
    "target_frames": count() | NONE,
    "top_db": POSITIVE | NONE,
    "unit_norm": flag(),
    "validation_fraction": number(0, 1, above=True, below=True),
    "verbose": VERBOSITY,
    "warm_start": flag(),
    "win_length": count() | NONE,
    "window": anything("str, tuple, float or array of shape (win_length,)"),
}


def check_count(name: str, value: Any, minimum: int = 1) -> int:
    """Return a whole number that was passed to a function, or raise an error."""
    count(minimum).check(name, value)
    return int(value)


def check_length(name: str, value: Any) -> int:
    """Return a number that was passed, or the length of the last axis of an array."""
    return check_count(name, np.shape(value)[-1] if np.ndim(value) else value, 0)


def check_target(estimator: Any, y: Any, groups: Any = None, *, advice: str = "") -> None:
    """Raise an error if no y was passed, or a label or group is missing or of another type."""
    if y is None:
        name = type(estimator).__name__
        raise ValueError(
            f"{name} requires y to be passed, but the target y is None.{advice and ' ' + advice}"
        )
    if _num_samples(y) == 0:
        raise ValueError("y holds no labels: found 0 sample(s), expected one for each recording.")
    for name, labels in (("y", y), ("groups", groups)):
        dtype = getattr(labels, "dtype", None)
        # Labels of these types cannot be missing, and have one type.
        complete = isinstance(dtype, np.dtype) and dtype.kind in "iubUS"
        if labels is not None and not complete:
            check_labels(labels, name)


def optional(constraint: Checked) -> Checked:
    """Return a constraint that allows None as well."""

    def check(name: str, value: Any) -> None:
        if value is not None:
            constraint.check(name, value)

    return Checked(constraint.documented, check)


@cache  # takes 0.13 ms, and augmentations call it in every batch
def constraints_of(kind: Any) -> dict[str, ParameterConstraint]:
    """Return the declared constraints of the parameters of a class."""
    own = getattr(kind, "_constraints", {})
    declared = {**VOCABULARY, **own}
    return {name: declared[name] for name in kind._get_param_names() if name in declared}


def check_parameters(estimator: Any) -> None:
    """Check every parameter of an estimator, before X is checked."""
    kind: Any = type(estimator)
    for name, constraint in constraints_of(kind).items():
        constraint.check(name, getattr(estimator, name))


def counted(n: int, noun: str) -> str:
    """Return "1 recording", "2 recordings"."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
