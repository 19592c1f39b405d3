"""Base classes of estimators that apply a network to chunks of recordings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin

from skaudio._parallel import progress_bar
from skaudio._validation import check_length, check_parameters
from skaudio.audio import Recordings, check_recordings
from skaudio.frames import FrameOutputMixin, pack, scale_to_unit
from skaudio.pretrained._chunk_stream import ChunkStreamMixin, StreamParts
from skaudio.pretrained._chunking import Chunking, chunking_of
from skaudio.pretrained._extraction import POOLS, Extraction, in_order
from skaudio.pretrained._inference import weights_hash
from skaudio.pretrained._pretrained_net import ChunkNet

# A function that runs a network on a batch of inputs.
Call = Callable[[Any, torch.Tensor], torch.Tensor]


class ChunkedTransformer(ChunkStreamMixin, FrameOutputMixin, TransformerMixin, BaseEstimator):
    """Base class of transformers that apply a network to chunks; nothing is learned from X.

    A subclass defines the network: `_load` returns a new one for `fit`, `_net` the current one, and
    `_ready` one that is prepared for inference.
    """

    pooling: str | None
    chunk_duration: Any
    chunk_hop: Any
    on_error: str
    batch_size: int | None
    verbose: int

    def fit(self, X: Any, y: Any = None) -> Self:
        """Load the network; nothing is learned from X.

        Parameters
        ----------
        X : sequence of recordings
        y : ignored

        Returns
        -------
        self : estimator
        """
        self._check()
        check_recordings(self, X, reset=True)
        net = self._load()
        self._check_net(net)
        self.net_ = net
        return self

    def weights_hash(self) -> str:
        """Return the sha256 of the weights, after `fit` those of ``net_``.

        Two estimators have the same hash if and only if all tensors of their networks are equal.
        The hash is cached until the weights change.

        Returns
        -------
        digits : str
        """
        return weights_hash(self._net())

    def chunk_times(self, n_chunks: Any) -> np.ndarray:
        """Return the start and end of each chunk in seconds.

        Parameters
        ----------
        n_chunks : int or ndarray of shape (..., n_chunks)
            Number of chunks, or an array of chunks, whose last axis is counted.

        Returns
        -------
        times : ndarray of shape (n_chunks, 2)
            Start and end of each chunk. The last chunk of a recording may end earlier or later than
            stated here, because it ends with the recording; see the user guide.
        """
        net = self._net()
        chunking = self._chunking(net)
        if chunking.length is None:
            raise ValueError("chunk_duration=None: a recording is one chunk, as long as itself.")
        starts = np.arange(check_length("n_chunks", n_chunks))[:, np.newaxis] * chunking.hop
        times: np.ndarray = (starts + [0, chunking.length]) / net.front_end.sample_rate
        return times

    def _load(self) -> ChunkNet:
        raise NotImplementedError

    def _net(self) -> Any:
        raise NotImplementedError

    def _ready(self, net: Any, fold: bool) -> Any:
        raise NotImplementedError

    def _returns_rows(self) -> bool:
        return self.pooling is not None

    def _cache_facts(self) -> dict[str, Any]:
        return {"weights": self.weights_hash()}

    def _check(self) -> None:
        check_parameters(self)

    def _check_net(self, net: Any) -> None:
        self._chunking(net)

    def _chunking(self, net: ChunkNet) -> Chunking:
        return chunking_of(net, self.chunk_duration, self.chunk_hop)

    def _extract(
        self,
        recordings: Recordings,
        call: Call,
        fold: bool = True,
    ) -> Iterator[tuple[list[np.ndarray], int]]:
        """Yield the results of ``call`` for the chunks of recordings, and numbers of samples.

        There is one pair for each recording: a list with an item per chunk, and the number of
        samples at the sample rate of the network. With ``on_error="nan"``, the list of a recording
        that cannot be read is empty.
        """
        work = self._extraction(call, fold)
        with progress_bar(len(recordings), self.verbose) as progress:
            for result in work(recordings):
                yield result
                progress(1)

    def _extraction(self, call: Call, fold: bool) -> Extraction:
        net = self._net()
        ready = self._ready(net, fold)
        return Extraction(ready, self._chunking(net), call, self.batch_size, self.on_error)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


class ChunkEmbedder(ChunkedTransformer):
    """Recordings to the features of a network: a row each, or frames.

    A subclass says what it reads of its network: `_vectors`, one per chunk; `_steps`, the frames
    inside chunks; how long one of these is, and how many features there are.
    """

    resolution: str
    unit_norm: bool

    def transform(self, X: Any) -> Any:
        """Embed recordings.

        Parameters
        ----------
        X : sequence of recordings

        Returns
        -------
        rows : ndarray of shape (n_recordings, n_features), float32
            Features. With ``pooling=None``, frames of shape
            ``(n_recordings, n_features, n_frames)``, or a 1-D object array of arrays
            ``(n_features, n_frames)`` if their lengths differ.
        """
        self._check()
        recordings = check_recordings(self, X, reset=False, finite=False)
        call, hop = self._reading()
        sequences = (
            in_order(chunks, hop) if chunks else self._missing()
            for chunks, _ in self._extract(recordings, call, fold=self._folds())
        )
        if self.pooling is None:
            frames = pack(map(self._scaled, sequences), len(recordings))
            return self._wrap(frames, recordings.index, self.get_feature_names_out)
        pool = POOLS[self.pooling]
        rows = np.stack([self._scaled(pool(s, axis=1)) for s in sequences])
        return self._wrap(rows, recordings.index, self.get_feature_names_out, table=True)

    def frame_times(self, n_frames: Any) -> np.ndarray:
        """Return the times of the centres of frames in seconds, for ``pooling=None``.

        Parameters
        ----------
        n_frames : int or ndarray of shape (..., n_frames)
            Number of frames, or an array of frames, whose last axis is counted.

        Returns
        -------
        times : ndarray of shape (n_frames,)
            Times of the centres of chunks. With ``resolution="layer"``, the first frame is at 0; if
            the network averages neighbouring frames instead of skipping frames, the true times are
            up to half a frame later.
        """
        if self.resolution == "layer":
            net = self._net()
            count = check_length("n_frames", n_frames)
            return np.asarray(np.arange(count) * self._stride(net) / net.front_end.sample_rate)
        times: np.ndarray = self.chunk_times(n_frames).mean(axis=1)
        return times

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the features.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        names : ndarray of str, of shape (n_features,)
        """
        prefix = type(self).__name__.lower()
        return np.array([f"{prefix}{i}" for i in range(self._n_features())], dtype=object)

    def _n_features(self) -> int:
        raise NotImplementedError

    def _stride(self, net: Any) -> float:
        """Return the samples from frame to frame of `_steps`."""
        raise NotImplementedError

    def _vectors(self, net: Any, inputs: torch.Tensor) -> torch.Tensor:
        """Run a network, and return (n_chunks, n_features)."""
        raise NotImplementedError

    def _steps(self, net: Any, inputs: torch.Tensor) -> torch.Tensor:
        """Run a network, and return (n_chunks, n_features, n_frames)."""
        raise NotImplementedError

    def _folds(self) -> bool:
        """Whether normalisation may be folded into the layers before it."""
        return getattr(self, "layer", None) is None

    def _reading(self) -> tuple[Any, float]:
        """Return the function to read the network, and the hop of chunks in frames (0: one)."""
        if self.resolution == "chunk":
            return self._vectors, 0.0
        net = self._net()
        return self._steps, self._chunking(net).hop / self._stride(net)

    def _stream_parts(self) -> StreamParts:
        call, hop = self._reading()
        return StreamParts(call, self._folds(), hop, self._n_features(), self._scaled)

    def _missing(self) -> np.ndarray:
        return np.full((self._n_features(), 1), np.nan, np.float32)

    def _scaled(self, values: np.ndarray) -> np.ndarray:
        return scale_to_unit(values, axis=0) if self.unit_norm else values
