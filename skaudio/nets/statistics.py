"""Statistics of each feature over time, and a linear map of them."""

from __future__ import annotations

import torch
from torch import nn

from skaudio.nets._masking import time_mask


class Statistics(nn.Module):
    """Mean and deviation over time of each feature, mapped linearly.

    The last layers of an x-vector network (Snyder et al. 2018) without those before. What lasts for
    the whole of a recording, such as a voice, is in these numbers; what comes first and what
    after is not. There are so few weights that a handful of classes teach something about others.

    The linear map begins as an orthogonal one, which keeps distances as they are.

    Parameters
    ----------
    n_features, n_classes : int
    """

    def __init__(self, n_features: int, n_classes: int):
        super().__init__()
        self.head = nn.Linear(2 * n_features, n_classes)
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
        """Return (n_sequences, n_classes) of frames (n_sequences, n_features, n_frames)."""
        return self.head(self.forward_features(x.float(), lengths))
