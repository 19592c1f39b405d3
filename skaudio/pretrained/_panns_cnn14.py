"""PANNs Cnn14, and Cnn14_DecisionLevelMax, which classifies frames."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from skaudio.pretrained._panns import HOP_LENGTH, PANN
from skaudio.pretrained._pretrained_net import Output

CHANNELS = (1, 64, 128, 256, 512, 1024, 2048)
# Number of frames of the spectrogram per frame after the convolutions.
POOLED = 32


class Cnn14(PANN):
    """Twelve convolutions, pooled over frequency, then over time by maximum plus mean.

    Parameters
    ----------
    n_classes : int, default=527
    """

    n_features = CHANNELS[-1]

    def __init__(self, n_classes: int = 527):
        super().__init__()
        self.n_classes = n_classes
        for i in range(1, len(CHANNELS)):
            self.add_module(f"conv_block{i}", ConvBlock(CHANNELS[i - 1], CHANNELS[i]))
        self.fc1 = nn.Linear(self.n_features, self.n_features)
        self.fc_audioset = nn.Linear(self.n_features, n_classes)

    def fold_batch_norm(self) -> None:
        for module in self.modules():
            if isinstance(module, ConvBlock):
                module.fold_batch_norm()

    def maps(self, x: torch.Tensor) -> torch.Tensor:
        """Return (n, n_features, n_segments): the last feature maps, averaged over frequency."""
        x = self.image(x)
        for i in range(1, len(CHANNELS)):
            x = self.get_submodule(f"conv_block{i}")(x)
            if i < len(CHANNELS) - 1:
                x = functional.avg_pool2d(x, 2)
            x = functional.dropout(x, 0.2, self.training)
        return x.mean(dim=3)

    def forward(self, x: torch.Tensor) -> Output:
        x = self.maps(x)
        x = functional.dropout(x.amax(dim=2) + x.mean(dim=2), 0.5, self.training)
        embedding = functional.relu(self.fc1(x))
        dropped = functional.dropout(embedding, 0.5, self.training)
        return Output(embedding, self.fc_audioset(dropped))


class Cnn14DecisionLevelMax(Cnn14):
    """Cnn14 that classifies every 0.32 s; the score of a recording is the maximum.

    The authors define no embedding; here it is the mean of the hidden layer over time.

    Parameters
    ----------
    n_classes : int, default=527
    """

    frame_duration = HOP_LENGTH / PANN.front_end.sample_rate

    def forward(self, x: torch.Tensor) -> Output:
        n_frames = x.shape[2]
        x = self.maps(x)
        x = functional.max_pool1d(x, 3, 1, 1) + functional.avg_pool1d(x, 3, 1, 1)
        x = functional.dropout(x, 0.5, self.training).transpose(1, 2)
        hidden = functional.relu(self.fc1(x))
        logits = self.fc_audioset(functional.dropout(hidden, 0.5, self.training)).transpose(1, 2)
        # As in the official network: each decision is repeated for its 32 frames, and the last one
        # for the remaining frames.
        source = (torch.arange(n_frames, device=x.device) // POOLED).clamp(max=logits.shape[2] - 1)
        return Output(hidden.mean(dim=1), logits.amax(dim=2), logits[:, :, source])


class ConvBlock(nn.Module):
    """Two convolutions, each followed by batch normalisation and a rectifier."""

    def __init__(self, channels: int, out: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.bn2 = nn.BatchNorm2d(out)

    def fold_batch_norm(self) -> None:
        """Fold the batch normalisations into the convolutions."""
        for conv, norm in (("conv1", "bn1"), ("conv2", "bn2")):
            folded = fuse_conv_bn_eval(getattr(self, conv), getattr(self, norm))
            setattr(self, conv, folded)
            setattr(self, norm, nn.Identity())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(x)))
