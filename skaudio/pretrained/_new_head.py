"""The head of a fine-tuned net, as a part of the pretrained net and of its file of weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from skaudio.pretrained._pretrained_net import Output

# In a file of weights, this tensor says that there is such a head.
MARK = "head.exclusive"


class Head(nn.Linear):
    """A linear layer whose classes exclude each other, or not."""

    exclusive: torch.Tensor

    def __init__(self, n_features: int, n_classes: int):
        super().__init__(n_features, n_classes)
        self.register_buffer("exclusive", torch.tensor(0, dtype=torch.uint8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits, whose sigmoids are the probabilities."""
        logits = super().forward(x)
        # The sigmoid of the log-odds of a class is its softmax.
        others = logits.unsqueeze(1).expand(-1, logits.shape[1], -1)
        own = torch.eye(logits.shape[1], dtype=torch.bool, device=logits.device)
        odds = logits - others.masked_fill(own, float("-inf")).logsumexp(dim=2)
        return torch.where(self.exclusive > 0, odds, logits)


def has_head(tensors: Mapping[str, Any]) -> bool:
    """Whether weights include those of a new head."""
    return MARK in tensors and "head.weight" in tensors


def add_head(net: Any, tensors: Mapping[str, Any]) -> None:
    """Put a head in the place of a net's classes: that of some weights, which are not loaded."""
    n_classes = len(tensors["head.weight"])
    net.head = Head(net.n_features, n_classes)
    net.n_classes = n_classes
    net.frame_duration = None  # it decides by the chunk
    net.register_forward_hook(_score)


def _score(net: Any, inputs: Any, output: Output) -> Output:
    return Output(output.embedding, net.head(output.embedding))


def head_tensors(module: Any, *, exclusive: bool) -> dict[str, torch.Tensor]:
    """Return the tensors of a head, with the standardisation before it folded in."""
    standardize, head = module.standardize, module.head
    weight = head.weight.detach() * standardize.scale
    return {
        "head.weight": weight,
        "head.bias": head.bias.detach() - weight @ standardize.mean,
        MARK: torch.tensor(int(exclusive), dtype=torch.uint8),
    }
