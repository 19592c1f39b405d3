"""Pooling over time: a sequence of frames to one vector, whatever its padding."""

from __future__ import annotations

import torch
from torch import nn

from skaudio.nets._masking import time_mask

POOLINGS = ("mean", "max", "mean_max", "last", "attention")


class TimePooling(nn.Module):
    """Pool frames (n_sequences, n_features, n_frames) over their valid part.

    Parameters
    ----------
    n_features : int
    pooling : {"mean", "max", "mean_max", "last", "attention"}
        "mean_max" sets both side by side; "attention" weights frames by a learned score.
    """

    def __init__(self, n_features: int, pooling: str = "mean"):
        super().__init__()
        if pooling not in POOLINGS:
            raise ValueError(f"pooling={pooling!r}: expected one of {', '.join(POOLINGS)}.")
        self.pooling = pooling
        self.out_features = 2 * n_features if pooling == "mean_max" else n_features
        if pooling == "attention":
            self.score = nn.Sequential(
                nn.Linear(n_features, n_features), nn.Tanh(), nn.Linear(n_features, 1)
            )

    def forward(self, frames: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        mask = time_mask(lengths, frames.shape[-1])[:, None]
        if self.pooling == "last":
            last = (lengths - 1)[:, None, None].expand(-1, frames.shape[1], 1)
            return frames.gather(2, last)[..., 0]
        if self.pooling == "attention":
            scores = self.score(frames.transpose(1, 2)).transpose(1, 2)
            weights = scores.masked_fill(~mask, float("-inf")).softmax(dim=-1)
            return (frames.masked_fill(~mask, 0.0) * weights).sum(-1)
        if self.pooling == "max":
            return _max(frames, mask)
        mean = frames.masked_fill(~mask, 0.0).sum(-1) / lengths[:, None]
        return mean if self.pooling == "mean" else torch.cat([mean, _max(frames, mask)], dim=1)


def _max(frames: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return frames.masked_fill(~mask, float("-inf")).amax(-1)
