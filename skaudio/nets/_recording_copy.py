"""Record the output of a layer without changing the network, which other threads may use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn


def recording_copy(module: nn.Module, layer: nn.Module, record: Callable[[Any], object]) -> Any:
    """Return a copy of a module that passes each output of one of its layers to ``record``.

    Only the layer and the modules that contain it are copied. Weights are shared with the original.
    A hook on the original would also record the calls of other threads.
    """
    copies: dict[int, nn.Module] = {}

    def copied(part: nn.Module) -> nn.Module:
        if all(inner is not layer for inner in part.modules()):
            return part
        if id(part) not in copies:
            # A module that is registered in two places is copied once.
            twin = copies[id(part)] = object.__new__(type(part))
            vars(twin).update(vars(part))
            twin._modules = {
                name: child if child is None else copied(child)
                for name, child in part._modules.items()
            }
        return copies[id(part)]

    top = copied(module)
    twin = copies[id(layer)]
    twin._forward_hooks = twin._forward_hooks.copy()

    def hook(module: nn.Module, inputs: Any, output: Any) -> None:
        record(output)

    twin.register_forward_hook(hook)
    return top
