"""Chance: seeds that depend on what they are for and nothing else, numbers drawn in ranges."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

# Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators": SplitMix64.
_STEP = np.uint64(0x9E3779B97F4A7C15)
_FACTORS = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_SHIFTS = np.uint64(30), np.uint64(27), np.uint64(31)
_MASK = (1 << 64) - 1


def epoch_seeds(seed: int, epoch: int, positions: Any) -> np.ndarray:
    """Return a seed per recording that depends on (seed, epoch, position) and on nothing else.

    Parameters
    ----------
    seed : int
        Of the whole training.
    epoch : int
        Counted from 0.
    positions : array-like of int, shape (n_recordings,)
        Position of each recording of a batch in the X of `fit`.

    Returns
    -------
    seeds : ndarray of shape (n_recordings,), uint64

    Examples
    --------
    >>> from skaudio.augmentation import epoch_seeds
    >>> one_batch = epoch_seeds(0, 3, [7, 5, 6])
    >>> another = epoch_seeds(0, 3, [5, 8])
    >>> bool(one_batch[1] == another[0]), bool(one_batch[0] == epoch_seeds(0, 4, [7])[0])
    (True, False)
    """
    base = split(np.array([int(seed) & _MASK], np.uint64), int(epoch))
    return split(base, np.asarray(positions, dtype=np.int64))


def split(seeds: np.ndarray, stream: Any) -> np.ndarray:
    """Return other seeds, one per seed, unrelated to those and to the ones of other streams."""
    # Arrays of integers wrap around in silence, which is what the generator counts on.
    streams = np.atleast_1d(np.asarray(stream)).astype(np.uint64)
    return _mix(_mix(seeds) + (streams + np.uint64(1)) * _STEP)


def _mix(x: np.ndarray) -> np.ndarray:
    x = (x ^ (x >> _SHIFTS[0])) * _FACTORS[0]
    x = (x ^ (x >> _SHIFTS[1])) * _FACTORS[1]
    return x ^ (x >> _SHIFTS[2])


def seeds_of(random_state: Any, n: int, stream: int) -> np.ndarray:
    """Return n seeds for one call of ``fit_transform``; None makes new ones each time."""
    if random_state is None:
        seed = int(np.random.SeedSequence().generate_state(1, np.uint64)[0])
    elif isinstance(random_state, numbers.Integral):
        check_random_state(random_state)  # refuses what scikit-learn refuses
        seed = int(random_state)
    else:
        seed = int(check_random_state(random_state).randint(2**31 - 1))
    return split(epoch_seeds(seed, 0, np.arange(n)), stream)


def check_seeds(seeds: Any, n: int) -> np.ndarray:
    """Return one integer seed per recording, or say what is wrong with them."""
    array = np.asarray(seeds)
    if array.dtype.kind not in "iu" or array.shape != (n,):
        raise ValueError(
            f"seeds: found an array of {array.dtype} of shape {array.shape}, expected one integer "
            f"per recording, shape ({n},): skaudio.augmentation.epoch_seeds makes them."
        )
    if array.dtype.kind == "i" and (array < 0).any():
        raise ValueError(f"seeds: found {array.min()}, expected integers of 0 or more.")
    return array.astype(np.uint64)


def uniform(seeds: np.ndarray, stream: int) -> np.ndarray:
    """Return a number in [0, 1) per seed; numbers of other streams are unrelated."""
    return (split(seeds, stream) >> np.uint64(11)) * 2.0**-53


def draw(bounds: tuple[float, float], seeds: np.ndarray) -> list[float]:
    """Draw a number per seed uniformly from a range."""
    low, high = bounds
    if low == high:
        return [low] * len(seeds)
    return (low + (high - low) * uniform(seeds, 0)).tolist()


def happens(p: float, seeds: np.ndarray) -> list[bool]:
    """Draw per seed whether something of probability p happens."""
    return [True] * len(seeds) if p >= 1 else (uniform(seeds, 1) < p).tolist()


def draw_count(bounds: tuple[float, float], rng: np.random.Generator) -> int:
    """Draw a whole number uniformly from a range, both ends included."""
    return int(rng.integers(int(bounds[0]), int(bounds[1]) + 1))
