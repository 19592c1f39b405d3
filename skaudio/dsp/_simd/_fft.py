"""Fourier transforms of LANES real frames at once, a frame per lane.

Numbers of different frames are never combined. Every formula below is for one frame, and every
operation on a vector computes it for LANES frames without a shuffle.

**Even and odd samples.** A frame of N = ``n_fft`` real samples x is taken for M = N / 2 complex
ones, z[m] = x[2m] + i x[2m + 1], with spectrum Z. Then, with Z[M] = Z[0], * for the conjugate and
W_N = exp(-2 pi i / N),

    even[k] = (Z[k] + Z[M - k]*) / 2        spectrum of x[0], x[2], ...
    odd[k]  = (Z[k] - Z[M - k]*) / 2i       spectrum of x[1], x[3], ...
    X[k]      = even[k] + W_N^k odd[k]
    X[M - k]* = even[k] - W_N^k odd[k]

so the last stage, which has Z[k] and Z[M - k] in registers, writes two bins of the real frame
from them, as powers or magnitudes where these are asked for. The window carries the factor 1/2.

**Decimation in frequency.** With radix r, S = M / r and bin k = r q + p (p < r),

    Z[r q + p] = sum over j < S of W_S^(j q) { W_M^(j p) sum over l < r of W_r^(l p) z[j + l S] }

The braces are butterfly j: it loads r numbers S apart, transforms them, multiplies output p by its
twiddle W_M^(j p), and stores it in place of input p. What remains are r independent transforms of S
numbers. Each of them passes through all later stages while it is in the cache. The radices are 8,
then 4 to fit, and 4 in the last stage.

**Digit reversal.** In place, bin k ends where its digits say: k mod r_1 chooses the sub-transform
of the first stage, (k div r_1) mod r_2 that of the second, and so on. Bins k + j M / 4 differ in
their last digit alone, so the last butterfly of four neighbours computes them, and ``blocks[k]``
says where these are. No pass reorders data: the last stage looks the blocks up, in pairs, as the
mirror M - (k + j M / 4) of a bin is in block M / 4 - k.

**The gap.** Sub-transforms lie S vectors apart, a power of two. The inputs of a butterfly would
then compete for the same few places of the first-level cache. One vector left free between
sub-transforms of the first stage spreads them.

**Prefetch.** The next samples are prefetched from memory during the first stage, a few per
butterfly. The CPU has a limited number of outstanding requests, and would wait if all came at once.
"""

from __future__ import annotations

from typing import Any

from skaudio.dsp._simd._butterflies import (
    COMPLEX,
    butterfly4,
    butterfly8,
    make_last_butterflies,
    windowed4,
    windowed8,
)
from skaudio.dsp._simd._lanes import LANES, compiled, floats_at, indices_at, inlined, prefetch
from skaudio.dsp._simd._plan import MAGNITUDE, POWER, SPECTRUM


@compiled
def transform(
    samples: Any,
    frames: Any,
    fourier: Any,
    kind: Any,
    data: Any,
    spectrum: Any,
    upcoming: Any,
    n_upcoming: Any,
) -> None:
    """Write the bins of LANES frames to ``spectrum``, as ``kind`` says.

    ``samples`` points at the rows where the first frame begins, ``data`` at memory to work in.
    The ``n_upcoming`` floats at ``upcoming`` are prefetched.
    """
    first_stage(samples, frames, fourier, data, upcoming, n_upcoming)
    radix = indices_at(fourier.radices)[0]
    size = fourier.n_complex // radix
    for part in range(radix):
        middle_stages(data, part * (size * COMPLEX + fourier.gap), size, fourier)
    if kind == POWER:
        to_power(data, fourier, spectrum)
    elif kind == MAGNITUDE:
        to_magnitude(data, fourier, spectrum)
    else:
        to_spectrum(data, fourier, spectrum)


@inlined
def first_stage(
    samples: Any, frames: Any, fourier: Any, data: Any, upcoming: Any, n_upcoming: Any
) -> None:
    """Load and window the samples, and leave sub-transforms that share nothing."""
    places, window = indices_at(frames.sample_places), floats_at(frames.window)
    twiddles = floats_at(fourier.twiddles)
    radix = indices_at(fourier.radices)[0]
    size = fourier.n_complex // radix
    apart = size * COMPLEX + fourier.gap
    share = (n_upcoming + size - 1) // size
    for j in range(size):
        for i in range(j * share, min((j + 1) * share, n_upcoming), LANES):
            prefetch(upcoming, i)
        sample, first = 2 * j, j * COMPLEX
        if radix == 8:
            windowed8(
                samples, places, window, sample, 2 * size, data, first, apart, twiddles, 14 * j
            )
        else:
            windowed4(
                samples, places, window, sample, 2 * size, data, first, apart, twiddles, 6 * j
            )


@inlined
def middle_stages(data: Any, start: Any, size: Any, fourier: Any) -> None:
    """Take one sub-transform through all stages but the first and the last."""
    radices, twiddles = indices_at(fourier.radices), floats_at(fourier.twiddles)
    table = 2 * (radices[0] - 1) * size  # where the twiddles of a stage begin
    m = size
    for stage in range(1, fourier.n_stages):
        radix = radices[stage]
        step = m // radix
        for first in range(0, size, m):
            base = start + first * COMPLEX
            if radix == 8:
                for j in range(step):
                    butterfly8(data, base + j * COMPLEX, step * COMPLEX, twiddles, table + 14 * j)
            else:
                for j in range(step):
                    butterfly4(data, base + j * COMPLEX, step * COMPLEX, twiddles, table + 6 * j)
        table += 2 * (radix - 1) * step
        m = step


def _make_last_stage(kind: int) -> Any:
    last_first, last_pair = make_last_butterflies(kind)

    @compiled
    def last_stage(data: Any, fourier: Any, spectrum: Any) -> None:
        n, turns, blocks = fourier.n_complex, floats_at(fourier.turns), indices_at(fourier.blocks)
        last_first(data, turns, spectrum, n)
        quarter = n // 4
        for k in range(1, n // 8 + 1):
            last_pair(data, blocks[k], blocks[quarter - k], turns, spectrum, k, n)

    return last_stage


to_spectrum = _make_last_stage(SPECTRUM)
to_magnitude = _make_last_stage(MAGNITUDE)
to_power = _make_last_stage(POWER)
