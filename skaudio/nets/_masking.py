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

    For ``x`` of shape (n_sequences, n_channels, ..., n_frames) and a mask that broadcasts to it;
    positions outside the mask come out as zeros.
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
        shape = [1, -1] + [1] * (x.ndim - 2)
        if self.training:
            mean, var = self._statistics(x, mask)
        else:
            mean, var = self.running_mean, self.running_var
        scale = self.weight * torch.rsqrt(var + self.eps)
        shift = self.bias - mean * scale
        out = x * scale.view(shape).to(x.dtype) + shift.view(shape).to(x.dtype)
        return out.masked_fill(~mask, 0.0)

    def _statistics(self, x: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        axes = [axis for axis in range(x.ndim) if axis != 1]
        # The mask broadcasts over channels and features: count what one channel has.
        per_channel = x[:, :1].numel() // mask.numel()
        count = mask.sum().clamp(min=1) * per_channel
        values = x.float().masked_fill(~mask, 0.0)
        mean = values.sum(axes) / count
        var = (values.square().sum(axes) / count - mean.square()).clamp(min=0.0)
        with torch.no_grad():
            self.running_mean.lerp_(mean.detach(), self.momentum)
            unbiased = var.detach() * count / (count - 1).clamp(min=1)
            self.running_var.lerp_(unbiased, self.momentum)
        return mean, var
