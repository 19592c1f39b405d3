"""Recording: the source of a recording, and methods to read it at once or in blocks.

Files and bytes are decoded by `_reader`. Only the requested part is decoded.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, SupportsIndex, overload

import numpy as np
import soxr

from skaudio._validation import check_sample_rate, counted
from skaudio.audio import _errors
from skaudio.audio._arrays import bounds, channels_first, check_overflow, cut
from skaudio.audio._clips import item_of, part_of
from skaudio.audio._reader import Opened, check_rate, open_encoded


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """A recording, or a clip of one, that has not been decoded yet.

    Attributes
    ----------
    source : str, bytes, ndarray or decoder
        A path, encoded bytes, samples, or an object with ``get_all_samples()``.
    name : str
        Name in messages: its position in X, and its path if it has one.
    path : str or None
        Path of the recording, if it has one.
    sample_rate : float or None
        Sample rate in Hz, if X contains it (mappings, AudioBatch). That of a file is in its header.
    warp_factor : float or None
        Vocal-tract warp factor set by the VTLP augmentation.
    start : float
        Start of the clip in the source, in seconds.
    duration : float or None
        Duration of the clip in seconds; None for all samples up to the end of the source.
    """

    source: Any
    name: str
    path: str | None = None
    sample_rate: float | None = None
    warp_factor: float | None = None
    start: float = 0.0
    duration: float | None = None

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
            Sample rate in Hz to which the recording is resampled. Bare samples are assumed to have
            it. None: the sample rate is not changed.
        offset, duration : float, optional
            Part to read, in seconds.
        normalize : {None, "max", "rms"}
            Scale the waveform to a peak, or a root mean square, of 1.
        resample_quality : {"QQ", "LQ", "MQ", "HQ", "VHQ"}
            Quality of soxr.
        finite : bool
            Whether to check for NaN and infinity. False if the caller checks its result, which is
            faster. Samples are always checked before resampling or normalising.

        Returns
        -------
        waveform : ndarray of shape (n_times,), float32
            The waveform. It may share memory with an array of X, so it must not be written to.
        rate : float or None
            Sample rate in Hz, or None if it is unknown.
        """
        rate, (channels,) = blocks(self, sample_rate, offset, duration)
        waveform = to_mono(channels)
        changes = normalize is not None or (
            sample_rate is not None and rate is not None and rate != sample_rate
        )
        if finite or changes or len(waveform) == 0:
            check_samples(waveform, self.name)
        if sample_rate is not None and rate is not None:
            waveform = resample(waveform, rate, sample_rate, self.name, resample_quality)
            rate = sample_rate
        return scale(waveform, normalize), rate

    def as_item(self) -> Any:
        """Return the simplest element of X that is this recording: a path, samples, a mapping."""
        return item_of(self)

    def with_rate(self, sample_rate: float | None) -> Recording:
        """Return this recording; if it is bare samples, with a sample rate in Hz."""
        if not isinstance(self.source, np.ndarray) or self.sample_rate is not None:
            return self
        if sample_rate is None:
            raise ValueError(
                f"{self.name} states no sample rate: pass sample_rate= (Hz), that of bare arrays."
            )
        return replace(self, sample_rate=sample_rate)

    @property
    def is_clip(self) -> bool:
        """Whether the recording is a part of its source."""
        return self.start > 0 or self.duration is not None


class Recordings(list[Recording]):
    """A list of `Recording`, with facts about X. A slice is also such a list.

    Attributes
    ----------
    is_array : bool
        Whether X was a two-dimensional numeric array: mono clips of equal length, one per row.
    index : sequence or None
        Index of X if X was a pandas object, or the index labels of an AudioBatch.
    n_all : int
        Number of all recordings, for messages, if these are only some of them.
    """

    index: Any  # in place of list.index

    def __init__(
        self,
        items: Iterable[Recording],
        *,
        is_array: bool = False,
        index: Any = None,
        n_all: int | None = None,
    ):
        super().__init__(items)
        self.is_array = is_array
        self.index = index
        self.n_all = len(self) if n_all is None else n_all

    @overload
    def __getitem__(self, key: SupportsIndex) -> Recording: ...
    @overload
    def __getitem__(self, key: slice) -> Recordings: ...

    def __getitem__(self, key: Any) -> Any:
        if not isinstance(key, slice):
            return super().__getitem__(key)
        index = None if self.index is None else self.index[key]
        some = super().__getitem__(key)
        return Recordings(some, is_array=self.is_array, index=index, n_all=self.n_all)


