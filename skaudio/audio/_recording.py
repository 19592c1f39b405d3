"""One recording: where its samples are, and how they are read, at once or piece by piece.

Files and bytes are decoded by libsndfile, and by PyAV what libsndfile does not open (`_ffmpeg`).
Only the asked part is decoded.
"""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import soundfile as sf
import soxr

from skaudio._validation import check_sample_rate, counted
from skaudio.audio import _errors, _ffmpeg, _wholeness
from skaudio.audio._arrays import channels_first, check_overflow
from skaudio.audio._clips import item_of, part_of


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """A recording that has not been decoded yet; or ``duration`` seconds of it, from ``start``.

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

    @property
    def is_clip(self) -> bool:
        """Whether a part of the source is meant."""
        return self.start > 0 or self.duration is not None


def blocks(
    recording: Recording,
    assumed_rate: float | None,
    offset: float,
    duration: float | None,
    block: int | None = None,
) -> tuple[float | None, Iterable[np.ndarray]]:
    """Return the rate of a recording, and a part of it in blocks (n_channels, n_times) of float32.

    ``assumed_rate`` is that of samples that state none; ``offset`` and ``duration`` are in seconds,
    ``block`` is in samples. None makes the part one block.
    """
    source, name, rate = recording.source, recording.name, recording.sample_rate
    if recording.is_clip:
        offset, duration = part_of(recording, offset, duration)
    if isinstance(source, (str, bytes)):
        try:
            file = open_file(source)
        except (OSError, sf.LibsndfileError) as error:
            samples, first, rate = _ffmpeg.decode(source, name, error, offset, duration)
            start, stop = _bounds(first + samples.shape[1], rate, offset, duration, name)
            return rate, _cut(samples, start - first, stop - first, block, name)
        if not _errors.LOWEST_RATE <= file.samplerate <= _errors.HIGHEST_RATE:
            file.close()
            raise _errors.strange_rate(name, file.samplerate)
        return file.samplerate, _decode(file, source, offset, duration, block, name)
    if not isinstance(source, np.ndarray):
        decoded = source.get_all_samples()
        source = np.asarray(decoded.data)
        rate = check_sample_rate(decoded.sample_rate, name=f"{name}: sample_rate")
    channels = source[np.newaxis] if source.ndim == 1 else channels_first(source, name)
    start, stop = 0, channels.shape[1]
    if offset or duration is not None:
        known = rate if rate is not None else assumed_rate
        if known is None:
            raise ValueError(
                f"{name} states no sample rate, which offset and duration (seconds) need: "
                "pass sample_rate=."
            )
        start, stop = _bounds(stop, known, offset, duration, name)
    return rate, _cut(channels, start, stop, block, name)


def open_file(source: str | bytes) -> sf.SoundFile:
    """Open a file by a descriptor: libsndfile then goes by the content, as it sees no ending."""
    handle = io.BytesIO(source) if isinstance(source, bytes) else os.open(source, os.O_RDONLY)
    # closefd hands the descriptor over to libsndfile, also when opening fails.
    return sf.SoundFile(handle, closefd=True)


def _bounds(
    n_times: int, rate: float, offset: float, duration: float | None, name: str
) -> tuple[int, int]:
    """Return the first sample of a part, and the one after its last."""
    start = round(offset * rate)
    if start >= n_times:
        raise ValueError(
            f"{name}: offset={offset:g} s is past the end, the recording lasts "
            f"{n_times / rate:g} s."
        )
    if duration is None:
        return start, n_times
    return start, min(start + max(round(duration * rate), 1), n_times)


def _cut(
    channels: np.ndarray, start: int, stop: int, block: int | None, name: str
) -> Iterable[np.ndarray]:
    if block is None:
        return (to_float(channels[:, start:stop], name),)
    # An empty recording is one empty block.
    edges = [*range(start, max(stop, 1), block), stop]
    return (to_float(channels[:, i:j], name) for i, j in pairwise(edges))


def _decode(
    file: sf.SoundFile,
    source: str | bytes,
    offset: float,
    duration: float | None,
    block: int | None,
    name: str,
) -> Iterator[np.ndarray]:
    """Decode a part of an open file, and close it; a file that is not whole is an error."""
    with file:
        rate, n_times, kind = file.samplerate, file.frames, file.format
        if "(should be " in file.extra_info:
            _wholeness.check_size(file, name)
        has_end, n_last = _wholeness.last_ogg_page(source) if kind == "OGG" else (True, 0)
        no_end = "the stream has no last page"
        if n_times == 0:
            if not has_end:
                raise _errors.truncated(name, "Ogg", no_end)
            raise ValueError(f"{name} is empty: its {kind} header announces 0 samples.")
        start, stop = _bounds(n_times, rate, offset, duration, name)
        # libsndfile counts the samples of Vorbis' last page from its end, though that is cut, and
        # so seeks up to a block too far: begin in the page before, and drop what comes too early.
        first = start
        if file.subtype == "VORBIS" and start >= n_times - n_last:
            first = max(n_times - n_last - 1, 0)
        # libsndfile takes ten times as long for floats of 16-bit samples as for the integers.
        dtype = "int16" if file.subtype == "PCM_16" else "float32"
        early = start - first
        try:
            if first:
                file.seek(first)
            for i in range(start, stop, block or stop - start):
                wanted = min(block or stop, stop - i)
                samples = file.read(early + wanted, dtype=dtype, always_2d=True)[early:]
                early = 0
                if len(samples) < wanted:
                    found = f"{n_times} samples announced, {i + len(samples)} could be decoded"
                    raise _errors.truncated(name, kind, found)
                if i + wanted == n_times and not has_end:
                    raise _errors.truncated(name, "Ogg", no_end)
                yield to_float(samples, name).T
        except sf.LibsndfileError as error:
            raise _errors.truncated(name, kind, f"decoding fails ({error})") from error


def to_float(samples: np.ndarray, name: str) -> np.ndarray:
    """Return samples as float32; integers are scaled by their full range, unsigned ones centred."""
    if samples.dtype == np.float32:
        return samples
    kind = samples.dtype.kind
    if kind == "f":
        # Overflow to inf is caught with the other non-finite values, by name.
        with np.errstate(over="ignore"):
            return samples.astype(np.float32, copy=False)
    if kind in "iu":
        half = 2.0 ** (8 * samples.dtype.itemsize - 1)
        if samples.dtype == np.int16:
            return samples * np.float32(1 / half)  # one pass, and exact
        centred = samples.astype(np.float64) - (half if kind == "u" else 0.0)
        return (centred / half).astype(np.float32)
    raise _errors.not_samples(samples.dtype, name)


def to_mono(channels: np.ndarray) -> np.ndarray:
    """Average ``(n_channels, n_times)``, or ``(n_times, n_channels)`` seen through ``.T``."""
    mono: np.ndarray = channels[0]
    if len(channels) > 1:
        # A matrix-vector product is some thirty times faster than mean(axis=...) here.
        mono = np.full(len(channels), 1.0 / len(channels), np.float32) @ channels
    return mono


def resample(
    waveform: np.ndarray, source: float, target: float, name: str, quality: str = "HQ"
) -> np.ndarray:
    """Resample a float32 waveform with soxr at one of its qualities."""
    if source == target:
        return waveform
    resampled: np.ndarray = soxr.resample(waveform, source, target, quality=quality)
    if not is_surely_finite(resampled):
        check_overflow(resampled, waveform, name)
    if len(resampled) == 0:
        n_times = f"{counted(len(waveform), 'sample')} at {source} Hz"
        raise ValueError(
            f"{name}: {n_times} leave none at {target} Hz. The recording is too short."
        )
    return resampled


def scale(waveform: np.ndarray, kind: str | None) -> np.ndarray:
    """Scale to a peak of 1 (``"max"``) or a root mean square of 1 (``"rms"``); silence stays."""
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
    """Look for NaN and infinity at the speed of memory; huge but finite values fail as well."""
    with np.errstate(over="ignore", invalid="ignore"):
        return math.isfinite(float(np.dot(samples, samples)))


def check_samples(waveform: np.ndarray, name: str) -> None:
    """Refuse an empty waveform and one with NaN or infinite samples."""
    if len(waveform) == 0:
        raise ValueError(f"{name} is empty: it has 0 samples, expected at least one.")
    if is_surely_finite(waveform):
        return
    bad = np.flatnonzero(~np.isfinite(waveform))
    if len(bad):
        raise _errors.not_finite(waveform, bad, name)
