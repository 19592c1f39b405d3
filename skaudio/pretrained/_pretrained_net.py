"""What every pretrained net is: a module over log-mel spectrograms, and its front end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
    keeps_first : bool
        The pre-emphasis keeps the length: the second sample is taken for the one before the first.
    pad : int
        Zeros at either end: a frame whose window is shorter than its transform begins with the
        window, as in TensorFlow.
    margin : int
        Samples beyond either end of a chunk that its frames see; chunks come with them, zeros where
        a recording begins or ends.
    shift, scale : float
        The result is ``(log_mel + shift) / scale``.
    subtract_mean : bool
        Subtract the mean of each band over time.
    """

    sample_rate: int
    analysis: Analysis
    preemphasis: float = 0.0
    keeps_first: bool = False
    pad: int = 0
    margin: int = 0
    shift: float = 0.0
    scale: float = 1.0
    subtract_mean: bool = False

    @property
    def hop_length(self) -> int:
        """Samples from frame to frame."""
        return self.analysis.framing.hop_length

    def encode(self, waveform: np.ndarray, warp_factor: float = 1.0) -> np.ndarray:
        """Return the log-mel spectrogram (n_mels, n_frames) of one chunk; releases the GIL.

        ``warp_factor`` is the vocal-tract warp factor of VTLP.
        """
        frames = self.analysis.encode(self._prepare(waveform), warp_factor)
        if self.shift or self.scale != 1.0:
            frames = (frames + np.float32(self.shift)) / np.float32(self.scale)
        return frames - frames.mean(axis=1, keepdims=True) if self.subtract_mean else frames

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
        rows = [np.pad(np.asarray(w, dtype=np.float32), self.margin) for w in waveforms]
        rows = [self._prepare(row) for row in rows]
        frames = torch.stack(self.analysis.encode_batch(rows, device=device))
        frames = (frames + self.shift) / self.scale
        return frames - frames.mean(dim=2, keepdim=True) if self.subtract_mean else frames

    def _prepare(self, waveform: np.ndarray) -> np.ndarray:
        if self.keeps_first:
            waveform = np.concatenate([waveform[1:2], waveform])
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
    coverage : float
        Of a fixed net: the last chunk is left out where the recording covers a smaller share of it,
        unless it is the only one.
    level : float or None
        Recordings with a lower level, in dB relative to full scale, are amplified to it.
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
    coverage: ClassVar[float] = 0.0
    level: float | None = None
    min_samples: ClassVar[int] = 1
    frame_duration: ClassVar[float | None] = None
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

    def fold_batch_norm(self) -> None:
        """Fold what the general way, a convolution before its normalisation, does not reach."""

    def forward(self, x: torch.Tensor) -> Output:
        raise NotImplementedError