def blocks(
    recording: Recording,
    assumed_rate: float | None,
    offset: float,
    duration: float | None,
    block: int | None = None,
) -> tuple[float | None, Iterable[np.ndarray]]:
    """Return the rate of a recording, and a part of it in blocks (n_channels, n_times) of float32.

    ``assumed_rate`` is the sample rate of bare samples. ``offset`` and ``duration`` are in seconds,
    ``block`` is in samples. None: the part is one block.
    """
    opened = open_blocks(recording, assumed_rate, offset, duration, block)
    return opened.rate, opened.blocks


def open_blocks(
    recording: Recording,
    assumed_rate: float | None,
    offset: float,
    duration: float | None,
    block: int | None = None,
) -> Opened:
    """Return the result of `blocks`, and the facts in the header."""
    source, name, rate = recording.source, recording.name, recording.sample_rate
    if recording.is_clip:
        offset, duration = part_of(recording, offset, duration)
    if isinstance(source, (str, bytes)):
        return open_encoded(source, name, offset, duration, block)
    if not isinstance(source, np.ndarray):
        decoded = source.get_all_samples()
        source = np.asarray(decoded.data)
        rate = check_sample_rate(decoded.sample_rate, name=f"{name}: sample_rate")
        check_rate(rate, name)
    channels = source[np.newaxis] if source.ndim == 1 else channels_first(source, name)
    start, stop = 0, channels.shape[1]
    if offset or duration is not None:
        known = rate if rate is not None else assumed_rate
        if known is None:
            raise ValueError(
                f"{name} states no sample rate, which offset and duration (seconds) need: "
                "pass sample_rate=."
            )
        start, stop = bounds(stop, known, offset, duration, name)
    header = {"codec": str(channels.dtype), "sample_rate": rate, "channels": len(channels)}
    return Opened(rate, cut(channels, start, stop, block, name), header)


def to_mono(channels: np.ndarray) -> np.ndarray:
    """Average ``(n_channels, n_times)``, or ``(n_times, n_channels)`` seen through ``.T``."""
    mono: np.ndarray = channels[0]
    weight = np.float32(1.0 / len(channels))
    if len(channels) == 2:
        # A matrix-vector product is some thirty times faster than mean(axis=...) here.
        mono = np.full(2, weight, np.float32) @ channels
    elif len(channels) > 2:
        # With more channels, the rounding of a product would depend on the position of a sample in
        # its piece.
        mono = channels[0] * weight
        for channel in channels[1:]:
            mono += channel * weight
    return mono


def resample(
    waveform: np.ndarray, source: float, target: float, name: str, quality: str = "HQ"
) -> np.ndarray:
    """Resample a float32 waveform with soxr."""
    if source == target:
        return waveform
    resampled: np.ndarray = soxr.resample(waveform, source, target, quality=quality)
    check_overflow(resampled, waveform, name)
    if len(resampled) == 0:
        n_times = f"{counted(len(waveform), 'sample')} at {source} Hz"
        raise ValueError(
            f"{name}: {n_times} leave none at {target} Hz. The recording is too short."
        )
    return resampled


def scale(waveform: np.ndarray, kind: str | None) -> np.ndarray:
    """Scale to a peak (``"max"``) or a root mean square (``"rms"``) of 1; silence is unchanged."""
    if kind is None:
        return waveform
    if kind == "max":
        level = max(float(waveform.max()), -float(waveform.min()))
    elif kind == "rms":
        level = math.sqrt(float(np.mean(np.square(waveform, dtype=np.float64))))
    else:
        raise ValueError(f"normalize={kind!r}: expected None, 'max' or 'rms'.")
    return waveform / np.float32(level) if level > 0 else waveform


def is_surely_finite(samples: np.ndarray) -> bool:
    """Check quickly that all values are finite; False also if finite values overflow."""
    with np.errstate(over="ignore", invalid="ignore"):
        return math.isfinite(float(np.dot(samples, samples)))


def check_samples(waveform: np.ndarray, name: str) -> None:
    """Raise an error for an empty waveform, and for NaN or infinite samples."""
    if len(waveform) == 0:
        raise ValueError(f"{name} is empty: it has 0 samples, expected at least one.")
    if is_surely_finite(waveform):
        return
    bad = np.flatnonzero(~np.isfinite(waveform))
    if len(bad):
        raise _errors.not_finite(waveform, bad, name)
