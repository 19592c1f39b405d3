"""Base class of streams: check, cut, mix down and resample samples that arrive in pieces."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import soxr

from skaudio._validation import check_sample_rate, counted
from skaudio.audio._arrays import (
    LIKELY_CHANNELS,
    MAX_CHANNELS,
    as_samples,
    check_overflow,
    to_array,
    to_float,
    warn_of_wide_integers,
)
from skaudio.audio._recording import check_samples, to_mono


class SampleStream:
    """Base class of streams; a subclass computes its results from mono samples.

    Parameters
    ----------
    samples : ArrivingSamples
    """

    def __init__(self, samples: ArrivingSamples) -> None:
        self._samples = samples
        self._n_pushes = 0
        self._finished = False

    @property
    def sample_rate(self) -> float:
        """Sample rate in Hz of the pushed signal."""
        return self._samples.sample_rate

    def push(self, samples: Any) -> Any:
        """Take the next samples.

        Parameters
        ----------
        samples : array of shape (n_times,) or (n_channels, n_times)
            Samples; their number can be 0. Types and scaling are those of recordings in X: integers
            are scaled by their full range. The type and the number of channels must be the same in
            all calls. An error does not change the stream.

        Returns
        -------
        results : object
            Results that are complete now and were not returned before.
        """
        name = f"push {self._n_pushes}"
        if self._finished:
            raise ValueError(
                f"{name}: the stream has finished, and takes no more samples. Expected a new one: "
                "call stream() again for another recording."
            )
        waveform = self._samples.take(samples, name)
        self._n_pushes += 1
        return self._take(waveform, name)

    def finish(self) -> Any:
        """End the recording.

        Returns
        -------
        results : object
            The remaining results. The stream takes no more samples.
        """
        if self._finished:
            raise ValueError("finish() was called before: the stream has finished.")
        self._finished = True
        return self._end(self._samples.end())

    def _take(self, waveform: np.ndarray, name: str) -> Any:
        """Return the results that are complete with the next mono float32 samples, possibly none.

        The samples can be a view of the user's array.
        """
        raise TypeError(f"{type(self).__name__} does not define _take().")

    def _end(self, waveform: np.ndarray) -> Any:
        """Return the remaining results with the last samples, possibly none."""
        raise TypeError(f"{type(self).__name__} does not define _end().")


class ArrivingSamples:
    """Convert pushed samples to mono waveforms of one sample rate.

    Parameters
    ----------
    sample_rate : float or None
        Sample rate in Hz of the pushed signal. None: ``target_rate``.
    target_rate : float
        Sample rate in Hz to which the signal is resampled.
    offset, duration : float
        Part of the signal to use, in seconds.
    resample_quality : str
        Quality of soxr.

    Attributes
    ----------
    sample_rate : float
    """

    def __init__(
        self,
        sample_rate: Any,
        target_rate: float,
        *,
        offset: float = 0.0,
        duration: float | None = None,
        resample_quality: str = "HQ",
    ) -> None:
        rate = check_sample_rate(target_rate if sample_rate is None else sample_rate)
        self.sample_rate = rate
        self._resampler: Any = None
        if rate != target_rate:
            self._resampler = soxr.ResampleStream(rate, target_rate, 1, "float32", resample_quality)
        self._first = round(offset * rate)
        self._last = math.inf if duration is None else self._first + max(round(duration * rate), 1)
        self._n_samples = 0
        self._n_channels: int | None = None
        self._dtype: Any = None
        self._peak: Any = 0  # peak of wide integers, until it is certain that they are not silence

    def take(self, samples: Any, name: str) -> np.ndarray:
        """Return the next samples, mono float32 at the target rate, possibly none.

        An error does not change the stream.
        """
        channels = _as_channels(samples, name)
        n_times = channels.shape[1]
        if not n_times:
            return np.empty(0, np.float32)
        self._check_like_before(channels, name)
        first, last = (
            int(min(max(edge - self._n_samples, 0), n_times)) for edge in (self._first, self._last)
        )
        waveform = np.ascontiguousarray(to_mono(to_float(channels[:, first:last], name)))
        if len(waveform):
            check_samples(waveform, name)
        self._n_samples += n_times
        self._n_channels, self._dtype = len(channels), channels.dtype
        self._watch_integers(channels)
        if not len(waveform) or self._resampler is None:
            return waveform
        resampled: np.ndarray = self._resampler.resample_chunk(waveform)
        check_overflow(resampled, waveform, name)
        return resampled

    def end(self) -> np.ndarray:
        """Return the last samples, possibly none."""
        self._warn_of_silence()
        waveform = np.empty(0, np.float32)
        if self._resampler is not None and self._n_samples > self._first:
            waveform = self._resampler.resample_chunk(waveform, last=True)
        return waveform

    def _check_like_before(self, channels: np.ndarray, name: str) -> None:
        """Raise an error for samples that do not fit to the previous ones."""
        n_channels, n_times = channels.shape
        if n_channels > MAX_CHANNELS or n_channels > max(LIKELY_CHANNELS, n_times):
            raise ValueError(
                f"{name} has shape {channels.shape}: {n_channels} channels of {n_times} samples. "
                f"Expected (n_channels, n_times) with at most {MAX_CHANNELS} channels. Transpose "
                "the array if its axes are (n_times, n_channels)."
            )
        if self._n_channels not in (None, n_channels):
            raise ValueError(
                f"{name} has {counted(n_channels, 'channel')}, those before it had "
                f"{self._n_channels}: expected one number in all pushes, (n_channels, n_times)."
            )
        before, now = self._dtype, channels.dtype
        if before is not None and before != now and {before.kind, now.kind} != {"f"}:
            raise TypeError(
                f"{name} is an array of {now}, those before it were of {before}: expected one "
                "type in all pushes, since integers are scaled by their full range."
            )

    def _watch_integers(self, channels: np.ndarray) -> None:
        """Warn about wide integers with small values, after one second of them."""
        if self._peak is None or channels.dtype.kind not in "iu" or channels.dtype.itemsize < 4:
            return
        self._peak = max(self._peak, int(channels.max()), -int(channels.min()))
        if self._n_samples >= self.sample_rate:
            self._warn_of_silence()

    def _warn_of_silence(self) -> None:
        if self._peak:
            peak = np.array([min(self._peak, np.iinfo(self._dtype).max)], self._dtype)
            warn_of_wide_integers([(peak, "the stream")])
        self._peak = None


def _as_channels(samples: Any, name: str) -> np.ndarray:
    """Return real numbers of shape (n_channels, n_times)."""
    array = samples if isinstance(samples, np.ndarray) else to_array(samples, name)
    if np.ma.is_masked(array):
        array = to_array(array, name)
    if array.ndim == 0:
        raise TypeError(
            f"{name} is {samples!r:.80} ({type(samples).__name__}), expected samples: an array of "
            "shape (n_times,) or (n_channels, n_times). Read a file in blocks, such as "
            "soundfile.blocks(path), and push these."
        )
    if array.ndim > 2:
        raise ValueError(
            f"{name} has shape {array.shape}, expected (n_times,) or (n_channels, n_times)."
        )
    if array.ndim == 2:
        return as_samples(array.reshape(-1), name).reshape(array.shape)
    return as_samples(array, name)[np.newaxis]
