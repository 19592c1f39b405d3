"""Checks of parameters: each names the parameter, the value, the expectation, the likely cause."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np


def is_number(value: object, kind: type = numbers.Real) -> bool:
    """Whether a value is a number, of Python or numpy; True and False are none."""
    return isinstance(value, kind) and not isinstance(value, (bool, np.bool_))


def check_sample_rate(value: Any, *, name: str = "sample_rate") -> int | float:
    """Return a sample rate in Hz, or say why the value cannot be one."""
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
    """Refuse an ``offset`` or ``duration`` in seconds that no recording could satisfy."""
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
    """Return a parameter that has to be one of some words, or None where that is among them."""
    if not (value is None or isinstance(value, str)) or value not in choices:
        raise ValueError(f"{name}={value!r}: expected {' or '.join(map(repr, choices))}.")
    return value
