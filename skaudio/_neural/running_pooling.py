"""Poolings over time of all that has been seen so far, after each frame."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from skaudio.nets import StatisticsPooling, TimePooling

# Under the root of variances, as in the poolings themselves.
LEAST_VARIANCE = 1e-10

RUNNING = ("mean", "max", "mean_max", "mean_std", "last", "attention", "attention_stats")


def pools_along(net: Any) -> bool:
    """Whether `RunningPooling` takes a network."""
    pooling = getattr(net, "pooling", None)
    if pooling is None:
        return type(net) is StatisticsPooling
    return type(pooling) is TimePooling and pooling.pooling in RUNNING


class RunningPooling:
    """Run the end of a network, its pooling over time included, on all frames so far.

    Sums are in float64: hours of frames round no more than seconds. Memory does not grow.

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
            # The head and what else follows the pooling get what was pooled here.
            self._net = copy.copy(net)
            self._net._modules = {**net._modules, "pooling": Pooled()}
        self._highest: Any = None
        self._mass: Any = 0.0
        self._sums: Any = 0.0
        self._squares: Any = 0.0
        self._loudest: Any = None

    def rows(self, frames: torch.Tensor, method: str) -> torch.Tensor:
        """Return what a method of the network makes of the frames up to each of the next ones.

        Parameters
        ----------
        frames : tensor of shape (1, width, n_frames)
            The next ones, at least one.
        method : {"classify", "embed"}

        Returns
        -------
        rows : tensor of shape (n_frames, n_outputs)
        """
        parts = self._pooled(frames)
        if type(self._net) is StatisticsPooling:
            mean, deviation = parts
            # Two frames with this mean and this deviation stand for all.
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
            # Weights are exponentials of scores, relative to the highest one so far.
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
    """Stands where frames are pooled that have been already."""

    def forward(self, frames: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        return frames[..., 0]
