"""Parts of several networks: masks, standardisation, convolutions and recurrent layers.

Sequences of several lengths are padded to one batch. Every part takes their ``lengths``, and its
result does not depend on the padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

# Frames that recurrent layers take in one call in evaluation. All calls have the same shape: the
# output of a frame does not depend on the padding behind it.
STEP = 8

# How much more a frame counts that is one standard deviation louder, as a natural logarithm.
LOUDNESS_WEIGHT = 1.25

# Subtracted from values beyond a sequence's end, so that max pooling does not choose them. Finite:
# infinity times zero would be NaN.
FAR_BELOW = 1e9


def time_mask(lengths: torch.Tensor, n_frames: int) -> torch.Tensor:
    """Return a boolean mask (n_sequences, n_frames), True inside each sequence."""
    return torch.arange(n_frames, device=lengths.device) < lengths[:, None]


def flip_in_length(x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Reverse each sequence of (n_sequences, n_frames, n_features) inside its own length.

    Frames after the end of a sequence stay where they are.
    """
    steps = torch.arange(x.shape[1], device=x.device)
    mirrored = lengths[:, None] - 1 - steps
    index = torch.where(mirrored >= 0, mirrored, steps)
    return x.gather(1, index[..., None].expand_as(x))


def recording_mean(
    x: torch.Tensor, mask: torch.Tensor, inverse_temperature: float | torch.Tensor
) -> torch.Tensor:
    """Return each recording's mean over time, in which loud frames weigh most.

    A frame's level is the mean of its features, which for logarithmic spectra and cepstra follows
    loudness; weights are the softmax over time of ``inverse_temperature`` times the level. The
    silence around a sound hardly moves this mean; the plain mean depends on how closely the sound
    was trimmed.

    Parameters
    ----------
    x : tensor of shape (n_sequences, n_features, n_frames)
    mask : boolean tensor of shape (n_sequences, n_frames)
        Which frames count.
    inverse_temperature : float or tensor of shape ()
        0 gives the plain mean.

    Returns
    -------
    mean : tensor of shape (n_sequences, n_features, 1)
    """
    level = (x.mean(1) * inverse_temperature).masked_fill(~mask, float("-inf"))
    weights: torch.Tensor = level.softmax(-1)[:, None]
    return (x.masked_fill(~mask[:, None], 0.0) * weights).sum(-1, keepdim=True)


class Standardize(nn.Module):
    """Centre and scale frames (n_sequences, n_features, n_frames); padding becomes zeros.

    Parameters
    ----------
    mean, std : tensor of shape (n_features,)
        Statistics of the training data, after the per-recording step where there is one.
    inverse_temperature : float or None
        First subtract each recording's own mean over time (cepstral mean normalisation, with the
        weights of `recording_mean`), which removes what a microphone, a room or a voice adds to
        every frame. None does not.
    """

    mean: torch.Tensor
    scale: torch.Tensor
    inverse_temperature: torch.Tensor | None

    def __init__(
        self, mean: torch.Tensor, std: torch.Tensor, *, inverse_temperature: float | None = None
    ):
        super().__init__()
        as_tensor = None if inverse_temperature is None else torch.tensor(inverse_temperature)
        # A part of the state dict, unless it is None.
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
    """A network behind the standardisation of its input.

    ``reduced`` runs the network, not the standardisation, in bfloat16 while training.
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
    """Batch normalisation (Ioffe & Szegedy 2015) whose statistics see only valid positions.

    For ``x`` of shape (n_sequences, n_channels, n_features, n_frames) that is zero outside the mask
    (n_sequences, 1, 1, n_frames), of zeros and ones. Values at masked positions are undefined.
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

    The third value is the number of features of a frame after the blocks, each of which halves the
    height.
    """
    if kernel_size % 2 == 0:
        raise ValueError(f"kernel_size={kernel_size}: expected an odd number.")
    sizes = [1, *channels]
    convolutions = nn.ModuleList(
        nn.Conv2d(i, o, kernel_size, padding=kernel_size // 2, bias=False)
        for i, o in zip(sizes[:-1], sizes[1:], strict=True)
    )
    # Pooling runs over channels at once in this format: three times faster on a CPU.
    convolutions.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    norms = nn.ModuleList(MaskedBatchNorm(o) for o in channels)
    return convolutions, norms, sizes[-1] * -(-n_features // (1 << len(channels)))


def convolution_reach(strides: Sequence[int], kernel_size: int) -> int:
    """Return how many frames to either side blocks of such strides see."""
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

    Padding is zeroed after every block, where a recording alone would have its zero border.
    Returns frames (n_sequences, size, n_frames') and their counts.
    """
    x = x[:, None].contiguous(memory_format=torch.channels_last)
    for convolution, norm, stride in zip(convolutions, norms, strides, strict=True):
        x = convolution(x)
        # Pooling comes first: what follows has a quarter of the values to go through.
        beyond = (_ones_inside(lengths, x) - 1) * FAR_BELOW
        x = nn.functional.max_pool2d(x + beyond, (2, stride), ceil_mode=True)
        lengths = torch.div(lengths + stride - 1, stride, rounding_mode="floor")
        mask = _ones_inside(lengths, x)
        x = torch.relu(norm(x * mask, mask)) * mask
    return x.flatten(1, 2), lengths


def _ones_inside(lengths: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Return ones inside each sequence and zeros beyond, to multiply with (n, c, h, n_frames)."""
    return time_mask(lengths, x.shape[-1])[:, None, None].to(x.dtype)


class SteppedGRU(nn.GRU):
    """A GRU layer (Cho et al. 2014) that in evaluation takes `STEP` frames at a time."""

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
    """Return GRU layers, forward and backward, for `run_recurrent_layers`."""

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
    """Run stacked layers over (n_sequences, n_frames, n_features), with dropout between them.

    With ``layer_norms``, each layer adds to its input, and the sum is normalised.
    The backward direction reads each sequence reversed inside its own length. Padded sequences are
    faster than packed ones on the CPU, and give the same numbers this way.
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
