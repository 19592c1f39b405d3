"""Near-duplicates: candidates by fingerprints, confirmed by the waveforms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import fft

from skaudio.audio import Recording
from skaudio.datasets._audit_measures import HOP

# Each frame has two keys of 20 neighbouring bits. In a copy at a low bit rate, one of five frames
# has an unchanged key.
KEY_BITS = 20
KEY_SHIFTS = (0, 11)
LOUD_BIT = 31
# Keys that more frames share are ignored: they are from hum or silence.
LARGEST_BUCKET = 50
# With more keys, only keys with a divisible value are compared. These are the same in every copy.
MAX_KEYS = 1 << 22
# Fewest frames of a pair with a common key and the same lag, and their fewest share of the common
# loud frames at that lag: more than words of one speaker have by chance.
MIN_VOTES = 2
MIN_VOTE_SHARE = 0.08
# Fewest loud frames that two recordings have in common; they span a fifth of a second.
MIN_FRAMES = 5
# Largest fraction of bits that differ. 98 of 100 copies by lossy formats have up to 0.18, similar
# words of one speaker 0.2 or more, and unrelated recordings 0.5.
MAX_BIT_ERRORS = 0.2

# Candidates are confirmed by the correlation of the whitened waveforms at 8 kHz, which depends on
# pitch and phase. Copies by MP3, Opus or mu-law have 0.6 to 1, and copies by the strongest
# compression of Ogg 0.4 to 0.6. Among 4300 spoken digits, no two takes have more than 0.53.
RATE = 8000.0
MIN_CORRELATION = 0.55
MAX_SECONDS = 10.0
SLACK = 0.1  # seconds around the lag of the fingerprints that are searched
SMOOTHING = 31  # number of bins over which spectra are smoothed for whitening


def candidates(fingerprints: Sequence[np.ndarray]) -> list[tuple[int, int, int]]:
    """Return pairs of recordings that may be near-duplicates.

    Parameters
    ----------
    fingerprints : sequence of ndarray of shape (n_frames,), uint32
        Fingerprints; see `Meter.fingerprint`. An empty fingerprint is not compared.

    Returns
    -------
    pairs : list of (int, int, int)
        First recording, second recording, and the number of frames by which the shared part is
        later in the second recording. Sorted.
    """
    n = len(fingerprints)
    lengths = np.array([len(fingerprint) for fingerprint in fingerprints], int)
    longest = int(lengths.max(initial=0))
    if not longest:
        return []
    frames = np.concatenate(fingerprints)
    owners = np.repeat(np.arange(n), lengths)
    starts = np.cumsum(lengths) - lengths
    times = np.arange(len(frames)) - starts[owners]
    is_loud = frames >> LOUD_BIT == 1
    # Only the first of several successive frames with one key is used. Otherwise, sustained sounds
    # would dominate.
    begins = np.append(True, (frames[1:] != frames[:-1]) | (owners[1:] != owners[:-1]))
    loud = np.flatnonzero(begins & is_loud)
    stride = len(loud) // MAX_KEYS + 1
    n_lags = 2 * longest + 1
    votes = [
        (owners[a] * n + owners[b]) * n_lags + times[b] - times[a] + longest
        for a, b in (_matches(frames[loud] >> shift, loud, stride) for shift in KEY_SHIFTS)
    ]
    codes, counts = np.unique(np.concatenate(votes), return_counts=True)
    # A copy that begins between two frames has votes for the lags on both sides.
    follows = np.append(np.diff(codes) == 1, False)[: len(codes)]
    counts = counts + np.where(follows, np.append(counts[1:], 0)[: len(codes)], 0)
    codes, counts = codes[counts >= MIN_VOTES], counts[counts >= MIN_VOTES]
    pairs, lags = np.divmod(codes, n_lags)
    order = np.lexsort((-counts, pairs))
    order = order[np.unique(pairs[order], return_index=True)[1]]  # the best lag of each pair
    (first, second), lags, counts = np.divmod(pairs[order], n), lags[order] - longest, counts[order]
    # Number of common loud frames at that lag.
    n_loud = np.append(0, np.cumsum(is_loud))
    begin_a, begin_b = np.maximum(-lags, 0), np.maximum(lags, 0)
    n_common = np.minimum(lengths[first] - begin_a, lengths[second] - begin_b)
    begin_a, begin_b = begin_a + starts[first], begin_b + starts[second]
    common = np.minimum(
        n_loud[begin_a + n_common] - n_loud[begin_a], n_loud[begin_b + n_common] - n_loud[begin_b]
    )
    chosen = (first != second) & (counts >= MIN_VOTE_SHARE / stride * common)
    found = []
    for a, b, lag in zip(*(v[chosen].tolist() for v in (first, second, lags)), strict=True):
        errors, best = min(
            (_errors(fingerprints[a], fingerprints[b], k), k) for k in (lag, lag + 1)
        )
        if errors <= MAX_BIT_ERRORS:
            found.append((a, b, best))
    return found


def _matches(keys: np.ndarray, places: np.ndarray, stride: int) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs of positions of frames with a common key, the earlier recording first."""
    keys = keys & ((1 << KEY_BITS) - 1)
    if stride > 1:
        kept = keys % stride == 0
        keys, places = keys[kept], places[kept]
    order = np.argsort(keys, kind="stable")
    keys, places = keys[order], places[order]
    _, sizes = np.unique(keys, return_counts=True)
    rare = np.repeat(sizes, sizes) <= LARGEST_BUCKET
    keys, places = keys[rare], places[rare]
    first, second = [places[:0]], [places[:0]]
    starts = np.arange(len(keys))
    for step in range(1, LARGEST_BUCKET):
        starts = starts[starts + step < len(keys)]
        starts = starts[keys[starts] == keys[starts + step]]
        if not len(starts):
            break
        first.append(places[starts])
        second.append(places[starts + step])
    return np.concatenate(first), np.concatenate(second)


