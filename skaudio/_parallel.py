"""Threads of this process: how many, running work in them, and showing progress."""

from __future__ import annotations

import math
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import Any, TypeVar

import joblib
from threadpoolctl import ThreadpoolController

Item = TypeVar("Item")
Result = TypeVar("Result")

BLOCKS_PER_THREAD = 4  # so that threads finish together


def n_threads() -> int:
    """Return how many threads to use: torch's number where torch is loaded.

    Otherwise OMP_NUM_THREADS where it is set, and else the cores this process may use.
    """
    count = getattr(sys.modules.get("torch"), "get_num_threads", None)
    if count is not None:
        return count()
    # A list gives the numbers of nested levels; the outermost counts.
    stated = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(stated) if stated.isdecimal() and int(stated) else joblib.cpu_count()


def map_in_threads(function: Callable[[int], Result], n: int, *, threaded: bool) -> list[Result]:
    """Call a function with 0 to n - 1; in threads if ``threaded``, which pays for long calls."""
    workers = n_threads() if threaded else 1
    if workers == 1 or n == 1:
        return list(map(function, range(n)))
    size = math.ceil(n / (BLOCKS_PER_THREAD * workers))

    def block(start: int) -> list[Result]:
        return list(map(function, range(start, min(start + size, n))))

    with ThreadPoolExecutor(workers) as pool:
        return [item for done in pool.map(block, range(0, n, size)) for item in done]


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
    return _thread_pools(api).limit(limits=1)


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


@cache
def _thread_pools(api: str) -> Any:
    # Finding the libraries takes longer than encoding a short recording.
    return ThreadpoolController().select(user_api=api)
