"""What every pretrained net is: a module over log-mel spectrograms, and its front end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import nn

from skaudio.dsp import Analysis


@dataclass(frozen=True)
class FrontEnd:
    """A log-mel analysis, with what some nets do before and after it.

    Attributes
    ----------
    sample_rate : int
        In Hz.
    analysis : Analysis
    preemphasis : float
        ``x[t] - preemphasis * x[t - 1]``, one sample shorter; 0 leaves the waveform alone.
    pad : int
        Zeros at either end: a frame whose window is shorter than its transform begins with the
        window, as in TensorFlow.
    shift, scale : float
        The result is ``(log_mel + shift) / scale``.
    """

    sample_rate: int
    analysis: Analysis
    preemphasis: float = 0.0
    pad: int = 0
    shift: float = 0.0
    scale: float = 1.0

    @property
    def hop_length(self) -> int:
        """Samples from frame to frame."""
        return self.analysis.framing.hop_length

    def encode(self, waveform: np.ndarray, warp_factor: float = 1.0) -> np.ndarray:
        """Return the log-mel spectrogram (n_mels, n_frames) of one waveform; releases the GIL.

        ``warp_factor`` is the vocal-tract warp factor of VTLP.
        """
        frames = self.analysis.encode(self._prepare(waveform), warp_factor)
        if self.shift or self.scale != 1.0:
            frames = (frames + np.float32(self.shift)) / np.float32(self.scale)
        return frames

    def __call__(
        self, waveforms: Iterable[Any], device: str | torch.device = "cpu"
    ) -> torch.Tensor:
        """Return the log-mel spectrograms (n, n_mels, n_frames) of waveforms of one length.

        Parameters
        ----------
        waveforms : array or tensor of shape (n, n_samples)
            At `sample_rate`.
        device : str or torch.device
            Where to compute.

        Returns
        -------
        log_mel : Tensor
            What the net's ``forward`` takes.
        """
        rows = [self._prepare(np.asarray(w, dtype=np.float32)) for w in waveforms]
        frames = torch.stack(self.analysis.encode_batch(rows, device=device))
        return (frames + self.shift) / self.scale

    def _prepare(self, waveform: np.ndarray) -> np.ndarray:
        if self.preemphasis:
            waveform = waveform[1:] - np.float32(self.preemphasis) * waveform[:-1]
        return np.pad(waveform, self.pad) if self.pad else waveform


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


@dataclass(frozen=True)
class Stage:
    """A step on the way from the spectrogram to the embedding.

    Attributes
    ----------
    modules : tuple of Module
        What it computes with; trained or frozen together.
    run : callable
        Maps what the stage before returned, first the spectrograms, last to the embedding.
    """

    modules: tuple[nn.Module, ...]
    run: Callable[[torch.Tensor], torch.Tensor]


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
    time_axis : int
        The axis of time in what its stages pass on.
    """

    front_end: ClassVar[FrontEnd]
    n_features: int
    n_classes: int
    chunk_duration: ClassVar[float]
    chunk_hop: ClassVar[float]
    fixed: ClassVar[bool] = False
    min_samples: ClassVar[int] = 1
    frame_duration: ClassVar[float | None] = None
    time_axis: ClassVar[int] = 3
    # What `weights_source` returned when the weights were loaded.
    weights_source: tuple[Any, ...] = ()

    def convert(self, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return the tensors of an official file under the names of ``state_dict``."""
        return dict(tensors)

    def reset(self) -> None:
        """Draw weights that keep the signal's size from layer to layer, from torch's generator."""
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(module.weight)

    def stages(self) -> list[Stage]:
        """Return the steps to the embedding, in order; their composition is `forward`'s."""
        return [Stage((self,), lambda x: self(x).embedding)]

    def fold_batch_norm(self) -> None:
        """Fold what the general way, a convolution before its normalisation, does not reach."""

    def forward(self, x: torch.Tensor) -> Output:
        raise NotImplementedError
