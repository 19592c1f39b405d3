"""Base class of the embedder and the tagger: the network, the recordings, the chunks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin

from skaudio._parallel import progress_bar
from skaudio._validation import (
    PATH,
    TEXT,
    Constraint,
    check_length,
    check_parameters,
    choice,
    sequence,
)
from skaudio.audio import Recordings, check_recordings
from skaudio.frames import FrameOutputMixin
from skaudio.pretrained._chunk_stream import ChunkStreamMixin
from skaudio.pretrained._chunking import Chunking, chunking_of
from skaudio.pretrained._extraction import Extraction
from skaudio.pretrained._holds_net import HoldsNet
from skaudio.pretrained._inference import inference_net, weights_hash
from skaudio.pretrained._pretrained_net import PretrainedNet
from skaudio.pretrained._registry import find_model, load_net

# "auto" is float32, because embeddings from different machines are compared with each other.
DTYPES = {"auto": torch.float32, "float32": torch.float32, "bfloat16": torch.bfloat16}

# A function that runs a network on spectrograms.
Call = Callable[[PretrainedNet, torch.Tensor], torch.Tensor]

_PATHS = sequence("sequence of paths", "a list of paths", PATH)
WEIGHTS = Constraint(("path",), (), ("a path",), PATH.is_type) | _PATHS | choice("random", None)
LABELS = sequence("sequence of str", "a list of labels", TEXT)


class PretrainedTransformer(
    HoldsNet, ChunkStreamMixin, FrameOutputMixin, TransformerMixin, BaseEstimator
):
    """Base class of transformers with a pretrained network; nothing is learned from X."""

    model: str
    weights: Any
    pooling: str | None
    chunk_duration: Any
    chunk_hop: Any
    on_error: str
    batch_size: int | None
    precision: str
    device: Any
    model_params: dict[str, Any] | None
    data_home: Any
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
        net = load_net(self.model, self.weights, self.model_params, self.data_home)
        net.weights_source = self._weights_source()
        self._check_net(net)
        self.net_ = net
        return self

    @property
    def sample_rate(self) -> int:
        """Sample rate of the network in Hz; recordings are resampled to it, arrays must have it."""
        return find_model(self.model).net.front_end.sample_rate

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
        chunking = self._chunking(self._net())
        if chunking.length is None:
            raise ValueError("chunk_duration=None: a recording is one chunk, as long as itself.")
        starts = np.arange(check_length("n_chunks", n_chunks))[:, np.newaxis] * chunking.hop
        return (starts + [0, chunking.length]) / self.sample_rate

    def _returns_rows(self) -> bool:
        return self.pooling is not None

    def _cache_facts(self) -> dict[str, str]:
        return {"weights": self.weights_hash()}

    def _check(self) -> None:
        check_parameters(self)

    def _check_net(self, net: PretrainedNet) -> None:
        self._chunking(net)

    def _chunking(self, net: PretrainedNet) -> Chunking:
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
        fast = inference_net(net, self.device, DTYPES[self.precision], fold_batch_norm=fold)
        return Extraction(fast, self._chunking(net), call, self.batch_size, self.on_error)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags
