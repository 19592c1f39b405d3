"""Constraints of parameters, which classes declare; they are checked before X is read."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


def is_number(value: object, kind: type = numbers.Real) -> bool:
    """Whether a value is a number of Python or numpy; True and False are not numbers."""
    return isinstance(value, kind) and not isinstance(value, (bool, np.bool_))


def check_sample_rate(value: Any, *, name: str = "sample_rate") -> int | float:
    """Return a sample rate in Hz; raise an error for an invalid one."""
    if not is_number(value):
        raise TypeError(f"{name}={value!r}: expected a number of samples per second (Hz).")
    if not math.isfinite(value) or value <= 0:
        raise ValueError(
            f"{name}={value!r}: expected a positive number of samples per second (Hz)."
        )
    if value < 400:
        raise ValueError(
            f"{name}={value!r}: expected Hz (did you pass kHz? {value:g} kHz is {value * 1000:g})."
        )
    return int(value) if float(value).is_integer() else float(value)


def check_part(offset: Any, duration: Any) -> None:
    """Raise an error for an invalid ``offset`` or ``duration`` in seconds."""
    if not is_number(offset) or not math.isfinite(offset) or offset < 0:
        raise ValueError(f"offset={offset!r}: expected seconds from the beginning, 0 or more.")
    if duration is not None and (
        not is_number(duration) or not math.isfinite(duration) or duration <= 0
    ):
        raise ValueError(f"duration={duration!r}: expected a positive number of seconds, or None.")


def check_range(
    name: str,
    value: Any,
    *,
    minimum: float = -math.inf,
    maximum: float = math.inf,
    unit: str = "",
    hint: str = "",
) -> tuple[float, float]:
    """Return ``(low, high)`` of a parameter that is a number or a range."""
    pair = value if isinstance(value, (tuple, list)) else (value, value)
    if isinstance(value, np.ndarray) and value.shape == (2,):
        pair = value.tolist()
    if len(pair) != 2 or not all(is_number(v) for v in pair):
        raise TypeError(f"{name}={value!r}: expected a number or a range (low, high){unit}.{hint}")
    low, high = map(float, pair)
    if low > high:
        raise ValueError(
            f"{name}={value!r}: low > high, expected a range (low, high): did you mean "
            f"({high:g}, {low:g})?"
        )
    if not (minimum <= low and high <= maximum and math.isfinite(low) and math.isfinite(high)):
        bounds = [f">= {minimum:g}"] * (minimum > -math.inf) + [f"<= {maximum:g}"] * (
            maximum < math.inf
        )
        expected = " and ".join(["finite", *bounds])
        raise ValueError(f"{name}={value!r}: expected numbers{unit} that are {expected}.{hint}")
    return low, high


def check_counts(name: str, value: Any) -> tuple[float, float]:
    """Return ``(low, high)`` of a parameter that is a whole number or a range of them."""
    low, high = check_range(name, value, minimum=0)
    if low != int(low) or high != int(high):
        raise TypeError(f"{name}={value!r}: expected an integer or a range of integers.")
    return low, high


def check_choice(name: str, value: Any, choices: Sequence[str | None]) -> Any:
    """Return a parameter that must be one of several strings, or None if it is among them."""
    if not (value is None or isinstance(value, str)) or value not in choices:
        raise ValueError(f"{name}={value!r}: expected {' or '.join(map(repr, choices))}.")
    return value


Test = Callable[[Any], bool]


def _always(value: Any) -> bool:
    return True


def _no_cause(value: Any) -> str:
    return ""


@dataclass(frozen=True)
class Constraint:
    """The allowed values of a parameter; ``a | b`` allows the values of either constraint.

    Attributes
    ----------
    types : tuple of str
        Types, as written in docstrings.
    words : tuple of str
        Single values, as written in docstrings: quoted strings, or None.
    expectations : tuple of str
        Types and values, as written in error messages.
    is_type : callable
        Whether a value has an allowed type. If not, the error is a TypeError.
    is_valid : callable
        Whether a value of an allowed type is allowed. If not, the error is a ValueError.
    cause : callable
        Function that returns the likely cause of a wrong value as a sentence, or "".
    """

    types: tuple[str, ...]
    words: tuple[str, ...]
    expectations: tuple[str, ...]
    is_type: Test
    is_valid: Test = _always
    cause: Callable[[Any], str] = _no_cause

    @property
    def documented(self) -> str:
        """The type in docstrings; a test compares it with the docstrings."""
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
        Whether ``low`` and ``high`` are excluded.
    unit : str
        Unit for messages, such as "seconds".
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
    """Return the constraint of one of several strings or numbers, or None if it is among them."""
    kinds = {numbers.Integral if isinstance(value, int) else type(value) for value in values}

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


def sequence(documented: str, expected: str, of: Constraint, minimum: int = 0) -> Constraint:
    """Return the constraint of a list, tuple or array, with a constraint for its items.

    ``minimum`` is the smallest number of items.
    """

    def is_sequence(value: Any) -> bool:
        return isinstance(value, (Sequence, np.ndarray)) and not isinstance(value, (str, bytes))

    def is_valid(value: Any) -> bool:
        return len(value) >= minimum and all(map(of.accepts, value))

    def cause(value: Any) -> str:
        return f"Pass [{value!r}]." if isinstance(value, str) else ""

    return Constraint((documented,), (), (expected,), is_sequence, is_valid, cause)


def anything(documented: str) -> Constraint:
    """Return the constraint of a parameter that another function checks."""
    return Constraint((documented,), (), (documented,), _always)
