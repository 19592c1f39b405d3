"""The network of a pretrained transformer: from files, or from a saved model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from skaudio.pretrained._new_head import add_head, has_head
from skaudio.pretrained._pretrained_net import PretrainedNet
from skaudio.pretrained._registry import (
    RANDOM,
    build_net,
    find_model,
    shared_net,
    weights_source,
)


class HoldsNet:
    """Find the network of a pretrained transformer: its own, a saved one, or a shared one."""

    model: str
    weights: Any
    model_params: dict[str, Any] | None
    data_home: Any

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

    def _licence(self) -> str:
        """Return the licence of the weights, if it is known."""
        if self.weights is None:
            return find_model(self.model).licence
        random = isinstance(self.weights, str) and self.weights == RANDOM
        return "none: random weights" if random else "not known: the weights were given as a file"
