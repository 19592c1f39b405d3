"""A long recording to frames, piece by piece: the frames that `transform` gives for the whole."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from skaudio.audio import Recording, check_overflow, stream
from skaudio.dsp import Analysis, Framing

# Samples that are read at once, at the recording's rate.
BLOCK = 1 << 18


@dataclass
class LongEncoding:
    """The frames of one recording, in two steps.

    What needs the whole recording, the loudest value (``top_db``) and the level (``normalize``),
    is gathered on the way: `pieces` yields frames before the clipping and the cosine transform,
    `finish` does these.
    """

    encoder: Any
    recording: Recording
    block: int = BLOCK
    peak: float = -math.inf

    def __post_init__(self) -> None:
        self._analysis: Analysis = self.encoder._prepare()

    def pieces(self) -> Iterator[np.ndarray]:
        """Yield float32 arrays (n_rows, n_frames), once."""
        analysis = self._analysis
        plain = replace(
            analysis,
            framing=replace(analysis.framing, center=False),
            dct=None,
            scale=replace(analysis.scale, top_db=None),
        )
        warp_factor = analysis.check_warp(self.recording.warp_factor, self.recording.name)
        for signal in _cut(self._waveforms(), analysis.framing, self.recording.name):
            frames = plain.encode(signal, warp_factor)
            peak = float(frames.max())
            if not math.isfinite(peak):
                check_overflow(frames, signal, self.recording.name)
            self.peak = max(self.peak, peak)
            yield frames

    @property
    def n_rows(self) -> int:
        """Rows of what `pieces` yields."""
        return replace(self._analysis, dct=None).n_features

    def finish(self, frames: np.ndarray) -> np.ndarray:
        """Return the features (n_features, n_frames) of frames, all pieces having been seen."""
        analysis = self._analysis
        if analysis.scale.clips and analysis.scale.top_db is not None:
            frames = np.maximum(frames, np.float32(self.peak - analysis.scale.top_db))
        if analysis.dct is None:
            return frames
        import torch

        return (torch.from_numpy(analysis.dct.copy()) @ torch.from_numpy(frames)).numpy()

    def _waveforms(self) -> Iterator[np.ndarray]:
        level = self._level()
        for waveform in self._read():
            yield waveform / np.float32(level) if level > 0 and level != 1 else waveform

    def _level(self) -> float:
        """Return what ``normalize`` divides by."""
        kind = self.encoder.normalize
        if kind == "max":
            return max(float(np.abs(waveform).max()) for waveform in self._read())
        if kind == "rms":
            squares, count = 0.0, 0
            for waveform in self._read():
                squares += float(np.square(waveform, dtype=np.float64).sum())
                count += len(waveform)
            return math.sqrt(squares / count)
        return 1.0

    def _read(self) -> Iterator[np.ndarray]:
        encoder = self.encoder
        return stream(
            self.recording,
            encoder.sample_rate,
            block=self.block,
            offset=encoder.offset,
            duration=encoder.duration,
            resample_quality=encoder.resample_quality,
        )


def _cut(waveforms: Iterator[np.ndarray], framing: Framing, name: str) -> Iterator[np.ndarray]:
    """Yield signals whose frames, one after the other, are those of the padded whole."""
    margin, hop = framing.margin, framing.hop_length
    held = np.empty(0, np.float32)  # from the next frame's first sample on
    n_samples = 0
    for waveform in waveforms:
        begins = n_samples <= margin
        held = np.concatenate([held, waveform])
        n_samples += len(waveform)
        if n_samples <= margin:
            continue  # too little yet to tell what the padding reflects
        if begins and margin:
            held = np.pad(held, (margin, 0), mode=framing.pad_mode)  # type: ignore[call-overload]
        # The last samples wait: the padding behind the end is made of them.
        n_frames = (len(held) - margin - framing.n_fft) // hop
        if n_frames > 0:
            yield held[: (n_frames - 1) * hop + framing.n_fft]
            held = held[n_frames * hop :]
    framing.check_length(n_samples, name)
    if margin and n_samples <= margin:
        held = np.pad(held, margin, mode=framing.pad_mode)  # type: ignore[call-overload]
    elif margin:
        held = np.pad(held, (0, margin), mode=framing.pad_mode)  # type: ignore[call-overload]
    if len(held) >= framing.n_fft:
        yield np.ascontiguousarray(held)
