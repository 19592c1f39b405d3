"""What the kernel needs to know before the first sample: tables, orders, sizes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from skaudio.dsp._description import Framing

# Vectors of hops transposed before the rows slide on: sliding each time costs more, and rows that
# fill the cache cost more again.
VECTORS = 4


@dataclass(frozen=True)
class FourierPlan:
    """Tables of a transform of ``n`` complex vectors, for frames of ``2 n`` samples.

    Attributes
    ----------
    radices : ndarray of int
        Of the stages before the last, whose radix is 4.
    twiddles : ndarray of float32
        Stage after stage; real and imaginary part of factors 1 ... radix - 1 of each butterfly.
    blocks : ndarray of int
        Place in floats of the last stage's block that holds bins ``k, k + n / 4, ...``.
    turns : ndarray of float32
        ``exp(-2 pi i k / 2n)``: separates the spectra of even and odd samples.
    gap : int
        Floats between the sub-transforms of the first stage: at a distance of a power of two they
        would share the few places of the cache where such addresses go.
    size : int
        Floats of the transform's data.
    """

    radices: np.ndarray
    twiddles: np.ndarray
    blocks: np.ndarray
    turns: np.ndarray
    gap: int
    size: int


def radices_of(n: int) -> list[int]:
    """Return the stages of a transform of ``n`` points before the last: 8s, then 4s to fit."""
    bits = n.bit_length() - 1 - 2
    if bits < 2 or n != 1 << (bits + 2):
        raise ValueError(f"a transform of {n} complex points: expected a power of two from 16.")
    fours = -bits % 3
    return [8] * ((bits - 2 * fours) // 3) + [4] * fours


def _circle(numerators: np.ndarray, denominator: int) -> np.ndarray:
    """Real and imaginary parts of ``exp(-2 pi i numerator / denominator)``, interleaved."""
    angles = -2 * np.pi * numerators / denominator
    return np.stack([np.cos(angles), np.sin(angles)], axis=-1).astype(np.float32).ravel()


@lru_cache(maxsize=16)
def fourier_plan(n: int, lanes: int) -> FourierPlan:
    """Return the tables of a transform of ``n`` complex vectors."""
    radices = radices_of(n)
    twiddles, m = [], n
    for radix in radices:
        step = m // radix
        twiddles.append(_circle(np.outer(np.arange(step), np.arange(1, radix)), m))
        m = step
    # Which block of four holds the bins k + j n / 4: the digits of k, least significant first,
    # choose sub-transforms from the outermost on.
    k = np.arange(n // 4)
    position, size = np.zeros(n // 4, np.int64), n
    for radix in radices:
        size //= radix
        position += (k % radix) * size
        k = k // radix
    complex_ = 2 * lanes
    gap = complex_
    blocks = position * complex_ + position // (n // radices[0]) * gap
    return FourierPlan(
        radices=np.array(radices, np.int64),
        twiddles=np.concatenate(twiddles),
        blocks=blocks,
        turns=_circle(np.arange(n), 2 * n),
        gap=gap,
        size=n * complex_ + radices[0] * gap,
    )


@dataclass(frozen=True)
class FramePlan:
    """How frames are fetched from a signal that was turned into rows.

    Row c holds sample c of one hop beside that of the next, so that neighbouring frames have their
    samples side by side, which is what vectors load. The rows hold the hops that the
    frames of a few vectors see, and slide on with them.

    Attributes
    ----------
    window : ndarray of shape (n_fft,)
        Half the window (the transform takes twice), zeros around it.
    where : ndarray of shape (n_fft,), int
        Place of each sample of the first frame; any place where the window is zero.
    start : int
        Sample of the signal where the window of frame 0 begins.
    width : int
        Samples of a hop that any window sees: the number of rows.
    reach : int
        Hops that a window reaches beyond its first, in whole vectors.
    stride : int
        Floats from one row to the next.
    """

    window: np.ndarray
    where: np.ndarray
    start: int
    width: int
    reach: int
    stride: int


def frame_plan(framing: Framing, lanes: int, *, padded: bool, lead: int) -> FramePlan:
    """Return the plan for frames of a signal, ``padded`` already or to be padded with zeros.

    ``lead`` is where in its frame the window sits, which only phases can tell.
    """
    hop, length = framing.hop_length, framing.win_length
    reach = -(-((length - 1) // hop) // lanes) * lanes
    stride = reach + VECTORS * lanes
    samples = np.arange(length)
    where = np.zeros(framing.n_fft, np.intp)
    where[lead : lead + length] = samples % hop * stride + samples // hop
    window = np.zeros(framing.n_fft, np.float32)
    window[lead : lead + length] = framing.weights * np.float32(0.5)
    return FramePlan(
        window=window,
        where=where,
        start=framing.lead - (0 if padded else framing.margin),
        width=min(hop, length),
        reach=reach,
        stride=stride,
    )
