"""Read stored results, and compute missing ones that no other process computes."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from scipy import sparse

from skaudio._parallel import holding, no_progress
from skaudio.audio import AudioBatch
from skaudio.caching._result_store import Store

# Seconds between checks for results that another process computes.
FIRST_WAIT, LONGEST_WAIT = 0.005, 0.1

# Function from positions in X to their results, in order. None: the result is not stored.
Compute = Callable[[list[int]], Sequence[np.ndarray | None]]


def fetch(
    store: Store,
    keys: Sequence[str],
    compute: Compute,
    *,
    batch_size: int,
    progress: Callable[[int], Any] = no_progress,
) -> list[np.ndarray | None]:
    """Return the result of each key, in order; compute each missing key once.

    Locks are held for the results of one batch at a time, and never while waiting for the locks of
    others or for joblib workers, so there are no deadlocks.
    """
    positions: dict[str, int] = {}  # position of the first recording with a key
    for i, key in enumerate(keys):
        positions.setdefault(key, i)
    results: dict[str, np.ndarray | None] = {**_load(store, positions)}
    progress(len(results))
    missing = {key: None for key in positions if key not in results}  # ordered, with fast deletion
    if missing:
        store.prepare()
    n_computed, wait = 0, FIRST_WAIT
    while missing:
        with store.locked(missing, batch_size) as batch:
            # Another process may have computed them before the lock was acquired.
            found: dict[str, np.ndarray | None] = {**_load(store, batch)}
            todo = [key for key in batch if key not in found]
            if todo:
                with holding():  # workers may wait for these results, so do not wait for workers
                    computed = compute([positions[key] for key in todo])
                found |= dict(zip(todo, computed, strict=True))
                computed_now = ((key, found[key]) for key in todo)
                store.save({key: array for key, array in computed_now if array is not None})
        results |= found
        n_computed += len(todo)
        progress(len(found))
        for key in batch:
            del missing[key]
        if batch:
            wait = FIRST_WAIT
        else:  # other processes compute all missing results
            time.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT)
    # A recording that is in X twice is computed once and counted as read once.
    store.count(hits=len(keys) - n_computed)
    # Copies, so that changing one row does not change another.
    return [
        results[key] if positions[key] == i else copy.copy(results[key])
        for i, key in enumerate(keys)
    ]


def _load(store: Store, keys: Iterable[str]) -> dict[str, np.ndarray]:
    """Return the stored results among some keys."""
    loaded = ((key, store.load(key)) for key in keys)
    return {key: array for key, array in loaded if array is not None}


def items_of(output: Any, n: int, name: str) -> list[np.ndarray]:
    """Return the result of each recording in the output of a transformer."""
    expected = "expected rows or frames, an array of numbers for every recording"
    if isinstance(output, AudioBatch) or sparse.issparse(output):
        raise TypeError(
            f"{name} returns {type(output).__name__}, {expected}: cache the steps up to an encoder "
            "or a pooling."
        )
    items = [np.asarray(item) for item in output]
    if len(items) != n:
        raise ValueError(f"{name} returns {len(items)} results for {n} recordings, {expected}.")
    for item in items:
        if item.ndim == 0 or item.dtype.kind not in "fiucb":
            raise TypeError(f"{name} returns {item!r:.60} for a recording, {expected}.")
    return items
