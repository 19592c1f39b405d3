"""Stacked gated recurrent units."""

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
)
from skaudio.nets._time_pooling import Frames, TimePooling

# Kernel size of the convolutions.
KERNEL_SIZE = 3


class GRU(nn.Module):
    """A stack of GRU layers (Cho et al. 2014), pooled over time.

    Parameters
    ----------
    n_features, n_outputs : int
    stem : sequence of int or None
        Numbers of channels of the convolution blocks before the recurrent layers, as in `LeNet`.
        Each block halves features and time. A linear layer maps their output to the width of the
        recurrent layers, which then have residual connections (He et al. 2016) and layer
        normalisation (Ba et al. 2016). None: no convolutions.
    hidden_size : int
        Number of units in each direction.
    n_layers : int
    bidirectional : bool
    pooling : str
        Pooling over time; see `TimePooling`.
    input_dropout : float
        Fraction of the features that are set to 0, the same ones in every frame of a recording.
    dropout : float
        Dropout rate between the layers and before the output layer.

    References
    ----------
    Cho et al. 2014, "Learning phrase representations using RNN encoder-decoder for statistical
    machine translation".

    Examples
    --------
    >>> import torch
    >>> from skaudio.nets import GRU
    >>> x, lengths = torch.randn(2, 20, 50), torch.tensor([50, 30])
    >>> GRU(20, 3)(x, lengths).shape
    torch.Size([2, 3])
    """

    def __init__(
        self,
        n_features: int,
        n_outputs: int,
        *,
        stem: Sequence[int] | None = None,
        hidden_size: int = 64,
        n_layers: int = 2,
        bidirectional: bool = True,
        pooling: str = "mean_max",
        input_dropout: float = 0.1,
        dropout: float = 0.3,
    ):
        super().__init__()
        width = hidden_size * (2 if bidirectional else 1)
        self.input_dropout = nn.Dropout1d(input_dropout)
        channels = () if stem is None else tuple(stem)
        self.strides = [2] * len(channels)
        # Number of frames that become one, and of those on each side on which it depends.
        self.frame_stride = 2 ** len(self.strides)
        self.reach = convolution_reach(self.strides, KERNEL_SIZE)
        self.projection: nn.Linear | None = None
        self.layer_norms = nn.ModuleList()
        if channels:
            self.convolutions, self.norms, n_features = convolution_blocks(
                n_features, channels, KERNEL_SIZE
            )
            self.projection, n_features = nn.Linear(n_features, width), width
            self.layer_norms.extend(nn.LayerNorm(width) for _ in range(n_layers))
        sizes = [n_features] + [width] * (n_layers - 1)
        self.forwards, self.backwards = recurrent_layers(sizes, hidden_size, bidirectional)
        self.dropout = nn.Dropout(dropout)
        self.pooling = TimePooling(width, pooling)
        self.embedding_size = self.pooling.out_features
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(self.embedding_size, n_outputs))

    @property
    def any_padding(self) -> bool:
        """Whether rounding in evaluation is independent of the padding.

        It is not with convolutions or attention, which compute all frames in one matrix product.
        """
        return self.projection is None and not self.pooling.attends

    def forward_local(
        self, x: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the input frames of the recurrent layers, and their counts."""
        x = self.input_dropout(x)
        if self.projection is None:
            return x.transpose(1, 2), lengths
        frames, lengths = run_convolution_blocks(
            x, lengths, self.convolutions, self.norms, self.strides
        )
        return self.projection(frames.transpose(1, 2)), lengths

    def forward_frames(
        self, x: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return frames (n_sequences, width, n_frames) and their counts."""
        x, lengths = self.forward_local(x, lengths)
        x = run_recurrent_layers(
            x, lengths, self.forwards, self.backwards, self.dropout, self.layer_norms
        )
        return x.transpose(1, 2), lengths

    def embed(self, frames: Frames, lengths: torch.Tensor) -> torch.Tensor:
        """Return embeddings of what `forward_frames` returns, or of its blocks."""
        pooled: torch.Tensor = self.pooling(frames, lengths)
        return pooled

    def classify(self, frames: Frames, lengths: torch.Tensor) -> torch.Tensor:
        """Return logits of what `forward_frames` returns, or of its blocks."""
        logits: torch.Tensor = self.head(self.embed(frames, lengths))
        return logits

    def forward_features(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return embeddings (n_sequences, embedding_size)."""
        return self.embed(*self.forward_frames(x, lengths))

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return logits (n_sequences, n_outputs) of frames (n_sequences, n_features, n_frames)."""
        logits: torch.Tensor = self.head(self.forward_features(x, lengths))
        return logits
