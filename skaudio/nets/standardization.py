"""Standardisation of features: per recording, and by statistics of the training data."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from skaudio.nets._masking import time_mask


class Standardize(nn.Module):
    """Centre and scale frames (n_sequences, n_features, n_frames); padding comes out as zeros.

    Parameters
    ----------
    mean, std : tensor of shape (n_features,)
        Statistics of the training data, after the per-recording step where there is one.
    per_recording : bool
        First take each recording's own mean over time away (cepstral mean normalisation):
        what a microphone, a room or a voice adds to every frame is gone.
    """

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(self, mean: torch.Tensor, std: torch.Tensor, *, per_recording: bool):
        super().__init__()
        self.per_recording = per_recording
        self.register_buffer("mean", mean)
        self.register_buffer("scale", 1.0 / torch.where(std > 1e-6, std, torch.ones_like(std)))

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        mask = time_mask(lengths, x.shape[-1])[:, None]
        if self.per_recording:
            own = x.masked_fill(~mask, 0.0).sum(-1, keepdim=True) / lengths[:, None, None]
            x = x - own
        x = (x - self.mean[:, None]) * self.scale[:, None]
        return x.masked_fill(~mask, 0.0)


class StandardizedNet(nn.Module):
    """A network behind the standardisation of its input.

    ``reduced`` runs the network, not the standardisation, in bfloat16 while training.
    """

    net: Any

    def __init__(self, standardize: Standardize, net: nn.Module, *, reduced: bool = False):
        super().__init__()
        self.standardize = standardize
        self.net = net
        self.reduced = reduced

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        x = self.standardize(x, lengths)
        if self.reduced and self.training:
            with torch.autocast(x.device.type, torch.bfloat16):
                return self.net(x, lengths).float()
        return self.net(x, lengths)

    def forward_frames(
        self, x: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return self.net.forward_frames(self.standardize(x, lengths), lengths)

    def forward_features(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        return self.net.forward_features(self.standardize(x, lengths), lengths)
