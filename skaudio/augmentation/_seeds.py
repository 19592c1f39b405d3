"""Seeds of recordings, draws from these seeds, and `TrainingPath`, which distributes them.

A seed depends only on the seed of the training, the epoch and the recording. It does not depend on
the batch or the thread.
"""

from __future__ import annotations

import numbers
from contextvars import ContextVar
from typing import Any

import numpy as np
from sklearn.utils import _safe_indexing, check_random_state

from skaudio._steps import is_augmentation, parts_of, steps_of

# Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators": SplitMix64.
_STEP = np.uint64(0x9E3779B97F4A7C15)
_FACTORS = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_SHIFTS = np.uint64(30), np.uint64(27), np.uint64(31)
_MASK = (1 << 64) - 1


def epoch_seeds(seed: int, epoch: int, positions: Any) -> np.ndarray:
    """Return a seed per recording that depends only on (seed, epoch, position).

    Parameters
    ----------
    seed : int
        Seed of the training.
    epoch : int
        Number of the epoch, from 0.
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
    """Derive one seed from each seed; those of two streams are independent of each other."""
    # The generator relies on integer overflow. Arrays of integers overflow without a warning.
    streams = np.atleast_1d(np.asarray(stream)).astype(np.uint64)
    return _mix(_mix(seeds) + (streams + np.uint64(1)) * _STEP)


def _mix(x: np.ndarray) -> np.ndarray:
    x = (x ^ (x >> _SHIFTS[0])) * _FACTORS[0]
    x = (x ^ (x >> _SHIFTS[1])) * _FACTORS[1]
    mixed: np.ndarray = x ^ (x >> _SHIFTS[2])
    return mixed


def seeds_of(random_state: Any, n: int, stream: int) -> np.ndarray:
    """Return n seeds for one call of ``fit_transform``; None makes new ones each time."""
    if random_state is None:
        seed = int(np.random.SeedSequence().generate_state(1, np.uint64)[0])
    elif isinstance(random_state, numbers.Integral):
        check_random_state(random_state)  # raises scikit-learn's error
        seed = int(random_state)
    else:
        seed = int(check_random_state(random_state).randint(2**31 - 1))
    return split(epoch_seeds(seed, 0, np.arange(n)), stream)


def check_seeds(seeds: Any, n: int) -> np.ndarray:
    """Check the seeds and return them: one integer per recording."""
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
    """Return a number in [0, 1) per seed; those of two streams are independent."""
    return (split(seeds, stream) >> np.uint64(11)) * 2.0**-53


def draw(bounds: tuple[float, float], seeds: np.ndarray) -> list[float]:
    """Draw a number per seed uniformly from a range."""
    low, high = bounds
    if low == high:
        return [low] * len(seeds)
    drawn: list[float] = (low + (high - low) * uniform(seeds, 0)).tolist()
    return drawn


def happens(p: float, seeds: np.ndarray) -> list[bool]:
    """Draw per seed whether something of probability p happens."""
    return [True] * len(seeds) if p >= 1 else (uniform(seeds, 1) < p).tolist()


def draw_count(bounds: tuple[float, float], rng: np.random.Generator) -> int:
    """Draw a whole number uniformly from a range, both ends included."""
    return int(rng.integers(int(bounds[0]), int(bounds[1]) + 1))


# Draws of one recording in one step, while `draws` lists them in this thread.
_NOTED: ContextVar[dict[str, Any] | None] = ContextVar("_NOTED", default=None)


def note(**drawn: Any) -> None:
    """Record the values drawn for a recording, if `draws` lists them."""
    noted = _NOTED.get()
    if noted is not None:
        noted.update(drawn)


def noted_draws(step: Any, X: Any, seed: np.ndarray) -> tuple[Any, dict[str, Any]]:
    """Augment an X of one recording; return the result and the drawn values."""
    noted: dict[str, Any] = {}
    token = _NOTED.set(noted)
    try:
        return step.augment(X, seed), noted
    finally:
        _NOTED.reset(token)


class TrainingPath:
    """Run a fitted encoder as in training: ``augment`` if a step has it, else ``transform``.

    Nothing is fitted. ``transform`` of a Pipeline, in contrast, does not augment, as in `predict`.

    Parameters
    ----------
    encoder : transformer, or Pipeline of augmentations and transformers
        Pipelines may be nested.

    Attributes
    ----------
    is_random : bool
        Whether a step is an augmentation. If none is, ``encoder.transform`` gives the same result.

    Raises
    ------
    ValueError
        If an augmentation is not a step of a Pipeline, but inside a ColumnTransformer, for example.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from skaudio.augmentation import TrainingPath, Volume, epoch_seeds
    >>> from skaudio.encoders import MelSpectrogram
    >>> clips = np.random.default_rng(0).normal(size=(2, 8000))
    >>> encoder = make_pipeline(Volume(), MelSpectrogram()).fit(clips)
    >>> path = TrainingPath(encoder)
    >>> path.is_random
    True
    >>> for epoch in range(2):
    ...     frames = path(clips, epoch_seeds(0, epoch, [0, 1]))
    >>> frames.shape == encoder.transform(clips).shape
    True
    """

    def __init__(self, encoder: Any):
        self.steps = tuple(steps_of(encoder))
        self.is_random = any(is_augmentation(step) for step in self.steps)
        reached = {id(step) for step in self.steps}
        for where, value in parts_of(encoder):
            if is_augmentation(value) and id(value) not in reached:
                raise ValueError(
                    f"{type(value).__name__} at {where} of {type(encoder).__name__} would be "
                    "skipped in training: augmentations act as steps of a Pipeline (Pipelines may "
                    "be nested), not inside other estimators or functions. Move it into a "
                    "Pipeline, before the estimator that holds it."
                )

    def __call__(self, X: Any, seeds: Any) -> Any:
        """Apply the steps to recordings, with augmentation.

        Parameters
        ----------
        X : sequence of n recordings
        seeds : array-like of int, shape (n,)
            One seed per recording, as `epoch_seeds` returns them. Each step gets different seeds,
            derived from these.

        Returns
        -------
        frames : array, or whatever the last step returns
        """
        seeds = check_seeds(seeds, len(X))
        for i, step in enumerate(self.steps):
            X = step.augment(X, split(seeds, i)) if is_augmentation(step) else step.transform(X)
        return X

    def draws(self, X: Any, seeds: Any) -> Any:
        """List the values that the augmentations draw; the same seeds give the same draws.

        Parameters
        ----------
        X : sequence of n recordings
        seeds : array-like of int, shape (n,)
            Seeds, as for a call of the object.

        Returns
        -------
        draws : DataFrame
            One row per recording: ``seed``, and a column for each value that a step draws, such as
            ``noise__snr_db``. The value is missing if the step did not act on the recording.
        """
        seeds = check_seeds(seeds, len(X))
        names = [type(step).__name__.lower() for step in self.steps]
        rows = []
        for i, seed in enumerate(seeds):
            row, item = {"seed": seed}, _safe_indexing(X, [i])
            for k, (name, step) in enumerate(zip(names, self.steps, strict=True)):
                if not is_augmentation(step):
                    item = step.transform(item)
                    continue
                item, drawn = noted_draws(step, item, split(seeds[[i]], k))
                number = f"-{names[: k + 1].count(name)}" if names.count(name) > 1 else ""
                row.update({f"{name}{number}__{key}": value for key, value in drawn.items()})
            rows.append(row)
        return _as_table(rows)


def draws_of(step: Any, X: Any, seeds: np.ndarray) -> Any:
    """Return a table of what an augmentation draws for each recording."""
    rows = []
    for i, seed in enumerate(seeds):
        _, drawn = noted_draws(step, _safe_indexing(X, [i]), seeds[[i]])
        rows.append({"seed": seed, **drawn})
    return _as_table(rows)


def _as_table(rows: list[dict[str, Any]]) -> Any:
    import pandas as pd  # slow to import, and not needed for drawing

    return pd.DataFrame(rows)
