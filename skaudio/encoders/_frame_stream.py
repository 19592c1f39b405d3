"""Streams of encoders, for a signal that is still arriving."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from skaudio._validation import Obstacle, check_sample_rate, check_streams
from skaudio.audio import ArrivingSamples, SampleStream, check_overflow
from skaudio.dsp import Analysis
from skaudio.encoders._streaming_encoder import FrameCutter


class Streamable:
    """Add `stream` to encoders."""

    def stream(self: Any, sample_rate: float | None = None) -> SampleStream:
        """Encode a signal that is still arriving, such as that of a microphone.

        Parameters
        ----------
        sample_rate : float, default=None
            Sample rate of the signal in Hz. The signal is resampled to the rate of the encoder.
            None: the signal has the rate of the encoder.

        Returns
        -------
        stream : SampleStream
            ``push(samples)`` takes any number of samples and returns the frames that are complete,
            an array ``(n_features, k)``; k may be 0. ``finish()`` returns the remaining frames. All
            frames together are equal to the output of `transform` for the whole signal. They are
            bit-equal, or equal up to rounding (about 1e-5 of the largest value) if the signal is
            resampled. For `Waveform`, both methods return samples ``(k,)``.

        Raises
        ------
        ValueError
            If a frame depends on the whole recording: with ``top_db`` (for ``scale="db"``),
            ``normalize`` or ``target_frames``. The error names all parameters to change.

        Notes
        -----
        A frame is returned when all of its samples have arrived. With ``center=True``, this is
        ``n_fft / 2`` samples after the time of the frame. Resampling adds a delay of some
        milliseconds. Memory use does not grow with time. The stream does not depend on later
        changes of the encoder's parameters or on other streams.

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
    """Stream of `Waveform`: samples of a signal.

    Attributes
    ----------
    output_rate : float
        Sample rate of the output in Hz.
    """

    def __init__(self, encoder: Any, analysis: Analysis | None, sample_rate: float | None) -> None:
        super().__init__(_samples_for(encoder, sample_rate))
        self.output_rate = encoder.sample_rate

    def _take(self, waveform: np.ndarray, name: str) -> np.ndarray:
        return waveform.copy()

    def _end(self, waveform: np.ndarray) -> np.ndarray:
        return waveform


class FrameStream(SampleStream):
    """Stream of an encoder: frames of a signal.

    Attributes
    ----------
    n_frames : int
        Number of frames returned so far.
    """

    def __init__(self, encoder: Any, analysis: Analysis, sample_rate: float | None) -> None:
        super().__init__(_samples_for(encoder, sample_rate))
        self._cutter = FrameCutter(analysis.framing)
        # `FrameCutter` has already padded the signals that it returns.
        self._analysis = replace(analysis, framing=replace(analysis.framing, center=False))
        self._device = str(encoder.device)
        self._none: np.ndarray = np.empty((analysis.n_features, 0), analysis.dtype)
        self.n_frames = 0
        self._encode(np.zeros(analysis.framing.n_fft, np.float32))  # compile before the first push

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
        # torch computes frames in chunks of ``period``, and rounding depends on the place of a
        # frame in its chunk. Silence is put before the signal, so that each frame has the place,
        # and thus the bits, that it has in the whole signal. (Without torch, the period is 1.)
        skip = self.n_frames % self._analysis.period
        silence = np.zeros(skip * self._analysis.framing.hop_length, np.float32)
        return self._analysis.encode(np.concatenate([silence, signal]))[:, skip:]
