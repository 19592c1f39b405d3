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
    """Convert Hz to mel.

    Parameters
    ----------
    hz : float or ndarray
        Frequencies in Hz, 0 or more.
    htk : bool, default=False
        Use the formula of HTK, ``2595 log10(1 + f / 700)``. False: Slaney's Auditory Toolbox,
        linear below 1000 Hz and logarithmic above.

    Returns
    -------
    mel : ndarray of float64
        Of the shape of ``hz``.

    References
    ----------
    Slaney 1998, "Auditory Toolbox, version 2". Young et al. 2002, "The HTK book". The numbers are
    those of ``librosa.hz_to_mel``.

    Examples
    --------
    >>> from skaudio.dsp import hz_to_mel
    >>> hz_to_mel([0, 1000, 4000]).round(2).tolist()
    [0.0, 15.0, 35.16]
    >>> hz_to_mel([0, 1000, 4000], htk=True).round(1).tolist()
    [0.0, 1000.0, 2146.1]
    """
    hz = np.asarray(hz, dtype=np.float64)
    if htk:
        return 2595.0 * np.log10(1.0 + hz / 700.0)
    log_part = BREAK_MEL + np.log(np.maximum(hz, BREAK_HZ) / BREAK_HZ) / LOG_STEP
    return np.where(hz >= BREAK_HZ, log_part, hz / LINEAR_STEP)


def mel_to_hz(mel: np.ndarray | float, *, htk: bool = False) -> np.ndarray:
    """Convert mel to Hz, the inverse of `hz_to_mel`.

    Parameters
    ----------
    mel : float or ndarray
        Values on the mel scale, 0 or more.
    htk : bool, default=False
        The formula, as in `hz_to_mel`.

    Returns
    -------
    hz : ndarray of float64
        Frequencies in Hz, of the shape of ``mel``.

    References
    ----------
    As in `hz_to_mel`. The numbers are those of ``librosa.mel_to_hz``.

    Examples
    --------
    >>> from skaudio.dsp import mel_to_hz
    >>> mel_to_hz([0, 15, 30]).round(1).tolist()
    [0.0, 1000.0, 2804.6]
    """
    mel = np.asarray(mel, dtype=np.float64)
    if htk:
        return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
    log_part = BREAK_HZ * np.exp(LOG_STEP * (np.maximum(mel, BREAK_MEL) - BREAK_MEL))
    return np.where(mel >= BREAK_MEL, log_part, mel * LINEAR_STEP)


def mel_frequencies(n_mels: int, fmin: float, fmax: float, *, htk: bool = False) -> np.ndarray:
    """Return frequencies that are evenly spaced on the mel scale.

    Parameters
    ----------
    n_mels : int
        Number of frequencies.
    fmin, fmax : float
        The first and the last frequency, in Hz.
    htk : bool, default=False
        The mel scale, as in `hz_to_mel`.

    Returns
    -------
    hz : ndarray of shape (n_mels,)
        Frequencies in Hz.

    References
    ----------
    As in `hz_to_mel`. The numbers are those of ``librosa.mel_frequencies``.

    Examples
    --------
    >>> from skaudio.dsp import mel_frequencies
    >>> mel_frequencies(4, 0, 8000).round(1).tolist()
    [0.0, 1005.6, 2836.4, 8000.0]
    """
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
    """Return a bank of triangular mel filters, straight in Hz.

    Parameters
    ----------
    sample_rate : float
        In Hz.
    n_fft : int
        Length of the Fourier transform in samples.
    n_mels : int
        Number of filters.
    fmin, fmax : float
        Lower edge of the first filter and upper edge of the last one, in Hz.
    htk : bool, default=False
        The mel scale, as in `hz_to_mel`.
    norm : "slaney", float or None, default="slaney"
        "slaney" divides each filter by half its unwarped width in Hz; a number p by its p-norm.
        None leaves the peak at 1.
    warp_factor : float, default=1.0
        Factor by which edges and centres are moved, as a longer or shorter vocal tract moves
        formants.

    Returns
    -------
    bank : FilterBank
        ``bank.weights`` is the matrix of shape (n_mels, n_fft // 2 + 1), float32; ``bank.empty``
        lists the filters that see no bin of the transform. Arrays are read-only, since banks are
        cached.

    References
    ----------
    The bank is that of ``librosa.filters.mel``. The warp is that of Jaitly & Hinton 2013, "Vocal
    tract length perturbation (VTLP) improves speech recognition".

    Examples
    --------
    >>> from skaudio.dsp import mel_filterbank
    >>> bank = mel_filterbank(16000, 512, 40, 0, 8000)
    >>> bank.weights.shape, len(bank.empty)
    ((40, 257), 0)
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
    """Return a bank of triangular mel filters, straight on HTK's mel scale, with peaks of 1.

    Filters of Kaldi and TensorFlow have this shape; those of `mel_filterbank` are straight in Hz.

    Parameters
    ----------
    sample_rate : float
        In Hz.
    n_fft : int
        Length of the Fourier transform in samples.
    n_mels : int
        Number of filters.
    fmin, fmax : float
        Lower edge of the first filter and upper edge of the last one, in Hz.
    warp_factor : float, default=1.0
        As in `mel_filterbank`.

    Returns
    -------
    bank : FilterBank
        As in `mel_filterbank`.

    References
    ----------
    The shape of ``kaldi-native-fbank`` and ``tf.signal.linear_to_mel_weight_matrix``.

    Examples
    --------
    >>> from skaudio.dsp import mel_domain_filterbank
    >>> mel_domain_filterbank(16000, 512, 64, 125, 7500).weights.shape
    (64, 257)
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
