"""Stacked gated recurrent units."""

from __future__ import annotations

import torch
from torch import nn

from skaudio.nets._sequence_layers import recurrent_layers, run_recurrent_layers
from skaudio.nets._time_pooling import Frames, TimePooling


class GRU(nn.Module):
    """A stack of GRU layers (Cho et al. 2014), pooled over time.

    Parameters
    ----------
    n_features, n_outputs : int
    hidden_size : int
        Of each direction.
    n_layers : int
    bidirectional : bool
    pooling : str
        Over time, see `TimePooling`.
    input_dropout : float
        Drops whole features of a recording: the same ones in every frame.
    dropout : float
        Dropout rate between layers and before the output layer.
    """

    def __init__(
        self,
        n_features: int,
        n_outputs: int,
        *,
        hidden_size: int = 64,
        n_layers: int = 2,
        bidirectional: bool = True,
        pooling: str = "mean_max",
        input_dropout: float = 0.1,
        dropout: float = 0.3,
    ):
        super().__init__()
        width = hidden_size * (2 if bidirectional else 1)
        sizes = [n_features] + [width] * (n_layers - 1)
        self.input_dropout = nn.Dropout1d(input_dropout)
        self.forwards, self.backwards = recurrent_layers(sizes, hidden_size, bidirectional)
        self.dropout = nn.Dropout(dropout)
        self.pooling = TimePooling(width, pooling)
        self.embedding_size = self.pooling.out_features
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(self.embedding_size, n_outputs))

    # Recurrent layers alone: nothing is read from neighbouring frames.
    frame_stride = 1
    reach = 0

    @property
    def any_padding(self) -> bool:
        """Whether rounding in evaluation is the same whatever the padding.

        Not with attention, which computes the scores of all frames in one product.
        """
        return not self.pooling.attends

    def forward_local(
        self, x: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the frames as the recurrent layers take them, and their counts."""
        return self.input_dropout(x).transpose(1, 2), lengths

    def forward_frames(
        self, x: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return frames (n_sequences, width, n_frames) and their counts."""
        x, lengths = self.forward_local(x, lengths)
        x = run_recurrent_layers(x, lengths, self.forwards, self.backwards, self.dropout)
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
