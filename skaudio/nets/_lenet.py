"""LeNet for spectrograms of any length."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from skaudio.nets._sequence_layers import (
    convolution_blocks,
    convolution_reach,
    run_convolution_blocks,
)
from skaudio.nets._time_pooling import Frames, TimePooling


class LeNet(nn.Module):
    """Blocks of convolution and max pooling over features and time, pooled over time at the end.

    The network follows LeCun et al. 1998, with batch normalisation, and with pooling over the
    remaining time axis instead of a fixed input size. Results do not depend on the padding.

    Parameters
    ----------
    n_features, n_outputs : int
    channels : sequence of int
        Numbers of channels of the blocks. Each block halves features and time.
    kernel_size : int
        Size of the convolution kernels, an odd number.
    embedding_size : int
        Number of units of the layer before the head.
    pooling : str
        Pooling over time; see `TimePooling`.
    dropout : float
        Dropout rate before the embedding layer and before the head.

    References
    ----------
    LeCun, Bottou, Bengio & Haffner 1998, "Gradient-based learning applied to document recognition".

    Examples
    --------
    >>> import torch
    >>> from skaudio.nets import LeNet
    >>> x, lengths = torch.randn(2, 20, 50), torch.tensor([50, 30])
    >>> LeNet(20, 3)(x, lengths).shape
    torch.Size([2, 3])
    """

    def __init__(
        self,
        n_features: int,
        n_outputs: int,
        *,
        channels: Sequence[int] = (32, 64, 128),
        kernel_size: int = 3,
        embedding_size: int = 128,
        pooling: str = "mean_max",
        dropout: float = 0.3,
    ):
        super().__init__()
        self.convolutions, self.norms, size = convolution_blocks(n_features, channels, kernel_size)
        self.strides = [2] * len(self.convolutions)
        self.frame_stride = 2 ** len(self.convolutions)
        self.reach = convolution_reach(self.strides, kernel_size)
        self.pooling = TimePooling(size, pooling)
        self.embedding = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(self.pooling.out_features, embedding_size), nn.ReLU()
        )
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(embedding_size, n_outputs))

    def forward_frames(
        self, x: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return frames (n_sequences, n_channels * height, n_frames') and their counts."""
        return run_convolution_blocks(x, lengths, self.convolutions, self.norms, self.strides)

    def forward_local(
        self, x: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return frames (n_sequences, n_frames', n_channels * height) and their counts."""
        frames, lengths = self.forward_frames(x, lengths)
        return frames.transpose(1, 2), lengths

    def embed(self, frames: Frames, lengths: torch.Tensor) -> torch.Tensor:
        """Return embeddings of what `forward_frames` returns, or of its blocks."""
        embedding: torch.Tensor = self.embedding(self.pooling(frames, lengths).float())
        return embedding

    def classify(self, frames: Frames, lengths: torch.Tensor) -> torch.Tensor:
        """Return logits of what `forward_frames` returns, or of its blocks."""
        logits: torch.Tensor = self.head(self.embed(frames, lengths))
        return logits

    def forward_features(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return embeddings (n_sequences, embedding_size)."""
        frames, lengths = self.forward_frames(x, lengths)
        return self.embed(frames.float(), lengths)

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return logits (n_sequences, n_outputs) of frames (n_sequences, n_features, n_frames)."""
        logits: torch.Tensor = self.head(self.forward_features(x, lengths))
        return logits
