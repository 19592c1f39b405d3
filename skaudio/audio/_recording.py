"""One recording: where its samples are, how to read a part of them, what to call it in messages."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from skaudio._validation import check_sample_rate
from skaudio.audio import _signal
from skaudio.audio._decode import decode


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording that has not been decoded yet.

    Attributes
    ----------
    source : str, bytes, ndarray or decoder
        A path, encoded bytes, samples, or an object with ``get_all_samples()``.
    name : str
        What messages call it: its position in X and its path if it has one.
    path : str or None
        The path it came from.
    sample_rate : float or None
        In Hz where the container states it (mappings, AudioBatch); files carry theirs inside.
    warp_factor : float or None
        Vocal-tract warp factor marked by the VTLP augmentation.
    """

    source: Any
    name: str
    path: str | None = None
    sample_rate: float | None = None
    warp_factor: float | None = None

    def read(
        self,
        sample_rate: float | None = None,
        *,
        offset: float = 0.0,
        duration: float | None = None,
        normalize: str | None = None,
        resample_quality: str = "HQ",
        finite: bool = True,
    ) -> tuple[np.ndarray, float | None]:
        """Decode, cut, downmix, resample and normalise, in this order.

        Parameters
        ----------
        sample_rate : float, optional
            Rate to resample to in Hz. Samples that state no rate are taken to be at this one.
            None keeps the recording's own.
        offset, duration : float, optional
            Part to read, in seconds.
        normalize : {None, "max", "rms"}
            Level to scale to.
        resample_quality : {"QQ", "LQ", "MQ", "HQ", "VHQ"}
            Name of soxr.
        finite : bool
            Look for NaN and infinity. False where the caller does, at less cost; what is resampled
            or normalised is looked at in any case, before it is.

        Returns
        -------
        waveform : ndarray of shape (n_times,), float32
            May share memory with an array passed in: not to be written to.
        rate : float or None
            Its sample rate in Hz; None if neither the recording nor the caller states one.
        """
        channels, rate = self._channels(sample_rate, offset, duration)
        waveform = _signal.to_mono(channels)
        changes = normalize is not None or (
            sample_rate is not None and rate is not None and rate != sample_rate
        )
        if finite or changes or len(waveform) == 0:
            _signal.check_samples(waveform, self.name)
        if sample_rate is not None and rate is not None:
            waveform = _signal.resample(waveform, rate, sample_rate, self.name, resample_quality)
            rate = sample_rate
        return _signal.normalize(waveform, normalize), rate

    def as_item(self) -> Any:
        """Return the simplest element of X that is this recording: a path, samples, a mapping."""
        if not isinstance(self.source, np.ndarray):
            return self.source
        if self.sample_rate is None and self.warp_factor is None:
            return self.source
        item: dict[str, Any] = {"array": self.source, "sampling_rate": self.sample_rate}
        if self.path is not None:
            item["path"] = self.path
        if self.warp_factor is not None:
            item["warp_factor"] = self.warp_factor
        return item

    def _channels(
        self, assumed_rate: float | None, offset: float, duration: float | None
    ) -> tuple[np.ndarray, float | None]:
        """Return the asked part as ``(n_channels, n_times)`` float32, and its rate."""
        if isinstance(self.source, (str, bytes)):
            return decode(self.source, self.name, offset, duration)
        if isinstance(self.source, np.ndarray):
            samples, rate = self.source, self.sample_rate
        else:
            decoded = self.source.get_all_samples()
            samples = np.asarray(decoded.data)
            rate = check_sample_rate(decoded.sample_rate, name=f"{self.name}: sample_rate")
        channels = _signal.channels_first(samples, self.name)
        known = rate if rate is not None else assumed_rate
        if offset or duration is not None:
            channels = _part(channels, known, offset, duration, self.name)
        return _signal.to_float(channels, self.name), rate


