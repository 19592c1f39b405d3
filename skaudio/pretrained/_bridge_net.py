"""A network of the user's in the place of a pretrained one: what goes in, and how it is cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import nn

from skaudio._steps import transform_plainly
from skaudio.audio import AudioBatch
from skaudio.pretrained._pretrained_net import ChunkNet

# Seconds of a chunk by default. Longer ones take more memory, and modules with attention more time.
AUTO_DURATION = 10.0


@dataclass(frozen=True)
class Waveforms:
    """The front end of a module that takes waveforms."""

    sample_rate: float

    def encode(self, waveform: np.ndarray, warp_factor: float = 1.0) -> np.ndarray:
        """Return the waveform."""
        if warp_factor != 1.0:
            raise ValueError(
                f"a recording is marked with the warp factor {warp_factor:g} by VTLP, which needs "
                "a mel filter bank: expected a network with encoder=MelSpectrogram(...)."
            )
        return waveform


@dataclass(frozen=True)
class Encoded:
    """The front end of a module that takes the frames of an encoder."""

    encoder: Any
    sample_rate: float

    def encode(self, waveform: np.ndarray, warp_factor: float = 1.0) -> np.ndarray:
        """Return the frames (n_features, n_frames) of one waveform."""
        warps = None if warp_factor == 1.0 else [warp_factor]
        batch = AudioBatch([waveform], self.sample_rate, warp_factors=warps)
        frames = np.asarray(transform_plainly(self.encoder, batch)[0])
        if frames.ndim != 2 or frames.dtype.kind != "f":
            raise ValueError(
                f"encoder={self.encoder!r:.100} returns {frames.dtype} of shape {frames.shape} for "
                "a recording: expected real frames (n_features, n_frames), as MelSpectrogram "
                "returns them."
            )
        return frames


def front_end_of(encoder: Any, sample_rate: float) -> Waveforms | Encoded:
    """Return the front end of a network, or say that its rate is not the encoder's."""
    if encoder is None:
        return Waveforms(sample_rate)
    rate = getattr(encoder, "sample_rate", sample_rate)
    if rate != sample_rate:
        raise ValueError(
            f"sample_rate={sample_rate:g}: the encoder has sample_rate={rate:g}, expected the same."
        )
    return Encoded(encoder, sample_rate)


class BridgeNet(ChunkNet):
    """A network of the user's, with what a pretrained network knows of itself.

    Attributes
    ----------
    core : Module
        What computes; it holds all the weights.
    source : tuple
        What determines the core: parameters of the estimator, states of files.
    """

    core: nn.Module
    one_by_one = True
    chunk_duration = AUTO_DURATION
    chunk_hop = AUTO_DURATION

    def __init__(self, core: nn.Module, front_end: Any):
        super().__init__()
        self.core = core
        self.front_end = front_end
        self.source: tuple[Any, ...] = ()

    @property
    def called(self) -> str:
        """The name of the network, for messages."""
        return type(self.core).__name__

    def cut(self, chunk_duration: Any, fixed: bool, min_duration: float) -> None:
        """Take over how recordings are cut from the parameters of an estimator."""
        if isinstance(chunk_duration, (int, float)) and not isinstance(chunk_duration, bool):
            self.chunk_duration = self.chunk_hop = float(chunk_duration)
        self.fixed = fixed
        self.min_samples = max(round(min_duration * self.front_end.sample_rate), 1)
