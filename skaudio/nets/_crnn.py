"""Convolutional-recurrent network for event detection, which learns frames from weak labels.

It gives each frame a probability, pools those over time, and is trained on the pooled ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from skaudio.nets._sequence_layers import (
    convolution_blocks,
    convolution_reach,
    recurrent_layers,
    run_convolution_blocks,
    run_recurrent_layers,
    time_mask,
)
from skaudio.nets._time_pooling import Frames

WEAK_POOLINGS = ("mean", "max", "linear_softmax", "exp_softmax", "attention")

# Keeps probabilities, and their logarithms in the loss, off 0 and 1.
EPS = 1e-6


class CRNN(nn.Module):
    """Convolutions, recurrent layers, a score per class and frame, pooled over time.

    The blocks of convolution, batch normalisation and max pooling each halve the features; the
    first ones also halve time, until ``frame_stride`` frames have become one. The network has three
    parts, so that a long recording can run through it in blocks: `forward_local` reads `reach`
    frames to either side, the recurrent layers carry a state, `score` reads one frame.

    Parameters
    ----------
    n_features, n_classes : int
    channels : sequence of int
        Of the convolutions; none: the network is recurrent alone.
    kernel_size : int
        Odd.
    frame_stride : int
        Frames that become one: a power of two, at most 2 to the number of ``channels``; without
        ``channels`` any number, of which the mean is taken.
    hidden_size, n_layers : int
        Of the GRU layers (Cho et al. 2014), each direction; no layers: the network is
        convolutional alone.
    bidirectional : bool
    pooling : str
        See `WeakPooling`.
    dropout : float
        Before each recurrent layer and before the scores.

    Attributes
    ----------
    returns_frames : bool
        Whether `forward` returns the probabilities of frames as well, for `MixedLabelLoss`.
    """

    returns_frames = False

    def __init__(
        self,
        n_features: int,
        n_classes: int,
        *,
        channels: Sequence[int] = (16, 32, 64),
        kernel_size: int = 3,
        frame_stride: int = 4,
        hidden_size: int = 64,
        n_layers: int = 1,
        bidirectional: bool = True,
        pooling: str = "linear_softmax",
        dropout: float = 0.2,
    ):
        super().__init__()
        self.convolutions, self.norms, self.local_size = convolution_blocks(
            n_features, channels, kernel_size
        )
        self.strides = time_strides(frame_stride, len(channels))
        self.frame_stride = frame_stride
        # How many frames to either side `forward_local` sees, rounded up to whole strides.
        self.reach = convolution_reach(self.strides, kernel_size)
        width = hidden_size * (2 if bidirectional else 1)
        inputs = [self.local_size, *[width] * (n_layers - 1)][:n_layers]
        self.forwards, self.backwards = recurrent_layers(inputs, hidden_size, bidirectional)
        self.dropout = nn.Dropout(dropout)
        self.pooling = WeakPooling(pooling)
        n_scores = self.pooling.n_scores(n_classes)
        self.head = nn.Linear(width if n_layers else self.local_size, n_scores)

    def forward_local(
        self, x: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return frames (n_sequences, n_frames', local_size) and their counts."""
        if not len(self.convolutions):
            return _mean_of_frames(x, lengths, self.frame_stride)
        frames, lengths = run_convolution_blocks(
            x, lengths, self.convolutions, self.norms, self.strides
        )
        return frames.transpose(1, 2), lengths

    def forward_frames(
        self, x: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return scores (n_sequences, n_scores, n_frames') and their counts."""
        frames, lengths = self.forward_local(x, lengths)
        if len(self.forwards):
            frames = self.dropout(frames)
        frames = run_recurrent_layers(frames, lengths, self.forwards, self.backwards, self.dropout)
        return self.score(frames), lengths

    def score(self, frames: torch.Tensor) -> torch.Tensor:
        """Return scores (n_sequences, n_scores, n_frames) of frames (..., n_frames, width)."""
        scores: torch.Tensor = self.head(self.dropout(frames))
        return scores.transpose(1, 2)

    def classify(self, frames: Frames, lengths: torch.Tensor) -> torch.Tensor:
        """Return probabilities of what `forward_frames` returns, or of its blocks."""
        if not isinstance(frames, torch.Tensor):  # scores are few, and pooled as one
            frames = torch.cat(list(frames), dim=-1)
        pooled: torch.Tensor = self.pooling(frames, lengths)
        return pooled

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return probabilities (n_sequences, n_classes) of padded frames.

        With ``returns_frames``, (n_sequences, n_classes, 1 + n_frames'): the probabilities of the
        sequence, then those of its frames.
        """
        scores, lengths = self.forward_frames(x, lengths)
        pooled: torch.Tensor = self.pooling(scores, lengths)
        if self.returns_frames:
            return torch.cat([pooled[..., None], self.pooling.frame_probabilities(scores)], dim=-1)
        return pooled


def time_strides(frame_stride: int, n_blocks: int) -> list[int]:
    """Return by how much each block shortens time: the first ones halve it."""
    if n_blocks == 0:
        return []
    halvings = int(frame_stride).bit_length() - 1
    if frame_stride != 1 << halvings or halvings > n_blocks:
        raise ValueError(
            f"frame_stride={frame_stride}: expected a power of two, at most {1 << n_blocks} with "
            f"{n_blocks} channels, each of which can halve time once."
        )
    return [2] * halvings + [1] * (n_blocks - halvings)


def _mean_of_frames(
    x: torch.Tensor, lengths: torch.Tensor, stride: int
) -> tuple[torch.Tensor, torch.Tensor]:
    mask = time_mask(lengths, x.shape[-1])[:, None].to(x.dtype)
    missing = -x.shape[-1] % stride
    x, mask = (nn.functional.pad(v, (0, missing)) for v in (x * mask, mask))
    total, count = (torch.unflatten(v, -1, (-1, stride)).sum(-1) for v in (x, mask))
    lengths = torch.div(lengths + stride - 1, stride, rounding_mode="floor")
    return (total / count.clamp(min=1)).transpose(1, 2), lengths


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
        return cross_entropy(probabilities, targets, weights)


class MixedLabelLoss(nn.Module):
    """Binary cross-entropy of pooled probabilities, plus that of frames with strong labels.

    Takes the output of a `CRNN` with ``returns_frames``, (n_sequences, n_classes, 1 + n_frames),
    and targets of no more frames, which are below 0 where they are unknown. The second term is the
    mean over known frames.

    Parameters
    ----------
    weights : tensor of shape (n_classes, 2)
        Of the loss where a class is absent, and where it is present.

    References
    ----------
    Turpault et al. 2019, "Sound event detection in domestic environments with weakly labeled data
    and soundscape synthesis".
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
    """Return the weighted binary cross-entropy, NaN for a probability that is NaN."""
    # torch refuses NaN here, on a GPU by ending the process: NaN gives NaN in the last term.
    known = probabilities.nan_to_num(0.5)
    loss = nn.functional.binary_cross_entropy(known, targets, weights)
    return loss + 0.0 * probabilities.sum()
