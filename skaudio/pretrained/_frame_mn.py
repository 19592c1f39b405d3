"""frame_mn: EfficientAT's layers at 25 frames per second, for the strong labels of AudioSet."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import nn

from skaudio.dsp import Analysis, Framing, Scale, mel_domain_filterbank
from skaudio.pretrained._efficientat import (
    BLOCKS,
    FIRST_CHANNELS,
    EfficientATBlock,
    conv,
    scaled,
)
from skaudio.pretrained._pretrained_net import FrontEnd, Output, PretrainedNet

# Strides of the blocks over mel bands, which end as one band; over time only block 1 has one.
BAND_STRIDES = (1, 2, 2, 1, 1, 2, 1, 2, 1, 1, 2, 1, 1, 1, 2)
TIME_STRIDES = (1, 2, *[1] * 13)
# Nepers in a decibel of power; the front end takes natural logarithms.
NEPER = np.log(10.0) / 10.0


class FrameMN(PretrainedNet):
    """MobileNetV3-Large over 128 mel bands with scores every 40 ms: frame_mn06 and frame_mn10.

    Schmid et al. 2025, "Effective pre-training of audio transformers for sound event detection",
    whose 447 classes are those of the strong labels of AudioSet. The scores of a recording are the
    highest of its frames, and the embedding is the mean of the frames before the classes. The
    second set of classes in the official file (``weak_head``) is not used.

    Parameters
    ----------
    width : float, default=1.0
        Factor of the number of channels: 0.6 for frame_mn06.
    n_classes : int, default=447
    """

    front_end = FrontEnd(
        sample_rate=16000,
        # The window is symmetric: np.hanning, where "hann" would be periodic.
        analysis=Analysis(
            Framing(512, 400, 160, window=np.hanning, pad_mode="reflect"),
            filters=partial(mel_domain_filterbank, 16000, 512, 128, 0.0, 7000.0),
            scale=Scale("db", top_db=None),
        ),
        preemphasis=0.97,
        floor=-70.0,  # 1e-7
        shift=4.5 / NEPER,
        scale=5.0 / NEPER,
    )
    chunk_duration = 10.0
    chunk_hop = 10.0
    min_samples = 258  # one sample goes to the pre-emphasis, 256 are mirrored at either end
    frame_duration = 0.04
    frame_start = 0.02

    def __init__(self, width: float = 1.0, n_classes: int = 447):
        super().__init__()
        channels = scaled(FIRST_CHANNELS, width)
        layers: list[nn.Module] = [conv(1, channels, 3, 2, nn.Hardswish)]
        strides = zip(BAND_STRIDES, TIME_STRIDES, strict=True)
        for (kernel, expanded, out, squeezes, hardswish, _), stride in zip(
            BLOCKS, strides, strict=True
        ):
            hidden, after = scaled(expanded, width), scaled(out, width)
            layers.append(
                EfficientATBlock(channels, hidden, after, kernel, stride, squeezes, hardswish)
            )
            channels = after
        self.n_features, self.n_classes = 6 * channels, n_classes
        layers.append(conv(channels, self.n_features, 1, 1, nn.Hardswish))
        features = nn.ModuleDict({"features": nn.Sequential(*layers)})
        self.model = nn.ModuleDict({"frame_mn": features})  # the official names
        self.strong_head = nn.Linear(self.n_features, n_classes)
        self.weak_head = nn.Linear(self.n_features, n_classes)

    def forward(self, x: torch.Tensor) -> Output:
        sequence = self.sequence(x)
        scores = self.strong_head(sequence).transpose(1, 2)
        return Output(sequence.mean(dim=1), scores.amax(dim=2), scores)

    def sequence(self, x: torch.Tensor) -> torch.Tensor:
        """Return the features (n, n_frames, n_features) of frames of 40 ms."""
        backbone: nn.ModuleDict = self.model["frame_mn"]  # type: ignore[assignment]
        maps: torch.Tensor = backbone["features"](x.unsqueeze(1))
        return maps.mean(dim=2).transpose(1, 2)
