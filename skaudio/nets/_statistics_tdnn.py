"""A time-delay neural network beside whitened statistics of its input."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from skaudio.nets._tdnn import TDNN
from skaudio.nets._time_pooling import Frames, TimePooling


class StatisticsTDNN(TDNN):
    """A `TDNN`, beside a linear map of the mean and standard deviation of its input.

    Training changes the `TDNN` alone: in training mode, the output is that of the `TDNN`. The
    linear map, `whitening`, is learned afterwards from the statistics of the training data; until
    then it is zero. In evaluation mode, the output of each part is scaled to length 1, so that both
    have the same influence on distances.

    The network describes what distinguishes the training classes. The statistics describe any
    recording, also of classes that are unlike them.

    Parameters
    ----------
    n_features, n_outputs : int
    **params
        Parameters of `TDNN`, except ``pooling``: it is "mean_std".

    Examples
    --------
    >>> import torch
    >>> from skaudio.nets import StatisticsTDNN
    >>> net = StatisticsTDNN(40, 128).eval()
    >>> net(torch.zeros(2, 40, 100), torch.tensor([100, 60])).shape
    torch.Size([2, 208])
    """

    def __init__(self, n_features: int, n_outputs: int, **params: Any):
        super().__init__(n_features, n_outputs, **params)
        self.n_channels = self.embedding_size // 2
        # One pooling for the frames of both parts.
        self.pooling = TimePooling(self.n_channels + n_features, "mean_std")
        self.whitening = nn.Linear(2 * n_features, 2 * n_features)
        nn.init.zeros_(self.whitening.weight)
        nn.init.zeros_(self.whitening.bias)

    def forward_frames(
        self, x: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the channels of the network and the input, (n_sequences, n_both, n_frames)."""
        frames, lengths = super().forward_frames(x, lengths)
        return torch.cat([frames, x.to(frames.dtype)], dim=1), lengths

    def embed(self, frames: Frames, lengths: torch.Tensor) -> torch.Tensor:
        """Return the normalised statistics of the network, then the statistics of the input."""
        mean, deviation = self.pooling(frames, lengths).float().chunk(2, dim=1)
        n = self.n_channels
        pooled = torch.cat([mean[:, :n], deviation[:, :n]], dim=1)[:, :, None, None]
        every = torch.ones_like(pooled[:, :1])
        own = self.statistics_norm(pooled, every)[:, :, 0, 0]
        return torch.cat([own, mean[:, n:], deviation[:, n:]], dim=1)

    def classify(self, frames: Frames, lengths: torch.Tensor) -> torch.Tensor:
        """Return outputs for what `forward_frames` returns, or for its blocks."""
        return self._outputs(self.embed(frames, lengths))

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return (n_sequences, n_outputs), in evaluation with 2 n_features columns more."""
        return self._outputs(self.forward_features(x, lengths))

    def _outputs(self, features: torch.Tensor) -> torch.Tensor:
        own, statistics = features.tensor_split([self.embedding_size], dim=1)
        out: torch.Tensor = self.head(own)
        if self.training:
            return out
        parts = [out, self._whitened(statistics)]
        return torch.cat([nn.functional.normalize(part, dim=1) for part in parts], dim=1)

    def _whitened(self, statistics: torch.Tensor) -> torch.Tensor:
        # The rounding of a matrix product depends on the place of a row in its batch. That of
        # float64 disappears in float32.
        layer = self.whitening
        wide = torch.float32 if statistics.device.type == "mps" else torch.float64
        values = [tensor.to(wide) for tensor in (statistics, layer.weight, layer.bias)]
        return nn.functional.linear(*values).float()
