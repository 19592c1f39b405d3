"""Statistics of each feature over time, and a linear map of them."""

from __future__ import annotations

import torch
from torch import nn

from skaudio.nets._sequence_layers import time_mask


class StatisticsPooling(nn.Module):
    """Mean and deviation over time of each feature, mapped linearly.

    The last layers of an x-vector network (Snyder et al. 2018) without those before. What lasts for
    the whole of a recording, such as a voice, is in these numbers; the order of the frames is not.
    The layer has few weights, so that a handful of classes teach something about others.

    The linear map begins as an orthogonal one. What it returns is divided by the root of
    ``n_features``, so that distances between standardised recordings begin around 1.

    Parameters
    ----------
    n_features, n_outputs : int
    """

    def __init__(self, n_features: int, n_outputs: int):
        super().__init__()
        self.head = nn.Linear(2 * n_features, n_outputs)
        nn.init.orthogonal_(self.head.weight)

    def forward_features(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return means and deviations (n_sequences, 2 n_features)."""
        inside = time_mask(lengths, x.shape[-1])[:, None]
        count = lengths[:, None]
        mean = x.masked_fill(~inside, 0.0).sum(-1) / count
        centred = (x - mean[..., None]).masked_fill(~inside, 0.0)
        # The root of zero has no derivative.
        deviation = (centred.square().sum(-1) / count).clamp(min=1e-10).sqrt()
        return torch.cat([mean, deviation], dim=1)

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return (n_sequences, n_outputs) of frames (n_sequences, n_features, n_frames)."""
        out: torch.Tensor = self.head(self.forward_features(x.float(), lengths)) / x.shape[1] ** 0.5
        return out
