"""Apply a network to the chunks of many recordings: decode, cut, log-mel, batch, network.

Threads decode recordings and compute their spectrograms, for a bounded number of recordings ahead.
A batch contains chunks of one length, of several recordings. Memory use does not depend on the
number of recordings.

On the CPU, a result depends only on its chunk, bit for bit. The rounding of sums depends on the
shape of a batch, so all batches with one length of chunk have the same number of rows; the last one
is padded with zeros. Each batch is computed by one thread, and several batches in parallel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import count, islice
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
from skaudio.pretrained._chunking import Chunking
from skaudio.pretrained._level import gain_to
from skaudio.pretrained._long_recordings import chunks_of_long, is_long
from skaudio.pretrained._pretrained_net import FILL, ChunkNet

# Number of chunks per thread that are collected before they are sorted into batches: many, since
# recordings differ in length; fewer of one long recording, to which memory is more important.
GATHERED = 64
GATHERED_OF_LONG = 16
# Number of recordings per thread whose spectrograms are computed ahead.
AHEAD = 4
# Number of frames per batch on the CPU; the number of chunks is rounded to a power of two.
CPU_FRAMES = 1024
CPU_ROWS = 8
GPU_ROWS = 32
# Functions that pool the results of the chunks of a recording into one row.
POOLS: dict[str, Any] = {"mean": np.mean, "max": np.max}


@dataclass(frozen=True)
class Extraction:
    """A network and how to apply it to recordings.

    Attributes
    ----------
    net : ChunkNet
        Network for inference, on its device and in its precision.
    chunking : Chunking
    call : callable
        Runs the network on a batch of spectrograms; returns one tensor with a row per chunk. Frames
        at the end of a row that are NaN are left out.
    batch_size : int or None
        Number of chunks per call of the network. None: chosen by their length.
    on_error : {"raise", "nan"}
    """

    net: ChunkNet
    chunking: Chunking
    call: Callable[[ChunkNet, torch.Tensor], torch.Tensor]
    batch_size: int | None = None
    on_error: str = "raise"

    def __call__(self, recordings: Recordings) -> Iterator[tuple[list[np.ndarray], int]]:
        """Yield the results of each recording's chunks and its number of samples, in order.

        With ``on_error="nan"``, a recording that cannot be read has no chunks and no samples.
        """
        n_done = 0
        reasons: list[str] = []
        try:
            for rows, found in self._run_all(recordings):
                if isinstance(found, str):
                    reasons.append(found)
                    yield [], 0
                else:
                    yield rows, found
                n_done += 1
        except READING_ERRORS as error:
            raise_all(recordings, error, self.check, first=n_done)
        if reasons:
            warn_of_nan(reasons, recordings.n_all)

    def _run_all(
        self, recordings: Sequence[Recording]
    ) -> Iterator[tuple[list[np.ndarray], int | str]]:
        workers = n_threads()
        threads = ThreadPoolExecutor(workers, initializer=use_one_torch_thread)
        with one_blas_thread(), threads as pool:
            rows: list[np.ndarray] = []  # results of the parts of one recording so far
            for gathered, found in self._gathered(pool, recordings, workers):
                for some, end in zip(self._run(pool, gathered), found, strict=True):
                    rows += some
                    if end is not None:
                        yield rows, end
                        rows = []
                del gathered, found  # before the next ones are made

    def _gathered(
        self, pool: Executor, recordings: Sequence[Recording], workers: int
    ) -> Iterator[tuple[list[list[np.ndarray]], list[int | str | None]]]:
        """Yield the items of `_parts` in lists that are long enough to fill batches."""
        gathered: list[list[np.ndarray]] = []
        found: list[int | str | None] = []
        n_chunks = 0
        for spectra, end in self._parts(pool, recordings, AHEAD * workers):
            gathered.append(spectra)
            found.append(end)
            n_chunks += len(spectra)
            enough = GATHERED_OF_LONG if end is None else GATHERED
            if n_chunks >= enough * workers:
                yield gathered, found
                gathered, found, n_chunks = [], [], 0
        yield gathered, found

    def _parts(
        self, pool: Executor, recordings: Sequence[Recording], ahead: int
    ) -> Iterator[tuple[list[np.ndarray], int | str | None]]:
        """Yield the spectrograms of recordings, and of long recordings in several parts.

        The second value is None if another part follows. Otherwise it is the number of samples of
        the recording, or the reason why it cannot be read.
        """

        def analyse(recording: Recording) -> tuple[list[np.ndarray], int | str] | Recording:
            if self._is_long(recording):
                return recording  # processed below, one at a time
            return self.analyse(recording)

        found = map_ahead(pool, self._lenient(analyse), recordings, ahead)
        for result in found:
            if not isinstance(result, Recording):
                yield result
                continue
            parts = self._analyse_long(result, pool.map)
            while (part := self._lenient(next)(parts))[1] is None:
                yield part
            yield part

    def _lenient(self, function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """Return a function that returns reading errors as results with ``on_error="nan"``."""

        def call(argument: Any) -> Any:
            try:
                return function(argument)
            except READING_ERRORS as error:
                return [], str(error)

        return call if self.on_error == "nan" else function

    def analyse(self, recording: Recording) -> tuple[list[np.ndarray], int]:
        """Return the log-mel spectrograms of a recording's chunks, and its number of samples."""
        waveform, _ = recording.read(self.net.front_end.sample_rate)
        waveform = np.ascontiguousarray(waveform)
        if self.net.level is not None:
            waveform = waveform * gain_to(self.net.level, [waveform])
        chunks = enumerate(self.chunking.cut(waveform))
        return [self._encode(recording, i, chunk) for i, chunk in chunks], len(waveform)

    def check(self, recording: Recording) -> None:
        """Raise the error of a recording that cannot be analysed."""
        if not self._is_long(recording):
            self.analyse(recording)
            return
        for _ in self._analyse_long(recording, map):
            pass

    def _is_long(self, recording: Recording) -> bool:
        has_chunks = self.chunking.length is not None
        return has_chunks and is_long(recording, self.net.front_end.sample_rate)

    def _analyse_long(
        self, recording: Recording, run: Callable[..., Iterator[np.ndarray]]
    ) -> Iterator[tuple[list[np.ndarray], int | None]]:
        rate = self.net.front_end.sample_rate
        numbers = count()
        encode = partial(self._encode, recording)
        for chunks, n_samples in chunks_of_long(recording, self.chunking, rate, self.net.level):
            yield list(run(encode, list(islice(numbers, len(chunks))), chunks)), n_samples

    def _encode(self, recording: Recording, number: int, chunk: np.ndarray) -> np.ndarray:
        """Return the spectrogram of a chunk; ``number`` is 0 for the first of a recording."""
        warp_factor = 1.0 if recording.warp_factor is None else recording.warp_factor
        spectrum: np.ndarray = self.net.front_end.encode(chunk, warp_factor)
        check_overflow(spectrum, chunk, recording.name)
        missing = self.net.filled_frames - spectrum.shape[-1]
        if number and missing > 0:
            spectrum = np.pad(spectrum, ((0, 0), (0, missing)), constant_values=FILL)
        return spectrum

    def run_chunks(self, chunks: list[np.ndarray], first: int, name: str) -> list[np.ndarray]:
        """Return the results of some chunks (waveforms) of a signal.

        ``first`` is the number of the first of them; ``name`` is for messages.
        """
        signal = Recording(np.empty(0, np.float32), name)
        threads = ThreadPoolExecutor(n_threads(), initializer=use_one_torch_thread)
        with one_blas_thread(), threads as pool:
            encode = partial(self._encode, signal)
            spectra = list(pool.map(encode, range(first, first + len(chunks)), chunks))
            return next(self._run(pool, [spectra]))

    def _run(self, pool: Executor, gathered: list[list[np.ndarray]]) -> Iterator[list[np.ndarray]]:
        results: list[list[Any]] = [[None] * len(spectra) for spectra in gathered]
        places: dict[int, list[tuple[int, int]]] = {}
        for i, spectra in enumerate(gathered):
            for j, spectrum in enumerate(spectra):
                places.setdefault(spectrum.shape[-1], []).append((i, j))
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
    def infer(self, spectra: list[np.ndarray]) -> list[np.ndarray]:
        """Return the results of one batch of spectrograms of one length."""
        device, dtype = self.net.place
        n_frames = spectra[0].shape[-1]
        n_rows = self._n_rows(n_frames) if self._on_cpu else len(spectra)
        x = np.zeros((n_rows, *spectra[0].shape), np.float32)
        x[: len(spectra)] = spectra
        rows = self.call(self.net, torch.from_numpy(x).to(device=device, dtype=dtype))
        return [trimmed(row) for row in rows[: len(spectra)].float().cpu().numpy()]

    def _n_rows(self, n_frames: int) -> int:
        """Return the number of chunks of ``n_frames`` frames in a batch."""
        if self.batch_size is not None:
            return self.batch_size
        if not self._on_cpu:
            return GPU_ROWS
        if self.net.one_by_one:
            return 1
        return 1 << int(np.log2(min(max(CPU_FRAMES / n_frames, 1), CPU_ROWS)))

    @property
    def _on_cpu(self) -> bool:
        return self.net.place[0].type == "cpu"


def trimmed(row: np.ndarray) -> np.ndarray:
    """Return the result of a chunk without its last frames that are NaN: those of padding."""
    if row.ndim != 2 or not np.isnan(row[0, -1]):
        return row
    return row[:, : max(int(np.isfinite(row[0]).sum()), 1)]


def in_order(chunks: list[np.ndarray], hop: float) -> np.ndarray:
    """Return the results of chunks as frames: one frame each, or, with ``hop`` > 0, see `join`."""
    return join(chunks, hop) if hop else np.stack(chunks, axis=1)


def join(chunks: list[np.ndarray], hop: float) -> np.ndarray:
    """Concatenate the frames of chunks; where two chunks overlap, use the later one.

    ``hop`` is the hop of the chunks in frames.
    """
    starts = [round(i * hop) for i in range(len(chunks))]
    parts = [c[:, : b - a] for c, a, b in zip(chunks, starts, starts[1:], strict=False)]
    return np.concatenate([*parts, chunks[-1]], axis=1)
