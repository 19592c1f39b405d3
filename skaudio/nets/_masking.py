"""Masks: what belongs to a sequence and what only fills up its batch."""

from __future__ import annotations

import torch
from torch import nn


def time_mask(lengths: torch.Tensor, n_frames: int) -> torch.Tensor:
    """Return a boolean mask (n_sequences, n_frames), True inside each sequence."""
    return torch.arange(n_frames, device=lengths.device) < lengths[:, None]


def flip_in_length(x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Reverse each sequence of (n_sequences, n_frames, n_features) inside its own length.

    What lies beyond a sequence's end stays where it is.
    """
    steps = torch.arange(x.shape[1], device=x.device)
    mirrored = lengths[:, None] - 1 - steps
    index = torch.where(mirrored >= 0, mirrored, steps)
    return x.gather(1, index[..., None].expand_as(x))


class MaskedBatchNorm(nn.Module):
    """Batch normalisation (Ioffe & Szegedy 2015) whose statistics see only valid positions.

    For ``x`` of shape (n_sequences, n_channels, n_features, n_frames) that is zero outside the mask
    (n_sequences, 1, 1, n_frames), of zeros and ones; positions outside come out as they may.
    """

    running_mean: torch.Tensor
    running_var: torch.Tensor

    def __init__(self, n_channels: int, *, momentum: float = 0.1, eps: float = 1e-5):
        super().__init__()
        self.momentum = momentum
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(n_channels))
        self.bias = nn.Parameter(torch.zeros(n_channels))
        self.register_buffer("running_mean", torch.zeros(n_channels))
        self.register_buffer("running_var", torch.ones(n_channels))

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        if self.training:
            mean, var = self._statistics(x.float(), mask.sum() * x.shape[2])
        else:
            mean, var = self.running_mean, self.running_var
        scale = self.weight * torch.rsqrt(var + self.eps)
        shift = self.bias - mean * scale
        per_channel = (1, -1, 1, 1)
        return torch.addcmul(
            shift.view(per_channel).to(x.dtype), x, scale.view(per_channel).to(x.dtype)
        )

    def _statistics(
        self, x: torch.Tensor, count: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        mean = x.sum((0, 2, 3)) / count
        var = (x.square().sum((0, 2, 3)) / count - mean.square()).clamp(min=0.0)
        with torch.no_grad():
            self.running_mean.lerp_(mean.detach(), self.momentum)
            unbiased = var.detach() * count / (count - 1).clamp(min=1)
            self.running_var.lerp_(unbiased, self.momentum)
        return mean, var
