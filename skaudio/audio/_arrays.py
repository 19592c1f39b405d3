"""Arrays, and what becomes one: the checks that they hold samples, of few channels."""

from __future__ import annotations

from typing import Any

import numpy as np

from skaudio.audio import _errors

MAX_CHANNELS = 32
# Beyond so many channels, a recording has to last some time to be taken for one.
LIKELY_CHANNELS = 8


def as_samples(item: Any, name: str) -> np.ndarray:
    """Return an array of real numbers, of one or more channels."""
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
    channels_first(samples, name)
    return samples


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
    if not 0 < n_channels <= MAX_CHANNELS or n_channels > max(n_times, 1) or like_frames:
        raise ValueError(
            f"{name} has shape {samples.shape}: {n_channels} channels of {n_times} samples. "
            "Expected (n_channels, n_times) with at most "
            f"{MAX_CHANNELS} channels. Either the axes are (n_times, n_channels): transpose the "
            "array; or these are features rather than audio: skip the encoder."
        )
    return samples


def check_overflow(values: np.ndarray, waveform: np.ndarray, name: str) -> None:
    """Refuse a waveform from which something was computed that is not finite: ``values``."""
    # A sum is quicker than a look at each value, and not finite if one of them is not.
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(values.sum()) or np.isfinite(values).all():
            return
    raise _errors.too_large(waveform, name)
