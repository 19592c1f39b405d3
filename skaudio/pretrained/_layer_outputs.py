"""Reading the outputs of layers of a network, one or several in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from skaudio._validation import TEXT, choice, sequence
from skaudio.nets import recording_copy

LAYER = TEXT | sequence("sequence of str", "a list of such names", TEXT, 1) | choice(None)


def layer_names(layer: Any) -> tuple[str, ...]:
    """Return the names in the parameter ``layer``; none for None."""
    if layer is None:
        return ()
    return (layer,) if isinstance(layer, str) else tuple(layer)


def check_layers(module: nn.Module, layer: Any, place: str) -> None:
    """Raise an error for a name that no module of a network has.

    ``place`` is what a user calls the network.
    """
    modules = dict(module.named_modules())
    for name in layer_names(layer):
        if name not in modules:
            top = [name for name, _ in module.named_children()]
            raise ValueError(
                f"layer={name!r}: {type(module).__name__} has no such module. Expected one of "
                f"{place}.named_modules(), which begin with {', '.join(map(repr, top))}."
            )


def outputs_of(net: Any, names: Sequence[str], inputs: torch.Tensor) -> list[torch.Tensor]:
    """Run a network, and return what its modules of these names put out."""
    outputs: dict[str, Any] = {}

    def recorder(name: str) -> Any:
        return lambda output: outputs.update({name: output})

    for name in names:
        net = recording_copy(net, net.get_submodule(name), recorder(name))
    net(inputs)
    for name in names:
        if not isinstance(outputs.get(name), torch.Tensor):
            raise ValueError(
                f"layer={name.removeprefix('core.')!r} puts nothing out: expected a module "
                "through which the net's forward goes, and that returns a tensor."
            )
    return [outputs[name] for name in names]
