"""Statistics of each feature over time, and a linear map of them."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from skaudio.nets._sequence_layers import time_mask
from skaudio.nets._time_pooling import Frames, masked_blocks


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

    # Nothing is read from neighbouring frames.
    frame_stride = 1
    reach = 0

    def forward_local(
        self, x: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the frames (n_sequences, n_frames, n_features) as they are, and their counts."""
        return x.transpose(1, 2), lengths

    def embed(self, frames: Frames, lengths: torch.Tensor) -> torch.Tensor:
        """Return means and deviations of frames, or of blocks of them."""
        count = lengths[:, None]
        if not isinstance(frames, torch.Tensor):
            sums: Any = 0.0
            squares: Any = 0.0
            for block, mask, _ in masked_blocks(frames, lengths, 1):
                inside = block.double().masked_fill(~mask, 0.0)
                sums, squares = sums + inside.sum(-1), squares + inside.square().sum(-1)
            mean = sums / count
            deviation = (squares / count - mean.square()).clamp(min=1e-10).sqrt()
            return torch.cat([mean, deviation], dim=1).float()
        outside = ~time_mask(lengths, frames.shape[-1])[:, None]
        mean = frames.masked_fill(outside, 0.0).sum(-1) / count
        centred = (frames - mean[..., None]).masked_fill(outside, 0.0)
        # The root of zero has no derivative.
        deviation = (centred.square().sum(-1) / count).clamp(min=1e-10).sqrt()
        return torch.cat([mean, deviation], dim=1)

    def classify(self, frames: Frames, lengths: torch.Tensor) -> torch.Tensor:
        """Return the linear map of means and deviations of frames, or of blocks of them."""
        features = self.embed(frames, lengths)
        out: torch.Tensor = self.head(features) / (features.shape[1] / 2) ** 0.5
        return out

    def forward_features(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return means and deviations (n_sequences, 2 n_features)."""
        return self.embed(x, lengths)

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return (n_sequences, n_outputs) of frames (n_sequences, n_features, n_frames)."""
        return self.classify(x.float(), lengths)
