"""ReDimNet: a network for speaker verification with alternating 2-D and 1-D layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, cast

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from skaudio.dsp import Analysis, Framing, Scale, mel_filterbank
from skaudio.pretrained._pretrained_net import FrontEnd, Output, PretrainedNet

N_MELS, CHANNELS, SIZE = 72, 16, 192
# Number of channels times bands, which is the same for the output of every stage.
WIDTH = CHANNELS * N_MELS
# Stages of B2: stride over bands, number of blocks, factor by which the 1-D part is narrower.
STAGES = ((1, 2, 12), (2, 2, 12), (1, 3, 12), (3, 4, 8), (1, 4, 8), (2, 4, 4))
# Number of channels per group in the 2-D convolutions.
GROUP = 4
# Lengths of the 1-D convolutions, and numbers of heads of the attention after them.
KERNELS, N_HEADS = (7, 19, 31, 59), 4
EPS = 1e-6  # eps of the layer normalisations
LEAST = 1e-7  # of variances


class ReDimNet(PretrainedNet):
    """ReDimNet B2 over 72 mel bands, with 192 features of the voice.

    Yakovlev et al. 2024, "Reshape dimensions network for speaker recognition". Rows are compared by
    their angle (``unit_norm=True``). It has no classes.
    """

    front_end = FrontEnd(
        sample_rate=16000,
        analysis=Analysis(
            Framing(512, 400, 240, window="hamming", pad_mode="reflect"),
            filters=partial(mel_filterbank, 16000, 512, N_MELS, 20.0, 7600.0, True, None),
            scale=Scale("log", eps=1e-6),
        ),
        preemphasis=0.97,
        keeps_first=True,
        subtract_mean=True,
    )
    chunk_duration = 10.0
    chunk_hop = 10.0
    min_samples = 257  # 256 are mirrored at either end
    n_features = SIZE
    n_classes = 0

    def __init__(self) -> None:
        super().__init__()
        backbone: dict[str, nn.Module] = {
            "stem": nn.Sequential(nn.Conv2d(1, CHANNELS, 3, padding=1), ChannelNorm(CHANNELS))
        }
        channels = CHANNELS
        for i, (stride, n_blocks, narrower) in enumerate(STAGES):
            out = channels * stride
            blocks = [BandBlock(out) for _ in range(n_blocks)]
            backbone[f"stage{i}"] = nn.Sequential(
                WeightedSum(i + 1, WIDTH if i else 1),
                Unflatten(channels),
                nn.Conv2d(channels, out, (stride, 1), (stride, 1)),
                *blocks,
                Flatten(),
                TimeBlock(WIDTH, WIDTH // narrower),
            )
            channels = out
        backbone["fin_wght1d"] = WeightedSum(len(STAGES) + 1, WIDTH)
        self.backbone = nn.ModuleDict(backbone)
        self.pool = AttentiveStatistics(WIDTH)
        self.bn = nn.BatchNorm1d(2 * WIDTH)
        self.linear = nn.Linear(2 * WIDTH, SIZE)

    def convert(self, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        # The tables of the front end; they are computed here.
        return {name: value for name, value in tensors.items() if not name.startswith("spec.")}

    def fold_batch_norm(self) -> None:
        for module in self.modules():
            if isinstance(module, ConvNeXtBlock):
                module.fold_batch_norm()

    def forward(self, x: torch.Tensor) -> Output:
        maps = [flatten(self.backbone["stem"](x.unsqueeze(1)))]
        for i in range(len(STAGES)):
            maps.append(self.backbone[f"stage{i}"](maps))
        pooled = self.pool(self.backbone["fin_wght1d"](maps))
        return Output(self.linear(self.bn(pooled)))


class ChannelNorm(nn.LayerNorm):
    """Layer normalisation over axis 1 of (n, n_channels, ...)."""

    def __init__(self, channels: int):
        super().__init__(channels, eps=EPS)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        return super().forward(input.movedim(1, -1)).movedim(-1, 1)


class WeightedSum(nn.Module):
    """Weighted sum of maps, with softmax weights for each feature."""

    def __init__(self, n_maps: int, width: int):
        super().__init__()
        self.w = nn.Parameter(torch.zeros(1, n_maps, width, 1))

    def forward(self, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        weights = self.w.softmax(dim=1)
        return torch.stack([weights[:, i] * x for i, x in enumerate(maps)]).sum(0)


class Unflatten(nn.Module):
    """(n, n_bands * n_channels, n_frames) to (n, n_channels, n_bands, n_frames)."""

    def __init__(self, channels: int):
        super().__init__()
        self.channels = channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.unflatten(x, 1, (-1, self.channels)).transpose(1, 2)


class Flatten(nn.Module):
    """(n, n_channels, n_bands, n_frames) to (n, n_bands * n_channels, n_frames)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return flatten(x)