def _part(
    channels: np.ndarray, rate: float | None, offset: float, duration: float | None, name: str
) -> np.ndarray:
    if rate is None:
        raise ValueError(
            f"{name} states no sample rate, which offset and duration (seconds) need: "
            "pass sample_rate=."
        )
    n_times = channels.shape[1]
    start = round(offset * rate)
    if start >= n_times:
        raise ValueError(
            f"{name}: offset={offset:g} s is past the end, the recording lasts "
            f"{n_times / rate:g} s."
        )
    stop = n_times if duration is None else start + max(round(duration * rate), 1)
    return channels[:, start:stop]


def as_recording(item: Any, position: int) -> Recording:
    """Recognise one element of X."""
    name = f"recording {position}"
    if isinstance(item, Recording):
        return item
    if isinstance(item, (str, os.PathLike)):
        return _from_path(item, name)
    if isinstance(item, Mapping):
        return _from_mapping(item, name)
    if hasattr(item, "get_all_samples"):
        return Recording(item, name)
    if isinstance(item, (bytes, bytearray, memoryview)):
        return Recording(bytes(item), name)
    if item is None or (not isinstance(item, (list, tuple)) and np.ndim(item) == 0):
        raise TypeError(
            f"{name} is {item!r} ({type(item).__name__}), expected a path, a waveform (1-D array) "
            "or a mapping with 'array' and 'sampling_rate', 'path' or 'bytes'."
            + (
                " A missing value in the table is the usual cause."
                if item is None or item != item
                else ""
            )
        )
    samples = _as_samples(item, name)
    _signal.channels_first(samples, name)
    return Recording(samples, name)


def _as_samples(item: Any, name: str) -> np.ndarray:
    if isinstance(item, tuple) and len(item) == 2 and sorted(map(np.ndim, item))[0] == 0:
        raise ValueError(
            f"{name} is a pair, (waveform, sample_rate)? Expected the waveform alone, or a "
            "mapping: {'array': waveform, 'sampling_rate': sample_rate}."
        )
    try:
        samples = np.asarray(item)
    except ValueError as error:
        raise ValueError(f"{name} is no array of numbers: {error}") from error
    if samples.dtype.kind == "O":
        try:
            samples = samples.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"{name} holds objects that are no numbers ({error}); expected a waveform."
            ) from error
    if samples.dtype.kind not in "fiuc":
        raise TypeError(
            f"{name} is an array of {samples.dtype}, expected floating point or integer samples."
        )
    if samples.dtype.kind == "c":
        raise ValueError(
            f"{name}: Complex data not supported: expected a real waveform (did you pass an STFT?)."
        )
    return samples


def _from_path(item: Any, name: str) -> Recording:
    path = str(os.fsdecode(item))  # str(): numpy's strings show their type in messages
    return Recording(path, f"{name} ({path!r})", path=path)


def _from_mapping(item: Mapping, name: str) -> Recording:
    """Recognise what Hugging Face datasets hand out: array, else bytes, else path."""
    path = item.get("path")
    path = None if path is None else str(os.fsdecode(path))
    called = f"{name} ({path!r})" if path else name
    if item.get("array") is not None:
        rate, warp_factor = item.get("sampling_rate"), item.get("warp_factor")
        if rate is None and warp_factor is None:
            raise ValueError(
                f"{called} is a mapping with 'array' but without 'sampling_rate', expected both. "
                "Pass the bare array if the rate is the encoder's."
            )
        if rate is not None:
            rate = check_sample_rate(rate, name=f"{called}: sampling_rate")
        samples = _as_samples(item["array"], called)
        _signal.channels_first(samples, called)
        return Recording(samples, called, path=path, sample_rate=rate, warp_factor=warp_factor)
    if item.get("bytes") is not None:
        return Recording(bytes(item["bytes"]), called, path=path)
    if path:
        return Recording(path, called, path=path)
    raise ValueError(
        f"{called} is a mapping with the keys {sorted(map(str, item))}, expected 'array' and "
        "'sampling_rate', or 'bytes', or 'path'. If this is a row of a table, pass the column that "
        "holds the recordings."
    )
