"""Parameters that keep an estimator from streaming."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Obstacle:
    """A parameter whose value needs later parts of a recording.

    Attributes
    ----------
    parameter : str
        Name of the parameter in ``set_params``: ``encoder__top_db``.
    value : object
    reason : str
        What the parameter needs, such as "the maximum of the whole recording".
    expected : object
        A value with which the estimator can stream.
    """

    parameter: str
    value: Any
    reason: str
    expected: Any

    def inside(self, place: str) -> Obstacle:
        """Return the obstacle with the name of the outer estimator: ``place__parameter``."""
        name = f"{place}__{self.parameter}" if place else self.parameter
        return Obstacle(name, self.value, self.reason, self.expected)


def check_streams(estimator: Any, obstacles: Sequence[Obstacle], *, trained: bool = False) -> None:
    """Raise one error for all obstacles, with the values that remove them."""
    if not obstacles:
        return
    found = "; ".join(f"{o.parameter}={_shown(o.value):.80} needs {o.reason}" for o in obstacles)
    values = ", ".join(f"{o.parameter}={_shown(o.expected)}" for o in obstacles)
    again = " and fit again" if trained else ""
    raise ValueError(
        f"{type(estimator).__name__} cannot stream with these parameters: {found}. "
        f"Expected set_params({values}){again}."
    )


def _shown(value: Any) -> str:
    return value.__name__ if isinstance(value, type) else repr(value)
