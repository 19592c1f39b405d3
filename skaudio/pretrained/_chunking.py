"""Chunking: how recordings are cut into chunks for a network."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from skaudio.pretrained._pretrained_net import PretrainedNet


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
    margin : int
        Number of samples beyond either end of a chunk that are cut out with it; zeros outside the
        recording.
    coverage : float
        If ``fixed``, smallest share of the last chunk, unless it is the only one, that the
        recording covers.
    """

    length: int | None
    hop: int
    fixed: bool
    minimum: int
    margin: int = 0
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
        around = np.pad(waveform, self.margin) if self.margin else waveform
        bounds = self.bounds(len(waveform))
        return self.padded([around[a : b + 2 * self.margin] for a, b in bounds])

    def padded(self, chunks: list[np.ndarray]) -> list[np.ndarray]:
        """Return chunks, with zeros appended to those that are too short."""
        whole = self.length if self.fixed and self.length is not None else self.minimum
        needed = whole + 2 * self.margin
        return [
            c if len(c) >= needed else np.pad(c, (0, needed - len(c))).astype(np.float32)
            for c in chunks
        ]


def chunking_of(net: PretrainedNet, chunk_duration: Any, chunk_hop: Any) -> Chunking:
    """Check two parameters in seconds and return the chunking that they describe."""
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
    margin = net.front_end.margin
    return Chunking(length, hop, net.fixed, net.min_samples, margin, net.coverage)


def _samples(name: str, value: Any, rate: int, else_: str) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
        raise TypeError(f"{name}={value!r}: expected seconds, {else_}.")
    if not 0 < value < math.inf or round(value * rate) < 1:
        raise ValueError(f"{name}={value!r}: expected a positive number of seconds, or {else_}.")
    return round(value * rate)
