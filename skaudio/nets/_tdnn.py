"""A time-delay network: dilated convolutions over time, then statistics over the recording."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from skaudio.nets._sequence_layers import MaskedBatchNorm, time_mask
from skaudio.nets._time_pooling import Frames, TimePooling


class TDNN(nn.Module):
    """Convolutions over time, statistics of each channel over the recording, a linear layer.

    After the x-vector network of Snyder et al. 2018, "X-vectors: robust DNN embeddings for speaker
    recognition". A time-delay layer is a dilated convolution over time; each is followed by a
    rectifier and batch normalisation. The statistics describe the recording as a whole, such as its
    voice, and not the order of what is in it. Results do not depend on the padding.

    There are fewer layers and channels than in the original, and one linear layer after the
    statistics in place of three. The original is trained on thousands of voices.

    Parameters
    ----------
    n_features, n_outputs : int
    channels : sequence of int, default=(96, 96, 96, 288)
        Of the layers.
    kernel_sizes : sequence of int, default=(5, 3, 3, 1)
        Frames that each layer reads, odd numbers.
    dilations : sequence of int, default=(1, 2, 3, 1)
        Distance between the frames that each layer reads.
    pooling : str, default="mean_std"
        Over time, see `TimePooling`; "attention_stats" learns which frames count.
    dropout : float, default=0.0
        Of the statistics, before the linear layer.

    Examples
    --------
    >>> import torch
    >>> from skaudio.nets import TDNN
    >>> net = TDNN(40, 128)
    >>> net(torch.zeros(2, 40, 100), torch.tensor([100, 60])).shape
    torch.Size([2, 128])
    """

    # Convolutions keep the number of frames.
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
        # What the last layer puts out is normalised after the pooling.
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
                x = x * mask  # a sequence alone has zeros beyond its ends
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
