"""The arguments of the kernel: tables, sizes and offsets that are computed in advance.

The kernel takes each plan as a tuple of numbers, with the addresses of tables instead of arrays
(`_program.numbers_of`), and names them again. With arrays, numba would count references in each
step, and writable and read-only arrays would have different types. Looking up the type of a named
tuple takes longer (0.9 us for seven numbers) than that of a tuple (0.3 us).

This module does not import numba.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

# Output for a complex bin: the bin itself, its magnitude, or the square of the magnitude.
SPECTRUM, MAGNITUDE, POWER = 0, 1, 2

# Number of vectors of hops that are transposed before the rows are moved. Moving them each time is
# slower, and so are rows that fill the cache.
VECTORS = 4

# One recording. `signal` and `result` are addresses of float32 (`result` has n_features rows of
# n_output_frames, complex ones for SPECTRUM). The first n_frames frames are computed: they are more
# than n_output_frames where those that are cut off count for the maximum, and fewer where silence
# follows. The kernel sets has_nonfinite where frames see NaN, infinity or values so large that the
# transform overflows.
RECORDING = np.dtype(
    [
        ("signal", np.intp),
        ("n_samples", np.intp),
        ("n_frames", np.intp),
        ("result", np.intp),
        ("n_output_frames", np.intp),
        ("has_nonfinite", np.bool_),
    ],
    align=True,
)


class FramePlan(NamedTuple):
    """How frames are read from the rows that a signal is turned into (see `_kernel`).

    Attributes
    ----------
    window : ndarray of shape (n_fft,)
        Half the window (the transform takes twice), zeros around it.
    sample_places : ndarray of shape (n_fft,), int
        Place in the rows of each sample of the first frame; any place where the window is zero.
    start : int
        Sample of the signal where the window of frame 0 begins.
    hop_length : int
    width : int
        Samples of a hop that any window sees: the number of rows.
    reach : int
        Hops that a window reaches beyond its first, rounded up to whole vectors.
    stride : int
        Floats from one row to the next.
    """

    window: np.ndarray
    sample_places: np.ndarray
    start: int
    hop_length: int
    width: int
    reach: int
    stride: int


class FourierPlan(NamedTuple):
    """Tables of a transform of ``n_complex`` vectors, for frames of twice as many samples.

    `_fft` derives them.

    Attributes
    ----------
    n_complex : int
    n_stages : int
        Stages before the last.
    radices : ndarray of shape (n_stages,), int
        Of the stages before the last, whose radix is 4.
    twiddles : ndarray of float32
        Stage after stage; real and imaginary part of factors 1 ... radix - 1 of each butterfly.
    blocks : ndarray of shape (n_complex / 4,), int
        Place in floats of the four vectors that the last butterfly turns into bins
        ``k + j n_complex / 4``, j = 0 ... 3.
    turns : ndarray of float32
        ``exp(-2 pi i k / (2 n_complex))``, real and imaginary part: the factors of the split.
    gap : int
        Floats between the sub-transforms of the first stage.
    size : int
        Floats of the transform's data.
    """

    n_complex: int
    n_stages: int
    radices: np.ndarray
    twiddles: np.ndarray
    blocks: np.ndarray
    turns: np.ndarray
    gap: int
    size: int


class Bands(NamedTuple):
    """A filter bank: filter i weights bins starts[i] ... stops[i] - 1."""

    n_filters: int  # 0 for none
    starts: np.ndarray
    stops: np.ndarray
    weights: np.ndarray  # of the first filter, then of the second, ...


class ScaleNumbers(NamedTuple):
    """Take ``factor * ln(max(S + eps, floor))`` if ``logarithmic``, else S; numpy scalars."""

    logarithmic: np.bool_
    eps: np.float32
    floor: np.float32
    factor: np.float32
    silence: np.float32  # what a band of silence becomes
    top_db: np.float32  # raise what is lower than the maximum by more; infinite for no limit


class Cosines(NamedTuple):
    """The cosine transform."""

    n_coefficients: int  # 0 for none
    matrix: np.ndarray  # (n_coefficients, n_bands)


class Areas(NamedTuple):
    """Addresses of the areas of a workspace, which hold float32."""

    rows: int  # hops of the signal, transposed: (width, stride)
    data: int  # of the transform: FourierPlan.size floats
    spectrum: int  # (n_bins, LANES), or (n_bins, 2, LANES) if complex
    spare: int  # copies of LANES hops at an end of the signal: (LANES, width + LANES)
    tiles: int  # (vectors of frames, n_bands, LANES); only for the cosine transform


def radices_of(n_complex: int) -> list[int]:
    """Return the stages of a transform before the last: 8s, then 4s to fit."""
    bits = n_complex.bit_length() - 1 - 2
    if bits < 2 or n_complex != 1 << (bits + 2):
        raise ValueError(
            f"a transform of {n_complex} complex points: expected a power of two from 16."
        )
    fours = -bits % 3
    return [8] * ((bits - 2 * fours) // 3) + [4] * fours


def _circle(numerators: np.ndarray, denominator: int) -> np.ndarray:
    """Real and imaginary parts of ``exp(-2 pi i numerator / denominator)``, interleaved."""
    angles = -2 * np.pi * numerators / denominator
    return np.stack([np.cos(angles), np.sin(angles)], axis=-1).astype(np.float32).ravel()


@lru_cache(maxsize=16)  # 0.1 ms for n_fft=512, 1.4 ms for 32768
def fourier_plan(n_complex: int, lanes: int) -> FourierPlan:
    """Return the tables of a transform of ``n_complex`` vectors."""
    radices = radices_of(n_complex)
    twiddles, m = [], n_complex
    for radix in radices:
        step = m // radix
        twiddles.append(_circle(np.outer(np.arange(step), np.arange(1, radix)), m))
        m = step
    # The digits of k, least significant first, choose sub-transforms from the outermost on.
    k = np.arange(n_complex // 4)
    position, size = np.zeros(n_complex // 4, np.intp), n_complex
    for radix in radices:
        size //= radix
        position += (k % radix) * size
        k = k // radix
    vector = 2 * lanes  # floats
    gap = vector
    blocks = position * vector + position // (n_complex // radices[0]) * gap
    return FourierPlan(
        n_complex=n_complex,
        n_stages=len(radices),
        radices=np.array(radices, np.intp),
        twiddles=np.concatenate(twiddles),
        blocks=blocks,
        turns=_circle(np.arange(n_complex), 2 * n_complex),
        gap=gap,
        size=n_complex * vector + radices[0] * gap,
    )


def frame_plan(framing: Any, lanes: int, *, padded: bool, lead: int) -> FramePlan:
    """Return the plan for frames of a signal, ``padded`` already or to be padded with zeros.

    The window begins at sample ``lead`` of its frame. Only phases depend on it.
    """
    hop, length = framing.hop_length, framing.win_length
    reach = -(-((length - 1) // hop) // lanes) * lanes
    stride = reach + VECTORS * lanes
    samples = np.arange(length)
    places = np.zeros(framing.n_fft, np.intp)
    places[lead : lead + length] = samples % hop * stride + samples // hop
    window = np.zeros(framing.n_fft, np.float32)
    window[lead : lead + length] = framing.weights * np.float32(0.5)
    return FramePlan(
        window=window,
        sample_places=places,
        start=framing.lead - (0 if padded else framing.margin),
        hop_length=hop,
        width=min(hop, length),
        reach=reach,
        stride=stride,
    )
