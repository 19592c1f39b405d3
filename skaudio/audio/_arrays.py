"""Arrays of samples: conversion of other objects, checks, parts, and float32."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np

from skaudio.audio import _errors

MAX_CHANNELS = 32
# An array with more channels than this must have many samples to be accepted as a recording.
LIKELY_CHANNELS = 8


def as_samples(item: Any, name: str) -> np.ndarray:
    """Return an array of real numbers, of one or more channels."""
    if type(item) is np.ndarray and item.ndim == 1 and item.dtype.kind in "fiu":
        return item
    if isinstance(item, tuple) and len(item) == 2 and sorted(map(np.ndim, item))[0] == 0:
        raise ValueError(
            f"{name} is a pair, (waveform, sample_rate)? Expected the waveform alone, or a "
            "mapping: {'array': waveform, 'sampling_rate': sample_rate}."
        )
    if _is_scalar(item):
        raise _errors.not_a_recording(item, name)
    samples = to_array(item, name)
    if samples.dtype.kind == "O":
        try:
            samples = samples.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"{name} holds objects that are not numbers ({error}); expected a waveform."
            ) from error
    if samples.dtype.kind in "US":
        raise TypeError(
            f"{name} is an array of {samples.dtype}, expected floating point or integer samples. "
            f"Is {samples.tolist()!r:.80} a path in a list? Pass the path itself."
        )
    if samples.dtype.kind not in "fiuc":
        raise TypeError(
            f"{name} is an array of {samples.dtype}, expected floating point or integer samples."
        )
    if samples.dtype.kind == "c":
        raise ValueError(
            f"{name}: Complex data not supported: expected a real waveform (did you pass an STFT?)."
        )
    channels_first(samples, name)
    return samples


def to_array(item: Any, name: str) -> np.ndarray:
    """Convert an object to an array; masked values and failures are errors with the name."""
    if np.ma.is_masked(item):
        raise _errors.masked(item, name)
    try:
        return np.asarray(item)
    except (ValueError, TypeError, RuntimeError, BufferError) as error:
        advice = ""
        if hasattr(item, "detach"):
            advice = " Of a tensor, pass tensor.detach().cpu().float()."
        kind = TypeError if isinstance(error, TypeError) else ValueError
        found = f"{name} ({type(item).__name__})"
        raise kind(f"{found} is not an array of numbers: {error}{advice}") from error


def _is_scalar(item: Any) -> bool:
    """Whether an object is a single value instead of a recording."""
    if isinstance(item, (list, tuple)):
        return len(item) == 1 and np.ndim(item[0]) == 0 and not isinstance(item[0], (str, bytes))
    return np.ndim(item) == 0


def is_bytes(item: Any) -> bool:
    """Whether an object that is not an array is a buffer of bytes: an encoded file."""
    if isinstance(item, (np.ndarray, list, tuple)) or hasattr(item, "__array__"):
        return False
    try:
        return memoryview(item).format in ("b", "B", "c")
    except TypeError:
        return False


def warn_of_wide_integers(recordings: Iterable[tuple[np.ndarray, str]]) -> None:
    """Warn about 32- and 64-bit integers with small values, which are silent after scaling."""
    for samples, name in recordings:
        if samples.dtype.kind not in "iu" or samples.dtype.itemsize < 4 or not samples.size:
            continue
        # Python's integers, since int64 cannot hold the absolute value of its lowest number.
        peak = max(int(samples.max()), -int(samples.min()))
        if 0 < peak <= 1 << (4 * samples.dtype.itemsize - (samples.dtype.kind == "i")):
            _errors.warn(
                f"{name} holds {samples.dtype} samples up to {peak}: scaled by the full range of "
                f"{samples.dtype} they are silence. If they are 16-bit samples, pass "
                "np.asarray(x, dtype=np.int16)."
            )
            return


def channels_first(samples: np.ndarray, name: str) -> np.ndarray:
    """Check that an array is mono or ``(n_channels, n_times)`` and return it two-dimensional."""
    if samples.ndim == 1:
        return samples[np.newaxis]
    if samples.ndim != 2:
        raise ValueError(
            f"{name} has shape {samples.shape}, expected (n_times,) or (n_channels, n_times)."
        )
    n_channels, n_times = samples.shape
    # 20 coefficients of 100 frames have the shape of 20 very short channels.
    like_frames = n_channels > LIKELY_CHANNELS and n_times < 100 * n_channels
    if not 0 < n_channels <= MAX_CHANNELS or n_channels > max(n_times, 1) or like_frames:
        raise ValueError(
            f"{name} has shape {samples.shape}: {n_channels} channels of {n_times} samples. "
            "Expected (n_channels, n_times) with at most "
            f"{MAX_CHANNELS} channels. Either the axes are (n_times, n_channels): transpose the "
            "array; or these are features rather than audio: skip the encoder."
        )
    return samples


def check_overflow(values: np.ndarray, waveform: np.ndarray, name: str) -> None:
    """Raise an error if ``values``, computed from a waveform, are not finite."""
    # A sum is faster than checking each value, and is not finite if a value is not finite.
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(values.sum()) or np.isfinite(values).all():
            return
    raise _errors.too_large(waveform, name)


def bounds(
    n_times: int, rate: float, offset: float, duration: float | None, name: str
) -> tuple[int, int]:
    """Return the first sample of a part and the one after its last sample."""
    start = round(offset * rate)
    if start >= n_times:
        raise ValueError(
            f"{name}: offset={offset:g} s is past the end, the recording lasts "
            f"{n_times / rate:g} s. Expected seconds from the beginning of the recording (offset= "
            "of the encoder, or the start of a clip); did you pass milliseconds or samples?"
        )
    if duration is None:
        return start, n_times
    return start, min(start + max(round(duration * rate), 1), n_times)


def cut(
    channels: np.ndarray, start: int, stop: int, block: int | None, name: str
) -> Iterable[np.ndarray]:
    """Cut samples (n_channels, n_times) into blocks of float32; None makes them one."""
    if block is None:
        return (to_float(channels[:, start:stop], name),)
    # An empty recording is one empty block.
    edges = [*range(start, max(stop, 1), block), stop]
    return (to_float(channels[:, i:j], name) for i, j in pairwise(edges))


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
