"""Layers for padded sequences: masks, standardisation, convolutions, recurrent layers.

Sequences of several lengths are padded to one batch. Every layer takes their ``lengths``; its
result does not depend on the padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

# Number of frames per call of a recurrent layer in evaluation. All calls have the same shape, so
# the rounding of a frame does not depend on the padding after it.
STEP = 8

# Weight of loudness: a frame that is one standard deviation louder has e ** LOUDNESS_WEIGHT times
# the weight.
LOUDNESS_WEIGHT = 1.25

# Subtracted from values after the end of a sequence, so that max pooling ignores them. It is finite
# because infinity times zero would be NaN.
FAR_BELOW = 1e9


def time_mask(lengths: torch.Tensor, n_frames: int) -> torch.Tensor:
    """Return a boolean mask (n_sequences, n_frames), True inside each sequence."""
    return torch.arange(n_frames, device=lengths.device) < lengths[:, None]


def flip_in_length(x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Reverse each sequence of (n_sequences, n_frames, n_features) within its length.

    Frames after the end of a sequence are not moved.
    """
    steps = torch.arange(x.shape[1], device=x.device)
    mirrored = lengths[:, None] - 1 - steps
    index = torch.where(mirrored >= 0, mirrored, steps)
    return x.gather(1, index[..., None].expand_as(x))


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


class MaskedBatchNorm(nn.Module):
    """Batch normalisation (Ioffe & Szegedy 2015) with statistics of valid positions only.

    ``x`` of shape (n_sequences, n_channels, n_features, n_frames) must be zero outside the mask
    (n_sequences, 1, 1, n_frames) of zeros and ones. The output at masked positions is undefined.
    """

    running_mean: torch.Tensor
    running_var: torch.Tensor

    def __init__(self, n_channels: int, *, momentum: float = 0.1, eps: float = 1e-5):
        super().__init__()
        self.momentum = momentum
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(n_channels))
        self.bias = nn.Parameter(torch.zeros(n_channels))
        self.register_buffer("running_mean", torch.zeros(n_channels))
        self.register_buffer("running_var", torch.ones(n_channels))

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        if self.training:
            mean, var = self._statistics(x.float(), mask.sum() * x.shape[2])
        else:
            mean, var = self.running_mean, self.running_var
        scale = self.weight * torch.rsqrt(var + self.eps)
        shift = self.bias - mean * scale
        per_channel = (1, -1, 1, 1)
        return torch.addcmul(
            shift.view(per_channel).to(x.dtype), x, scale.view(per_channel).to(x.dtype)
        )

    def _statistics(
        self, x: torch.Tensor, count: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        mean = x.sum((0, 2, 3)) / count
        var = (x.square().sum((0, 2, 3)) / count - mean.square()).clamp(min=0.0)
        with torch.no_grad():
            self.running_mean.lerp_(mean.detach(), self.momentum)
            unbiased = var.detach() * count / (count - 1).clamp(min=1)
            self.running_var.lerp_(unbiased, self.momentum)
        return mean, var


def convolution_blocks(
    n_features: int, channels: Sequence[int], kernel_size: int
) -> tuple[nn.ModuleList, nn.ModuleList, int]:
    """Return convolutions and their batch normalisations, for `run_convolution_blocks`.

    The third value is the number of features per frame after the blocks. Each block halves the
    number of features.
    """
    if kernel_size % 2 == 0:
        raise ValueError(f"kernel_size={kernel_size}: expected an odd number.")
    sizes = [1, *channels]
    convolutions = nn.ModuleList(
        nn.Conv2d(i, o, kernel_size, padding=kernel_size // 2, bias=False)
        for i, o in zip(sizes[:-1], sizes[1:], strict=True)
    )
    # In this format, pooling is vectorised over channels: three times faster on a CPU.
    convolutions.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    norms = nn.ModuleList(MaskedBatchNorm(o) for o in channels)
    return convolutions, norms, sizes[-1] * -(-n_features // (1 << len(channels)))


def convolution_reach(strides: Sequence[int], kernel_size: int) -> int:
    """Return the number of frames on each side on which the output of blocks depends."""
    frames, step = 0, 1
    for stride in strides:
        frames += kernel_size // 2 * step
        step *= stride
    return -(-frames // step) * step


def run_convolution_blocks(
    x: torch.Tensor,
    lengths: torch.Tensor,
    convolutions: nn.ModuleList,
    norms: nn.ModuleList,
    strides: Sequence[int],
) -> tuple[torch.Tensor, torch.Tensor]:
    """Convolve, pool over (2, stride) and normalise, block by block.

    Padding is set to zero after every block, because a recording without padding has a border of
    zeros.
    Returns frames (n_sequences, size, n_frames') and their counts.
    """
    x = x[:, None].contiguous(memory_format=torch.channels_last)
    for convolution, norm, stride in zip(convolutions, norms, strides, strict=True):
        x = convolution(x)
        # Pooling comes first, so that the next steps have a quarter of the values.
        beyond = (_ones_inside(lengths, x) - 1) * FAR_BELOW
        x = nn.functional.max_pool2d(x + beyond, (2, stride), ceil_mode=True)
        lengths = torch.div(lengths + stride - 1, stride, rounding_mode="floor")
        mask = _ones_inside(lengths, x)
        x = torch.relu(norm(x * mask, mask)) * mask
    return x.flatten(1, 2), lengths


def _ones_inside(lengths: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Return ones within each sequence and zeros after it, to multiply with (n, c, h, n_frames)."""
    return time_mask(lengths, x.shape[-1])[:, None, None].to(x.dtype)


class SteppedGRU(nn.GRU):
    """A GRU layer (Cho et al. 2014) that processes `STEP` frames per call in evaluation."""

    def forward(  # type: ignore[override]
        self, x: torch.Tensor, state: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if self.training or x.shape[1] <= STEP:
            out, state = super().forward(x, state)
            return out, state
        pieces = []
        for piece in torch.split(x, STEP, dim=1):
            out, state = super().forward(piece, state)
            pieces.append(out)
        assert state is not None
        return torch.cat(pieces, dim=1), state


def recurrent_layers(
    n_inputs: Sequence[int], hidden_size: int, bidirectional: bool
) -> tuple[nn.ModuleList, nn.ModuleList]:
    """Return forward and backward GRU layers for `run_recurrent_layers`."""

    def layers(sizes: Sequence[int]) -> nn.ModuleList:
        return nn.ModuleList(SteppedGRU(size, hidden_size, batch_first=True) for size in sizes)

    return layers(n_inputs), layers(n_inputs if bidirectional else [])


def run_recurrent_layers(
    x: torch.Tensor,
    lengths: torch.Tensor,
    forwards: nn.ModuleList,
    backwards: nn.ModuleList,
    dropout: nn.Module,
    layer_norms: nn.ModuleList | tuple[()] = (),
) -> torch.Tensor:
    """Apply stacked layers to (n_sequences, n_frames, n_features), with dropout between them.

    With ``layer_norms``, layers have residual connections and layer normalisation. The backward
    direction reads each sequence reversed within its length. Padded sequences give the same values
    this way as packed ones, and are faster on the CPU.
    """
    for i, layer in enumerate(forwards):
        if i:
            x = dropout(x)
        out = layer(x)[0]
        if len(backwards):
            back = backwards[i](flip_in_length(x, lengths))[0]
            out = torch.cat([out, flip_in_length(back, lengths)], dim=-1)
        x = layer_norms[i](x + out) if len(layer_norms) else out
    return x
