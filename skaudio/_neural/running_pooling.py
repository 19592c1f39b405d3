"""Pooling over time that is updated with each frame, for streams."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from skaudio.nets import StatisticsPooling, TimePooling

# Smallest variance below the square root, as in `TimePooling`.
LEAST_VARIANCE = 1e-10

RUNNING = ("mean", "max", "mean_max", "mean_std", "last", "attention", "attention_stats")


def pools_along(net: Any) -> bool:
    """Whether `RunningPooling` supports a network."""
    pooling = getattr(net, "pooling", None)
    if pooling is None:
        return type(net) is StatisticsPooling
    return type(pooling) is TimePooling and pooling.pooling in RUNNING


class RunningPooling:
    """Apply the end of a network, including its pooling over time, to all frames so far.

    Sums are in float64, so rounding does not increase over hours. Memory use does not grow.

    Parameters
    ----------
    net : torch module that `pools_along`
    """

    def __init__(self, net: Any) -> None:
        self._score: Any = None
        self._net = net
        if type(net) is StatisticsPooling:
            self._kind = "mean_std"
        else:
            self._kind = net.pooling.pooling
            if self._kind.startswith("attention"):
                self._score = net.pooling.score
            # The pooling of the copy is replaced: its next layers get the values that are pooled
            # here.
            self._net = copy.copy(net)
            self._net._modules = {**net._modules, "pooling": Pooled()}
        self._highest: Any = None
        self._mass: Any = 0.0
        self._sums: Any = 0.0
        self._squares: Any = 0.0
        self._loudest: Any = None

    def rows(self, frames: torch.Tensor, method: str) -> torch.Tensor:
        """Return the output of a method of the network for all frames up to each of the next ones.

        Parameters
        ----------
        frames : tensor of shape (1, width, n_frames)
            The next frames, at least one.
        method : {"classify", "embed"}

        Returns
        -------
        rows : tensor of shape (n_frames, n_outputs)
        """
        parts = self._pooled(frames)
        if type(self._net) is StatisticsPooling:
            mean, deviation = parts
            # Two frames with this mean and standard deviation represent all frames.
            sequences = torch.stack([mean - deviation, mean + deviation], dim=-1)
        else:
            sequences = torch.cat(parts, dim=1)[..., None]
        lengths = torch.full((len(sequences),), sequences.shape[-1], device=frames.device)
        out: torch.Tensor = getattr(self._net, method)(sequences, lengths)
        return out

    def _pooled(self, frames: torch.Tensor) -> list[torch.Tensor]:
        """Return the parts of the pooled vectors, each (n_frames, width)."""
        x = frames[0].T
        if self._kind == "last":
            return [x]
        parts = []
        if self._kind != "max":
            mean, deviation = self._moments(frames)
            parts.append(mean)
            if self._kind in ("mean_std", "attention_stats"):
                parts.append(deviation)
        if self._kind in ("max", "mean_max"):
            loudest = x.cummax(dim=0).values
            if self._loudest is not None:
                loudest = torch.maximum(loudest, self._loudest)
            self._loudest = loudest[-1]
            parts.append(loudest)
        return parts

    def _moments(self, frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = frames[0].T.double()
        if self._score is None:
            weights = torch.ones_like(x[:, :1])
        else:
            # Weights are exponentials of scores, relative to the highest score so far.
            scores = self._score(frames.transpose(1, 2))[0].double()
            top = scores.amax(dim=0)
            if self._highest is not None:
                top = torch.maximum(top, self._highest)
                fade = (self._highest - top).exp()
                self._mass, self._sums = self._mass * fade, self._sums * fade
                self._squares = self._squares * fade
            weights, self._highest = (scores - top).exp(), top
        mass = self._mass + weights.cumsum(dim=0)
        sums = self._sums + (x * weights).cumsum(dim=0)
        squares = self._squares + (x.square() * weights).cumsum(dim=0)
        self._mass, self._sums, self._squares = mass[-1], sums[-1], squares[-1]
        mean = sums / mass
        deviation = (squares / mass - mean.square()).clamp(min=LEAST_VARIANCE).sqrt()
        return mean.float(), deviation.float()


class Pooled(nn.Module):
    """Replaces the pooling of frames that are already pooled."""

    def forward(self, frames: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        return frames[..., 0]
