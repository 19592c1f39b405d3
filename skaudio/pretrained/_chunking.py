"""Chunking: how recordings are cut into chunks for a network."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from skaudio.pretrained._pretrained_net import ChunkNet


@dataclass(frozen=True)
class Chunking:
    """Starts and ends of chunks; all lengths are in samples.

    Chunk ``i`` begins at ``i * hop``. With ``fixed``, all chunks have the same length, and the last
    one is padded with zeros. Otherwise the last chunk ends with the recording: a remainder shorter
    than half a hop is added to the chunk before it, so no chunk is much shorter or longer than
    ``length``.

    Attributes
    ----------
    length : int or None
        Length of a chunk. None: the recording is one chunk.
    hop : int
    fixed : bool
    minimum : int
        Shorter chunks are padded with zeros to this length.
    fills : bool
        If ``fixed``, whether the last chunk is padded with zeros; otherwise it is shorter.
    margin : int
        Number of samples beyond either end of a chunk that are cut out with it.
    margin_mode : {"constant", "reflect"}
        What is outside the recording: zeros, or the recording mirrored at its ends.
    coverage : float
        If ``fixed``, smallest share of the last chunk, unless it is the only one, that the
        recording covers.
    """

    length: int | None
    hop: int
    fixed: bool
    minimum: int
    fills: bool = True
    margin: int = 0
    margin_mode: str = "constant"
    coverage: float = 0.0

    def count(self, n_samples: int) -> int:
        """Return the number of chunks of a recording."""
        if self.length is None or n_samples <= self.length:
            return 1
        beyond = n_samples - self.length
        if self.fixed:
            covered = math.floor((n_samples - self.coverage * self.length) / self.hop)
            whole = min(1 + math.ceil(beyond / self.hop), math.ceil(n_samples / self.hop))
            return min(whole, 1 + max(0, covered))
        return 1 + int((beyond + min(self.hop, self.length) / 2) // self.hop)

    def bounds(self, n_samples: int) -> list[tuple[int, int]]:
        """Return the start and end of each chunk; an end can be after that of the recording."""
        if self.length is None:
            return [(0, n_samples)]
        bounds = self.bounds_of(0, self.count(n_samples))
        if self.takes_rest:
            bounds[-1] = bounds[-1][0], n_samples
        return bounds

    def bounds_of(self, first: int, last: int) -> list[tuple[int, int]]:
        """Return the starts and ends of the chunks from number ``first`` to ``last``."""
        length = self.length or 0
        return [(i * self.hop, i * self.hop + length) for i in range(first, last)]

    @property
    def takes_rest(self) -> bool:
        """Whether the last chunk ends with the recording."""
        return not self.fixed and self.length is not None and self.hop <= self.length

    def n_certain(self, n_samples: int) -> int:
        """Return the number of chunks of ``n_samples`` samples that later samples cannot change."""
        if self.length is None or n_samples < self.length + self.margin:
            return 0
        if self.takes_rest:  # except for the last chunk
            return self.count(n_samples) - 1
        return (n_samples - self.length - self.margin) // self.hop + 1

    def cut(self, waveform: np.ndarray) -> list[np.ndarray]:
        """Return the chunks of a waveform."""
        return self.take(waveform, 0, self.bounds(len(waveform)))

    def take(
        self, samples: np.ndarray, first: int, bounds: list[tuple[int, int]]
    ) -> list[np.ndarray]:
        """Return chunks of a recording with their margins.

        Parameters
        ----------
        samples : ndarray
            Part of the recording. Chunks that end after it are taken to end with the recording.
        first : int
            Position of its first sample in the recording.
        bounds : list of (int, int)
            Start and end of each chunk, without margins.
        """
        chunks, margin, end = [], self.margin, first + len(samples)
        mode: Any = self.margin_mode
        for start, stop in bounds:
            chunk = samples[max(start - margin, 0) - first : stop + margin - first]
            chunk = self._padded(chunk, start, min(stop, end) - start)
            if margin:
                beyond = max(min(stop, end) + margin - end, 0)
                chunk = np.pad(chunk, (max(margin - start, 0), beyond), mode)
            chunks.append(chunk)
        return chunks

    def _padded(self, chunk: np.ndarray, start: int, n_samples: int) -> np.ndarray:
        """Return a chunk of so many samples without its margins, padded if it is too short."""
        needed = self.minimum if start == 0 or not self.fixed else 0
        if self.fixed and self.fills and self.length is not None:
            needed = self.length
        if n_samples >= needed:
            return chunk
        return np.pad(chunk, (0, needed - n_samples)).astype(np.float32)


def chunking_of(net: ChunkNet, chunk_duration: Any, chunk_hop: Any) -> Chunking:
    """Check two parameters in seconds and return the chunking that they describe."""
    name, rate = net.called, net.front_end.sample_rate
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
    margin = getattr(net.front_end, "margin", 0)
    mode = getattr(net.front_end, "margin_mode", "constant")
    return Chunking(length, hop, net.fixed, net.min_samples, net.fills, margin, mode, net.coverage)


def _samples(name: str, value: Any, rate: int, else_: str) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
        raise TypeError(f"{name}={value!r}: expected seconds, {else_}.")
    if not 0 < value < math.inf or round(value * rate) < 1:
        raise ValueError(f"{name}={value!r}: expected a positive number of seconds, or {else_}.")
    return round(value * rate)
