"""Standardisation of frames, as the first layer of a network."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from skaudio.nets._sequence_layers import time_mask


def recording_mean(
    x: torch.Tensor, mask: torch.Tensor, inverse_temperature: float | torch.Tensor
) -> torch.Tensor:
    """Return the mean of each recording over time, weighted by loudness.

    The level of a frame is the mean of its features, which increases with loudness for logarithmic
    spectra and cepstra. The weights are the softmax over time of ``inverse_temperature`` times the
    level. Silence around a sound has little influence on this mean. The unweighted mean would
    depend on how closely the recording was trimmed.

    Parameters
    ----------
    x : tensor of shape (n_sequences, n_features, n_frames)
    mask : boolean tensor of shape (n_sequences, n_frames)
        True for the frames of each recording, False for padding.
    inverse_temperature : float or tensor of shape ()
        Factor of the level. 0 gives the unweighted mean.

    Returns
    -------
    mean : tensor of shape (n_sequences, n_features, 1)

    Examples
    --------
    >>> import torch
    >>> from skaudio.nets import recording_mean
    >>> x, mask = torch.tensor([[[0.0, 4.0, 9.0]]]), torch.tensor([[True, True, False]])
    >>> recording_mean(x, mask, 0.0).flatten().tolist()
    [2.0]
    >>> round(recording_mean(x, mask, 1.0).item(), 2)
    3.93
    """
    level = (x.mean(1) * inverse_temperature).masked_fill(~mask, float("-inf"))
    weights: torch.Tensor = level.softmax(-1)[:, None]
    return (x.masked_fill(~mask[:, None], 0.0) * weights).sum(-1, keepdim=True)


class Standardize(nn.Module):
    """Centre and scale frames (n_sequences, n_features, n_frames); padding becomes zeros.

    Parameters
    ----------
    mean, std : tensor of shape (n_features,)
        Statistics of the training data, after the subtraction of the mean of each recording, if
        any.
    inverse_temperature : float or None
        If not None, the mean of each recording over time is subtracted first (cepstral mean
        normalisation, weighted as in `recording_mean`). This removes constant effects of
        microphone, room and voice.

    Examples
    --------
    >>> import torch
    >>> from skaudio.nets import Standardize
    >>> standardize = Standardize(torch.tensor([1.0]), torch.tensor([2.0]))
    >>> standardize(torch.tensor([[[1.0, 5.0, 7.0]]]), torch.tensor([2])).tolist()
    [[[0.0, 2.0, 0.0]]]
    """

    mean: torch.Tensor
    scale: torch.Tensor
    inverse_temperature: torch.Tensor | None

    def __init__(
        self, mean: torch.Tensor, std: torch.Tensor, *, inverse_temperature: float | None = None
    ):
        super().__init__()
        as_tensor = None if inverse_temperature is None else torch.tensor(inverse_temperature)
        # The buffer is in the state dict unless it is None.
        self.register_buffer("inverse_temperature", as_tensor)
        self.register_buffer("mean", mean)
        self.register_buffer("scale", 1.0 / torch.where(std > 1e-6, std, torch.ones_like(std)))

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        mask = time_mask(lengths, x.shape[-1])
        if self.inverse_temperature is not None:
            x = x - recording_mean(x, mask, self.inverse_temperature)
        x = (x - self.mean[:, None]) * self.scale[:, None]
        return x.masked_fill(~mask[:, None], 0.0)


class StandardizedNet(nn.Module):
    """A network, preceded by the standardisation of its input.

    Parameters
    ----------
    standardize : Standardize
        Centres and scales the frames.
    net : torch.nn.Module
        Takes frames (n_sequences, n_features, n_frames) and lengths (n_sequences,).
    reduced : bool, default=False
        Run the network, not the standardisation, in bfloat16 in training.

    Examples
    --------
    >>> import torch
    >>> from skaudio.nets import GRU, Standardize, StandardizedNet
    >>> net = StandardizedNet(Standardize(torch.zeros(20), torch.ones(20)), GRU(20, 3))
    >>> net(torch.randn(2, 20, 50), torch.tensor([50, 30])).shape
    torch.Size([2, 3])
    """

    net: Any

    def __init__(self, standardize: Standardize, net: nn.Module, *, reduced: bool = False):
        super().__init__()
        self.standardize = standardize
        self.net = net
        self.reduced = reduced

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        x = self.standardize(x, lengths)
        out: torch.Tensor
        if self.reduced and self.training:
            with torch.autocast(x.device.type, torch.bfloat16):
                out = self.net(x, lengths).float()
        else:
            out = self.net(x, lengths)
        return out

    def forward_frames(
        self, x: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        frames, lengths = self.net.forward_frames(self.standardize(x, lengths), lengths)
        return frames, lengths

    def forward_features(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.net.forward_features(self.standardize(x, lengths), lengths)
        return features
