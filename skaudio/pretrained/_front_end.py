"""Waveforms to the log-mel spectrograms that a net was trained on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

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

    def __call__(self, waveforms: Iterable[Any], device: str | torch.device = "cpu"):
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
