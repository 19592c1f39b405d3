"""Split of the training data for early stopping, by groups and classes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import column_or_1d


@dataclass
class Classes:
    """The classes of recordings.

    Attributes
    ----------
    names : sequence of str
        Names of the classes for error messages.
    members : ndarray of bool, shape (n_recordings, n_classes)
        Whether a recording belongs to a class. A recording can belong to any number of classes.
    """

    names: Sequence[str]
    members: np.ndarray

    @classmethod
    def of_codes(cls, names: Sequence[Any], codes: np.ndarray) -> Classes:
        """Return the classes of recordings that belong to one class each."""
        return cls([repr(name) for name in names], codes[:, None] == np.arange(len(names)))


def hold_out(
    fraction: float, classes: Classes, groups: Any, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Split positions into training and validation, at random.

    The validation part gets ``fraction`` of the groups (or of the recordings without groups),
    rounded up, and if possible the same fraction of each class. Every class remains in the training
    part, even if fewer groups or recordings are then held out.

    Parameters
    ----------
    fraction : float
    classes : Classes
    groups : array-like of shape (n_recordings,), or None
    seed : int
    """
    n = len(classes.members)
    units = np.arange(n) if groups is None else pd.factorize(column_or_1d(groups))[0]
    n_units = int(units.max()) + 1
    # Classes of each unit; units are groups or recordings.
    has = np.zeros((n_units, len(classes.names)), bool)
    np.logical_or.at(has, units, classes.members)
    total = has.sum(axis=0)
    wanted = math.ceil(fraction * n_units)
    held, taken, n_held = np.zeros(n_units, bool), np.zeros_like(total), 0
    order = np.random.default_rng([seed, 2]).permutation(n_units)
    # First pass: at most the fraction of each class. Second pass, if too few are held out: any.
    for most in (np.minimum(np.ceil(fraction * total), total - 1), total - 1):
        for unit in order:
            if n_held == wanted:
                break
            if not held[unit] and np.all(taken + has[unit] <= np.maximum(most, taken)):
                held[unit] = True
                taken += has[unit]
                n_held += 1
    if not n_held:
        raise ValueError(_why_nothing(classes, total, groups, n_units))
    return np.flatnonzero(~held[units]), np.flatnonzero(held[units])


def _why_nothing(classes: Classes, total: np.ndarray, groups: Any, n_units: int) -> str:
    single = [name for name, count in zip(classes.names, total, strict=True) if count == 1]
    shown = ", ".join(single[:5]) + (", ..." if len(single) > 5 else "")
    advice = "or set early_stopping=False."
    if groups is None:
        return (
            "early_stopping=True cannot hold out a recording: each is the only one of its class "
            f"({shown}), which would be missing in training. Pass more recordings per class, "
            f"{advice}"
        )
    if n_units == 1:
        return (
            "early_stopping=True holds out whole groups, and all recordings are of one group, so "
            f"that none would remain for training. Pass two groups or more, no groups, {advice}"
        )
    return (
        f"early_stopping=True holds out whole groups, but each of the {n_units} groups is the only "
        f"one with some class ({shown}), which would be missing in training. Pass groups such that "
        f"each class is in several of them, no groups, {advice}"
    )
