"""Run the calls of several transformers, in joblib workers or in sequence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from joblib import effective_n_jobs
from sklearn.utils.parallel import Parallel

from skaudio._parallel import holds_lock


def run_calls(n_jobs: int | None, calls: Sequence[Any]) -> list[Any]:
    """Run calls made by scikit-learn's ``delayed``, in ``n_jobs`` joblib workers.

    A thread that holds a lock uses no workers, because they may be waiting for the lock. Without
    workers, scikit-learn's ``Parallel`` is not used, because it changes the warning filters of the
    process.
    """
    if holds_lock() or effective_n_jobs(n_jobs) == 1:
        return [call.function(*args, **kwargs) for call, args, kwargs in calls]
    results: list[Any] = Parallel(n_jobs=n_jobs)(calls)
    return results
