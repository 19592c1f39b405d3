"""Convolutional-recurrent network for event detection with weak labels.

The network returns probabilities of frames, which are pooled over time. It is trained on the pooled
probabilities.
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

# Distance of probabilities from 0 and 1, so that their logarithms in the loss are finite.
EPS = 1e-6


class CRNN(nn.Module):
    """Convolutional-recurrent network with a score per class and frame, pooled over time.

    Each block of convolution, batch normalisation and max pooling halves the features. The first
    blocks also halve time, until ``frame_stride`` frames have become one. The network has three
    parts, so that a long recording can be processed in blocks: `forward_local` depends on `reach`
    frames on both sides, the recurrent layers have a state, and `score` depends on one frame.

    Parameters
    ----------
    n_features, n_classes : int
    channels : sequence of int
        Numbers of channels of the convolution blocks. Empty: a recurrent network without
        convolutions.
    kernel_size : int
        Size of the convolution kernels, an odd number.
    frame_stride : int
        Number of frames that become one, by max pooling in the blocks: a power of two, at most
        ``2 ** len(channels)``. Without ``channels`` it can be any number; the mean of the frames is
        taken.
    hidden_size, n_layers : int
        Number of units in each direction, and number of GRU layers (Cho et al. 2014). 0 layers: a
        convolutional network without recurrent layers.
    bidirectional : bool
    pooling : str
        Pooling over time; see `WeakPooling`.
    dropout : float
        Dropout rate before each recurrent layer and before the output layer.

    Attributes
    ----------
    returns_frames : bool
        Whether `forward` also returns the probabilities of frames, for `MixedLabelLoss`.

    References
    ----------
    Cakir et al. 2017, "Convolutional recurrent neural networks for polyphonic sound event
    detection".

    Examples
    --------
    >>> import torch
    >>> from skaudio.nets import CRNN
    >>> x, lengths = torch.randn(2, 20, 50), torch.tensor([50, 30])
    >>> CRNN(20, 3)(x, lengths).shape
    torch.Size([2, 3])
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
        # Number of frames on each side on which `forward_local` depends, rounded up to whole
        # strides.
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
        if not isinstance(frames, torch.Tensor):  # scores take little memory
            frames = torch.cat(list(frames), dim=-1)
        pooled: torch.Tensor = self.pooling(frames, lengths)
        return pooled

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return probabilities (n_sequences, n_classes) of padded frames.

        With ``returns_frames``, the shape is (n_sequences, n_classes, 1 + n_frames'): the
        probability of the sequence, followed by those of its frames.
        """
        scores, lengths = self.forward_frames(x, lengths)
        pooled: torch.Tensor = self.pooling(scores, lengths)
        if self.returns_frames:
            return torch.cat([pooled[..., None], self.pooling.frame_probabilities(scores)], dim=-1)
        return pooled


def time_strides(frame_stride: int, n_blocks: int) -> list[int]:
    """Return the stride in time of each block: 2 for the first blocks, 1 for the others."""
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
    ``attention``       sum y_t exp(a_t) / sum exp(a_t), with a_t a second learned score
    ==================  ====================================================================

    Parameters
    ----------
    pooling : {"mean", "max", "linear_softmax", "exp_softmax", "attention"}
        Formula of the table above. "attention" takes twice as many scores: those of the classes,
        followed by those of the weights.

    References
    ----------
    Wang, Li & Metze 2019, "A comparison of five multiple instance learning pooling functions for
    sound event detection with weak labeling".

    Examples
    --------
    >>> import torch
    >>> from skaudio.nets import WeakPooling
    >>> scores = torch.logit(torch.tensor([[[0.1, 0.9, 0.1, 0.5]]]))
    >>> WeakPooling("linear_softmax")(scores, torch.tensor([3])).numpy().round(2).tolist()
    [[0.75]]
    """

    def __init__(self, pooling: str = "linear_softmax"):
        super().__init__()
        if pooling not in WEAK_POOLINGS:
            raise ValueError(f"pooling={pooling!r}: expected one of {', '.join(WEAK_POOLINGS)}.")
        self.pooling = pooling

    def n_scores(self, n_classes: int) -> int:
        """Return the number of scores per frame that the pooling takes."""
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
