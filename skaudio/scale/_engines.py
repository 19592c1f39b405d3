"""Run the computation of parts in this process, in joblib workers or in dask workers."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, cast

import joblib
from joblib.parallel import get_active_backend

import skaudio
from skaudio.scale._compute import make_model, pack_model, run_packed, run_part
from skaudio.scale._tasks import Job, Receipt, Task

# Parts per worker that are handed out before they are asked for.
AHEAD = 2


def run_all(
    estimator: Any, job: Job, tasks: Iterable[Task], *, n_jobs: int | None, client: Any
) -> Iterator[Receipt]:
    """Compute parts, and yield the receipt of each part, in any order.

    Parameters
    ----------
    estimator : estimator
    job : Job
    tasks : iterable of Task
        Taken when they are needed.
    n_jobs : int or None
        Number of joblib workers.
    client : distributed.Client or None
        dask client to use instead of joblib. None: the active one, if there is one and n_jobs is
        None.
    """
    if client is None and n_jobs is None:
        client = active_client()
    packed = pack_model(estimator)
    if client is not None:
        found = _with_dask(client, job, packed.tobytes(), tasks)
    elif joblib.effective_n_jobs(n_jobs) > 1:
        found = _with_joblib(job, packed, tasks, n_jobs)
    else:
        model = make_model(packed)
        found = (run_part(job, model, task) for task in tasks)
    for receipt in found:
        if receipt.version != skaudio.__version__:
            raise ValueError(
                f"a worker has skaudio {receipt.version}, this process {skaudio.__version__}: "
                "expected the same version, since results may differ."
            )
        yield receipt


def _with_joblib(
    job: Job, packed: Any, tasks: Iterable[Task], n_jobs: int | None
) -> Iterator[Receipt]:
    lazy = getattr(get_active_backend()[0], "supports_return_generator", False)
    workers = joblib.Parallel(
        n_jobs=n_jobs,
        return_as="generator_unordered" if lazy else "list",
        pre_dispatch=f"{AHEAD} * n_jobs",
        batch_size=1,
        max_nbytes=10_000,  # the model is in a file that the workers map, not in each task
    )
    yield from workers(joblib.delayed(run_packed)(job, packed, task) for task in tasks)


def active_client() -> Any:
    """Return the active client of dask.distributed, or None."""
    if "distributed" not in sys.modules:
        return None
    import distributed

    try:
        return cast(Any, distributed).default_client()
    except ValueError:
        return None


def _with_dask(client: Any, job: Job, packed: bytes, tasks: Iterable[Task]) -> Iterator[Receipt]:
    import distributed

    remaining = iter(tasks)
    # Names of this run alone. By their content, the model and the parts would have the names of an
    # earlier run, whose data dask may be removing.
    model = client.scatter(packed, broadcast=True, hash=False)
    run = uuid.uuid4().hex

    def submit(task: Task) -> Any:
        if any(not isinstance(r.source, str) for r in task.recordings):
            raise TypeError(
                f"part {task.part} has recordings that are in memory, expected paths: the workers "
                "of dask read files themselves. Write the recordings into files that they share."
            )
        key = f"skaudio-{job.method}-{run}-{task.part}"
        return client.submit(run_packed, job, model, task, pure=False, key=key)

    n_ahead = AHEAD * max(1, sum(client.nthreads().values()))
    pending = {submit(task) for task in islice(remaining, n_ahead)}
    done = cast(Any, distributed).as_completed(pending)
    try:
        for future in done:
            pending.discard(future)
            yield future.result()
            for task in remaining:
                following = submit(task)
                pending.add(following)
                done.add(following)
                break
    finally:
        client.cancel(list(pending))
