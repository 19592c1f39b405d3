"""GE2E: a recurrent network for speaker verification, with 256 features every 0.77 s."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch
from torch import nn
from torch.nn import functional

from skaudio.dsp import Analysis, Framing, Scale, mel_filterbank
from skaudio.pretrained._pretrained_net import FrontEnd, Output, PretrainedNet

SAMPLE_RATE, HOP_LENGTH, N_FFT, N_MELS = 16000, 160, 400, 40
# Length and hop of chunks in frames: 1.3 chunks per second.
CHUNK_FRAMES, STEP_FRAMES = 160, 77
SIZE = 256


class GE2E(PretrainedNet):
    """Three LSTM layers over 40 mel bands, trained to distinguish speakers.

    Wan et al. 2018, "Generalized end-to-end loss for speaker verification", as published with the
    package Resemblyzer. It has no classes. Rows have length 1; the row of a recording in the
    official code is the mean of its chunks, again scaled to length 1 (``unit_norm=True``).

    Parameters
    ----------
    level : float or None, default=-30.0
        Recordings with a lower mean level, in dB relative to full scale, are amplified to this
        level, as in the official code. The level affects the result, because the mel spectrum is
        not logarithmic. None: no amplification. The official code also removes silence first, which
        is not done here.
    """

    # The frames at the ends of a chunk depend on up to 200 samples outside of it.
    front_end = FrontEnd(
        sample_rate=SAMPLE_RATE,
        analysis=Analysis(
            Framing(N_FFT, N_FFT, HOP_LENGTH, center=False),
            filters=partial(
                mel_filterbank, SAMPLE_RATE, N_FFT, N_MELS, 0.0, 8000.0, False, "slaney"
            ),
            scale=Scale("linear"),
            target_frames=CHUNK_FRAMES,
        ),
        margin=N_FFT // 2,
    )
    chunk_duration = CHUNK_FRAMES * HOP_LENGTH / SAMPLE_RATE
    chunk_hop = STEP_FRAMES * HOP_LENGTH / SAMPLE_RATE
    fixed = True
    coverage = 0.75
    n_features = SIZE
    n_classes = 0

    def __init__(self, level: float | None = -30.0):
        super().__init__()
        self.level = level
        self.lstm = nn.LSTM(N_MELS, SIZE, num_layers=3, batch_first=True)
        self.linear = nn.Linear(SIZE, SIZE)

    def convert(self, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        # The scale and offset of similarities are used in training only.
        return {k: v for k, v in tensors.items() if not k.startswith("similarity_")}

    def reset(self) -> None:
        super().reset()
        # With torch's default weights, which are smaller, all recordings would have nearly the same
        # row.
        for weight in self.lstm.parameters():
            if weight.ndim == 2:
                nn.init.kaiming_normal_(weight)

    def forward(self, x: torch.Tensor) -> Output:
        _, (last, _) = self.lstm(x.transpose(1, 2))
        return Output(functional.normalize(functional.relu(self.linear(last[-1])), dim=1))
