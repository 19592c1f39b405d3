"""The mel scale and mel filter banks, in the conventions of Slaney and HTK, with VTLP warping."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from skaudio.dsp._stages import FilterBank

# Slaney's Auditory Toolbox: linear below 1 kHz, 27 steps per factor of 6.4 above.
LINEAR_STEP = 200.0 / 3
BREAK_HZ = 1000.0
BREAK_MEL = BREAK_HZ / LINEAR_STEP
LOG_STEP = np.log(6.4) / 27.0

# Number of filters per block. The filters of a block share one dense matrix product. Blocks are
# small, because distant filters have no bins in common.
BLOCK = 16


def hz_to_mel(hz: np.ndarray | float, *, htk: bool = False) -> np.ndarray:
    """Convert Hz to mel, by the HTK formula or Slaney's."""
    hz = np.asarray(hz, dtype=np.float64)
    if htk:
        return 2595.0 * np.log10(1.0 + hz / 700.0)
    log_part = BREAK_MEL + np.log(np.maximum(hz, BREAK_HZ) / BREAK_HZ) / LOG_STEP
    return np.where(hz >= BREAK_HZ, log_part, hz / LINEAR_STEP)


def mel_to_hz(mel: np.ndarray | float, *, htk: bool = False) -> np.ndarray:
    """Convert mel to Hz, by the HTK formula or Slaney's."""
    mel = np.asarray(mel, dtype=np.float64)
    if htk:
        return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    log_part = BREAK_HZ * np.exp(LOG_STEP * (np.maximum(mel, BREAK_MEL) - BREAK_MEL))
    return np.where(mel >= BREAK_MEL, log_part, mel * LINEAR_STEP)


def mel_frequencies(n_mels: int, fmin: float, fmax: float, *, htk: bool = False) -> np.ndarray:
    """Return ``n_mels`` frequencies in Hz, evenly spaced on the mel scale from fmin to fmax."""
    low, high = hz_to_mel(np.array([fmin, fmax]), htk=htk)
    return mel_to_hz(np.linspace(low, high, n_mels), htk=htk)


def warp_frequencies(hz: np.ndarray, warp_factor: float, sample_rate: float) -> np.ndarray:
    """Warp frequencies piecewise linearly, as a longer or shorter vocal tract would.

    Jaitly & Hinton 2013: frequencies are multiplied by the factor up to a boundary, and mapped
    linearly from there to the Nyquist frequency, which is not moved. The boundary is 4800 Hz, or
    0.9 of the Nyquist frequency if that is lower.
    """
    if warp_factor == 1.0:
        return hz
    nyquist = sample_rate / 2
    bound = min(4800.0, 0.9 * nyquist) * min(warp_factor, 1.0)
    knee = bound / warp_factor
    above = nyquist - (nyquist - bound) / (nyquist - knee) * (nyquist - hz)
    return np.where(hz <= knee, hz * warp_factor, above)


@lru_cache(maxsize=256)  # takes 0.3 ms, and is called for each block of recordings
def mel_filterbank(
    sample_rate: float,
    n_fft: int,
    n_mels: int,
    fmin: float,
    fmax: float,
    htk: bool = False,
    norm: str | float | None = "slaney",
    warp_factor: float = 1.0,
) -> FilterBank:
    """Return the bank of ``librosa.filters.mel``, its edges and centres warped by ``warp_factor``.

    ``norm="slaney"`` divides each filter by half its unwarped width in Hz, a number p by its
    p-norm, None leaves the peak at 1.
    """
    edges = mel_frequencies(n_mels + 2, fmin, fmax, htk=htk)
    warped = warp_frequencies(edges, warp_factor, sample_rate)
    bins = np.fft.rfftfreq(n_fft, 1.0 / sample_rate)
    widths = np.diff(warped)
    ramps = warped[:, None] - bins
    rising = -ramps[:-2] / widths[:-1, None]
    falling = ramps[2:] / widths[1:, None]
    weights = np.maximum(0.0, np.minimum(rising, falling)).astype(np.float32)
    if norm == "slaney":
        weights *= (2.0 / (edges[2:] - edges[:-2]))[:, None].astype(np.float32)
    elif norm is not None:
        lengths = np.linalg.norm(weights, ord=float(norm), axis=1, keepdims=True)
        weights /= np.where(lengths > 0, lengths, 1.0).astype(np.float32)
    return _bank(weights)


@lru_cache(maxsize=16)  # as above
def mel_domain_filterbank(
    sample_rate: float, n_fft: int, n_mels: int, fmin: float, fmax: float, warp_factor: float = 1.0
) -> FilterBank:
    """Return filters that are triangles on HTK's mel scale, with peaks of 1.

    They are the filters of Kaldi and TensorFlow. Those of librosa and HTK are triangles in Hz.
    """
    edges = mel_frequencies(n_mels + 2, fmin, fmax, htk=True)
    edges = hz_to_mel(warp_frequencies(edges, warp_factor, sample_rate), htk=True)
    bins = hz_to_mel(np.fft.rfftfreq(n_fft, 1.0 / sample_rate), htk=True)
    widths = np.diff(edges)[:, None]
    rising = (bins - edges[:-2, None]) / widths[:-1]
    falling = (edges[2:, None] - bins) / widths[1:]
    return _bank(np.maximum(0.0, np.minimum(rising, falling)).astype(np.float32))


def _bank(weights: np.ndarray) -> FilterBank:
    weights.flags.writeable = False
    bands = _bands(weights)
    empty = np.flatnonzero(bands[0] == bands[1])
    return FilterBank(weights, tuple(_blocks(weights)), bands, empty)


def _blocks(weights: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
    for first in range(0, len(weights), BLOCK):
        group = weights[first : first + BLOCK]
        touched = np.flatnonzero(group.any(axis=0))
        start, stop = (int(touched[0]), int(touched[-1]) + 1) if len(touched) else (0, 1)
        yield start, stop, np.array(group[:, start:stop].T, order="C")


def _bands(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    touched = weights != 0
    empty = ~touched.any(axis=1)
    starts = touched.argmax(axis=1)
    stops = np.where(empty, starts, weights.shape[1] - touched[:, ::-1].argmax(axis=1))
    bins = np.arange(weights.shape[1])
    inside = (bins >= starts[:, None]) & (bins < stops[:, None])
    return starts, stops, weights[inside]
