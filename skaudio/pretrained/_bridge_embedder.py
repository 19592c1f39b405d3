"""What embedders share whose network comes from elsewhere: its output as vectors or frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import nn

from skaudio.pretrained._bridge_net import BridgeNet
from skaudio.pretrained._chunked_transformer import ChunkEmbedder

# A network -> what else the shape depends on -> shape of what it puts out for one chunk.
_shapes: WeakKeyDictionary[nn.Module, dict[Any, tuple[int, ...]]] = WeakKeyDictionary()


class BridgeEmbedder(ChunkEmbedder):
    """Recordings through a network from elsewhere.

    A subclass says what determines its network (`_source`), makes it (`_new_core`), lends one
    that is not to be changed (`_shared_core`), and gives it a front end (`_bridge`).
    """

    def _load(self) -> BridgeNet:
        net = self._bridge(self._new_core())
        net.source = self._source()
        return net

    def _net(self) -> BridgeNet:
        """Return ``net_``, or, before `fit` or after a change of parameters, a shared network."""
        own: BridgeNet | None = getattr(self, "net_", None)
        if own is not None and own.source == self._stored_source():
            return self._bridge(own.core)
        now = self._source()
        return self._bridge(own.core if own and own.source == now else self._shared_core(now))

    def _source(self) -> tuple[Any, ...]:
        raise NotImplementedError

    def _new_core(self) -> nn.Module:
        raise NotImplementedError

    def _shared_core(self, source: tuple[Any, ...]) -> nn.Module:
        raise NotImplementedError

    def _bridge(self, core: nn.Module) -> BridgeNet:
        """Return a network with its front end, cut as the parameters say."""
        raise NotImplementedError

    def _stored_source(self) -> tuple[Any, ...]:
        """Return the parameters that determine the network of a loaded model."""
        raise NotImplementedError

    def _put_net(self, net: Any) -> None:
        """Use a network until one of its parameters is changed."""
        net.source = self._stored_source()
        self.net_ = net

    def _new_net(self, tensors: Mapping[str, Any]) -> BridgeNet:
        """Return a network of these parameters, with arbitrary weights."""
        return self._bridge(self._new_core())

    def _licences(self) -> dict[str, str]:
        return {}

    def _check_net(self, net: Any) -> None:
        super()._check_net(net)
        if self.resolution == "layer":
            self._shape(net)

    def _outputs(self, net: Any, inputs: torch.Tensor) -> list[torch.Tensor]:
        """Return the outputs of a network: features are the second axis, time is the last."""
        raise NotImplementedError

    def _vectors(self, net: Any, inputs: torch.Tensor) -> torch.Tensor:
        return torch.cat([mean_over_time(o) for o in self._outputs(net, inputs)], dim=1)

    def _steps(self, net: Any, inputs: torch.Tensor) -> torch.Tensor:
        outputs = self._outputs(net, inputs)
        if len(outputs) > 1 or outputs[0].ndim < 3:
            found = f"an output of shape {tuple(outputs[0].shape)}"
            found = f"{len(outputs)} outputs" if len(outputs) > 1 else found
            raise ValueError(
                f"resolution='layer': {net.called} gives {found}, expected one output with frames. "
                "resolution='chunk' takes vectors, and averages frames."
            )
        return outputs[0].flatten(1, -2)

    def _n_features(self) -> int:
        return self._shape(self._net())[1]

    def _stride(self, net: BridgeNet) -> float:
        """Return the samples of a chunk for each frame of it."""
        return self._nominal(net) / self._shape(net)[2]

    def _nominal(self, net: BridgeNet) -> int:
        length = self._chunking(net).length or round(net.chunk_duration * net.front_end.sample_rate)
        return max(length, net.min_samples)

    def _shape(self, net: BridgeNet) -> tuple[int, ...]:
        """Return the shape of what is read of the network for one chunk of the usual length."""
        length = self._nominal(net)
        key = length, repr(net.front_end), *map(repr, self._what_is_read())
        call = self._steps if self.resolution == "layer" else self._vectors
        return shape_of(net, key, length, lambda: self._ready(net, fold=False), call)

    def _what_is_read(self) -> tuple[Any, ...]:
        """Return the parameters that say which outputs of the network are read."""
        return (self.resolution,)


def shape_of(
    net: BridgeNet, key: Any, length: int, make_ready: Callable[[], Any], call: Callable[..., Any]
) -> tuple[int, ...]:
    """Return the shape of what ``call`` reads of a network for silence; tried once per ``key``."""
    known = _shapes.setdefault(net.core, {})
    if key not in known:
        ready = make_ready()
        device, dtype = ready.place
        x = torch.from_numpy(net.front_end.encode(np.zeros(length, np.float32)))[np.newaxis]
        with torch.inference_mode():
            known[key] = tuple(call(ready, x.to(device, dtype)).shape)
    return known[key]


def mean_over_time(output: torch.Tensor) -> torch.Tensor:
    """Return (n, n_features) of an output with features second; padding, NaN, does not count."""
    if output.ndim == 2:
        return output
    flat = output.flatten(2)
    return flat.nanmean(dim=2) if flat[0, 0, -1].isnan() or flat.isnan().any() else flat.mean(dim=2)


def checked_output(output: Any, time_axis: int, n_rows: int, called: str) -> torch.Tensor:
    """Return an output with features as its second and time as its last axis."""
    if not isinstance(output, torch.Tensor):
        raise ValueError(
            f"{called} returns a {type(output).__name__}, expected one tensor, (n, n_features) or "
            "with frames. Wrap it in a module that returns the tensor, or name a layer."
        )
    if output.ndim < 2 or len(output) != n_rows:
        raise ValueError(
            f"{called} returns shape {tuple(output.shape)} for {n_rows} chunks, expected "
            f"({n_rows}, n_features), or with frames."
        )
    return output.movedim(time_axis, -1) if output.ndim > 2 else output
