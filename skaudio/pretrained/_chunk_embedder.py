"""What all embedders share that run a network over chunks: pooling, frames, their times."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from skaudio._validation import check_length
from skaudio.audio import check_recordings
from skaudio.frames import pack, scale_to_unit
from skaudio.pretrained._chunk_stream import StreamParts
from skaudio.pretrained._chunked_transformer import ChunkedTransformer
from skaudio.pretrained._extraction import POOLS, in_order


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
            With ``pooling=None``, frames: ``(n_recordings, n_features, n_frames)``, or a 1-D
            object array of ``(n_features, n_frames)`` if their numbers differ.
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
        """Return the times of the middles of frames, in seconds; those of ``pooling=None``.

        Parameters
        ----------
        n_frames : int or ndarray of shape (..., n_frames)
            Number of frames, or frames to count.

        Returns
        -------
        times : ndarray of shape (n_frames,)
            Of the middles of chunks. With ``resolution="layer"`` frames begin at 0; a network that
            averages neighbours, rather than skipping some, is up to half a frame later.
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
        """Run a net that is ready, and return (n_chunks, n_features)."""
        raise NotImplementedError

    def _steps(self, net: Any, inputs: torch.Tensor) -> torch.Tensor:
        """Run a net that is ready, and return (n_chunks, n_features, n_frames)."""
        raise NotImplementedError

    def _folds(self) -> bool:
        """Whether normalisation may be folded into the layers before it."""
        return getattr(self, "layer", None) is None

    def _reading(self) -> tuple[Any, float]:
        """Return what to read of the net, and the hop of chunks in frames, 0 for one per chunk."""
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
