"""Running an encoder over many recordings: blocks, threads, workers, progress."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Any, Protocol

import joblib
import numpy as np
import torch

from skaudio._parallel import n_threads, no_progress, one_thread, use_one_torch_thread
from skaudio.audio import Recording, check_samples

# Recordings per unit of work: enough to hide the cost of handing it over, few enough that
# workers finish together.
LARGEST_BLOCK = 32
BLOCKS_PER_WORKER = 8
# Samples that are encoded, without resampling, in about a millisecond.
QUICK = 1 << 20


class FrameAnalysis(Protocol):
    """What an encoder computes, for one recording or for many together."""

    @property
    def n_features(self) -> int: ...

    @property
    def dtype(self) -> Any: ...

    @property
    def caution(self) -> str: ...

    @property
    def uses_torch(self) -> bool: ...

    @property
    def finds_nan(self) -> bool: ...

    def check_length(self, n_samples: int, name: str) -> None: ...

    def check_warp(self, warp_factor: float | None, name: str) -> float: ...

    def n_columns(self, n_samples: int) -> int: ...

    def encode_block(
        self,
        waveforms: Sequence[np.ndarray],
        warp_factors: Sequence[float],
        outs: Sequence[np.ndarray | None],
    ) -> tuple[list[np.ndarray], list[int]]: ...

    def encode_batch(
        self, waveforms: Sequence[np.ndarray], warp_factors: Sequence[float], device: str
    ) -> list[torch.Tensor]: ...


# Where to write the frames of recording i, of a given shape; None: anywhere.
Place = Callable[[int, tuple[int, ...]], np.ndarray | None]


@dataclass(frozen=True)
class Job:
    """Everything a worker needs to turn recordings into frames."""

    analysis: FrameAnalysis
    sample_rate: float
    offset: float
    duration: float | None
    normalize: str | None
    resample_quality: str
    device: str

    def read(self, recording: Recording, *, finite: bool) -> np.ndarray:
        waveform, _ = recording.read(
            self.sample_rate,
            offset=self.offset,
            duration=self.duration,
            normalize=self.normalize,
            resample_quality=self.resample_quality,
            finite=finite,
        )
        self.analysis.check_length(len(waveform), recording.name)
        return np.ascontiguousarray(waveform)  # a row or channel may be strided; no copy otherwise

    def __call__(
        self, recordings: Sequence[Recording], first: int = 0, place: Place | None = None
    ) -> list[np.ndarray]:
        """Return the frames of some recordings, the first of which is number ``first``."""
        analysis = self.analysis
        warp_factors = [analysis.check_warp(r.warp_factor, r.name) for r in recordings]
        if torch.device(self.device).type != "cpu":
            waveforms = [self.read(recording, finite=True) for recording in recordings]
            tensors = analysis.encode_batch(waveforms, warp_factors, self.device)
            return [tensor.cpu().numpy() for tensor in tensors]
        n_features = analysis.n_features
        frames: list[np.ndarray] = []
        for waveforms in self._read_some(recordings):
            done = len(frames)
            outs: list[np.ndarray | None] = [None] * len(waveforms)
            if place is not None:
                shapes = [(n_features, analysis.n_columns(len(w))) for w in waveforms]
                outs = [place(i, shape) for i, shape in enumerate(shapes, first + done)]
            found, doubtful = analysis.encode_block(
                waveforms, warp_factors[done : done + len(outs)], outs
            )
            for i in doubtful:
                check_samples(waveforms[i], recordings[done + i].name)
            frames += found
        return frames

    def _read_some(self, recordings: Sequence[Recording]) -> Iterator[list[np.ndarray]]:
        """Yield waveforms: a file's alone, while it is in the cache; others, some at a time."""
        finite = not self.analysis.finds_nan
        waveforms: list[np.ndarray] = []
        n_samples = 0
        for recording in recordings:
            waveforms.append(self.read(recording, finite=finite))
            n_samples += len(waveforms[-1])
            if n_samples > QUICK or not isinstance(recording.source, np.ndarray):
                yield waveforms
                waveforms, n_samples = [], 0
        if waveforms:
            yield waveforms


def encode(
    recordings: Sequence[Recording],
    job: Job,
    *,
    n_jobs: int | None,
    place: Place | None = None,
    progress: Callable[[int], Any] = no_progress,
) -> Iterator[np.ndarray]:
    """Yield the frames of each recording, in order.

    Workers that share our memory write each where ``place`` says; ``progress`` is told how many
    more are done.
    """
    n_jobs = joblib.effective_n_jobs(n_jobs)
    n_workers = n_jobs if n_jobs > 1 else n_threads()
    starts, blocks = _blocks(recordings, n_workers)
    if n_jobs > 1:
        parallel = joblib.Parallel(n_jobs=n_jobs, return_as="generator")
        results = parallel(joblib.delayed(job)(block) for block in blocks)
    elif n_workers > 1 and (job.analysis.uses_torch or not _is_quick(recordings, job)):
        results = _in_threads(job, blocks, starts, place, n_workers)
    else:
        results = (job(block, i, place) for block, i in zip(blocks, starts, strict=True))
    for block in results:
        yield from block
        progress(len(block))


def _blocks(recordings: Sequence[Recording], n_workers: int) -> tuple[list[int], list[Any]]:
    """Cut a sequence so that all workers get the same number of recordings, or one more."""
    n = len(recordings)
    n_blocks = n_workers * max(BLOCKS_PER_WORKER, math.ceil(n / (n_workers * LARGEST_BLOCK)))
    n_blocks = min(n_blocks, n)
    bounds = [n * i // n_blocks for i in range(n_blocks + 1)]
    return bounds[:-1], [recordings[a:b] for a, b in pairwise(bounds)]


def _is_quick(recordings: Sequence[Recording], job: Job) -> bool:
    """Whether the work would be done by the time that threads have started."""
    n_samples = 0
    for recording in recordings:
        if not isinstance(recording.source, np.ndarray):
            return False
        if recording.sample_rate not in (None, job.sample_rate):
            return False
        n_samples += recording.source.size
        if n_samples > QUICK:
            return False
    return True


def _in_threads(
    job: Job, blocks: list[Any], starts: Sequence[int], place: Place | None, n_threads: int
) -> Iterator[list[np.ndarray]]:
    """Run blocks in threads of this process, a bounded number ahead of the consumer.

    The calling thread is one of them, as far as it is not busy with the results: it is there
    already, and would have to be woken for every block otherwise.
    """
    helps = not job.analysis.uses_torch  # it has thread counts that would have to be put back
    prepare = None if helps else use_one_torch_thread
    with one_thread("blas"), ThreadPoolExecutor(n_threads - helps, initializer=prepare) as pool:
        work = zip(blocks, starts, strict=True)
        pending: deque[tuple[Future, Any]] = deque()
        try:
            while True:
                for task in islice(work, 2 * n_threads - len(pending)):
                    pending.append((pool.submit(job, *task, place), task))
                if not pending:
                    return
                if not helps or pending[0][0].done() or not _help(pending, job, place):
                    yield pending.popleft()[0].result()
        finally:
            for future, _ in pending:
                future.cancel()


def _help(pending: deque[tuple[Future, Any]], job: Job, place: Place | None) -> bool:
    """Run the first of the blocks that no thread has begun; say whether there was one."""
    for i, (future, task) in enumerate(pending):
        if future.cancel():
            here: Future = Future()
            pending[i] = (here, task)
            try:
                recordings, first = task
                here.set_result(job(recordings, first, place))
            except Exception as error:  # its turn is when the blocks before are done
                here.set_exception(error)
            return True
    return False
