"""EfficientAT: MobileNetV3 over mel spectrograms, distilled from transformers on AudioSet."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from skaudio.dsp import Analysis, Framing, Scale, mel_domain_filterbank
from skaudio.pretrained._pretrained_net import FrontEnd, Output, PretrainedNet, Stage

# Kernel, expanded channels, channels, squeeze and excitation, Hardswish, stride: MobileNetV3-Large.
BLOCKS = (
    (3, 16, 16, False, False, 1),
    (3, 64, 24, False, False, 2),
    (3, 72, 24, False, False, 1),
    (5, 72, 40, True, False, 2),
    (5, 120, 40, True, False, 1),
    (5, 120, 40, True, False, 1),
    (3, 240, 80, False, True, 2),
    (3, 200, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 184, 80, False, True, 1),
    (3, 480, 112, True, True, 1),
    (3, 672, 112, True, True, 1),
    (5, 672, 160, True, True, 2),
    (5, 960, 160, True, True, 1),
    (5, 960, 160, True, True, 1),
)
FIRST_CHANNELS, LAST_CHANNELS = 16, 1280
EPS = 1e-3  # eps of the batch normalisation


class EfficientAT(PretrainedNet):
    """MobileNetV3-Large over 128 mel bands: the networks mn01_as to mn10_as.

    Schmid, Koutini & Widmer 2023, "Efficient large-scale audio tagging via transformer-to-CNN
    knowledge distillation". The embedding is the mean of the last feature maps, before the hidden
    layer of the classifier.

    Parameters
    ----------
    width : float, default=0.4
        Factor of the number of channels: 0.1 for mn01_as, 1.0 for mn10_as.
    n_classes : int, default=527
    """

    front_end = FrontEnd(
        sample_rate=32000,
        # The window is symmetric (np.hanning), not periodic as "hann".
        analysis=Analysis(
            Framing(1024, 800, 320, window=np.hanning, pad_mode="reflect"),
            filters=partial(mel_domain_filterbank, 32000, 1024, 128, 0.0, 15000.0),
            scale=Scale("log", eps=1e-5),
        ),
        preemphasis=0.97,
        shift=4.5,
        scale=5.0,
    )
    chunk_duration = 10.0
    chunk_hop = 10.0
    min_samples = 514  # pre-emphasis takes one sample, and 512 are mirrored at either end

    def __init__(self, width: float = 0.4, n_classes: int = 527):
        super().__init__()
        channels = scaled(FIRST_CHANNELS, width)
        layers: list[nn.Module] = [conv(1, channels, 3, 2, nn.Hardswish)]
        for kernel, expanded, out, squeezes, hardswish, stride in BLOCKS:
            hidden, after = scaled(expanded, width), scaled(out, width)
            layers.append(
                EfficientATBlock(channels, hidden, after, kernel, stride, squeezes, hardswish)
            )
            channels = after
        self.n_features = 6 * channels
        self.n_classes = n_classes
        layers.append(conv(channels, self.n_features, 1, 1, nn.Hardswish))
        self.features = nn.Sequential(*layers)
        last = scaled(LAST_CHANNELS, width)
        self.classifier = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(self.n_features, last),
            nn.Hardswish(),
            nn.Dropout(0.2),
            nn.Linear(last, n_classes),
        )

    def stages(self) -> list[Stage]:
        layers = list(self.features)
        first = Stage((layers[0],), lambda x: layers[0](x.unsqueeze(1)))
        last = Stage((layers[-1],), lambda x: _pooled(layers[-1](x)))
        return [first, *(Stage((layer,), layer) for layer in layers[1:-1]), last]

    def forward(self, x: torch.Tensor) -> Output:
        maps = self.features(x.unsqueeze(1))
        embedding = _pooled(maps)
        return Output(embedding, self.classifier(maps))


def _pooled(maps: torch.Tensor) -> torch.Tensor:
    return functional.adaptive_avg_pool2d(maps, 1).flatten(1)


class EfficientATBlock(nn.Module):
    """Inverted residual block with depthwise convolution and squeeze-and-excitation."""

    def __init__(
        self,
        channels: int,
        expanded: int,
        out: int,
        kernel: int,
        stride: int | tuple[int, int],
        squeezes: bool,
        hardswish: bool,
    ):
        super().__init__()
        activation = nn.Hardswish if hardswish else nn.ReLU
        layers: list[nn.Module] = []
        if expanded != channels:
            layers.append(conv(channels, expanded, 1, 1, activation))
        layers.append(conv(expanded, expanded, kernel, stride, activation, groups=expanded))
        if squeezes:
            layers.append(SqueezeExcitation(expanded))
        layers.append(conv(expanded, out, 1, 1, None))
        self.block = nn.Sequential(*layers)
        self.is_residual = stride in (1, (1, 1)) and channels == out

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.block(x)
        return out + x if self.is_residual else out


class SqueezeExcitation(nn.Module):
    """Squeeze-and-excitation: weights of the channels from their means over time and frequency."""

    def __init__(self, channels: int):
        super().__init__()
        squeezed = scaled(channels // 4, 1.0)
        layer: Any = nn.Module()
        layer.fc1 = nn.Linear(channels, squeezed)
        layer.fc2 = nn.Linear(squeezed, channels)
        layer.sigmoid = nn.Sigmoid()
        # The official network has a list, with one layer per squeezed dimension.
        self.conc_se_layers = nn.ModuleList([layer])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        layer: Any = self.conc_se_layers[0]
        weights: torch.Tensor = layer.sigmoid(layer.fc2(torch.relu(layer.fc1(x.mean((2, 3))))))
        return x * weights[:, :, None, None]


def conv(
    channels: int,
    out: int,
    kernel: int,
    stride: int | tuple[int, int],
    activation: type[nn.Module] | None,
    groups: int = 1,
) -> nn.Sequential:
    """Return a convolution, its batch normalisation and its activation."""
    layers: list[nn.Module] = [
        nn.Conv2d(channels, out, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(out, eps=EPS, momentum=0.01),
    ]
    return nn.Sequential(*layers, *([] if activation is None else [activation()]))


def scaled(channels: float, width: float) -> int:
    """Return a number of channels times the width, rounded to a multiple of 8."""
    exact = channels * width
    rounded = max(8, int(exact + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * exact else rounded
