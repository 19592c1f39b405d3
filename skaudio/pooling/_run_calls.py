"""Calls of several transformers, in joblib's workers or one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from joblib import effective_n_jobs
from sklearn.utils.parallel import Parallel

from skaudio._parallel import holds_lock


def run_calls(n_jobs: int | None, calls: Sequence[Any]) -> list[Any]:
    """Run what scikit-learn's ``delayed`` returned, in joblib's workers if ``n_jobs`` says so.

    A thread that holds a lock uses none, as they may be waiting for it. Without workers,
    scikit-learn's ``Parallel`` is left out: it changes the warning filters of the process.
    """
    if holds_lock() or effective_n_jobs(n_jobs) == 1:
        return [call.function(*args, **kwargs) for call, args, kwargs in calls]
    results: list[Any] = Parallel(n_jobs=n_jobs)(calls)
    return results
