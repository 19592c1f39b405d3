"""A torch module of the user's over chunks of recordings."""

from __future__ import annotations

import contextlib
import copy
import inspect
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import torch
from torch import nn

from skaudio._state import seeded
from skaudio._validation import Constraint
from skaudio.pretrained._bridge_net import BridgeNet
from skaudio.pretrained._inference import once

MODULE = Constraint(
    ("torch.nn.Module", "class"),
    (),
    ("a torch module", "the class of one"),
    lambda value: isinstance(value, nn.Module) or callable(value),
)


class TorchNet(BridgeNet):
    """A torch module over chunks, for one device and precision.

    Parameters
    ----------
    core : Module
    front_end : Waveforms or Encoded
    device : str
    lowered : bool
        Compute matrix products and convolutions in bfloat16, as torch's autocast does.
    """

    def __init__(
        self, core: nn.Module, front_end: Any, device: str = "cpu", lowered: bool = False
    ) -> None:
        super().__init__(core, front_end)
        self.device = device
        self.lowered = lowered
        self.takes_lengths = takes_lengths(core)

    @property
    def place(self) -> tuple[torch.device, torch.dtype]:
        """Where the module computes; its input is float32."""
        return torch.device(self.device), torch.float32

    def forward(self, x: torch.Tensor) -> Any:
        inputs = [x]
        if self.takes_lengths:
            inputs.append(torch.full((len(x),), x.shape[-1], device=x.device))
        kind = torch.device(self.device).type
        lowered: Any = torch.autocast(kind, torch.bfloat16) if self.lowered else None
        try:
            with lowered or contextlib.nullcontext():
                return self.core(*inputs)
        except Exception as error:  # modules raise errors of any kind
            raise ValueError(
                f"{self.called} raised an error for an input of shape {tuple(x.shape)}: "
                f"{str(error).partition(chr(10))[0]:.300} Expected a module that takes "
                "(n, n_samples), or with encoder= (n, n_features, n_frames). Does it take inputs "
                "of one length (fixed=True), or none as short as this (min_duration=)?"
            ) from error


def takes_lengths(module: nn.Module) -> bool:
    """Return whether a module's ``forward`` has ``lengths`` as its second parameter."""
    try:
        names = list(inspect.signature(module.forward).parameters)
    except (TypeError, ValueError):
        return False
    return names[1:2] == ["lengths"]


def ready_module(module: nn.Module, device: str) -> nn.Module:
    """Return a module in evaluation mode on a device: itself where it is, else a copy.

    The copy is made again after a change of the weights.
    """
    training = any(part.training for part in module.modules())
    tensors = [*module.parameters(), *module.buffers()]
    if not training and all(t.device == torch.device(device) for t in tensors):
        return module

    def make() -> nn.Module:
        return copy.deepcopy(module).eval().requires_grad_(False).to(device)

    made: nn.Module = once(module, ("ready", device), make)
    return made


def build_module(module: Any, params: Mapping[str, Any] | None) -> nn.Module:
    """Return the module that a parameter is, or that its class makes: always the same weights."""
    if isinstance(module, nn.Module):
        if params:
            raise ValueError(
                f"module_params={params!r:.100}: module is an instance already, expected None, or "
                f"the class {type(module).__name__} as module."
            )
        return module
    # Building draws random weights: the global generator is left as it was.
    with seeded(0):
        try:
            made = module(**(params or {}))
        except TypeError as error:
            raise TypeError(f"module_params={params!r:.100}: {error}.") from error
    if not isinstance(made, nn.Module):
        raise TypeError(
            f"module={getattr(module, '__name__', module)} makes a {type(made).__name__}, expected "
            "a torch module."
        )
    return made.eval()


@lru_cache(maxsize=2)
def shared_module(module: Any, params: tuple[tuple[str, Any], ...]) -> nn.Module:
    """Return the module that a class makes, one for all; it is not to be changed."""
    return build_module(module, dict(params))
