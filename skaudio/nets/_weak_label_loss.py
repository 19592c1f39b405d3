"""Losses of networks that are trained on labels of whole recordings."""

from __future__ import annotations

import torch
from torch import nn


class WeakLabelLoss(nn.Module):
    """Binary cross-entropy of pooled probabilities.

    Parameters
    ----------
    weights : tensor of shape (n_classes, 2)
        Weights of the loss where a class is absent, and where it is present.
    by_class : bool
        Whether each sequence has exactly one class, whose weight applies to the whole sequence.

    Examples
    --------
    >>> import torch
    >>> from skaudio.nets import WeakLabelLoss
    >>> loss = WeakLabelLoss(torch.ones(1, 2))
    >>> round(loss(torch.tensor([[0.5]]), torch.tensor([[1.0]])).item(), 3)
    0.693
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
        return cross_entropy(probabilities, targets, weights)


class MixedLabelLoss(nn.Module):
    """Binary cross-entropy of pooled probabilities, plus that of frames with strong labels.

    The input is the output of a `CRNN` with ``returns_frames``, (n_sequences, n_classes, 1 +
    n_frames), and targets with at most as many frames. Unknown targets are below 0. The second term
    is the mean over frames with known targets.

    Parameters
    ----------
    weights : tensor of shape (n_classes, 2)
        Weights of the loss where a class is absent, and where it is present.

    References
    ----------
    Turpault et al. 2019, "Sound event detection in domestic environments with weakly labeled data
    and soundscape synthesis".

    Examples
    --------
    >>> import torch
    >>> from skaudio.nets import MixedLabelLoss
    >>> loss = MixedLabelLoss(torch.ones(1, 2))
    >>> probabilities = torch.tensor([[[0.5, 0.5, 0.9]]])  # of the recording, then of its frames
    >>> round(loss(probabilities, torch.tensor([[[1.0, -1.0, -1.0]]])).item(), 3)  # no strong label
    0.693
    """

    weights: torch.Tensor

    def __init__(self, weights: torch.Tensor):
        super().__init__()
        self.register_buffer("weights", weights)

    def forward(self, probabilities: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        absent, present = self.weights.T[..., None]
        weights = absent + targets * (present - absent)
        loss = cross_entropy(probabilities[..., 0], targets[..., 0], weights[..., 0])
        known = targets[..., 1:] >= 0
        if known.any():
            frames = probabilities[..., 1 : targets.shape[-1]][known]
            loss = loss + cross_entropy(frames, targets[..., 1:][known], weights[..., 1:][known])
        return loss


def cross_entropy(
    probabilities: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor
) -> torch.Tensor:
    """Return the weighted binary cross-entropy; it is NaN if a probability is NaN."""
    # torch raises an error for NaN, and ends the process on a GPU. NaN is therefore replaced here,
    # and restored in the last term.
    known = probabilities.nan_to_num(0.5)
    loss = nn.functional.binary_cross_entropy(known, targets, weights)
    return loss + 0.0 * probabilities.sum()
