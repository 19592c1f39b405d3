"""What all estimators share that run a network over chunks of recordings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin

from skaudio._parallel import progress_bar
from skaudio._validation import check_length, check_parameters
from skaudio.audio import Recordings, check_recordings
from skaudio.frames import FrameOutputMixin
from skaudio.pretrained._chunk_stream import ChunkStreamMixin
from skaudio.pretrained._chunking import Chunking, chunking_of
from skaudio.pretrained._extraction import Extraction
from skaudio.pretrained._inference import weights_hash
from skaudio.pretrained._pretrained_net import ChunkNet

# Runs a net on a batch of inputs.
Call = Callable[[Any, torch.Tensor], torch.Tensor]


class ChunkedTransformer(ChunkStreamMixin, FrameOutputMixin, TransformerMixin, BaseEstimator):
    """Recordings, cut into chunks, through a network; nothing is learned from them.

    A subclass says which network: `_load` returns a new one for `fit`, `_net` the present one,
    and `_ready` one that is ready to compute.
    """

    pooling: str | None
    chunk_duration: Any
    chunk_hop: Any
    on_error: str
    batch_size: int | None
    verbose: int

    def fit(self, X: Any, y: Any = None) -> Self:
        """Load the net; nothing is learned from X.

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
        """Return the sha256 of the weights in use, of ``net_`` where there is one.

        Two estimators have the same if and only if all tensors of their nets are the same; it is
        computed anew only when the weights have changed.

        Returns
        -------
        digits : str
        """
        return weights_hash(self._net())

    def chunk_times(self, n_chunks: Any) -> np.ndarray:
        """Return when chunks begin and end, in seconds.

        Parameters
        ----------
        n_chunks : int or ndarray of shape (..., n_chunks)
            Number of chunks, or chunks to count.

        Returns
        -------
        times : ndarray of shape (n_chunks, 2)
            The last chunk of a recording may end sooner or later than stated here, with the
            recording; see the user guide.
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
        """Yield what ``call`` makes of each chunk with the net, and the samples.

        One pair for each recording: a list with an item per chunk, and the number of samples at
        the net's rate. With ``on_error="nan"``, no items for a recording that cannot be read.
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
