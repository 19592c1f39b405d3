"""Calls of several transformers, in joblib's workers or one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from joblib import effective_n_jobs
from sklearn.utils.parallel import Parallel

from skaudio._parallel import holds_lock


def run_calls(n_jobs: int | None, calls: Sequence[Any]) -> list[Any]:
    """Run what scikit-learn's ``delayed`` returned; one after the other where one is to work.

    So do threads that hold a lock, for which workers may be waiting. scikit-learn's ``Parallel``
    would change the warning filters of the process even then.
    """
    if holds_lock() or effective_n_jobs(n_jobs) == 1:
        return [call.function(*args, **kwargs) for call, args, kwargs in calls]
    results: list[Any] = Parallel(n_jobs=n_jobs)(calls)
    return results
