"""Pooling of frames to one vector per sequence, at once or in blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import nn

from skaudio.nets._sequence_layers import STEP, time_mask

POOLINGS = ("mean", "max", "mean_max", "mean_std", "last", "attention", "attention_stats")

# Smallest divisor, for blocks whose weights are all zero.
TINY = 1e-30

# Frames as one tensor, or as blocks if sequences are too long for memory.
Frames = torch.Tensor | Iterable[torch.Tensor]


def masked_blocks(
    frames: Frames, lengths: torch.Tensor, step: int | None
) -> Iterator[tuple[torch.Tensor, torch.Tensor, int]]:
    """Yield blocks (n_sequences, n_features, n_frames), their masks and their first frames.

    A tensor is cut into blocks of ``step`` frames, or not cut with None. Masks have the shape
    (n_sequences, 1, n_frames).
    """
    start = 0
    if isinstance(frames, torch.Tensor):
        frames = [frames] if step is None else torch.split(frames, step, dim=-1)
    for block in frames:
        yield block, time_mask(lengths - start, block.shape[-1])[:, None], start
        start += block.shape[-1]


class TimePooling(nn.Module):
    """Pool frames (n_sequences, n_features, n_frames) over time, without the padding.

    In evaluation, frames are summed in steps of fixed length, so that rounding does not depend on
    the padding. The input can also be an iterable of successive blocks of frames.

    Parameters
    ----------
    n_features : int
    pooling : {"mean", "max", "mean_max", "mean_std", "last", "attention", "attention_stats"}
        "mean_max" and "mean_std" concatenate both; the standard deviation is used in x-vectors
        (Snyder et al. 2018). "attention" is the mean of the frames, weighted by a learned score.
        "attention_stats" (Okabe et al. 2018) is this mean and the standard deviation with the same
        weights.

    References
    ----------
    Snyder et al. 2018, "X-vectors: robust DNN embeddings for speaker recognition". Okabe, Koshinaka
    & Shinoda 2018, "Attentive statistics pooling for deep speaker embedding".

    Examples
    --------
    >>> import torch
    >>> from skaudio.nets import TimePooling
    >>> frames = torch.tensor([[[1.0, 3.0, 9.0]]])
    >>> TimePooling(1, "mean_max")(frames, torch.tensor([2])).tolist()  # the third frame is padding
    [[2.0, 3.0]]
    """

    def __init__(self, n_features: int, pooling: str = "mean"):
        super().__init__()
        if pooling not in POOLINGS:
            raise ValueError(f"pooling={pooling!r}: expected one of {', '.join(POOLINGS)}.")
        self.pooling = pooling
        doubled = pooling in ("mean_max", "mean_std", "attention_stats")
        self.out_features = 2 * n_features if doubled else n_features
        if self.attends:
            self.score = nn.Sequential(
                nn.Linear(n_features, n_features), nn.Tanh(), nn.Linear(n_features, 1)
            )

    @property
    def attends(self) -> bool:
        """Whether frames have learned weights, computed for all frames in one matrix product."""
        return self.pooling.startswith("attention")

    def forward(self, frames: Frames, lengths: torch.Tensor) -> torch.Tensor:
        blocks = masked_blocks(frames, lengths, None if self.training or self.attends else STEP)
        if self.attends or self.pooling == "mean_std":
            mean, deviation = self._moments(blocks)
            return mean if self.pooling == "attention" else torch.cat([mean, deviation], dim=1)
        return self._sums(blocks, lengths)

    def _sums(
        self, blocks: Iterable[tuple[torch.Tensor, torch.Tensor, int]], lengths: torch.Tensor
    ) -> torch.Tensor:
        """Return the mean, the maximum, both, or the last frame."""
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

    def _moments(
        self, blocks: Iterable[tuple[torch.Tensor, torch.Tensor, int]]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the mean and standard deviation of frames, weighted by scores if there are any.

        Weights are the softmax of the scores over time. Exponents are relative to the highest score
        so far, so they do not overflow. The moments of blocks are combined as in Chan et al. 1979,
        which avoids the difference of large squares.
        """
        highest: Any = None
        mean: Any = 0.0
        squares: Any = 0.0
        mass: Any = 0.0
        for block, mask, _ in blocks:
            if self.attends:
                scores = self.score(block.transpose(1, 2)).transpose(1, 2)
                scores = scores.to(block.dtype).masked_fill(~mask, float("-inf"))
                top = scores.detach().amax(-1, keepdim=True)
                if highest is not None:
                    top = torch.maximum(top, highest)
                    fade = (highest - top).exp()[..., 0]
                    squares, mass = squares * fade, mass * fade
                weights, highest = (scores - top).exp(), top
            else:
                weights = mask.to(block.dtype)
            own_mass = weights.sum(-1)
            # A block after the end of a sequence has the mass 0, and does not change the result.
            values = block.masked_fill(~mask, 0.0)
            own_mean = (values * weights).sum(-1) / own_mass.clamp(min=TINY)
            own_squares = ((values - own_mean[..., None]).square() * weights).sum(-1)
            both = mass + own_mass
            apart = own_mean - mean
            mean = mean + apart * (own_mass / both)
            squares = squares + own_squares + apart.square() * (mass * own_mass / both)
            mass = both
        # The derivative of the square root is infinite at zero.
        return mean, (squares / mass).clamp(min=1e-10).sqrt()
