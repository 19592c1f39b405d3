"""Near-duplicates: candidates by their fingerprints, each confirmed by the waveforms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import fft

from skaudio.audio import Recording
from skaudio.datasets._audit_measures import HOP

# Two keys per frame, each of 20 neighbouring bits: of a copy at a low bit rate, one frame in five
# or so keeps one of them whole.
KEY_BITS = 20
KEY_SHIFTS = (0, 11)
LOUD_BIT = 31
# A key that more frames share tells nothing: a hum, or silence.
LARGEST_BUCKET = 50
# With more keys, only those are compared whose value is divisible: the same ones in every copy.
MAX_KEYS = 1 << 22
# Frames of a pair with a common key and the same lag: two, and of the loud frames that the pair has
# in common at that lag, more than words of one speaker have by chance.
MIN_VOTES = 2
MIN_VOTE_SHARE = 0.08
# Loud frames that two recordings have in common: they span a fifth of a second.
MIN_FRAMES = 5
# Share of bits that differ: 98 of 100 copies by lossy formats have up to 0.18, strangers 0.5, and
# similar words of one speaker 0.2 and more.
MAX_BIT_ERRORS = 0.2

# Confirmation: correlation of the whitened waveforms at 8 kHz, in which pitch and phase count.
# Copies by MP3, Opus or mu-law have 0.6 to 1, by the strongest compression of Ogg 0.4 to 0.6. Of
# 4300 spoken digits, no two takes have more than 0.53.
RATE = 8000.0
MIN_CORRELATION = 0.55
MAX_SECONDS = 10.0
SLACK = 0.1  # seconds around the lag of the fingerprints
SMOOTHING = 31  # bins over which the spectra are averaged that whiten


def candidates(fingerprints: Sequence[np.ndarray]) -> list[tuple[int, int, int]]:
    """Return pairs of recordings that may be near-duplicates.

    Parameters
    ----------
    fingerprints : sequence of ndarray of shape (n_frames,), uint32
        See `Meter.fingerprint`. An empty one is compared with none.

    Returns
    -------
    pairs : list of (int, int, int)
        First recording, second recording, and how many frames later what they share comes in
        the second; in order.
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
    # A key that goes on is taken where it begins: sustained sounds would outvote the others.
    begins = np.append(True, (frames[1:] != frames[:-1]) | (owners[1:] != owners[:-1]))
    loud = np.flatnonzero(begins & is_loud)
    stride = len(loud) // MAX_KEYS + 1
    n_lags = 2 * longest + 1
    votes = [
        (owners[a] * n + owners[b]) * n_lags + times[b] - times[a] + longest
        for a, b in (_matches(frames[loud] >> shift, loud, stride) for shift in KEY_SHIFTS)
    ]
    codes, counts = np.unique(np.concatenate(votes), return_counts=True)
    # A copy that begins between two frames votes for the lags on both sides.
    follows = np.append(np.diff(codes) == 1, False)[: len(codes)]
    counts = counts + np.where(follows, np.append(counts[1:], 0)[: len(codes)], 0)
    codes, counts = codes[counts >= MIN_VOTES], counts[counts >= MIN_VOTES]
    pairs, lags = np.divmod(codes, n_lags)
    order = np.lexsort((-counts, pairs))
    order = order[np.unique(pairs[order], return_index=True)[1]]  # the best lag of each pair
    (first, second), lags, counts = np.divmod(pairs[order], n), lags[order] - longest, counts[order]
    # How many loud frames they have in common at that lag.
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
    """Return pairs of places of frames that share a key, the earlier recording first."""
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
    """Return the share of bits that differ in the frames that are loud in both recordings."""
    a, b = a[max(-lag, 0) :], b[max(lag, 0) :]
    n = min(len(a), len(b))
    a, b = a[:n], b[:n]
    loud = (a & b) >> LOUD_BIT == 1
    n_loud = int(loud.sum())
    if n_loud < MIN_FRAMES:
        return 1.0
    return int(np.bitwise_count(a[loud] ^ b[loud]).sum()) / (n_loud * LOUD_BIT)


def correlation(first: Recording, second: Recording, lag: int) -> tuple[float, float]:
    """Compare the waveforms of what two recordings share.

    Parameters
    ----------
    first, second : Recording
        Samples state their rates.
    lag : int
        From `candidates`.

    Returns
    -------
    correlation : float
        The largest magnitude of the correlation of the whitened waveforms, 0 to 1.
    lag : float
        How much later what they share comes in the second, in seconds.
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
