"""Run functions in threads or in joblib's workers; numbers of threads; progress bars."""

from __future__ import annotations

import ctypes
import math
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import joblib
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
    remote: Callable[..., Result] | None = None,
) -> Iterator[Result]:
    """Call a function with blocks of a sequence, in joblib's workers or in threads; in order.

    Parameters
    ----------
    function : callable
        Called in this process, with a block, the number of its first item, and ``place``.
    items : sequence
    n_jobs : int or None
        joblib workers. Where these are 1 (None outside of a joblib backend), threads are used; also
        where the calling thread holds a lock, since the workers may be waiting for it.
    threaded : bool
        False for work that takes less time than starting threads.
    initializer : callable, optional
        Called once in each thread.
    place : object, optional
    remote : callable, optional
        Called in place of ``function`` in joblib's workers, which may not share this process's
        memory, with a block alone. It is sent there: small, and hashable, as dask wants it.
    """
    n_jobs = 1 if holds_lock() else joblib.effective_n_jobs(n_jobs)
    n_workers = n_jobs if n_jobs > 1 else n_threads()
    bounds = block_bounds(len(items), n_workers)

    def call(bound: tuple[int, int]) -> Result:
        return function(items[slice(*bound)], bound[0], place)

    if n_jobs > 1:
        # Not every backend returns results one after the other: "multiprocessing" does not.
        in_order = getattr(get_active_backend()[0], "supports_return_generator", False)
        workers = joblib.Parallel(n_jobs=n_jobs, return_as="generator" if in_order else "list")
        yield from workers(
            joblib.delayed(remote or function)(items[slice(*bound)]) for bound in bounds
        )
    elif n_workers == 1 or not threaded:
        yield from map(call, bounds)
    else:
        with one_blas_thread(), ThreadPoolExecutor(n_workers, initializer=initializer) as pool:
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
    """Show no progress."""


class _Limits:
    """The limit on numpy's threads, and how many callers have asked for it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.count = 0
        self.blas: Any = None


_own = threading.local()
_limits = _Limits()


def _after_fork() -> None:
    """Make a forked process safe: a new lock, and one torch thread.

    A fork copies only the thread that calls it. A lock that another thread held would never be
    released, and torch would wait for OpenMP threads that do not exist.
    """
    global _limits
    _limits = _Limits()
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "set_num_threads"):
        torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_after_fork)


@contextmanager
def holding() -> Iterator[None]:
    """Mark the calling thread as holding a lock for which joblib's workers may be waiting.

    It must not wait for them: `map_blocks` uses threads instead.
    """
    _own.depth = getattr(_own, "depth", 0) + 1
    try:
        yield
    finally:
        _own.depth -= 1


def holds_lock() -> bool:
    """Whether this thread must not wait for joblib's workers."""
    return getattr(_own, "depth", 0) > 0


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Let matrix products of numpy run in the calling thread alone.

    The limit applies to the whole process: the first caller sets it, the last one lifts it.
    """
    limits = _limits
    with limits.lock:
        if not limits.count:
            limits.blas = _thread_pools("blas").limit(limits=1)
        limits.count += 1
    try:
        yield
    finally:
        if limits is _limits:  # not in a process forked in between, which counts anew
            with limits.lock:
                limits.count -= 1
                if not limits.count:
                    limits.blas.restore_original_limits()


@contextmanager
def torch_threads(n: int) -> Iterator[None]:
    """Let torch use at most ``n`` threads for what the calling thread does.

    ``torch.set_num_threads`` sets MKL's number of threads for the whole process, and the rounding
    of matrix products depends on it: results of other threads would change. The limits set here
    belong to the calling thread.
    """
    import torch

    before = torch.get_num_threads()  # sets OpenMP's count at torch's first use in a thread
    if n >= before:
        yield
        return
    set_local = _mkl()
    with _thread_pools("openmp").limit(limits=n):
        mkl_before = set_local(n) if set_local else 0
        try:
            yield
        finally:
            if set_local:
                set_local(mkl_before)


def use_one_torch_thread() -> None:
    """Let torch use the calling thread alone; called once in each thread of a pool.

    On small chunks more threads gain nothing. Where other programs are running, they wait for each
    other up to a hundred times longer than the work takes.
    """
    import torch

    torch.get_num_threads()
    _thread_pools("openmp").limit(limits=1)
    set_local = _mkl()
    if set_local:
        set_local(1)


@cache  # finding the libraries takes 5 ms
def _thread_pools(api: str) -> Any:
    return ThreadpoolController().select(user_api=api)


@cache
def _mkl() -> Any:
    """Return MKL's function that sets the calling thread's number of threads, or None.

    threadpoolctl does not find an MKL inside torch's own library. Where torch has another library
    for matrix products, None is returned, and OpenMP's limit is all that is set.
    """
    import torch

    for name in ("libtorch_cpu.so", "libtorch_cpu.dylib", "torch_cpu.dll"):
        path = Path(torch.__file__).parent / "lib" / name
        if path.exists():
            return getattr(ctypes.CDLL(str(path)), "MKL_Set_Num_Threads_Local", None)
    return None


# Multiplications per batch from which on a network uses several torch threads. With fewer, a second
# thread saves a third of the time at most on an idle machine; on a busy one, threads wait for each
# other up to thirty times as long as the work takes: docs/benchmarks.md.
WORTH_THREADS = 1 << 27


def working_threads(module: Any, n_rows: int, n_frames: int) -> AbstractContextManager[Any]:
    """Let torch use one thread for small batches, and its own number of threads for large ones.

    The rule depends on shapes, never on timing, because rounding depends on the number of threads.
    The work of a batch is the number of parameters times its frames; with recurrent layers, which
    take one frame after the other, the number of parameters times its rows.

    Parameters
    ----------
    module : torch module
    n_rows, n_frames : int
        Of a batch.
    """
    from torch import nn

    n_parameters = sum(parameter.numel() for parameter in module.parameters())
    recurs = any(isinstance(part, nn.RNNBase) for part in module.modules())
    work = n_parameters * n_rows * (1 if recurs else n_frames)
    return torch_threads(1 if work < WORTH_THREADS else n_threads())
