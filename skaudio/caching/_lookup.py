"""Looking up results, and computing those that are not there while nobody else does."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from skaudio._parallel import no_progress
from skaudio.caching._result_store import Store

# Seconds between looks at results that another process is computing.
FIRST_WAIT, LONGEST_WAIT = 0.005, 0.1

# From positions in X to their results, in order.
Compute = Callable[[list[int]], Sequence[np.ndarray]]


def fetch(
    store: Store,
    keys: Sequence[str],
    compute: Compute,
    *,
    batch_size: int,
    progress: Callable[[int], Any] = no_progress,
) -> list[np.ndarray]:
    """Return the result of each key, in order; compute each key that is not there once.

    Locks are held on the results of one batch at a time, and never while waiting for another's, so
    that processes cannot wait for each other in a circle.
    """
    positions: dict[str, int] = {}
    for i, key in enumerate(keys):
        positions.setdefault(key, i)
    results: dict[str, np.ndarray] = {}
    missing = _load(store, positions, results, progress)
    n_times = Counter(keys)
    store.count(hits=sum(n_times[key] for key in results))
    if missing:
        store.prepare()
    wait = FIRST_WAIT
    while missing:
        locks: dict[str, Any] = {}
        try:
            missing = _claim(store, missing, locks, batch_size)
            # Somebody may have computed them between the look and the lock.
            todo = _load(store, locks, results, progress)
            n_found = sum(n_times[key] for key in locks) - sum(n_times[key] for key in todo)
            if todo:
                computed = dict(zip(todo, compute([positions[k] for k in todo]), strict=True))
                # A recording that stands in X twice is computed once, and found once.
                n_found += sum(n_times[key] - 1 for key in todo)
                store.save(computed)
                results.update(computed)
                progress(len(todo))
            store.count(hits=n_found)
        finally:
            for lock in locks.values():
                store.unlock(lock)
        if locks:
            wait = FIRST_WAIT
        elif missing:
            time.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT)
    # Each its own: what is done to one row must not change another.
    return [
        results[key] if positions[key] == i else results[key].copy() for i, key in enumerate(keys)
    ]


def _load(
    store: Store,
    keys: Any,
    results: dict[str, np.ndarray],
    progress: Callable[[int], Any],
) -> list[str]:
    """Put what is there into ``results``; return the keys of the rest."""
    missing = []
    for key in keys:
        found = store.load(key)
        if found is None:
            missing.append(key)
        else:
            results[key] = found
    progress(len(keys) - len(missing))
    return missing


def _claim(store: Store, keys: Sequence[str], locks: dict[str, Any], batch_size: int) -> list[str]:
    """Lock up to ``batch_size`` of the keys; return those that are left for later."""
    later: list[str] = []
    for i, key in enumerate(keys):
        if len(locks) == batch_size:
            return later + list(keys[i:])
        lock = store.lock(key)
        if lock is None:
            later.append(key)
        else:
            locks[key] = lock
    return later
