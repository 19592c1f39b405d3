"""A pretrained net with a new head as one torch module: what is trained, what is frozen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import torch
from torch import nn

from skaudio.nets import Standardize
from skaudio.pretrained._pretrained_net import PretrainedNet

# Rows that the head takes at a time in prediction, for the sake of memory.
HEAD_ROWS = 256


class DepthwiseConvolution(nn.Conv2d):
    """A convolution of each channel that is computed in float32 under autocast.

    torch's gradient in bfloat16 on the CPU, channels last, sometimes holds what was in memory
    before, where maps are narrower than the kernel (torch 2.13). It is slower, too.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not torch.is_autocast_enabled(x.device.type):
            return super().forward(x)
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.float())


class FineTuningNet(nn.Module):
    """Chunks of recordings through a pretrained net, pooled, standardised, and through a head.

    Parameters
    ----------
    trunk : PretrainedNet
    standardize : Standardize
        Of the embeddings, by their statistics before training.
    n_outputs : int
    pooling : {"mean", "max"}
        How the embeddings of a recording's chunks become one.
    dropout : float

    Attributes
    ----------
    freeze_batch_norm : bool
        Keep the statistics of the batch normalisations as they are.
    lr_factors : dict of str to float, or None
        Factor of the learning rate for each parameter that is trained; None: 1 for all.
    first : int
        The stage of the trunk that takes the input; those before it were run beforehand.
    shape : tuple of int
        Of the maps that are its input, for one chunk and without the axis of time.
    reduced : bool
        Run the trunk in bfloat16 while training.
    """

    def __init__(
        self,
        trunk: PretrainedNet,
        standardize: Standardize,
        n_outputs: int,
        *,
        pooling: str = "mean",
        dropout: float = 0.0,
    ):
        super().__init__()
        # torch states this form of ``to`` for tensors only.
        self.trunk = trunk.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        for part in self.trunk.modules():
            if type(part) is nn.Conv2d and part.groups > 1:
                part.__class__ = DepthwiseConvolution
        self.standardize = standardize
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(trunk.n_features, n_outputs)
        self.pooling = pooling
        self.freeze_batch_norm = True
        self.lr_factors: dict[str, float] | None = None
        self.first = 0
        self.shape: tuple[int, ...] = ()
        self.reduced = False

    def train_only(self, factors: Mapping[str, float]) -> None:
        """Freeze all but the parameters with a factor above 0, of the trunk or of "head"."""
        self.lr_factors = {
            name if name.startswith("head.") else f"trunk.{name}": factor
            for name, factor in factors.items()
            if factor > 0
        }
        for name, parameter in self.named_parameters():
            parameter.requires_grad_(name in self.lr_factors)

    def train(self, mode: bool = True) -> Self:
        """Set the mode; parts that are frozen stay in evaluation mode."""
        super().train(mode)
        for stage in self.trunk.stages() if mode else ():
            for module in stage.modules:
                if not _is_trained(module):
                    module.eval()
        for part in self.trunk.modules() if mode else ():
            if isinstance(part, nn.modules.batchnorm._BatchNorm):
                part.train(not self.freeze_batch_norm and _is_trained(part))
        return self

    def standardized(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return the input, which is of a usual size as it is."""
        return x

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return the scores of recordings.

        Parameters
        ----------
        x : tensor of shape (n_recordings, n_features, n_frames)
            The chunks of each recording one after the other.
        lengths : tensor of shape (n_recordings, n_chunks)
            The frames of each chunk; 0 where a recording has fewer.
        """
        if self.reduced and self.training:
            with torch.autocast(x.device.type, torch.bfloat16):
                rows = self._rows(x, lengths).float()
        else:
            rows = self._rows(x, lengths)
        rows = (rows - self.standardize.mean) * self.standardize.scale
        scores: torch.Tensor = self.head(self.dropout(rows))
        return scores

    def _rows(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        stages = self.trunk.stages()[self.first :]
        if not stages:
            return x[:, :, 0]
        owners, pieces = _by_length(x, lengths)
        rows = []
        for piece in pieces:
            out = piece
            if self.first:
                maps = piece.reshape(len(piece), *self.shape, -1)
                out = maps.movedim(-1, self.trunk.time_axis)
            for stage in stages:
                out = stage.run(out)
            rows.append(out)
        return _pool(torch.cat(rows), owners, len(x), self.pooling)

    def scores(self, rows: np.ndarray) -> np.ndarray:
        """Return the head's scores of embeddings; a row does not depend on the others."""
        mean, scale, weight, bias = (
            tensor.detach().cpu().numpy()
            for tensor in (
                self.standardize.mean,
                self.standardize.scale,
                self.head.weight,
                self.head.bias,
            )
        )
        scaled = (rows - mean) * scale
        # Sums along the last axis are rounded alike in every row, unlike a matrix product.
        parts = [
            (scaled[i : i + HEAD_ROWS, None] * weight).sum(axis=2)
            for i in range(0, len(rows), HEAD_ROWS)
        ]
        scores: np.ndarray = np.concatenate(parts) + bias
        return scores


def _is_trained(module: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in module.parameters())


def _by_length(x: torch.Tensor, lengths: torch.Tensor) -> tuple[list[int], list[torch.Tensor]]:
    """Return chunks of one length in one tensor each, and the recording of each chunk."""
    counts = lengths.tolist()
    if all(row[0] == counts[0][0] and not any(row[1:]) for row in counts):
        return list(range(len(counts))), [x[..., : counts[0][0]]]
    places: dict[int, list[tuple[int, int]]] = {}
    for i, row in enumerate(counts):
        start = 0
        for n_frames in row:
            if n_frames:
                places.setdefault(n_frames, []).append((i, start))
            start += n_frames
    owners = [i for same in places.values() for i, _ in same]
    pieces = [
        torch.stack([x[i, :, start : start + n_frames] for i, start in same])
        for n_frames, same in places.items()
    ]
    return owners, pieces


def _pool(rows: torch.Tensor, owners: list[int], n: int, pooling: str) -> torch.Tensor:
    """Return one row for each of n recordings, of the rows of their chunks."""
    if owners == list(range(n)):
        return rows
    of_each: list[list[int]] = [[] for _ in range(n)]
    for k, owner in enumerate(owners):
        of_each[owner].append(k)
    if len(rows) == n:
        return rows[[ks[0] for ks in of_each]]
    pool: Any = torch.mean if pooling == "mean" else torch.amax
    return torch.stack([pool(rows[ks], dim=0) for ks in of_each])
