"""Base classes of networks over chunks of recordings: a module, and its front end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import nn

from skaudio.dsp import Analysis

# Marks frames after the end of a recording: a level that no spectrogram has, exact in bfloat16.
FILL = -1024.0


@dataclass(frozen=True)
class FrontEnd:
    """A log-mel analysis, with pre-emphasis, padding and scaling of some networks.

    Attributes
    ----------
    sample_rate : int
        Sample rate in Hz.
    analysis : Analysis
    preemphasis : float
        Coefficient of ``x[t] - preemphasis * x[t - 1]``, which is one sample shorter. 0: no
        pre-emphasis.
    keeps_first : bool
        Whether pre-emphasis keeps the length. The second sample then precedes the first.
    pad : int
        Number of zeros at either end. A frame whose window is shorter than its FFT then begins with
        the window, as in TensorFlow.
    margin : int
        Number of samples beyond either end of a chunk that its frames see. Chunks are cut with
        them.
    margin_mode : {"constant", "reflect"}
        What is there where a recording begins or ends: zeros, or the recording mirrored.
    floor : float or None
        Lowest value of the log-mel spectrogram; lower values are raised to it.
    shift, scale : float
        The result is ``(log_mel + shift) / scale``.
    subtract_mean : bool
        Whether to subtract the mean of each band over time.
    """

    sample_rate: int
    analysis: Analysis
    preemphasis: float = 0.0
    keeps_first: bool = False
    pad: int = 0
    margin: int = 0
    margin_mode: str = "constant"
    floor: float | None = None
    shift: float = 0.0
    scale: float = 1.0
    subtract_mean: bool = False

    @property
    def hop_length(self) -> int:
        """Number of samples between successive frames."""
        return self.analysis.framing.hop_length

    def encode(self, waveform: np.ndarray, warp_factor: float = 1.0) -> np.ndarray:
        """Return the log-mel spectrogram (n_mels, n_frames) of one chunk; releases the GIL.

        ``warp_factor`` is the vocal-tract warp factor of VTLP.
        """
        frames = self.analysis.encode(self._prepare(waveform), warp_factor)
        if self.floor is not None:
            frames = np.maximum(frames, np.float32(self.floor))
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
            Waveforms at `sample_rate`.
        device : str or torch.device
            Device to compute on.

        Returns
        -------
        log_mel : Tensor
            Input of the network's ``forward``.
        """
        rows = [self._prepare(self._widened(np.asarray(w, np.float32))) for w in waveforms]
        frames = torch.stack(self.analysis.encode_batch(rows, device=device))
        if self.floor is not None:
            frames = frames.clamp(min=self.floor)
        frames = (frames + self.shift) / self.scale
        return frames - frames.mean(dim=2, keepdim=True) if self.subtract_mean else frames

    def _widened(self, waveform: np.ndarray) -> np.ndarray:
        mode: Any = self.margin_mode
        return np.pad(waveform, self.margin, mode) if self.margin else waveform

    def _prepare(self, waveform: np.ndarray) -> np.ndarray:
        if self.keeps_first:
            waveform = np.concatenate([waveform[1:2], waveform])
        if self.preemphasis:
            waveform = waveform[1:] - np.float32(self.preemphasis) * waveform[:-1]
        return np.pad(waveform, self.pad) if self.pad else waveform


class Output(NamedTuple):
    """Output of a network for a batch of log-mel spectrograms.

    Attributes
    ----------
    embedding : Tensor of shape (n, n_features)
    logits : Tensor of shape (n, n_classes) or None
        Values before the sigmoid. None for a network without classes.
    frame_logits : Tensor of shape (n, n_classes, n_frames) or None
        Logits of frames. None for a network that does not classify frames.
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


class ChunkNet(nn.Module):
    """A network over chunks: a front end, and a module over batches of its results.

    Attributes
    ----------
    front_end : FrontEnd
        Any object with ``sample_rate`` in Hz and ``encode(waveform, warp_factor)``, which returns
        an array whose last axis is time. ``margin`` and ``margin_mode``, where it has them, are
        those of `Chunking`.
    chunk_duration, chunk_hop : float
        Default length and hop of chunks, in seconds.
    fixed : bool
        Whether the network takes chunks of one length, or none that are longer.
    fills : bool
        If ``fixed``: whether the last chunk is padded with zeros; otherwise it is shorter, and the
        front end or the network pads.
    filled_frames : int
        Chunks of fewer frames, except for the first of a recording, are padded with frames of
        `FILL`, which the network replaces.
    coverage : float
        If ``fixed``: the last chunk is left out if the recording covers a smaller share of it,
        unless it is the only one.
    level : float or None
        Level in dB relative to full scale to which quieter recordings are amplified.
    min_samples : int
        Length of the shortest input. Shorter recordings are padded with zeros.
    one_by_one : bool
        Whether a batch on the CPU has one chunk if ``batch_size`` is None, because rounding of a
        row may depend on its place in the batch.
    """

    front_end: Any
    chunk_duration: float
    chunk_hop: float
    fixed: bool = False
    fills: bool = True
    filled_frames: int = 0
    coverage: float = 0.0
    level: float | None = None
    min_samples: int = 1
    one_by_one: bool = False

    @property
    def called(self) -> str:
        """The name of the network, for messages."""
        return type(self).__name__

    @property
    def place(self) -> tuple[torch.device, torch.dtype]:
        """Device of the module, and type of its input."""
        like = next(self.parameters())
        return like.device, like.dtype


class PretrainedNet(ChunkNet):
    """A network over log-mel spectrograms ``(n, n_mels, n_frames)``, with its front end.

    Attributes
    ----------
    front_end : FrontEnd
        Computes log-mel spectrograms from waveforms.
    n_features, n_classes : int
        Sizes of the embedding and of the output. 0 classes: the network has only an embedding.
    frame_start : float
        Time of the centre of the first frame of ``Output.frame_logits`` in seconds.
    frame_duration : float or None
        Time between the frames of ``Output.frame_logits`` in seconds.
    time_axis : int
        The axis of time in the maps between stages.
    """

    front_end: FrontEnd
    n_features: int
    n_classes: int
    frame_duration: ClassVar[float | None] = None
    frame_start: ClassVar[float] = 0.0
    time_axis: ClassVar[int] = 3
    # Value of `weights_source` when the weights were loaded.
    weights_source: tuple[Any, ...] = ()

    def convert(self, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Convert the tensors of an official file to the names of ``state_dict``."""
        return dict(tensors)

    def reset(self) -> None:
        """Draw random weights that keep the scale of the signal from layer to layer."""
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(module.weight)

    def stages(self) -> list[Stage]:
        """Return the steps to the embedding, in order; their composition is `forward`'s."""
        return [Stage((self,), lambda x: self(x).embedding)]

    def fold_batch_norm(self) -> None:
        """Fold batch normalisations that do not directly follow a convolution; none by default."""

    def forward(self, x: torch.Tensor) -> Output:
        raise NotImplementedError
