"""What every pretrained net says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import torch
from torch import nn

from skaudio.pretrained._front_end import FrontEnd


class Output(NamedTuple):
    """What a net makes of a batch of log-mel spectrograms.

    Attributes
    ----------
    embedding : Tensor of shape (n, n_features)
    logits : Tensor of shape (n, n_classes) or None
        Before the sigmoid; None for a net without classes.
    frame_logits : Tensor of shape (n, n_classes, n_frames) or None
        Of a net that decides by the frame.
    """

    embedding: torch.Tensor
    logits: torch.Tensor | None = None
    frame_logits: torch.Tensor | None = None


class PretrainedNet(nn.Module):
    """A net over log-mel spectrograms ``(n, n_mels, n_frames)``, with its front end.

    Attributes
    ----------
    front_end : FrontEnd
        Waveforms to log-mel spectrograms.
    n_features, n_classes : int
        Sizes of the embedding and of the output; 0 classes for a net that has none.
    chunk_duration, chunk_hop : float
        How recordings are cut by default, in seconds.
    fixed : bool
        The net takes chunks of one length only, which end in zeros where a recording ends.
    min_samples : int
        The shortest input; shorter recordings are followed by zeros.
    frame_duration : float or None
        Seconds between the frames of ``Output.frame_logits``.
    """

    front_end: ClassVar[FrontEnd]
    n_features: int
    n_classes: int
    chunk_duration: ClassVar[float]
    chunk_hop: ClassVar[float]
    fixed: ClassVar[bool] = False
    min_samples: ClassVar[int] = 1
    frame_duration: ClassVar[float | None] = None
    # Name, parameters and files that the weights came from.
    origin: tuple = ()

    def convert(self, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return the tensors of an official file under the names of ``state_dict``."""
        return dict(tensors)

    def reset(self) -> None:
        """Draw weights that keep the signal's size from layer to layer, from torch's generator."""
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(module.weight)

    def fold(self) -> None:
        """Fold what the general way, a convolution before its normalisation, does not reach."""

    def forward(self, x: torch.Tensor) -> Output:
        raise NotImplementedError
