"""Running an encoder over many recordings: blocks, threads, workers, progress."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import joblib
import numpy as np
import torch
from threadpoolctl import ThreadpoolController
from tqdm.auto import tqdm

from skaudio.audio import Recording

# Recordings per unit of work: enough to hide the cost of handing it over, few enough that
# workers finish together.
LARGEST_BLOCK = 32
BLOCKS_PER_WORKER = 4


class Analysis(Protocol):
    """What an encoder computes, for one recording or for many together."""

    @property
    def n_features(self) -> int: ...

    @property
    def dtype(self) -> Any: ...

    def check_length(self, n_samples: int, name: str) -> None: ...

    def check_warp(self, warp: float | None, name: str) -> float: ...

    def encode(self, waveform: np.ndarray, warp: float = 1.0) -> np.ndarray: ...

    def encode_batch(
        self, waveforms: Sequence[np.ndarray], warps: Sequence[float], device: str
    ) -> list[torch.Tensor]: ...


@dataclass(frozen=True)
class Job:
    """Everything a worker needs to turn recordings into frames."""

    analysis: Analysis
    sample_rate: float
    offset: float
    duration: float | None
    normalize: str | None
    device: str

    def read(self, recording: Recording) -> np.ndarray:
        waveform, _ = recording.read(
            self.sample_rate,
            offset=self.offset,
            duration=self.duration,
            normalize=self.normalize,
        )
        self.analysis.check_length(len(waveform), recording.name)
        return waveform

    def __call__(self, recordings: Sequence[Recording]) -> list[np.ndarray]:
        warps = [self.analysis.check_warp(r.warp, r.name) for r in recordings]
        if torch.device(self.device).type == "cpu":
            return [
                self.analysis.encode(self.read(recording), warp)
                for recording, warp in zip(recordings, warps, strict=True)
            ]
        waveforms = [self.read(recording) for recording in recordings]
        tensors = self.analysis.encode_batch(waveforms, warps, self.device)
        return [tensor.cpu().numpy() for tensor in tensors]


def encode(
    recordings: Sequence[Recording], job: Job, *, n_jobs: int | None, verbose: int
) -> Iterator[np.ndarray]:
    """Yield the frames of each recording, in order."""
    n_jobs = joblib.effective_n_jobs(n_jobs)
    n_workers = n_jobs if n_jobs > 1 else torch.get_num_threads()
    size = math.ceil(len(recordings) / (BLOCKS_PER_WORKER * n_workers))
    size = min(max(size, 1), LARGEST_BLOCK)
    blocks = [recordings[i : i + size] for i in range(0, len(recordings), size)]
    if n_jobs > 1:
        parallel = joblib.Parallel(n_jobs=n_jobs, return_as="generator")
        results = parallel(joblib.delayed(job)(block) for block in blocks)
    elif n_workers > 1 and len(blocks) > 1:
        results = _in_threads(job, blocks, n_workers)
    else:
        results = map(job, blocks)
    with tqdm(total=len(recordings), disable=not verbose, unit="recording") as bar:
        for block in results:
            for frames in block:
                yield frames
            bar.update(len(block))


def _in_threads(job: Job, blocks: list[Any], n_threads: int) -> Iterator[list[np.ndarray]]:
    """Run blocks in threads of this process, a bounded number ahead of the consumer."""
    with ThreadPoolExecutor(n_threads, initializer=_use_one_torch_thread) as pool:
        pending: deque[Future] = deque()
        try:
            for block in blocks:
                pending.append(pool.submit(job, block))
                if len(pending) > 2 * n_threads:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()


def _use_one_torch_thread() -> None:
    """Let torch run in the calling thread alone; each of our threads is one already.

    OpenMP's thread count belongs to the calling thread. torch sets it at its own first use in a
    thread, which is therefore provoked before.
    """
    torch.get_num_threads()
    _openmp().limit(limits=1)


@cache
def _openmp() -> Any:
    return ThreadpoolController().select(user_api="openmp")