def flatten(x: torch.Tensor) -> torch.Tensor:
    """Return the channels of all bands as one axis, ordered by band."""
    return x.transpose(1, 2).flatten(1, 2)


class ConvNeXtBlock(nn.Module):
    """A convolution within groups of channels, one across channels, and a residual connection.

    Parameters
    ----------
    channels, kernel, groups : int
    n_axes : int, default=2
        Axes of the convolutions.
    """

    def __init__(self, channels: int, kernel: int, groups: int, n_axes: int = 2):
        super().__init__()
        conv: Any = nn.Conv2d if n_axes == 2 else nn.Conv1d
        layer = conv(channels, channels, kernel, padding=kernel // 2, groups=groups)
        self.dwconvs = nn.ModuleList([layer])
        self.norm: nn.Module = (nn.BatchNorm2d if n_axes == 2 else nn.BatchNorm1d)(channels)
        self.pwconv1 = conv(channels, channels, 1)

    def fold_batch_norm(self) -> None:
        """Fold the normalisation into the convolution before it."""
        layer: Any = self.dwconvs[0]
        self.dwconvs[0] = fuse_conv_bn_eval(layer, cast(nn.BatchNorm2d, self.norm))
        self.norm = nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.pwconv1(functional.gelu(self.norm(self.dwconvs[0](x))))
        return x + out


class BandBlock(nn.Module):
    """A block over bands and time, under its name in the official state dict."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv_block = ConvNeXtBlock(channels, 3, channels // GROUP)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.conv_block(x)
        return out


class TimeBlock(nn.Module):
    """Convolutions over time and attention in a narrower space, with a residual connection."""

    def __init__(self, width: int, narrow: int):
        super().__init__()
        self.red_dim_conv = nn.Sequential(nn.Conv1d(width, narrow, 1), ChannelNorm(narrow))
        blocks = [ConvNeXtBlock(narrow, kernel, narrow, n_axes=1) for kernel in KERNELS]
        self.tcm = nn.Sequential(*blocks, TransformerLayer(narrow))
        self.exp_dim_conv = nn.Conv1d(narrow, width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.exp_dim_conv(self.tcm(self.red_dim_conv(x)))
        return x + out


class TransformerLayer(nn.Module):
    """Attention over time and a feed-forward part, each followed by its normalisation."""

    def __init__(self, channels: int):
        super().__init__()
        self.attention = nn.ModuleDict(
            {f"{name}_proj": nn.Linear(channels, channels) for name in ("k", "v", "q", "out")}
        )
        self.layer_norm = nn.LayerNorm(channels, eps=EPS)
        self.feed_forward = nn.ModuleDict(
            {
                "intermediate_dense": nn.Linear(channels, channels),
                "output_dense": nn.Linear(channels, channels),
            }
        )
        self.final_layer_norm = nn.LayerNorm(channels, eps=EPS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.transpose(1, 2)
        x = self.layer_norm(x + self._attend(x))
        hidden = functional.gelu(self.feed_forward["intermediate_dense"](x), approximate="tanh")
        x = self.final_layer_norm(x + self.feed_forward["output_dense"](hidden))
        return x.transpose(1, 2)

    def _attend(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (
            self.attention[f"{name}_proj"](x).unflatten(2, (N_HEADS, -1)).transpose(1, 2)
            for name in ("q", "k", "v")
        )
        mixed = functional.scaled_dot_product_attention(q, k, v)
        out: torch.Tensor = self.attention["out_proj"](mixed.transpose(1, 2).flatten(2))
        return out


class AttentiveStatistics(nn.Module):
    """Weighted means and standard deviations over time, with attentive weights."""

    def __init__(self, width: int):
        super().__init__()
        self.linear1 = nn.Conv1d(3 * width, 128, 1)
        self.linear2 = nn.Conv1d(128, width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean = x.mean(dim=2, keepdim=True).expand_as(x)
        deviation = (x.var(dim=2, keepdim=True) + LEAST).sqrt().expand_as(x)
        context = torch.cat([x, mean, deviation], dim=1)
        weights = self.linear2(self.linear1(context).tanh()).softmax(dim=2)
        mean = (weights * x).sum(dim=2)
        variance = (weights * x.square()).sum(dim=2) - mean.square()
        return torch.cat([mean, variance.clamp(min=LEAST).sqrt()], dim=1)
