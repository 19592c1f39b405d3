"""PANNs Cnn14, and Cnn14_DecisionLevelMax, which classifies frames."""

from __future__ import annotations

from functools import partial

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from skaudio.pretrained._panns import HOP_LENGTH, PANN
from skaudio.pretrained._pretrained_net import Output, Stage

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

    def stages(self) -> list[Stage]:
        blocks = [self.get_submodule(f"conv_block{i}") for i in range(1, len(CHANNELS))]
        first = Stage((self.bn0, blocks[0]), lambda x: self._block(blocks[0], self.image(x)))
        others = [Stage((block,), partial(self._block, block)) for block in blocks[1:]]
        return [first, *others, Stage((self.fc1,), self._embedding)]

    def _block(self, block: nn.Module, x: torch.Tensor) -> torch.Tensor:
        """Run a block, and what follows it: an average of two by two, and dropout."""
        x = block(x)
        if x.shape[1] < self.n_features:  # the last block is not followed by an average
            x = functional.avg_pool2d(x, 2)
        return functional.dropout(x, 0.2, self.training)

    def maps(self, x: torch.Tensor) -> torch.Tensor:
        """Return the last feature maps (n, n_features, n_segments, n_bands)."""
        for stage in self.stages()[:-1]:
            x = stage.run(x)
        return x

    def _embedding(self, maps: torch.Tensor) -> torch.Tensor:
        x = maps.mean(dim=3)
        x = functional.dropout(x.amax(dim=2) + x.mean(dim=2), 0.5, self.training)
        return functional.relu(self.fc1(x))

    def forward(self, x: torch.Tensor) -> Output:
        embedding = self._embedding(self.maps(x))
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

    def _embedding(self, maps: torch.Tensor) -> torch.Tensor:
        return self._hidden(maps).mean(dim=1)

    def _hidden(self, maps: torch.Tensor) -> torch.Tensor:
        """Return (n, n_segments, n_features)."""
        x = maps.mean(dim=3)
        x = functional.max_pool1d(x, 3, 1, 1) + functional.avg_pool1d(x, 3, 1, 1)
        x = functional.dropout(x, 0.5, self.training).transpose(1, 2)
        return functional.relu(self.fc1(x))

    def forward(self, x: torch.Tensor) -> Output:
        n_frames = x.shape[2]
        hidden = self._hidden(self.maps(x))
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
