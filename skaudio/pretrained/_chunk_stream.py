"""Pretrained networks on a signal that is still arriving: a chunk as soon as it is complete."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from skaudio._validation import Obstacle, check_streams
from skaudio.audio import ArrivingSamples, SampleStream
from skaudio.pretrained._extraction import Extraction, in_order
from skaudio.pretrained._long_recordings import ChunkCutter


class StreamParts(NamedTuple):
    """What a pretrained transformer reads of its network.

    Attributes
    ----------
    call : callable
        Of the network, see `Extraction`.
    fold : bool
        Whether normalisation may be folded into the layers before it.
    hop : float
        Of chunks in frames; 0 where a chunk is one frame.
    n_features : int
    finish : callable
        Of frames (n, k): returns (n_features, k).
    """

    call: Any
    fold: bool
    hop: float
    n_features: int
    finish: Callable[[np.ndarray], np.ndarray]


class ChunkStreamMixin:
    """`stream`, for pretrained networks."""

    def stream(self: Any, sample_rate: float | None = None) -> ChunkStream:
        """Run the network on a signal that is still arriving, chunk by chunk.

        Parameters
        ----------
        sample_rate : float, default=None
            Rate in Hz of the signal, which is resampled to the network's. None: the network's.

        Returns
        -------
        stream : ChunkStream
            ``push(samples)`` takes the next samples, any number of them, and returns an array
            ``(n_features, k)`` with the frames of the chunks that are complete now, maybe none.
            ``finish()`` returns the rest. Together they are what `transform` returns for the whole
            signal with ``pooling=None``, bit for bit, or up to 1e-5 if it is resampled.

        Raises
        ------
        ValueError
            If the result depends on the whole recording: with ``pooling``,
            ``chunk_duration=None``, or a network that raises quiet recordings to a level ("ge2e").
            The error names all parameters to change.

        Notes
        -----
        Where the last chunk of a recording takes the remainder along (networks that take inputs of
        any length), a chunk is certain half of ``chunk_hop`` after its end. A shorter
        ``chunk_duration`` answers sooner. Memory does not grow.

        Examples
        --------
        >>> import numpy as np
        >>> from skaudio.pretrained import AudioTagger
        >>> tagger = AudioTagger("yamnet", weights="random", pooling=None)
        >>> stream = tagger.stream(sample_rate=16000)
        >>> pieces = [stream.push(np.zeros(8000)) for _ in range(4)]
        >>> [piece.shape for piece in pieces]
        [(521, 0), (521, 1), (521, 1), (521, 1)]
        >>> stream.finish().shape
        (521, 1)
        """
        self._check()
        check_streams(self, self._stream_obstacles())
        self._check_net(self._net())
        return ChunkStream(self, sample_rate)

    def _stream_obstacles(self: Any) -> list[Obstacle]:
        found = []
        if self.pooling is not None:
            reason = "all chunks of the recording"
            found.append(Obstacle("pooling", self.pooling, reason, None))
        if self.chunk_duration is None:
            reason = "the whole recording as one chunk"
            found.append(Obstacle("chunk_duration", None, reason, "auto"))
        if self._net().level is not None:
            params = {**(self.model_params or {}), "level": None}
            reason = "the level of the whole recording"
            found.append(Obstacle("model_params", self.model_params, reason, params))
        return found


class ChunkStream(SampleStream):
    """What a pretrained network makes of a signal that is still arriving."""

    def __init__(self, transformer: Any, sample_rate: float | None) -> None:
        super().__init__(ArrivingSamples(sample_rate, transformer.sample_rate))
        call, fold, self._hop, n_features, self._finish = transformer._stream_parts()
        self._work: Extraction = transformer._extraction(call, fold)
        self._cutter = ChunkCutter(self._work.chunking)
        self._none = np.empty((n_features, 0), np.float32)
        # With frames inside chunks: the last chunk, of which the next one decides how much counts.
        self._last: list[np.ndarray] = []
        self._n_joined = 0

    def _take(self, waveform: np.ndarray, name: str) -> np.ndarray:
        return self._frames(self._run(self._cutter.push(waveform), name), final=False)

    def _end(self, waveform: np.ndarray) -> np.ndarray:
        name = "the end of the stream"
        results = self._run(self._cutter.push(waveform), name)
        results += self._run(self._cutter.finish(), name)
        return self._frames(results, final=True)

    def _run(self, chunks: list[np.ndarray], name: str) -> list[np.ndarray]:
        return self._work.run_chunks(chunks, name) if chunks else []

    def _frames(self, results: list[np.ndarray], final: bool) -> np.ndarray:
        """Return what is certain of the results of the next chunks."""
        if self._hop:
            results = self._joined(results, final)
        if not results:
            return self._none.copy()
        frames = np.concatenate(results, axis=1) if self._hop else in_order(results, 0)
        finished: np.ndarray = self._finish(frames)
        return finished

    def _joined(self, results: list[np.ndarray], final: bool) -> list[np.ndarray]:
        """Return the frames of chunks up to those that the next chunk replaces, as `join` does."""
        chunks = self._last + results
        parts = []
        for chunk in chunks[:-1]:
            start, stop = (round(i * self._hop) for i in (self._n_joined, self._n_joined + 1))
            parts.append(chunk[:, : stop - start])
            self._n_joined += 1
        self._last = chunks[-1:]
        return parts + self._last if final else parts
