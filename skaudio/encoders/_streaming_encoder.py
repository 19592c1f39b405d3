"""Encode a long recording in pieces, with the frames that `transform` returns for the whole."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from skaudio.audio import Recording, check_overflow, stream
from skaudio.dsp import Analysis, Framing

# Number of samples read at once, at the sample rate of the recording.
BLOCK = 1 << 18


@dataclass
class LongEncoding:
    """Encode one long recording in two steps.

    ``top_db`` needs the maximum of the whole recording, which is known only at its end. `pieces`
    therefore yields frames before the clipping to ``top_db`` and before the cosine transform, and
    records the maximum. `finish` applies both. ``normalize`` needs the level of the whole
    recording; the recording is read once more, first, to measure it.
    """

    encoder: Any
    recording: Recording
    block: int = BLOCK
    peak: float = -math.inf

    def __post_init__(self) -> None:
        self._analysis: Analysis = self.encoder._prepare()

    def pieces(self) -> Iterator[np.ndarray]:
        """Yield float32 arrays (n_rows, n_frames); to be called once."""
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
        """Number of rows of the arrays that `pieces` yields."""
        return replace(self._analysis, dct=None).n_features

    def finish(self, frames: np.ndarray) -> np.ndarray:
        """Return the features (n_features, n_frames) of frames, after the last piece."""
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
        """Return the level of the recording, by which ``normalize`` divides."""
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
    """Yield signals whose frames together are the frames of the whole padded recording."""
    cutter = FrameCutter(framing)
    for waveform in waveforms:
        signal = cutter.push(waveform)
        if len(signal):
            yield signal
    framing.check_length(cutter.n_samples, name)
    signal = cutter.finish()
    if len(signal):
        yield signal


class FrameCutter:
    """Cut a signal that arrives in pieces so that no frame is divided.

    Attributes
    ----------
    n_samples : int
        Number of samples received so far.
    """

    def __init__(self, framing: Framing) -> None:
        self._framing = framing
        self._held = np.empty(0, np.float32)
        self._next = 0  # start of the next frame in _held, maybe after its end
        self.n_samples = 0

    def push(self, waveform: np.ndarray) -> np.ndarray:
        """Return the samples of all frames that are complete; possibly none.

        The frames of these samples, without padding, are those of the padded recording.
        """
        margin = self._framing.margin
        begins = self.n_samples <= margin
        self._held = np.concatenate([self._held, waveform])
        self.n_samples += len(waveform)
        if self.n_samples <= margin:
            return self._held[:0]  # too short for the padding, which may reflect ``margin`` samples
        if begins:
            self._pad(margin, 0)
        return self._complete()

    def finish(self) -> np.ndarray:
        """Return the samples of the remaining frames; possibly none."""
        if self.n_samples:
            margin = self._framing.margin
            self._pad(margin if self.n_samples <= margin else 0, margin)
        return self._complete()

    def _pad(self, before: int, behind: int) -> None:
        mode: Any = self._framing.pad_mode
        if before or behind:
            self._held = np.pad(self._held, (before, behind), mode=mode)

    def _complete(self) -> np.ndarray:
        framing = self._framing
        n_frames = (len(self._held) - self._next - framing.n_fft) // framing.hop_length + 1
        n_frames = max(n_frames, 0)
        stop = self._next + (n_frames - 1) * framing.hop_length + framing.n_fft
        signal = self._held[self._next : stop if n_frames else self._next]
        self._next += n_frames * framing.hop_length
        # The padding after the end may reflect the last ``margin`` samples, so these are kept.
        done = min(self._next, max(len(self._held) - framing.margin - 1, 0))
        self._held, self._next = self._held[done:], self._next - done
        return signal
