"""Losses of embeddings: of pairs, and of batches with classes."""

from __future__ import annotations

import math

import torch
from torch import nn

# Used instead of minus infinity before a softmax.
FAR_BELOW = -1e9

HINGES = ("squared", "linear")
DISTANCES = ("euclidean", "cosine")


class ContrastiveLoss(nn.Module):
    """Contrastive loss: small distances for pairs of one class, a margin for pairs of two.

    With the distance d of a pair and the margin m, the loss of a pair is

    ============  =============  =====================
    hinge         same           different
    ============  =============  =====================
    "squared"     d^2 / 2        max(0, m - d)^2 / 2
    "linear"      d              max(0, m - d)
    ============  =============  =====================

    and the total loss is the mean over pairs. "squared" is the loss of Hadsell, Chopra & LeCun
    2006, "Dimensionality reduction by learning an invariant mapping". Their Y is 1 for pairs of
    different classes; here, ``same`` is True for pairs of one class.

    Parameters
    ----------
    margin : float, default=1.0
        Distance from which the loss of a pair of different classes is 0.
    hinge : {"squared", "linear"}, default="squared"
        Row of the table above.
    distance : {"euclidean", "cosine"}, default="euclidean"
        Distance of embeddings. "cosine" is one minus the cosine of the angle.

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
    """Return the distance between corresponding rows of two tensors."""
    if distance == "cosine":
        return 1.0 - nn.functional.cosine_similarity(left, right, dim=-1)
    # The gradient of vector_norm is 0, not NaN, if both rows are equal.
    lengths: torch.Tensor = torch.linalg.vector_norm(left - right, dim=-1)
    return lengths


class AllPairsLoss(nn.Module):
    """Contrastive loss over all pairs of a batch, with equal weight for both kinds of pairs.

    The loss is the mean of two values: the mean loss of the pairs of one class, and that of the
    pairs of two classes. Batches must contain several recordings of each of several classes. A
    batch of n recordings has n (n - 1) / 2 pairs, much more than the n / 2 pairs of
    `ContrastiveLoss`.

    Parameters
    ----------
    loss : ContrastiveLoss
        Loss of a pair.
    unit_norm : bool, default=False
        Whether to scale embeddings to length 1 first.

    Examples
    --------
    >>> import torch
    >>> from skaudio.nets import AllPairsLoss, ContrastiveLoss
    >>> embeddings = torch.tensor([[0.0, 0.0], [0.0, 0.6], [0.3, 0.4]])
    >>> AllPairsLoss(ContrastiveLoss(hinge="linear"))(embeddings, torch.tensor([0, 0, 1]))
    tensor(0.5849)
    """

    def __init__(self, loss: ContrastiveLoss, *, unit_norm: bool = False):
        super().__init__()
        self.loss = loss
        self.unit_norm = unit_norm

    def forward(self, embeddings: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        """Return the loss of embeddings (n_recordings, n_features) of classes (n_recordings,)."""
        if self.unit_norm:
            embeddings = nn.functional.normalize(embeddings, dim=1)
        i, j = torch.triu_indices(len(codes), len(codes), 1, device=codes.device)
        same = codes[i] == codes[j]
        total = embeddings.sum() * 0.0  # 0 with a gradient, if a batch has no pairs of a kind
        for kind in (same, ~same):
            if kind.any():
                left, right = embeddings[i[kind]], embeddings[j[kind]]
                total = total + self.loss(left, right, same[kind]) / 2
        return total


class SupervisedContrastiveLoss(nn.Module):
    """Supervised contrastive loss: find the recordings of the same class in the batch.

    For recording i, with the cosine similarities s of embeddings and the temperature t, the loss is
    the mean over the other recordings p of its class of::

        -log(exp(s(i, p) / t) / sum of exp(s(i, a) / t) over all a other than i)

    The loss is averaged over the recordings whose class occurs twice or more in the batch. This is
    the first form of Khosla et al. 2020, "Supervised contrastive learning", with the mean outside
    of the logarithm.

    Parameters
    ----------
    temperature : float, default=0.1
        Temperature t. Lower values give more weight to the most similar recordings of other
        classes.

    Examples
    --------
    >>> import torch
    >>> from skaudio.nets import SupervisedContrastiveLoss
    >>> embeddings = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    >>> loss = SupervisedContrastiveLoss()
    >>> loss(embeddings, torch.tensor([0, 0, 1, 1])) < loss(embeddings, torch.tensor([0, 1, 0, 1]))
    tensor(True)
    """

    def __init__(self, *, temperature: float = 0.1):
        super().__init__()
        if not temperature > 0:
            raise ValueError(f"temperature={temperature!r}: expected a number above 0.")
        self.temperature = temperature

    def forward(self, embeddings: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        """Return the loss of embeddings (n_recordings, n_features) of classes (n_recordings,)."""
        unit = nn.functional.normalize(embeddings, dim=1)
        itself = torch.eye(len(codes), dtype=torch.bool, device=codes.device)
        # Minus infinity multiplied by zero, below, would give NaN.
        similarity = (unit @ unit.T / self.temperature).masked_fill(itself, FAR_BELOW)
        log_share = similarity - similarity.logsumexp(1, keepdim=True)
        partners = (codes[:, None] == codes) & ~itself
        n_partners = partners.sum(1)
        has = n_partners > 0
        if not has.any():
            return embeddings.sum() * 0.0
        means = (log_share * partners).sum(1)[has] / n_partners[has]
        return -means.mean()


class AngularMarginLoss(nn.Module):
    """Additive angular margin loss (ArcFace): classify embeddings by their angles.

    Each class has a learned vector. The logit of a class is ``scale`` times the cosine of the angle
    between the embedding and this vector; for the true class, ``margin`` is added to the angle
    first. The loss is the cross-entropy of these logits (Deng et al. 2019, "ArcFace: additive
    angular margin loss for deep face recognition"). If the sum of angle and margin exceeds pi, the
    cosine is replaced by ``cos(angle) - margin * sin(margin)``, which continues to decrease, as in
    their code.

    The vectors are trained with the network and are not needed afterwards.

    Parameters
    ----------
    n_features, n_classes : int
    margin : float, default=0.2
        Margin in radians, from 0 to less than pi.
    scale : float, default=30.0
        Factor of the cosines.

    Examples
    --------
    >>> import torch
    >>> from skaudio.nets import AngularMarginLoss
    >>> loss = AngularMarginLoss(2, 2, margin=0.0, scale=1.0)
    >>> loss.vectors.data = torch.eye(2)
    >>> loss(torch.eye(2), torch.tensor([0, 1]))
    tensor(0.3133, grad_fn=<NllLossBackward0>)
    """

    def __init__(
        self, n_features: int, n_classes: int, *, margin: float = 0.2, scale: float = 30.0
    ):
        super().__init__()
        if not 0 <= margin < math.pi:
            raise ValueError(f"margin={margin!r}: expected radians, from 0 to less than pi.")
        if not scale > 0:
            raise ValueError(f"scale={scale!r}: expected a number above 0.")
        self.margin = margin
        self.scale = scale
        self.vectors = nn.Parameter(torch.randn(n_classes, n_features))

    def forward(self, embeddings: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        """Return the loss of embeddings (n_recordings, n_features) of classes (n_recordings,)."""
        unit = nn.functional.normalize(self.vectors, dim=1)
        cosine = nn.functional.normalize(embeddings, dim=1) @ unit.T
        own = cosine.gather(1, codes[:, None])
        # The derivative of the square root is infinite at zero.
        sine = (1.0 - own.square()).clamp(min=1e-12).sqrt()
        moved = own * math.cos(self.margin) - sine * math.sin(self.margin)
        beyond = own <= -math.cos(self.margin)
        moved = torch.where(beyond, own - self.margin * math.sin(self.margin), moved)
        logits = self.scale * cosine.scatter(1, codes[:, None], moved)
        return nn.functional.cross_entropy(logits, codes)


class PairLoss(nn.Module):
    """Loss of pairs for a network whose batch contains both halves of the pairs.

    Parameters
    ----------
    loss : ContrastiveLoss
    unit_norm : bool
        Whether to scale embeddings to length 1 first.
    """

    def __init__(self, loss: ContrastiveLoss, *, unit_norm: bool = False):
        super().__init__()
        self.loss = loss
        self.unit_norm = unit_norm

    def forward(self, embeddings: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        """Return the loss of embeddings (2 n_pairs, n_features): left halves, then right halves.

        ``codes`` (n_pairs, 2) are the classes of both halves.
        """
        if self.unit_norm:
            embeddings = nn.functional.normalize(embeddings, dim=1)
        left, right = embeddings.chunk(2)
        loss: torch.Tensor = self.loss(left, right, codes[:, 0] == codes[:, 1])
        return loss
