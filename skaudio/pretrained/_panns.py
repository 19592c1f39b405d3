"""Base class of the PANNs: the front end, and its tables in the files of weights."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import nn

from skaudio.dsp import Analysis, Framing, Scale, mel_filterbank, window_weights
from skaudio.pretrained._pretrained_net import FrontEnd, PretrainedNet

N_FFT, HOP_LENGTH, N_MELS = 1024, 320, 64


class PANN(PretrainedNet):
    """A pretrained audio neural network over 64 mel bands in dB.

    Kong et al. 2020, "PANNs: Large-scale pretrained audio neural networks for audio pattern
    recognition".
    """

    front_end = FrontEnd(
        sample_rate=32000,
        analysis=Analysis(
            Framing(N_FFT, N_FFT, HOP_LENGTH, pad_mode="reflect"),
            filters=partial(mel_filterbank, 32000, N_FFT, N_MELS, 50.0, 14000.0, False, "slaney"),
            scale=Scale("db", top_db=None),
        ),
    )
    chunk_duration = 10.0
    time_axis = 2
    chunk_hop = 10.0
    min_samples = 9920  # 32 frames, which become one frame

    def __init__(self) -> None:
        super().__init__()
        # The front end of the original is a convolution, whose weights are in the file. They are
        # loaded, but the front end is computed by FFT.
        self.spectrogram_extractor: nn.Module = nn.Module()
        self.spectrogram_extractor.stft = nn.Module()
        for name, table in zip(("conv_real", "conv_imag"), _fourier_tables(), strict=True):
            holder = nn.Module()
            holder.register_buffer("weight", table)
            self.spectrogram_extractor.stft.add_module(name, holder)
        self.logmel_extractor = nn.Module()
        weights = self.front_end.analysis.filters(1.0).weights  # type: ignore[misc]
        self.logmel_extractor.register_buffer("melW", torch.from_numpy(weights.T.copy()))
        self.bn0 = nn.BatchNorm2d(N_MELS)

    def image(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise each band of (n, n_mels, n_frames); return (n, 1, n_frames, n_mels)."""
        normalised: torch.Tensor = self.bn0(x.unsqueeze(3))
        return normalised.transpose(1, 3)


def _fourier_tables() -> tuple[torch.Tensor, torch.Tensor]:
    angles = np.outer(np.arange(N_FFT // 2 + 1), np.arange(N_FFT)) % N_FFT * (2 * np.pi / N_FFT)
    window = window_weights("hann", N_FFT).astype(np.float64)
    tables = [
        (part * window)[:, None].astype(np.float32) for part in (np.cos(angles), -np.sin(angles))
    ]
    return torch.from_numpy(tables[0]), torch.from_numpy(tables[1])
