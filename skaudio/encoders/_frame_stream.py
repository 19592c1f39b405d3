"""Encoders on a signal that is still arriving."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from skaudio._validation import Obstacle, check_sample_rate, check_streams
from skaudio.audio import ArrivingSamples, SampleStream, check_overflow
from skaudio.dsp import Analysis
from skaudio.encoders._streaming_encoder import FrameCutter


class Streamable:
    """`stream`, for encoders."""

    def stream(self: Any, sample_rate: float | None = None) -> SampleStream:
        """Encode a signal that is still arriving, such as that of a microphone.

        Parameters
        ----------
        sample_rate : float, default=None
            Rate in Hz of the signal, which is resampled to the encoder's. None: the encoder's.

        Returns
        -------
        stream : SampleStream
            ``push(samples)`` takes the next samples, any number of them, and returns the frames
            that are certain now: an array ``(n_features, k)``, in which k may be 0. ``finish()``
            returns the rest. Together they are what `transform` returns for the whole signal, bit
            for bit, or up to rounding (about 1e-5 of the largest value) if it is resampled. For
            `Waveform` both return samples ``(k,)``.

        Raises
        ------
        ValueError
            If a frame depends on the whole recording: with ``top_db`` (for ``scale="db"``),
            ``normalize`` or ``target_frames``. The error names all parameters to change.

        Notes
        -----
        A frame is certain when the signal has reached its end: with ``center=True``, half of
        ``n_fft`` after its time. Resampling needs some milliseconds more. Memory does not grow.
        The stream is independent of the encoder: later changes of parameters, and other streams,
        do not change it.

        Examples
        --------
        >>> import numpy as np
        >>> from skaudio.encoders import MelSpectrogram
        >>> clip = np.random.default_rng(0).uniform(-1, 1, 4000).astype("float32")
        >>> encoder = MelSpectrogram(n_mels=40)
        >>> stream = encoder.stream()
        >>> pieces = [stream.push(clip[i : i + 1000]) for i in range(0, 4000, 1000)]
        >>> pieces.append(stream.finish())
        >>> [piece.shape for piece in pieces]
        [(40, 5), (40, 6), (40, 7), (40, 6), (40, 2)]
        >>> bool((np.concatenate(pieces, axis=1) == encoder.transform([clip])[0]).all())
        True
        """
        analysis = self._prepare()
        check_streams(self, self._stream_obstacles())
        return (WaveformStream if analysis is None else FrameStream)(self, analysis, sample_rate)

    def _stream_obstacles(self: Any) -> list[Obstacle]:
        """Return which parameters need the whole recording."""
        found = []
        if getattr(self, "scale", None) == "db" and self.top_db is not None:
            reason = "the maximum of the whole recording"
            found.append(Obstacle("top_db", self.top_db, reason, None))
        if self.normalize is not None:
            reason = "the level of the whole recording"
            found.append(Obstacle("normalize", self.normalize, reason, None))
        if self.target_frames is not None:
            reason = "the length of the whole recording"
            found.append(Obstacle("target_frames", self.target_frames, reason, None))
        return found


def _samples_for(encoder: Any, sample_rate: float | None) -> ArrivingSamples:
    return ArrivingSamples(
        sample_rate,
        check_sample_rate(encoder.sample_rate),
        offset=encoder.offset,
        duration=encoder.duration,
        resample_quality=encoder.resample_quality,
    )


class WaveformStream(SampleStream):
    """The samples that `Waveform` makes of a signal.

    Attributes
    ----------
    output_rate : float
        Their rate in Hz.
    """

    def __init__(self, encoder: Any, analysis: Analysis | None, sample_rate: float | None) -> None:
        super().__init__(_samples_for(encoder, sample_rate))
        self.output_rate = encoder.sample_rate

    def _take(self, waveform: np.ndarray, name: str) -> np.ndarray:
        return waveform.copy()

    def _end(self, waveform: np.ndarray) -> np.ndarray:
        return waveform


class FrameStream(SampleStream):
    """The frames that an encoder makes of a signal.

    Attributes
    ----------
    n_frames : int
        Frames returned so far.
    """

    def __init__(self, encoder: Any, analysis: Analysis, sample_rate: float | None) -> None:
        super().__init__(_samples_for(encoder, sample_rate))
        self._cutter = FrameCutter(analysis.framing)
        # What is cut holds its padding already.
        self._analysis = replace(analysis, framing=replace(analysis.framing, center=False))
        self._device = str(encoder.device)
        self._none: np.ndarray = np.empty((analysis.n_features, 0), analysis.dtype)
        self.n_frames = 0
        self._encode(np.zeros(analysis.framing.n_fft, np.float32))  # compiled before the first push

    def _take(self, waveform: np.ndarray, name: str) -> np.ndarray:
        signal = self._cutter.push(waveform)
        if not len(signal):
            return self._none.copy()
        frames = self._encode(signal)
        check_overflow(frames, signal, name)
        self.n_frames += frames.shape[1]
        return frames

    def _end(self, waveform: np.ndarray) -> np.ndarray:
        frames = self._take(waveform, "the end of the stream")
        signal = self._cutter.finish()
        if not len(signal):
            return frames
        rest = self._encode(signal)
        self.n_frames += rest.shape[1]
        return np.concatenate([frames, rest], axis=1)

    def _encode(self, signal: np.ndarray) -> np.ndarray:
        if self._device.partition(":")[0] != "cpu":
            features = self._analysis.encode_batch([signal], device=self._device)[0]
            return np.asarray(features.cpu())
        # As many frames of zeros go before as the analysis needs for the bits of the whole.
        skip = self.n_frames % self._analysis.period
        silence = np.zeros(skip * self._analysis.framing.hop_length, np.float32)
        return self._analysis.encode(np.concatenate([silence, signal]))[:, skip:]
