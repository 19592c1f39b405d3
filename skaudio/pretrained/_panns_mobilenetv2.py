"""PANNs MobileNetV2: average pooling after convolutions of stride 1 instead of stride 2."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from skaudio.pretrained._panns import PANN
from skaudio.pretrained._pretrained_net import Output, Stage

# Factor of the hidden channels, number of channels, number of blocks, stride of the first block.
GROUPS = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 2),
    (6, 160, 3, 1),
    (6, 320, 1, 1),
)


class MobileNetV2(PANN):
    """MobileNetV2, pooled over frequency, then over time by maximum plus mean.

    Parameters
    ----------
    n_classes : int, default=527
    """

    n_features = 1024

    def __init__(self, n_classes: int = 527):
        super().__init__()
        self.n_classes = n_classes
        channels = 32
        layers: list[nn.Module] = [nn.Sequential(*conv(1, channels, stride=2))]
        for factor, out, n_blocks, stride in GROUPS:
            for i in range(n_blocks):
                layers.append(MobileNetBlock(channels, out, stride if i == 0 else 1, factor))
                channels = out
        layers.append(nn.Sequential(*pointwise(channels, 1280), nn.ReLU6()))
        self.features = nn.Sequential(*layers)
        self.fc1 = nn.Linear(1280, self.n_features)
        self.fc_audioset = nn.Linear(self.n_features, n_classes)

    def stages(self) -> list[Stage]:
        layers = list(self.features)
        first = Stage((self.bn0, layers[0]), lambda x: layers[0](self.image(x)))
        last = Stage((self.fc1,), self._pooled)
        return [first, *(Stage((layer,), layer) for layer in layers[1:]), last]

    def _pooled(self, maps: torch.Tensor) -> torch.Tensor:
        x = maps.mean(dim=3)
        return functional.relu(self.fc1(x.amax(dim=2) + x.mean(dim=2)))

    def forward(self, x: torch.Tensor) -> Output:
        embedding = self._pooled(self.features(self.image(x)))
        dropped = functional.dropout(embedding, 0.5, self.training)
        return Output(embedding, self.fc_audioset(dropped))


class MobileNetBlock(nn.Module):
    """Inverted residual block with depthwise convolution and average pooling."""

    def __init__(self, channels: int, out: int, stride: int, factor: int):
        super().__init__()
        hidden = channels * factor
        widen = [*pointwise(channels, hidden), nn.ReLU6()] if factor != 1 else []
        filter_ = conv(hidden, hidden, stride, groups=hidden)
        self.conv = nn.Sequential(*widen, *filter_, *pointwise(hidden, out))
        self.is_residual = stride == 1 and channels == out

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.conv(x)
        return x + out if self.is_residual else out


def conv(channels: int, out: int, stride: int, groups: int = 1) -> list[nn.Module]:
    """Return a 3 x 3 convolution, average pooling, batch normalisation and a rectifier."""
    layer = nn.Conv2d(channels, out, 3, padding=1, groups=groups, bias=False)
    return [layer, nn.AvgPool2d(stride), nn.BatchNorm2d(out), nn.ReLU6()]


def pointwise(channels: int, out: int) -> list[nn.Module]:
    """Return a 1 x 1 convolution and batch normalisation."""
    return [nn.Conv2d(channels, out, 1, bias=False), nn.BatchNorm2d(out)]
