"""Statistics of each feature over time, and a linear map of them."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from skaudio.nets._sequence_layers import time_mask
from skaudio.nets._time_pooling import Frames, masked_blocks


class StatisticsPooling(nn.Module):
    """Mean and standard deviation of each feature over time, and a linear map of them.

    These are the last layers of an x-vector network (Snyder et al. 2018), without the layers
    before. The statistics describe constant properties of a recording, such as the voice, and not
    the order of the frames. The layer has few weights, so training data with a few classes is
    sufficient.

    The linear map is initialised as an orthogonal one. Its output is divided by the square root of
    ``n_features``, so that initial distances between standardised recordings are around 1.

    Parameters
    ----------
    n_features, n_outputs : int

    References
    ----------
    Snyder et al. 2018, "X-vectors: robust DNN embeddings for speaker recognition".

    Examples
    --------
    >>> import torch
    >>> from skaudio.nets import StatisticsPooling
    >>> StatisticsPooling(20, 8)(torch.randn(2, 20, 50), torch.tensor([50, 30])).shape
    torch.Size([2, 8])
    """

    def __init__(self, n_features: int, n_outputs: int):
        super().__init__()
        self.head = nn.Linear(2 * n_features, n_outputs)
        nn.init.orthogonal_(self.head.weight)

    # A frame does not depend on its neighbours.
    frame_stride = 1
    reach = 0

    def forward_local(
        self, x: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the frames (n_sequences, n_frames, n_features) unchanged, and their counts."""
        return x.transpose(1, 2), lengths

    def embed(self, frames: Frames, lengths: torch.Tensor) -> torch.Tensor:
        """Return means and standard deviations of frames, or of blocks of frames."""
        count = lengths[:, None]
        if not isinstance(frames, torch.Tensor):
            sums: Any = 0.0
            squares: Any = 0.0
            for block, mask, _ in masked_blocks(frames, lengths, 1):
                inside = block.double().masked_fill(~mask, 0.0)
                sums, squares = sums + inside.sum(-1), squares + inside.square().sum(-1)
            mean = sums / count
            deviation = (squares / count - mean.square()).clamp(min=1e-10).sqrt()
            return torch.cat([mean, deviation], dim=1).float()
        outside = ~time_mask(lengths, frames.shape[-1])[:, None]
        mean = frames.masked_fill(outside, 0.0).sum(-1) / count
        centred = (frames - mean[..., None]).masked_fill(outside, 0.0)
        # The derivative of the square root is infinite at zero.
        deviation = (centred.square().sum(-1) / count).clamp(min=1e-10).sqrt()
        return torch.cat([mean, deviation], dim=1)

    def classify(self, frames: Frames, lengths: torch.Tensor) -> torch.Tensor:
        """Return the linear map of the statistics of frames, or of blocks of frames."""
        features = self.embed(frames, lengths)
        out: torch.Tensor = self.head(features) / (features.shape[1] / 2) ** 0.5
        return out

    def forward_features(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return means and standard deviations (n_sequences, 2 n_features)."""
        return self.embed(x, lengths)

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return (n_sequences, n_outputs) of frames (n_sequences, n_features, n_frames)."""
        return self.classify(x.float(), lengths)
