"""Standardisation of features: per recording, and by statistics of the training data."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from skaudio.nets._masking import time_mask

# How much more a frame counts that is one standard deviation louder, as a natural logarithm.
LOUDNESS_WEIGHT = 1.25


def recording_mean(x: torch.Tensor, mask: torch.Tensor, inverse_temperature: float) -> torch.Tensor:
    """Return each recording's mean over time, its loud frames weighing most.

    A frame's level is the mean of its features, which for logarithmic spectra and cepstra follows
    loudness; weights are the softmax over time of ``inverse_temperature`` times the level. The
    silence around a sound hardly moves this mean; the plain mean depends on how closely the sound
    was trimmed.

    Parameters
    ----------
    x : tensor of shape (n_sequences, n_features, n_frames)
    mask : boolean tensor of shape (n_sequences, n_frames)
        Which frames count.
    inverse_temperature : float
        0 gives the plain mean.

    Returns
    -------
    mean : tensor of shape (n_sequences, n_features, 1)
    """
    level = (inverse_temperature * x.mean(1)).masked_fill(~mask, float("-inf"))
    weights = level.softmax(-1)[:, None]
    return (x.masked_fill(~mask[:, None], 0.0) * weights).sum(-1, keepdim=True)


class Standardize(nn.Module):
    """Centre and scale frames (n_sequences, n_features, n_frames); padding comes out as zeros.

    Parameters
    ----------
    mean, std : tensor of shape (n_features,)
        Statistics of the training data, after the per-recording step where there is one.
    inverse_temperature : float or None
        First take each recording's own mean over time away (cepstral mean normalisation, with
        the weights of `recording_mean`): what a microphone, a room or a voice adds to every
        frame is gone. None does not.
    """

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(
        self, mean: torch.Tensor, std: torch.Tensor, *, inverse_temperature: float | None = None
    ):
        super().__init__()
        self.inverse_temperature = inverse_temperature
        self.register_buffer("mean", mean)
        self.register_buffer("scale", 1.0 / torch.where(std > 1e-6, std, torch.ones_like(std)))

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        mask = time_mask(lengths, x.shape[-1])
        if self.inverse_temperature is not None:
            x = x - recording_mean(x, mask, self.inverse_temperature)
        x = (x - self.mean[:, None]) * self.scale[:, None]
        return x.masked_fill(~mask[:, None], 0.0)


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
