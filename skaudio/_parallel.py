"""Parallel work in threads or joblib workers; numbers of threads; progress bars."""

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

# Items per block: many, to hide the cost of sending; few, so that workers finish together.
LARGEST_BLOCK = 32
BLOCKS_PER_WORKER = 8


def n_threads() -> int:
    """Return the number of threads to use.

    It is torch's number of threads if torch is imported, else OMP_NUM_THREADS if it is set, else
    the number of cores that this process may use.
    """
    count = getattr(sys.modules.get("torch"), "get_num_threads", None)
    if count is not None:
        return int(count())
    # A list contains the numbers of nested levels; the first one is the outermost.
    stated = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(stated) if stated.isdecimal() and int(stated) else joblib.cpu_count()


def map_in_threads(function: Callable[[int], Result], n: int, *, threaded: bool) -> list[Result]:
    """Call a function with 0 to n - 1, in threads if ``threaded`` (useful for long calls)."""
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
    """Apply a function to blocks of a sequence, in joblib workers or threads; yield in order.

    Parameters
    ----------
    function : callable
        Function of a block, the number of its first item, and ``place``; called in this process.
    items : sequence
    n_jobs : int or None
        Number of joblib workers. With 1 (None without a joblib backend), threads are used. They are
        also used if the calling thread holds a lock, because workers may wait for it.
    threaded : bool
        Whether to use threads. False for work that takes less time than starting threads.
    initializer : callable, optional
        Called once in each thread.
    place : object, optional
    remote : callable, optional
        Function of a block, called in joblib workers instead of ``function``, as workers may not
        share the memory of this process. It is sent to them: small, and hashable for dask.
    """
    n_jobs = 1 if holds_lock() else joblib.effective_n_jobs(n_jobs)
    n_workers = n_jobs if n_jobs > 1 else n_threads()
    bounds = block_bounds(len(items), n_workers)

    def call(bound: tuple[int, int]) -> Result:
        return function(items[slice(*bound)], bound[0], place)

    if n_jobs > 1:
        # Not every backend can return results one by one: "multiprocessing" cannot.
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
    """Split n items into (start, stop), so that the numbers of blocks per worker are equal."""
    n_blocks = n_workers * max(BLOCKS_PER_WORKER, math.ceil(n / (n_workers * LARGEST_BLOCK)))
    n_blocks = min(n_blocks, n)
    return list(pairwise(n * i // n_blocks for i in range(n_blocks + 1))) if n else []


def map_ahead(
    pool: Executor, function: Callable[[Item], Result], items: Iterable[Item], n_ahead: int
) -> Iterator[Result]:
    """Map in threads of a pool, in order, with at most ``n_ahead`` results not yet consumed."""
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
    """Show a progress bar if ``verbose``; yield a function of the number of steps just done."""
    if not verbose:  # a disabled bar would take as long as encoding a second of audio
        yield no_progress
        return
    from tqdm.auto import tqdm

    with tqdm(total=total, unit=unit) as bar:
        yield bar.update


def no_progress(n: int) -> None:
    """Do nothing: the progress function without a bar."""


class _Limits:
    """The limit of numpy's threads, and the number of callers that have set it."""

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
    """Mark the calling thread as holding a lock for which joblib workers may wait.

    It must not wait for workers, so `map_blocks` uses threads instead.
    """
    _own.depth = getattr(_own, "depth", 0) + 1
    try:
        yield
    finally:
        _own.depth -= 1


def holds_lock() -> bool:
    """Whether this thread must not wait for joblib workers."""
    return getattr(_own, "depth", 0) > 0


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit matrix products of numpy to the calling thread.

    The limit applies to the whole process: the first caller sets it, the last one removes it.
    """
    limits = _limits
    with limits.lock:
        if not limits.count:
            limits.blas = _thread_pools("blas").limit(limits=1)
        limits.count += 1
    try:
        yield
    finally:
        if limits is _limits:  # not in a forked process, which has a new count
            with limits.lock:
                limits.count -= 1
                if not limits.count:
                    limits.blas.restore_original_limits()


@contextmanager
def torch_threads(n: int) -> Iterator[None]:
    """Limit torch to ``n`` threads for the work of the calling thread.

    ``torch.set_num_threads`` sets MKL's number of threads for the whole process. The rounding of
    matrix products depends on it, so results of other threads would change. The limits set here
    apply to the calling thread only.
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
    """Limit torch to the calling thread; called once in each thread of a pool.

    For small chunks, more threads are not faster. If other programs are running, threads wait for
    each other up to a hundred times longer than the work takes.
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
    """Return MKL's function that sets the number of threads of the calling thread, or None.

    threadpoolctl does not find an MKL inside torch's own library. If torch uses another library for
    matrix products, None is returned, and only OpenMP's limit is set.
    """
    import torch

    for name in ("libtorch_cpu.so", "libtorch_cpu.dylib", "torch_cpu.dll"):
        path = Path(torch.__file__).parent / "lib" / name
        if path.exists():
            return getattr(ctypes.CDLL(str(path)), "MKL_Set_Num_Threads_Local", None)
    return None


# Number of multiplications per batch from which a network uses several torch threads. With fewer, a
# second thread saves at most a third of the time on an idle machine. On a busy machine, threads
# wait for each other up to thirty times as long as the work takes (docs/benchmarks.md).
WORTH_THREADS = 1 << 27


def working_threads(module: Any, n_rows: int, n_frames: int) -> AbstractContextManager[Any]:
    """Limit torch to one thread for small batches; use torch's number of threads for large ones.

    The rule depends on shapes and not on timing, because rounding depends on the number of threads.
    The work of a batch is its number of frames (of rows for recurrent layers, which process one
    frame after another) times the number of parameters.

    Parameters
    ----------
    module : torch module
    n_rows, n_frames : int
        Shape of a batch.
    """
    from torch import nn

    n_parameters = sum(parameter.numel() for parameter in module.parameters())
    recurs = any(isinstance(part, nn.RNNBase) for part in module.modules())
    work = n_parameters * n_rows * (1 if recurs else n_frames)
    return torch_threads(1 if work < WORTH_THREADS else n_threads())
