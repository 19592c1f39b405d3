"""Waveform arithmetic: to float, to mono, to another rate, to a common level."""

from __future__ import annotations

import math

import numpy as np
import soxr

MAX_CHANNELS = 32
# Beyond so many channels, a recording has to last some time to be taken for one.
LIKELY_CHANNELS = 8
RESAMPLE_QUALITIES = ("QQ", "LQ", "MQ", "HQ", "VHQ")


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
    if kind == "c":
        raise ValueError(
            f"{name}: Complex data not supported: samples are {samples.dtype}. Expected a real "
            "waveform (did you pass an STFT?)."
        )
    raise TypeError(
        f"{name}: samples are {samples.dtype}, expected floating point or integer samples."
    )


def channels_first(samples: np.ndarray, name: str) -> np.ndarray:
    """Check that an array is mono or ``(n_channels, n_times)`` and return it two-dimensional."""
    if samples.ndim == 1:
        return samples[np.newaxis]
    if samples.ndim != 2:
        raise ValueError(
            f"{name} has shape {samples.shape}, expected (n_times,) or (n_channels, n_times)."
        )
    n_channels, n_times = samples.shape
    # Twenty coefficients of a hundred frames have the shape of twenty very short channels.
    like_frames = n_channels > LIKELY_CHANNELS and n_times < 100 * n_channels
    if n_channels > MAX_CHANNELS or n_channels > max(n_times, 1) or like_frames:
        raise ValueError(
            f"{name} has shape {samples.shape}: {n_channels} channels of {n_times} samples. "
            "Expected (n_channels, n_times) with at most "
            f"{MAX_CHANNELS} channels. Either the axes are (n_times, n_channels): transpose the "
            "array; or these are features rather than audio: skip the encoder."
        )
    return samples


def to_mono(channels: np.ndarray) -> np.ndarray:
    """Average ``(n_channels, n_times)``, or ``(n_times, n_channels)`` seen through ``.T``."""
    if len(channels) == 1:
        return channels[0]
    # A matrix-vector product is some thirty times faster than mean(axis=...) here.
    weights = np.full(len(channels), 1.0 / len(channels), np.float32)
    return weights @ channels


def resample(
    waveform: np.ndarray, source: float, target: float, name: str, quality: str = "HQ"
) -> np.ndarray:
    """Resample a float32 waveform with soxr at one of its qualities."""
    if source == target:
        return waveform
    resampled = soxr.resample(waveform, source, target, quality=quality)
    if len(resampled) == 0:
        raise ValueError(
            f"{name}: {len(waveform)} samples at {source} Hz leave none at {target} Hz. "
            "The recording is too short."
        )
    return resampled


def normalize(waveform: np.ndarray, kind: str | None) -> np.ndarray:
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
        value = "NaN" if np.isnan(waveform[bad[0]]) else "infinity"
        raise ValueError(
            f"{name} contains {value} at sample {bad[0]} ({len(bad)} such samples in all); "
            "expected finite values. A division by a silent recording's level is the usual cause."
        )
