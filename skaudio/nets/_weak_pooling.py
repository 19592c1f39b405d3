"""Pooling of frame probabilities to clip probabilities: how weak labels teach frames."""

from __future__ import annotations

import torch
from torch import nn

from skaudio.nets._masking import time_mask

WEAK_POOLINGS = ("mean", "max", "linear_softmax", "exp_softmax", "attention")

# Keeps probabilities, and their logarithms in the loss, off 0 and 1.
EPS = 1e-6


class WeakPooling(nn.Module):
    """Pool the scores of frames to one probability per sequence and class.

    With y_t the probability of a class in frame t, the probability in the sequence is

    ==================  ====================================================================
    ``mean``            sum y_t / T
    ``max``             max y_t
    ``linear_softmax``  sum y_t^2 / sum y_t
    ``exp_softmax``     sum y_t exp(y_t) / sum exp(y_t)
    ``attention``       sum y_t exp(a_t) / sum exp(a_t), a_t a second learned score
    ==================  ====================================================================

    Parameters
    ----------
    pooling : {"mean", "max", "linear_softmax", "exp_softmax", "attention"}
        "attention" takes twice as many scores: those of the classes, then their weights.

    References
    ----------
    Wang, Li & Metze 2019, "A comparison of five multiple instance learning pooling functions for
    sound event detection with weak labeling".
    """

    def __init__(self, pooling: str = "linear_softmax"):
        super().__init__()
        if pooling not in WEAK_POOLINGS:
            raise ValueError(f"pooling={pooling!r}: expected one of {', '.join(WEAK_POOLINGS)}.")
        self.pooling = pooling

    def n_scores(self, n_classes: int) -> int:
        """Return how many scores per frame the pooling takes."""
        return 2 * n_classes if self.pooling == "attention" else n_classes

    def frame_probabilities(self, scores: torch.Tensor) -> torch.Tensor:
        """Return probabilities (n_sequences, n_classes, n_frames) of each frame's scores."""
        if self.pooling == "attention":
            scores = scores[:, : scores.shape[1] // 2]
        return scores.float().sigmoid().clamp(EPS, 1 - EPS)

    def forward(self, scores: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return (n_sequences, n_classes) of scores (n_sequences, n_scores, n_frames)."""
        y = self.frame_probabilities(scores)
        mask = time_mask(lengths, y.shape[-1])[:, None].to(y.dtype)
        if self.pooling == "max":
            return (y * mask).amax(-1)
        if self.pooling == "mean":
            weights = mask.expand_as(y)
        elif self.pooling == "linear_softmax":
            weights = y * mask
        elif self.pooling == "exp_softmax":
            weights = y.exp() * mask
        else:
            beyond = (1 - mask) * -1e9
            weights = (scores[:, y.shape[1] :].float() + beyond).softmax(-1)
        pooled = (y * weights).sum(-1) / weights.sum(-1)
        return pooled.clamp(EPS, 1 - EPS)


class WeakLabelLoss(nn.Module):
    """Binary cross-entropy of pooled probabilities.

    Parameters
    ----------
    weights : tensor of shape (n_classes, 2)
        Of the loss where a class is absent, and where it is present.
    by_class : bool
        A sequence has one class, whose weight counts for the whole sequence.
    """

    weights: torch.Tensor

    def __init__(self, weights: torch.Tensor, *, by_class: bool = False):
        super().__init__()
        self.by_class = by_class
        self.register_buffer("weights", weights)

    def forward(self, probabilities: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        absent, present = self.weights.T
        if self.by_class:
            weights = (targets * present).sum(1, keepdim=True).expand_as(targets)
        else:
            weights = absent + targets * (present - absent)
        return nn.functional.binary_cross_entropy(probabilities, targets, weights)
