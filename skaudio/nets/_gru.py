"""Stacked gated recurrent units."""

from __future__ import annotations

import torch
from torch import nn

from skaudio.nets._sequence_layers import TimePooling, recurrent_layers, run_recurrent_layers


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
        Between layers and before the head.
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

    def forward_frames(
        self, x: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return frames (n_sequences, width, n_frames) and their counts."""
        x = self.input_dropout(x).transpose(1, 2)
        x = run_recurrent_layers(x, lengths, self.forwards, self.backwards, self.dropout)
        return x.transpose(1, 2), lengths

    def forward_features(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return embeddings (n_sequences, embedding_size)."""
        frames, lengths = self.forward_frames(x, lengths)
        pooled: torch.Tensor = self.pooling(frames, lengths)
        return pooled

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return logits (n_sequences, n_outputs) of frames (n_sequences, n_features, n_frames)."""
        logits: torch.Tensor = self.head(self.forward_features(x, lengths))
        return logits
