"""Streams of pretrained networks: each chunk is processed as soon as it is complete."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from skaudio._validation import Obstacle, check_streams
from skaudio.audio import ArrivingSamples, SampleStream
from skaudio.pretrained._extraction import Extraction, in_order
from skaudio.pretrained._long_recordings import ChunkCutter


class StreamParts(NamedTuple):
    """Functions and numbers with which a stream reads the network of a transformer.

    Attributes
    ----------
    call : callable
        Runs the network; see `Extraction`.
    fold : bool
        Whether batch normalisation can be folded into the layers before it.
    hop : float
        Hop of the chunks in frames, or 0 if each chunk is one frame.
    n_features : int
    finish : callable
        Function from the frames (n, k) of the network to frames (n_features, k).
    """

    call: Any
    fold: bool
    hop: float
    n_features: int
    finish: Callable[[np.ndarray], np.ndarray]


class ChunkStreamMixin:
    """Add `stream` to transformers with pretrained networks."""

    def stream(self: Any, sample_rate: float | None = None) -> ChunkStream:
        """Apply the network to a signal that is still arriving, chunk by chunk.

        Parameters
        ----------
        sample_rate : float, default=None
            Sample rate of the signal in Hz. The signal is resampled to the rate of the network.
            None: the signal has the rate of the network.

        Returns
        -------
        stream : ChunkStream
            ``push(samples)`` takes any number of samples and returns an array ``(n_features, k)``
            with the frames of the chunks that are complete; k may be 0. ``finish()`` returns the
            remaining frames. All frames together are equal to the output of `transform` for the
            whole signal with ``pooling=None``: bit-equal, or up to 1e-5 if the signal is resampled.

        Raises
        ------
        ValueError
            If the result depends on the whole recording: with ``pooling``,
            ``chunk_duration=None``, or a network that raises quiet recordings to a level ("ge2e").
            The error names all parameters to change.

        Notes
        -----
        For networks with inputs of any length, the last chunk may be up to half of ``chunk_hop``
        longer than the others, so the result of a chunk is delayed by this time. A shorter
        ``chunk_duration`` reduces the delay. Memory use does not grow with time.

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
    """Stream of a transformer with a pretrained network."""

    def __init__(self, transformer: Any, sample_rate: float | None) -> None:
        super().__init__(ArrivingSamples(sample_rate, transformer.sample_rate))
        call, fold, self._hop, n_features, self._finish = transformer._stream_parts()
        self._work: Extraction = transformer._extraction(call, fold)
        self._cutter = ChunkCutter(self._work.chunking)
        self._none = np.empty((n_features, 0), np.float32)
        # The last chunk, if chunks have several frames: the next chunk replaces its overlapping
        # frames.
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
        first = self._cutter.n_chunks - len(chunks)
        return self._work.run_chunks(chunks, first, name) if chunks else []

    def _frames(self, results: list[np.ndarray], final: bool) -> np.ndarray:
        """Return the complete frames of the results of the next chunks."""
        if self._hop:
            results = self._joined(results, final)
        if not results:
            return self._none.copy()
        frames = np.concatenate(results, axis=1) if self._hop else in_order(results, 0)
        finished: np.ndarray = self._finish(frames)
        return finished

    def _joined(self, results: list[np.ndarray], final: bool) -> list[np.ndarray]:
        """Return the frames of chunks that the next chunk does not replace, as `join` does."""
        chunks = self._last + results
        parts = []
        for chunk in chunks[:-1]:
            start, stop = (round(i * self._hop) for i in (self._n_joined, self._n_joined + 1))
            parts.append(chunk[:, : stop - start])
            self._n_joined += 1
        self._last = chunks[-1:]
        return parts + self._last if final else parts
