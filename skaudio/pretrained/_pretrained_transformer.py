"""Base class of the embedder and the tagger: a network of the registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from skaudio._validation import PATH, TEXT, Constraint, choice, sequence
from skaudio.pretrained._chunked_transformer import ChunkedTransformer
from skaudio.pretrained._inference import inference_net
from skaudio.pretrained._new_head import add_head, has_head
from skaudio.pretrained._pretrained_net import PretrainedNet
from skaudio.pretrained._registry import (
    RANDOM,
    build_net,
    find_model,
    load_net,
    shared_net,
    weights_source,
)

# "auto" is float32, because embeddings from different machines are compared with each other.
DTYPES = {"auto": torch.float32, "float32": torch.float32, "bfloat16": torch.bfloat16}

_PATHS = sequence("sequence of paths", "a list of paths", PATH)
WEIGHTS = Constraint(("path",), (), ("a path",), PATH.is_type) | _PATHS | choice("random", None)
LABELS = sequence("sequence of str", "a list of labels", TEXT)


class PretrainedTransformer(ChunkedTransformer):
    """Base class of transformers with a pretrained network: its own, a saved, or a shared one."""

    precision: str
    device: Any
    model: str
    weights: Any
    model_params: dict[str, Any] | None
    data_home: Any

    @property
    def sample_rate(self) -> int:
        """Sample rate of the network in Hz; recordings are resampled to it, arrays must have it."""
        return find_model(self.model).net.front_end.sample_rate

    def _load(self) -> PretrainedNet:
        net = load_net(self.model, self.weights, self.model_params, self.data_home)
        net.weights_source = self._weights_source()
        return net

    def _ready(self, net: PretrainedNet, fold: bool) -> PretrainedNet:
        return inference_net(net, self.device, DTYPES[self.precision], fold_batch_norm=fold)

    def _net(self) -> PretrainedNet:
        """Return ``net_``, or, before `fit` or after a change of parameters, a shared network."""
        if stored := self._stored_net():
            return stored
        now = self._weights_source()
        own = getattr(self, "net_", None)
        return own if own is not None and own.weights_source == now else shared_net(*now)

    def _weights_source(self) -> tuple[Any, ...]:
        return weights_source(self.model, self.weights, self.model_params, self.data_home)

    def _new_net(self, tensors: Mapping[str, Any]) -> nn.Module:
        """Return a network of this model for these tensors, with arbitrary weights."""
        net = build_net(self.model, self.model_params)
        if has_head(tensors):
            add_head(net, tensors)
        return net

    def _put_net(self, net: Any) -> None:
        """Use a network until one of its parameters is changed."""
        net.weights_source = self._stored_source()
        self.net_ = net

    def _stored_net(self) -> PretrainedNet | None:
        """Return the network given to `_put_net`, unless parameters have changed since."""
        net: PretrainedNet | None = getattr(self, "net_", None)
        return net if net is not None and net.weights_source == self._stored_source() else None

    def _stored_source(self) -> tuple[Any, ...]:
        return "stored", self.model, self.model_params, self.weights

    def _licences(self) -> dict[str, str]:
        """Return the licence of the weights by the name of the model, as far as it is known."""
        if self.weights is None:
            return {self.model: find_model(self.model).licence}
        random = isinstance(self.weights, str) and self.weights == RANDOM
        known = "none: random weights" if random else "not known: the weights were given as a file"
        return {self.model: known}
