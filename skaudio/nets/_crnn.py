"""Convolutional-recurrent network whose frames can be told apart: for event detection."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from skaudio.nets._masking import MaskedBatchNorm, flip_in_length, time_mask
from skaudio.nets._weak_pooling import WeakPooling

# Added to what is beyond a sequence's end, so that pooling does not choose it; finite, so that a
# product with zero is zero.
FAR_BELOW = 1e9


class CRNN(nn.Module):
    """Convolutions, recurrent layers, a score per class and frame, pooled over time.

    The blocks of convolution, batch normalisation and max pooling each halve the features; the
    first ones also halve time, until ``frame_stride`` frames have become one. Three parts follow
    each other, so that a recording of any length can be walked through piece by piece:
    `forward_local` sees `reach` frames to either side, the recurrent layers carry a state,
    `score` sees one frame.

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
    """

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
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size={kernel_size}: expected an odd number.")
        self.strides = time_strides(frame_stride, len(channels))
        self.frame_stride = frame_stride
        self.kernel_size = kernel_size
        sizes = [1, *channels]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(i, o, kernel_size, padding=kernel_size // 2, bias=False)
            for i, o in zip(sizes[:-1], sizes[1:], strict=True)
        )
        self.norms = nn.ModuleList(MaskedBatchNorm(o) for o in channels)
        height = n_features
        for _ in channels:
            height = -(-height // 2)
        self.local_size = sizes[-1] * height
        width = hidden_size * (2 if bidirectional else 1)
        inputs = [self.local_size, *[width] * (n_layers - 1)][:n_layers]
        self.forwards = nn.ModuleList(nn.GRU(i, hidden_size, batch_first=True) for i in inputs)
        self.backwards = nn.ModuleList(
            nn.GRU(i, hidden_size, batch_first=True) for i in inputs if bidirectional
        )
        self.dropout = nn.Dropout(dropout)
        self.pooling = WeakPooling(pooling)
        n_scores = self.pooling.n_scores(n_classes)
        self.head = nn.Linear(width if n_layers else self.local_size, n_scores)
        # Pooling runs over channels at once in this format: three times faster on a CPU.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def reach(self) -> int:
        """How many frames to either side `forward_local` sees, rounded up to whole strides."""
        frames, step = 0, 1
        for stride in self.strides:
            frames += self.kernel_size // 2 * step
            step *= stride
        return -(-frames // self.frame_stride) * self.frame_stride

    def forward_local(
        self, x: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return frames (n_sequences, n_frames', local_size) and their counts."""
        if not len(self.convolutions):
            return _mean_of_frames(x, lengths, self.frame_stride)
        x = x[:, None].contiguous(memory_format=torch.channels_last)
        layers = zip(self.convolutions, self.norms, self.strides, strict=True)
        for convolution, norm, stride in layers:
            x = convolution(x)
            beyond = (_mask(lengths, x) - 1) * FAR_BELOW
            x = nn.functional.max_pool2d(x + beyond, (2, stride), ceil_mode=True)
            lengths = torch.div(lengths + stride - 1, stride, rounding_mode="floor")
            mask = _mask(lengths, x)
            x = torch.relu(norm(x * mask, mask)) * mask
        return x.flatten(1, 2).transpose(1, 2), lengths

    def forward_frames(
        self, x: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return scores (n_sequences, n_scores, n_frames') and their counts."""
        frames, lengths = self.forward_local(x, lengths)
        for i, layer in enumerate(self.forwards):
            frames = self.dropout(frames)
            out = layer(frames)[0]
            if len(self.backwards):
                back = self.backwards[i](flip_in_length(frames, lengths))[0]
                out = torch.cat([out, flip_in_length(back, lengths)], dim=-1)
            frames = out
        return self.score(frames), lengths

    def score(self, frames: torch.Tensor) -> torch.Tensor:
        """Return scores (n_sequences, n_scores, n_frames) of frames (..., n_frames, width)."""
        return self.head(self.dropout(frames)).transpose(1, 2)

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return probabilities (n_sequences, n_classes) of padded frames."""
        return self.pooling(*self.forward_frames(x, lengths))


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
    total, count = (v.unflatten(-1, (-1, stride)).sum(-1) for v in (x, mask))
    lengths = torch.div(lengths + stride - 1, stride, rounding_mode="floor")
    return (total / count.clamp(min=1)).transpose(1, 2), lengths


def _mask(lengths: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Return ones inside each sequence and zeros beyond, to multiply with (n, c, h, n_frames)."""
    return time_mask(lengths, x.shape[-1])[:, None, None].to(x.dtype)
