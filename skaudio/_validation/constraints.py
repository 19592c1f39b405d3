"""What parameters may be: declared by each class, checked before anything is read."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from skaudio._validation.checks import check_range, check_sample_rate, is_number

Test = Callable[[Any], bool]


def _always(value: Any) -> bool:
    return True


def _no_cause(value: Any) -> str:
    return ""


@dataclass(frozen=True)
class Constraint:
    """What the value of a parameter may be; ``a | b`` allows what either allows.

    Attributes
    ----------
    types : tuple of str
        Types as docstrings state them.
    words : tuple of str
        Single values as docstrings state them: quoted words, or None.
    expectations : tuple of str
        Types and words as an error message states them.
    is_type : callable
        Whether a value is of a type that can be right. If not, the error is a TypeError.
    is_valid : callable
        Whether a value of such a type is allowed. If not, the error is a ValueError.
    cause : callable
        The likely cause of a wrong value, a sentence, or "".
    """

    types: tuple[str, ...]
    words: tuple[str, ...]
    expectations: tuple[str, ...]
    is_type: Test
    is_valid: Test = _always
    cause: Callable[[Any], str] = _no_cause

    @property
    def documented(self) -> str:
        """The type in docstrings; a test compares it with what stands there."""
        if self.words and not self.types and len(self.words) > 1:
            return "{" + ", ".join(self.words) + "}"
        return _either(*self.types, *self.words)

    def accepts(self, value: Any) -> bool:
        return self.is_type(value) and self.is_valid(value)

    def check(self, name: str, value: Any) -> None:
        """Raise an error that names the parameter, the value, the expectation and the cause."""
        if self.accepts(value):
            return
        error = ValueError if self.is_type(value) else TypeError
        cause = self.cause(value)
        shown = value.__name__ if isinstance(value, type) else f"{value!r:.200}"
        expected = _either(*self.expectations)
        raise error(f"{name}={shown}: expected {expected}.{cause and ' ' + cause}")

    def __or__(self, other: Constraint) -> Constraint:
        return Constraint(
            self.types + other.types,
            self.words + other.words,
            self.expectations + other.expectations,
            lambda value: self.is_type(value) or other.is_type(value),
            lambda value: self.accepts(value) or other.accepts(value),
            lambda value: self.cause(value) or other.cause(value),
        )


def _either(*alternatives: str) -> str:
    *most, last = alternatives
    return f"{', '.join(most)} or {last}" if most else last


@dataclass(frozen=True)
class Checked:
    """A constraint that a function checks: ``function(name, value)`` raises the error."""

    documented: str
    function: Callable[[str, Any], Any]

    def check(self, name: str, value: Any) -> None:
        self.function(name, value)


def count(minimum: int = 1, *, odd: bool = False) -> Constraint:
    """Return the constraint of a whole number."""

    def cause(value: Any) -> str:
        if isinstance(value, str) and value.strip().lstrip("-").isdecimal():
            return "Pass a number, without quotes."
        is_fraction = isinstance(value, float) and 0 < value < 1
        return "Did you pass seconds?" if is_fraction else ""

    return Constraint(
        ("int",),
        (),
        (f"an {'odd ' if odd else ''}integer of {minimum} or more",),
        lambda value: is_number(value, numbers.Integral),
        lambda value: value >= minimum and (value % 2 == 1 or not odd),
        cause,
    )


def number(
    low: float = -math.inf,
    high: float = math.inf,
    *,
    above: bool = False,
    below: bool = False,
    unit: str = "",
) -> Constraint:
    """Return the constraint of a finite number between two bounds.

    Parameters
    ----------
    low, high : float
    above, below : bool
        Whether ``low`` and ``high`` themselves are excluded.
    unit : str
        Such as "seconds".
    """
    bounds = []
    if low > -math.inf:
        bounds.append(f"above {low:g}" if above else f"at least {low:g}")
    if high < math.inf:
        bounds.append(f"below {high:g}" if below else f"at most {high:g}")
    what = f"number of {unit}" if unit else "number"
    if not bounds:
        expected = f"a finite {what}"
    elif bounds == ["above 0"]:
        expected = f"a positive {what}"
    else:
        expected = f"a {what} that is {' and '.join(bounds)}"

    def is_inside(value: Any) -> bool:
        value = float(value)
        over = value > low if above else value >= low
        under = value < high if below else value <= high
        return math.isfinite(value) and over and under

    def cause(value: Any) -> str:
        return "Pass a number, without quotes." if _is_numeric_text(value) else ""

    return Constraint(("float",), (), (expected,), is_number, is_inside, cause)


def _is_numeric_text(value: Any) -> bool:
    try:
        return isinstance(value, str) and math.isfinite(float(value))
    except ValueError:
        return False


def number_or_range(
    minimum: float = -math.inf, maximum: float = math.inf, *, unit: str = "", hint: str = ""
) -> Checked:
    """Return the constraint of a number, or a range from which one is drawn per recording."""

    def check(name: str, value: Any) -> None:
        check_range(name, value, minimum=minimum, maximum=maximum, unit=unit, hint=hint)

    return Checked("float or (low, high)", check)


def choice(*values: str | int | None) -> Constraint:
    """Return the constraint of one of some words or numbers, or None where that is among them."""
    kinds = {type(value) for value in values} | {str}

    return Constraint(
        (),
        tuple(f'"{value}"' if isinstance(value, str) else str(value) for value in values),
        tuple(map(repr, values)),
        lambda value: any(isinstance(value, kind) for kind in kinds),
        lambda value: value in values,
    )


def flag() -> Constraint:
    """Return the constraint of True or False."""
    return Constraint(
        ("bool",), (), ("True", "False"), lambda value: isinstance(value, (bool, np.bool_))
    )


def sample_rate() -> Checked:
    """Return the constraint of a sample rate in Hz."""
    return Checked("float", lambda name, value: check_sample_rate(value, name=name))


def device() -> Constraint:
    """Return the constraint of a torch device that is present here."""

    def cause(value: Any) -> str:
        if not isinstance(value, str):
            return ""
        kind = value.partition(":")[0]
        if kind in ("cuda", "mps", "xpu"):
            return f"torch finds no {kind!r} device of that number here."
        return "A GPU is called 'cuda'." if kind.lower() in ("gpu", "nvidia") else ""

    expected = "the name of a torch device that is present here, such as 'cpu'"
    return Constraint(("str",), (), (expected,), _is_text, _is_device, cause)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) or type(value).__module__ == "torch"


def _is_device(value: Any) -> bool:
    if value == "cpu":  # needs no torch
        return True
    import torch

    try:
        torch.empty(0, device=value)
    except (RuntimeError, TypeError, AssertionError, NotImplementedError):
        return False
    return True


def random_state() -> Constraint:
    """Return the constraint of what scikit-learn takes as ``random_state``."""
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
    """Return the constraint of an instance that transforms."""

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


def sequence(documented: str, expected: str, of: Constraint, minimum: int = 0) -> Constraint:
    """Return the constraint of a list, tuple or array of which each item obeys another one.

    ``minimum`` is the number of items that it has at least.
    """

    def is_sequence(value: Any) -> bool:
        return isinstance(value, (Sequence, np.ndarray)) and not isinstance(value, (str, bytes))

    def is_valid(value: Any) -> bool:
        return len(value) >= minimum and all(map(of.accepts, value))

    return Constraint((documented,), (), (expected,), is_sequence, is_valid)


def anything(documented: str) -> Constraint:
    """Return the constraint of a parameter that another function checks."""
    return Constraint((documented,), (), (documented,), _always)
