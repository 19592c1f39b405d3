"""What keeps an estimator from working on a signal that is still arriving."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Obstacle:
    """A parameter whose value needs more of a recording than has been heard.

    Attributes
    ----------
    parameter : str
        Its name, as ``set_params`` calls it: ``encoder__top_db``.
    value : object
    reason : str
        What it needs: "the maximum of the whole recording".
    expected : object
        A value with which the estimator streams.
    """

    parameter: str
    value: Any
    reason: str
    expected: Any

    def inside(self, place: str) -> Obstacle:
        """Return the obstacle as it is called from outside: ``place__parameter``."""
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
