"""What the kernel needs to know before the first sample: tables, orders, sizes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from skaudio.dsp.framing import Framing

# Floats of transposed signal held at a time: a quarter of a small second-level cache.
CHUNK = 1 << 16


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
    """How frames are fetched from a signal that was turned into rows of a hop's length.

    The kernel works on ``chunk`` frames at a time. It transposes their part of the signal so that
    sample ``c`` of every hop lies in row ``c``, one hop beside the next: neighbouring frames then
    have their i-th samples side by side, which is what lanes load.

    Attributes
    ----------
    window : ndarray of shape (n_fft,)
        Half the window (the transform takes twice), zeros around it.
    where : ndarray of shape (n_fft,), int
        Place of each sample of the first frame; any place outside the window, where the weight is 0.
    start : int
        Sample of the signal where the window of frame 0 begins.
    width, extra : int
        Samples of a hop that any window sees; hops that a window reaches beyond its first.
    chunk, stride : int
        Frames at a time; floats from one row of the transposed signal to the next.
    """

    window: np.ndarray
    where: np.ndarray
    start: int
    width: int
    extra: int
    chunk: int
    stride: int


def frame_plan(framing: Framing, lanes: int, *, padded: bool, lead: int) -> FramePlan:
    """Return the plan for frames of a signal, ``padded`` already or to be padded with zeros.

    ``lead`` is where in its frame the window sits, which only phases can tell.
    """
    chunk, stride, where = _rows(
        framing.n_fft, framing.win_length, framing.hop_length, lead, lanes
    )
    window = np.zeros(framing.n_fft, np.float32)
    window[lead : lead + framing.win_length] = framing.weights * np.float32(0.5)
    return FramePlan(
        window=window,
        where=where,
        start=framing.lead - (0 if padded else framing.margin),
        width=min(framing.hop_length, framing.win_length),
        extra=(framing.win_length - 1) // framing.hop_length,
        chunk=chunk,
        stride=stride,
    )


@lru_cache(maxsize=16)
def _rows(
    n_fft: int, win_length: int, hop_length: int, lead: int, lanes: int
) -> tuple[int, int, np.ndarray]:
    """How many frames at a time, the rows' stride, and where a frame's samples are."""
    width, extra = min(hop_length, win_length), (win_length - 1) // hop_length
    chunk = max(CHUNK // width // lanes, 1) * lanes
    # An odd number of vectors per row: rows then spread over the cache instead of meeting.
    stride = (-(-(chunk + extra) // lanes) | 1) * lanes
    samples = np.arange(win_length)
    where = np.zeros(n_fft, np.intp)
    where[lead : lead + win_length] = samples % hop_length * stride + samples // hop_length
    return chunk, stride, where
