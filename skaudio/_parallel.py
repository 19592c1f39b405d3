"""Work in threads of this process or in joblib's workers, its progress, and its results."""

from __future__ import annotations

import math
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from itertools import pairwise
from threading import Lock
from typing import Any, TypeVar

import joblib
import numpy as np
from joblib.parallel import get_active_backend
from threadpoolctl import ThreadpoolController

Item = TypeVar("Item")
Result = TypeVar("Result")

# Blocks are long enough to hide the cost of handing them over, and so many that workers finish
# together.
LARGEST_BLOCK = 32
BLOCKS_PER_WORKER = 8


def n_threads() -> int:
    """Return how many threads to use: torch's number where torch is loaded.

    Otherwise OMP_NUM_THREADS where it is set, and else the cores this process may use.
    """
    count = getattr(sys.modules.get("torch"), "get_num_threads", None)
    if count is not None:
        return int(count())
    # A list gives the numbers of nested levels; the outermost counts.
    stated = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(stated) if stated.isdecimal() and int(stated) else joblib.cpu_count()


def map_in_threads(function: Callable[[int], Result], n: int, *, threaded: bool) -> list[Result]:
    """Call a function with 0 to n - 1; in threads if ``threaded``, which pays for long calls."""
    workers = n_threads() if threaded else 1
    if workers == 1 or n <= 1:
        return list(map(function, range(n)))
    with ThreadPoolExecutor(workers) as pool:
        done = pool.map(lambda block: list(map(function, range(*block))), block_bounds(n, workers))
        return [item for block in done for item in block]


def map_blocks(
    function: Callable[..., Result],
    items: Sequence[Any],
    *,
    n_jobs: int | None,
    threaded: bool,
    initializer: Callable[[], Any] | None = None,
    place: Any = None,
) -> Iterator[Result]:
    """Call a function with blocks of a sequence, in joblib's workers or in threads; in order.

    Parameters
    ----------
    function : callable
        In this process it is called with a block, the number of its first item, and ``place``; in
        joblib's workers, which may not share this process's memory, with a block alone.
    items : sequence
    n_jobs : int or None
        joblib workers. Where these are 1 (None outside of a joblib backend), threads are used.
    threaded : bool
        False for work that is done by the time that threads have started.
    initializer : callable, optional
        Called once in each thread.
    place : object, optional
    """
    n_jobs = joblib.effective_n_jobs(n_jobs)
    n_workers = n_jobs if n_jobs > 1 else n_threads()
    bounds = block_bounds(len(items), n_workers)

    def call(bound: tuple[int, int]) -> Result:
        return function(items[slice(*bound)], bound[0], place)

    if n_jobs > 1:
        # Not every backend returns results one after the other: "multiprocessing" does not.
        backend, _ = get_active_backend()
        in_order = getattr(backend, "supports_return_generator", False)
        workers = joblib.Parallel(n_jobs=n_jobs, return_as="generator" if in_order else "list")
        yield from workers(joblib.delayed(function)(items[slice(*bound)]) for bound in bounds)
    elif n_workers == 1 or not threaded:
        yield from map(call, bounds)
    else:
        with one_thread("blas"), ThreadPoolExecutor(n_workers, initializer=initializer) as pool:
            yield from pool.map(call, bounds)


def block_bounds(n: int, n_workers: int) -> list[tuple[int, int]]:
    """Cut n items into (start, stop), so that all workers get the same number, or one more."""
    n_blocks = n_workers * max(BLOCKS_PER_WORKER, math.ceil(n / (n_workers * LARGEST_BLOCK)))
    n_blocks = min(n_blocks, n)
    return list(pairwise(n * i // n_blocks for i in range(n_blocks + 1))) if n else []


def map_ahead(
    pool: Executor, function: Callable[[Item], Result], items: Iterable[Item], n_ahead: int
) -> Iterator[Result]:
    """Map in the threads of a pool, in order, at most ``n_ahead`` results before the consumer."""
    pending: deque[Future[Result]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) >= n_ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        for future in pending:
            future.cancel()


@contextmanager
def progress_bar(
    total: int, verbose: int, unit: str = "recording"
) -> Iterator[Callable[[int], Any]]:
    """Show a bar if ``verbose``; give a function to call with the number of steps just done."""
    if not verbose:  # a hidden bar would still take as long as encoding a second of audio
        yield no_progress
        return
    from tqdm.auto import tqdm

    with tqdm(total=total, unit=unit) as bar:
        yield bar.update


def no_progress(n: int) -> None:
    """Take the number of steps just done, and show nothing."""


def one_thread(api: str) -> AbstractContextManager[Any]:
    """Limit the threads that libraries start by themselves ("blas", "openmp") to one."""
    limit: AbstractContextManager[Any] = _thread_pools(api).limit(limits=1)
    return limit


def use_one_torch_thread() -> None:
    """Let torch run in the calling thread alone; called once in each thread of a pool.

    On small chunks two threads gain nothing, and wait for each other wherever something else is
    running: up to a hundred times longer than the work takes.

    OpenMP's thread count belongs to the calling thread. torch sets it at its own first use in a
    thread, which is therefore provoked before.
    """
    import torch

    torch.get_num_threads()
    one_thread("openmp")


@cache  # finding the libraries takes 5 ms
def _thread_pools(api: str) -> Any:
    return ThreadpoolController().select(user_api=api)


class FrameStack:
    """Gathers n arrays ``(n_features, n_frames)``: 3-D if all shapes agree, else of objects.

    Memory for n arrays of the first shape is reserved at once, and arrays of that shape are written
    there. Reserved memory that is never written takes no space.
    """

    def __init__(self, n: int, dtype: Any = np.float32):
        self._n = n
        self._dtype = dtype
        self._same: np.ndarray | None = None
        self._others: dict[int, np.ndarray] = {}
        self._lock = Lock()

    def place(self, i: int, shape: tuple[int, ...]) -> np.ndarray:
        """Return an array of this shape, to be filled: it becomes array i. Thread-safe."""
        place = self._reserved(i, shape)
        if place is None:
            place = self._others[i] = np.empty(shape, self._dtype)
        return place

    def put(self, i: int, array: np.ndarray) -> None:
        """Store array i: a copy, or the array itself if its shape is not that of the first."""
        if self._same is not None and array.base is self._same:
            return  # written in its place already
        place = self._reserved(i, array.shape)
        if place is None:
            self._others[i] = array
        else:
            place[...] = array
            self._others.pop(i, None)

    def gathered(self) -> np.ndarray:
        """Return all n arrays."""
        if self._same is None:
            return np.empty((0, 0, 0), self._dtype)
        if not self._others:
            return self._same
        return as_object_array([self._others.get(i, same) for i, same in enumerate(self._same)])

    def _reserved(self, i: int, shape: tuple[int, ...]) -> np.ndarray | None:
        with self._lock:
            if self._same is None:
                try:
                    self._same = np.empty((self._n, *shape), self._dtype)
                except MemoryError:  # one long recording among many short ones
                    self._same = np.empty((self._n, 0, 0), self._dtype)
        return self._same[i] if shape == self._same.shape[1:] else None


def as_object_array(items: Sequence[Any]) -> np.ndarray:
    """Return a 1-D object array, whatever shapes the items have."""
    out = np.empty(len(items), dtype=object)
    for i, item in enumerate(items):
        out[i] = item
    return out
