"""Losses on pairs of embeddings."""

from __future__ import annotations

import torch
from torch import nn

HINGES = ("squared", "linear")
DISTANCES = ("euclidean", "cosine")


class ContrastiveLoss(nn.Module):
    """Pull pairs of one class together, push others apart until a margin is between them.

    With the distance d of a pair and the margin m, a pair counts

    ============  =============  =====================
    hinge         same           different
    ============  =============  =====================
    "squared"     d^2 / 2        max(0, m - d)^2 / 2
    "linear"      d              max(0, m - d)
    ============  =============  =====================

    and the loss is the mean over pairs. "squared" is that of Hadsell, Chopra & LeCun 2006,
    "Dimensionality reduction by learning an invariant mapping", whose Y is 1 for *different* pairs;
    here ``same`` is True for pairs of one class.

    Parameters
    ----------
    margin : float, default=1.0
        Distance from which on a pair of different classes costs nothing.
    hinge : {"squared", "linear"}, default="squared"
    distance : {"euclidean", "cosine"}, default="euclidean"
        "cosine" is one minus the cosine.

    Examples
    --------
    >>> import torch
    >>> from skaudio.nets import ContrastiveLoss
    >>> left, right = torch.tensor([[0.0, 0.0]]), torch.tensor([[0.3, 0.4]])
    >>> loss = ContrastiveLoss(hinge="linear")
    >>> loss(left, right, same=torch.tensor([True]))
    tensor(0.5000)
    >>> loss(left, right, same=torch.tensor([False]))
    tensor(0.5000)
    >>> loss(left, left, same=torch.tensor([True])), loss(left, left, same=torch.tensor([False]))
    (tensor(0.), tensor(1.))
    """

    def __init__(self, *, margin: float = 1.0, hinge: str = "squared", distance: str = "euclidean"):
        super().__init__()
        if not margin > 0:
            raise ValueError(f"margin={margin!r}: expected a number above 0.")
        if hinge not in HINGES:
            raise ValueError(f"hinge={hinge!r}: expected one of {', '.join(map(repr, HINGES))}.")
        if distance not in DISTANCES:
            choices = ", ".join(map(repr, DISTANCES))
            raise ValueError(f"distance={distance!r}: expected one of {choices}.")
        self.margin = margin
        self.hinge = hinge
        self.distance = distance

    def forward(self, left: torch.Tensor, right: torch.Tensor, same: torch.Tensor) -> torch.Tensor:
        """Return the mean loss of pairs (n_pairs, n_features); ``same`` is of shape (n_pairs,)."""
        distance = pair_distance(left, right, self.distance)
        apart = (self.margin - distance).clamp(min=0.0)
        loss = torch.where(same.bool(), distance, apart)
        return loss.mean() if self.hinge == "linear" else loss.square().mean() / 2


def pair_distance(
    left: torch.Tensor, right: torch.Tensor, distance: str = "euclidean"
) -> torch.Tensor:
    """Return the distance of each row of one tensor to the same row of the other."""
    if distance == "cosine":
        return 1.0 - nn.functional.cosine_similarity(left, right, dim=-1)
    # Its gradient is 0, not NaN, where both rows are equal.
    lengths: torch.Tensor = torch.linalg.vector_norm(left - right, dim=-1)
    return lengths


class PairLoss(nn.Module):
    """A loss of pairs, for a network that has taken both halves of the pairs as one batch.

    Parameters
    ----------
    loss : ContrastiveLoss
    unit_norm : bool
        Scale embeddings to length 1 first.
    """

    def __init__(self, loss: ContrastiveLoss, *, unit_norm: bool = False):
        super().__init__()
        self.loss = loss
        self.unit_norm = unit_norm

    def forward(self, embeddings: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        """Return the loss of embeddings (2 n_pairs, n_features), all the left halves first.

        ``codes`` (n_pairs, 2) are the classes of both halves.
        """
        if self.unit_norm:
            embeddings = nn.functional.normalize(embeddings, dim=1)
        left, right = embeddings.chunk(2)
        loss: torch.Tensor = self.loss(left, right, codes[:, 0] == codes[:, 1])
        return loss
