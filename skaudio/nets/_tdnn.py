"""A time-delay neural network: dilated convolutions and statistics over time."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from skaudio.nets._sequence_layers import MaskedBatchNorm, time_mask
from skaudio.nets._time_pooling import Frames, TimePooling


class TDNN(nn.Module):
    """Time-delay neural network: convolutions over time, statistics over time, a linear layer.

    The network follows the x-vector network of Snyder et al. 2018, "X-vectors: robust DNN
    embeddings for speaker recognition". Each layer is a dilated convolution over time, followed by
    a rectifier and batch normalisation. The statistics of the channels describe constant properties
    of a recording, such as the voice, and not the order of sounds. Results do not depend on the
    padding.

    The original is trained on thousands of voices. This network has fewer layers and channels, and
    one linear layer after the statistics instead of three.

    Parameters
    ----------
    n_features, n_outputs : int
    channels : sequence of int, default=(96, 96, 96, 288)
        Number of channels of each layer.
    kernel_sizes : sequence of int, default=(5, 3, 3, 1)
        Number of frames that each layer reads, odd numbers.
    dilations : sequence of int, default=(1, 2, 3, 1)
        Distance between the frames that each layer reads, in frames.
    pooling : str, default="mean_std"
        Pooling over time; see `TimePooling`. "attention_stats" learns the weights of frames.
    dropout : float, default=0.0
        Dropout rate of the statistics, before the linear layer.

    Examples
    --------
    >>> import torch
    >>> from skaudio.nets import TDNN
    >>> net = TDNN(40, 128)
    >>> net(torch.zeros(2, 40, 100), torch.tensor([100, 60])).shape
    torch.Size([2, 128])
    """

    # The convolutions keep the number of frames.
    frame_stride = 1

    def __init__(
        self,
        n_features: int,
        n_outputs: int,
        *,
        channels: Sequence[int] = (96, 96, 96, 288),
        kernel_sizes: Sequence[int] = (5, 3, 3, 1),
        dilations: Sequence[int] = (1, 2, 3, 1),
        pooling: str = "mean_std",
        dropout: float = 0.0,
    ):
        super().__init__()
        if not len(channels) == len(kernel_sizes) == len(dilations) > 0:
            raise ValueError(
                f"channels={channels!r}, kernel_sizes={kernel_sizes!r}, dilations={dilations!r}: "
                "expected a number for each layer, in all three."
            )
        if any(size % 2 == 0 for size in kernel_sizes):
            raise ValueError(f"kernel_sizes={kernel_sizes!r}: expected odd numbers.")
        sides = [
            size // 2 * dilation for size, dilation in zip(kernel_sizes, dilations, strict=True)
        ]
        self.reach = sum(sides)
        sizes = [n_features, *channels]
        self.convolutions = nn.ModuleList(
            nn.Conv1d(n_in, n, size, padding=side, dilation=dilation, bias=False)
            for n_in, n, size, side, dilation in zip(
                sizes[:-1], channels, kernel_sizes, sides, dilations, strict=True
            )
        )
        # The output of the last layer is normalised after the pooling.
        self.norms = nn.ModuleList(MaskedBatchNorm(n) for n in channels[:-1])
        self.pooling = TimePooling(channels[-1], pooling)
        self.embedding_size = self.pooling.out_features
        self.statistics_norm = MaskedBatchNorm(self.embedding_size)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(self.embedding_size, n_outputs))

    def forward_frames(
        self, x: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return frames (n_sequences, n_channels, n_frames) and their counts."""
        mask = time_mask(lengths, x.shape[-1])[:, None].to(x.dtype)
        for i, convolution in enumerate(self.convolutions):
            x = torch.relu(convolution(x))
            if i < len(self.norms):
                x = self.norms[i]((x * mask)[:, :, None], mask[:, :, None])[:, :, 0]
                x = x * mask  # a sequence without padding has a border of zeros
        return x, lengths

    def forward_local(
        self, x: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return frames (n_sequences, n_frames, n_channels) and their counts."""
        frames, lengths = self.forward_frames(x, lengths)
        return frames.transpose(1, 2), lengths

    def embed(self, frames: Frames, lengths: torch.Tensor) -> torch.Tensor:
        """Return normalised statistics of what `forward_frames` returns, or of its blocks."""
        pooled = self.pooling(frames, lengths).float()[:, :, None, None]
        every = torch.ones_like(pooled[:, :1])
        statistics: torch.Tensor = self.statistics_norm(pooled, every)[:, :, 0, 0]
        return statistics

    def classify(self, frames: Frames, lengths: torch.Tensor) -> torch.Tensor:
        """Return outputs for what `forward_frames` returns, or for its blocks."""
        out: torch.Tensor = self.head(self.embed(frames, lengths))
        return out

    def forward_features(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return normalised statistics (n_sequences, embedding_size)."""
        frames, lengths = self.forward_frames(x, lengths)
        return self.embed(frames.float(), lengths)

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return (n_sequences, n_outputs) of frames (n_sequences, n_features, n_frames)."""
        out: torch.Tensor = self.head(self.forward_features(x, lengths))
        return out