def _errors(a: np.ndarray, b: np.ndarray, lag: int) -> float:
    """Return the fraction of bits that differ in frames that are loud in both recordings."""
    a, b = a[max(-lag, 0) :], b[max(lag, 0) :]
    n = min(len(a), len(b))
    a, b = a[:n], b[:n]
    loud = (a & b) >> LOUD_BIT == 1
    n_loud = int(loud.sum())
    if n_loud < MIN_FRAMES:
        return 1.0
    return int(np.bitwise_count(a[loud] ^ b[loud]).sum()) / (n_loud * LOUD_BIT)


def correlation(first: Recording, second: Recording, lag: int) -> tuple[float, float]:
    """Compare the waveforms of the part that two recordings share.

    Parameters
    ----------
    first, second : Recording
        The recordings. Bare samples must have a sample rate.
    lag : int
        Lag in frames, from `candidates`.

    Returns
    -------
    correlation : float
        Largest magnitude of the correlation of the whitened waveforms, from 0 to 1.
    lag : float
        Time by which the shared part is later in the second recording, in seconds.
    """
    seconds = lag * HOP
    starts = max(-seconds, 0.0), max(seconds, 0.0)
    a, b = (
        _whitened(recording.read(RATE, offset=start, duration=MAX_SECONDS)[0])
        for recording, start in zip((first, second), starts, strict=True)
    )
    n = min(len(a), len(b))
    a, b = a[:n], b[:n]
    size = fft.next_fast_len(2 * n, real=True)
    product = np.conj(fft.rfft(a, size)) * fft.rfft(b, size)
    found = fft.irfft(product, size) / max(float(np.sqrt(np.dot(a, a) * np.dot(b, b))), 1e-30)
    reach = min(round(SLACK * RATE), n - 1)
    near = np.abs(np.concatenate([found[size - reach :], found[: reach + 1]]))
    at = int(near.argmax())
    return float(near[at]), seconds + (at - reach) / RATE


def _whitened(waveform: np.ndarray) -> np.ndarray:
    """Filter a waveform so that all its frequencies are about equally strong."""
    spectrum = fft.rfft(waveform)
    power = np.square(np.abs(spectrum))
    smooth = np.convolve(power, np.full(SMOOTHING, 1 / SMOOTHING), "same")
    spectrum /= np.sqrt(smooth + 1e-6 * power.mean() + 1e-30)
    whitened: np.ndarray = fft.irfft(spectrum, len(waveform))
    return whitened
