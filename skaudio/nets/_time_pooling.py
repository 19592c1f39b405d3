"""Frames to one vector per sequence, all at once or block after block."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import nn

from skaudio.nets._sequence_layers import STEP, time_mask

POOLINGS = ("mean", "max", "mean_max", "last", "attention")

# Frames in one tensor, or the blocks of sequences that are too long to be held.
Frames = torch.Tensor | Iterable[torch.Tensor]


def masked_blocks(
    frames: Frames, lengths: torch.Tensor, step: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor, int]]:
    """Yield blocks (n_sequences, n_features, n_frames), their masks, and where they begin.

    A tensor is cut into blocks of ``step`` frames. Masks have the shape (n_sequences, 1, n_frames).
    """
    start = 0
    for block in torch.split(frames, step, dim=-1) if isinstance(frames, torch.Tensor) else frames:
        yield block, time_mask(lengths - start, block.shape[-1])[:, None], start
        start += block.shape[-1]


class TimePooling(nn.Module):
    """Pool frames (n_sequences, n_features, n_frames) over their valid part.

    In evaluation frames are summed in steps, so that rounding does not depend on the padding. In
    place of frames, an iterable of blocks of frames may be given, in their order.

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

    def forward(self, frames: Frames, lengths: torch.Tensor) -> torch.Tensor:
        step = STEP
        if isinstance(frames, torch.Tensor) and (self.training or self.pooling == "attention"):
            step = frames.shape[-1]
        blocks = masked_blocks(frames, lengths, step)
        if self.pooling == "attention":
            return self._attention(blocks)
        total: torch.Tensor | None = None
        loudest: torch.Tensor | None = None
        for block, mask, start in blocks:
            if self.pooling == "last":
                at = (lengths - 1 - start)[:, None, None].clamp(0, block.shape[-1] - 1)
                values = block.gather(2, at.expand(-1, block.shape[1], 1))[..., 0]
                inside = (lengths > start)[:, None]
                total = values if total is None else torch.where(inside, values, total)
                continue
            if self.pooling != "max":
                values = block.masked_fill(~mask, 0.0).sum(-1)
                total = values if total is None else total + values
            if self.pooling != "mean":
                values = block.masked_fill(~mask, float("-inf")).amax(-1)
                loudest = values if loudest is None else torch.maximum(loudest, values)
        if total is not None and self.pooling != "last":
            total = total / lengths[:, None]
        parts = [part for part in (total, loudest) if part is not None]
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)

    def _attention(self, blocks: Iterable[tuple[torch.Tensor, torch.Tensor, int]]) -> torch.Tensor:
        """Return the mean of frames, weighted by the softmax over time of their scores.

        Exponents are relative to the highest score so far: they do not overflow.
        """
        highest: Any = None
        total: Any = None
        weight: Any = None
        for block, mask, _ in blocks:
            scores = self.score(block.transpose(1, 2)).transpose(1, 2)
            scores = scores.masked_fill(~mask, float("-inf"))
            top = scores.detach().amax(-1, keepdim=True)
            if highest is not None:
                top = torch.maximum(top, highest)
            weights = (scores - top).exp()
            values = (block.masked_fill(~mask, 0.0) * weights).sum(-1)
            mass = weights.sum(-1)
            if highest is not None:
                fade = (highest - top).exp()[..., 0]
                values, mass = total * fade + values, weight * fade + mass
            highest, total, weight = top, values, mass
        pooled: torch.Tensor = total / weight
        return pooled
