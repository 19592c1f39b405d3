"""A net for inference: batch normalisation folded, channels last, results independent of batches.

Of the operations of these nets, on the CPU, two round by the number of their rows: a matrix product
(a vector times a matrix is summed in another order), and an exponential (the last few values are
not computed as vectors). Linear layers and sigmoids are therefore computed in blocks of one number
of rows, and each batch by one thread; batches go to several threads.
"""

from __future__ import annotations

import copy
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from skaudio.pretrained._net import PretrainedNet

ROWS = 8

# A net -> what it was made of, and what was made of it. Lives as long as the net.
_made: WeakKeyDictionary[nn.Module, dict[tuple, tuple[Any, PretrainedNet]]] = WeakKeyDictionary()


def inference_net(
    net: PretrainedNet, device: str, dtype: torch.dtype, *, fold: bool = True
) -> PretrainedNet:
    """Return a fast copy of a net with its present weights; the net itself is left alone.

    Made once, and again after the weights have changed.
    """
    made = _made.setdefault(net, {})
    key = (device, dtype, fold)
    state = fingerprint(net)
    if key not in made or made[key][0] != state:
        made[key] = state, _make(net, device, dtype, fold)
    return made[key][1]


def fingerprint(net: nn.Module) -> tuple:
    """Return what differs after any change of the weights: torch counts them."""
    tensors = [*net.parameters(), *net.buffers()]
    return tuple((id(t), t.data_ptr(), t._version) for t in tensors)


def _make(net: PretrainedNet, device: str, dtype: torch.dtype, fold: bool) -> PretrainedNet:
    fast = copy.deepcopy(net).eval().requires_grad_(False)
    for module in list(fast.modules()):
        _rewrite(module, fold)
    if fold:
        fast.fold()
    fast = fast.to(device=device, dtype=dtype)
    return fast.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _rewrite(module: nn.Module, fold: bool) -> None:
    children = list(module.named_children())
    for name, child in children:
        if isinstance(child, (nn.Linear, nn.Sigmoid)):
            setattr(module, name, Steady(child))
        elif isinstance(child, (nn.ReLU, nn.ReLU6, nn.Hardswish)):
            child.inplace = fold  # a hook on a layer must not see what comes after it
    if fold and isinstance(module, nn.Sequential):
        # An average over full windows commutes with the normalisation.
        chain = [(n, c) for n, c in children if not isinstance(c, nn.AvgPool2d)]
        for (name, conv), (after, norm) in zip(chain, chain[1:], strict=False):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(module, name, fuse_conv_bn_eval(conv, norm))
                setattr(module, after, nn.Identity())


class Steady(nn.Module):
    """A module over rows, in blocks of `ROWS`: no row depends on how many there are."""

    def __init__(self, module: nn.Module):
        super().__init__()
        self.module = module

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.device.type != "cpu":
            return self.module(x)
        rows = x.reshape(-1, x.shape[-1])
        padded = functional.pad(rows, (0, 0, 0, -len(rows) % ROWS))
        blocks = [self.module(block) for block in padded.split(ROWS)]
        return torch.cat(blocks)[: len(rows)].reshape(*x.shape[:-1], -1)
