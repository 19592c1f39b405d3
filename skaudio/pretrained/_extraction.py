"""Mapping a net over the chunks of many recordings: decode, cut, log-mel, batch, net.

Recordings are decoded and analysed in threads, a bounded number ahead; chunks of one length, of
whichever recordings, make a batch. What is held is some recordings' spectrograms, however many
recordings there are.

On the CPU a result depends on its chunk alone, bit for bit: batches of one length of chunk have one
number of rows, the last one filled up with zeros, since sums are rounded by the shape of a batch.
Each batch is computed by one thread, several batches by several.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from skaudio._parallel import map_ahead, n_threads, one_blas_thread, use_one_torch_thread
from skaudio.audio import (
    READING_ERRORS,
    Recording,
    Recordings,
    check_overflow,
    raise_all,
    warn_of_nan,
)
from skaudio.pretrained._pretrained_net import PretrainedNet

# Chunks, per thread, that are gathered before they are sorted into batches.
GATHERED = 64
# Recordings, per thread, that may be analysed before they are needed.
AHEAD = 4
# Chunks in a batch: as many as have so many frames together, in a power of two.
CPU_FRAMES = 1024
CPU_ROWS = 8
GPU_ROWS = 32
# How what the net makes of a recording's chunks becomes one row.
POOLS: dict[str, Any] = {"mean": np.mean, "max": np.max}


@dataclass(frozen=True)
class Chunking:
    """Where chunks begin and end; all lengths in samples.

    Chunk ``i`` begins at ``i * hop``. Where ``fixed``, each has the same length, and the last one
    ends in zeros. Else the last one ends with the recording: a remainder shorter than half a hop
    is joined to the chunk before it, so no chunk is much shorter or longer than ``length``.

    Attributes
    ----------
    length : int or None
        None takes a recording as one chunk.
    hop : int
    fixed : bool
    minimum : int
        Shorter chunks are followed by zeros.
    """

    length: int | None
    hop: int
    fixed: bool
    minimum: int

    def count(self, n_samples: int) -> int:
        """Return the number of chunks of a recording."""
        if self.length is None or n_samples <= self.length:
            return 1
        beyond = n_samples - self.length
        if self.fixed:
            return min(1 + math.ceil(beyond / self.hop), math.ceil(n_samples / self.hop))
        return 1 + int((beyond + min(self.hop, self.length) / 2) // self.hop)

    def bounds(self, n_samples: int) -> list[tuple[int, int]]:
        """Return where each chunk of a recording begins and ends, maybe past its end."""
        if self.length is None:
            return [(0, n_samples)]
        starts = [i * self.hop for i in range(self.count(n_samples))]
        stops = [start + self.length for start in starts]
        if not self.fixed and self.hop <= self.length:
            stops[-1] = n_samples
        return list(zip(starts, stops, strict=True))

    def cut(self, waveform: np.ndarray) -> list[np.ndarray]:
        """Return the chunks of a waveform."""
        needed = self.length if self.fixed and self.length is not None else self.minimum
        chunks = [waveform[a:b] for a, b in self.bounds(len(waveform))]
        return [
            c if len(c) >= needed else np.pad(c, (0, needed - len(c))).astype(np.float32)
            for c in chunks
        ]


def chunking_of(net: PretrainedNet, chunk_duration: Any, chunk_hop: Any) -> Chunking:
    """Return the chunking that two parameters in seconds ask for, or say what is wrong."""
    name, rate = type(net).__name__, net.front_end.sample_rate
    if net.fixed:
        own = net.chunk_duration
        if chunk_duration != "auto" and chunk_duration != own:
            raise ValueError(
                f"chunk_duration={chunk_duration!r}: {name} takes chunks of {own:g} s only, "
                "expected 'auto'. How they overlap is up to chunk_hop."
            )
        chunk_duration = own
        chunk_hop = net.chunk_hop if chunk_hop == "auto" else chunk_hop
    elif chunk_duration == "auto":
        chunk_duration = net.chunk_duration
        chunk_hop = net.chunk_hop if chunk_hop == "auto" else chunk_hop
    length = None
    if chunk_duration is not None:
        length = _samples("chunk_duration", chunk_duration, rate, "'auto' or None")
    if chunk_hop == "auto":
        hop = 1 if length is None else length
    elif length is None:
        raise ValueError(
            f"chunk_hop={chunk_hop!r} with chunk_duration=None, which takes whole recordings: "
            "expected chunk_hop='auto', or a chunk_duration."
        )
    else:
        hop = _samples("chunk_hop", chunk_hop, rate, "'auto'")
    return Chunking(length, hop, net.fixed, net.min_samples)


def _samples(name: str, value: Any, rate: int, else_: str) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
        raise TypeError(f"{name}={value!r}: expected seconds, {else_}.")
    if not 0 < value < math.inf or round(value * rate) < 1:
        raise ValueError(f"{name}={value!r}: expected a positive number of seconds, or {else_}.")
    return round(value * rate)


@dataclass(frozen=True)
class Extraction:
    """What to compute of recordings.

    Attributes
    ----------
    net : PretrainedNet
        Ready for inference, on its device and in its precision.
    chunking : Chunking
    call : callable
        Runs the net on a batch of spectrograms; returns one tensor with a row per chunk.
    batch_size : int or None
        Chunks per call of the net; None decides by their length.
    on_error : {"raise", "nan"}
    """

    net: PretrainedNet
    chunking: Chunking
    call: Callable[[PretrainedNet, torch.Tensor], torch.Tensor]
    batch_size: int | None = None
    on_error: str = "raise"

    def __call__(self, recordings: Recordings) -> Iterator[tuple[list[np.ndarray], int]]:
        """Yield the results of each recording's chunks and its number of samples, in order.

        With ``on_error="nan"``: no chunks and no samples of one that cannot be read.
        """
        n_done = 0
        reasons: list[str] = []
        try:
            for rows, found in self._run_all(recordings):
                if isinstance(found, str):
                    reasons.append(found)
                yield rows, 0 if isinstance(found, str) else found
                n_done += 1
        except READING_ERRORS as error:
            raise_all(recordings, error, self.analyse, first=n_done)
        if reasons:
            warn_of_nan(reasons, recordings.n_all)

    def _run_all(
        self, recordings: Sequence[Recording]
    ) -> Iterator[tuple[list[np.ndarray], int | str]]:
        workers = n_threads()
        threads = ThreadPoolExecutor(workers, initializer=use_one_torch_thread)
        with one_blas_thread(), threads as pool:
            gathered: list[list[np.ndarray]] = []
            lengths: list[int | str] = []
            analyse = self._try if self.on_error == "nan" else self.analyse
            for spectra, n_samples in map_ahead(pool, analyse, recordings, AHEAD * workers):
                gathered.append(spectra)
                lengths.append(n_samples)
                if sum(map(len, gathered)) >= GATHERED * workers:
                    yield from zip(self._run(pool, gathered), lengths, strict=True)
                    gathered, lengths = [], []
            yield from zip(self._run(pool, gathered), lengths, strict=True)

    def analyse(self, recording: Recording) -> tuple[list[np.ndarray], int]:
        """Return the log-mel spectrograms of a recording's chunks, and its number of samples."""
        front_end = self.net.front_end
        waveform, _ = recording.read(front_end.sample_rate)
        warp_factor = 1.0 if recording.warp_factor is None else recording.warp_factor
        chunks = self.chunking.cut(np.ascontiguousarray(waveform))
        spectra = [front_end.encode(chunk, warp_factor) for chunk in chunks]
        for spectrum in spectra:
            check_overflow(spectrum, waveform, recording.name)
        return spectra, len(waveform)

    def _try(self, recording: Recording) -> tuple[list[np.ndarray], int | str]:
        try:
            return self.analyse(recording)
        except READING_ERRORS as error:
            return [], str(error)

    def _run(self, pool: Executor, gathered: list[list[np.ndarray]]) -> Iterator[list[np.ndarray]]:
        results: list[list[Any]] = [[None] * len(spectra) for spectra in gathered]
        places: dict[int, list[tuple[int, int]]] = {}
        for i, spectra in enumerate(gathered):
            for j, spectrum in enumerate(spectra):
                places.setdefault(spectrum.shape[1], []).append((i, j))
        batches = [
            same[start : start + self._n_rows(n_frames)]
            for n_frames, same in places.items()
            for start in range(0, len(same), self._n_rows(n_frames))
        ]
        inputs = [[gathered[i][j] for i, j in batch] for batch in batches]
        run = pool.map if self._on_cpu else map
        for batch, rows in zip(batches, run(self.infer, inputs), strict=True):
            for (i, j), row in zip(batch, rows, strict=True):
                results[i][j] = row
        yield from results

    @torch.inference_mode()
    def infer(self, spectra: list[np.ndarray]) -> np.ndarray:
        """Return the results of one batch of spectrograms of one length."""
        like = next(self.net.parameters())
        n_frames = spectra[0].shape[1]
        n_rows = self._n_rows(n_frames) if self._on_cpu else len(spectra)
        x = np.zeros((n_rows, *spectra[0].shape), np.float32)
        x[: len(spectra)] = spectra
        rows = self.call(self.net, torch.from_numpy(x).to(device=like.device, dtype=like.dtype))
        return rows[: len(spectra)].float().cpu().numpy()

    def _n_rows(self, n_frames: int) -> int:
        """Return the number of chunks of such a length in a batch."""
        if self.batch_size is not None:
            return self.batch_size
        if not self._on_cpu:
            return GPU_ROWS
        return 1 << int(np.log2(min(max(CPU_FRAMES / n_frames, 1), CPU_ROWS)))

    @property
    def _on_cpu(self) -> bool:
        return next(self.net.parameters()).device.type == "cpu"


def join(chunks: list[np.ndarray], hop: float) -> np.ndarray:
    """Put the frames of chunks one after the other; where two overlap, the later chunk's.

    ``hop`` is that of the chunks, in frames.
    """
    starts = [round(i * hop) for i in range(len(chunks))]
    parts = [c[:, : b - a] for c, a, b in zip(chunks, starts, starts[1:], strict=False)]
    return np.concatenate([*parts, chunks[-1]], axis=1)
