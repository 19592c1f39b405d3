"""From a signal to rows: sample c of neighbouring frames side by side, as `FramePlan` lays out."""

from __future__ import annotations

import numpy as np
from numba import njit

from skaudio.dsp._simd._fft import OPTIONS
from skaudio.dsp._simd._lanes import LANES, at, load, store, transpose


@njit(**OPTIONS)
def fetch(signal, n_samples, first, n, target):
    """Copy n samples from ``first`` on, zeros where there is no signal."""
    if first >= 0 and first + n <= n_samples and n >= LANES:
        for i in range(0, n, LANES):
            i = min(i, n - LANES)
            store(target, i, load(signal, first + i))
    else:
        for i in range(n):
            p = first + i
            target[i] = signal[p] if 0 <= p < n_samples else np.float32(0)


@njit(**OPTIONS)
def transpose_hops(signal, n_samples, first, hop, width, rows, stride, spare):
    """Write sample c of LANES hops, the first beginning at ``first``, side by side to row c."""
    source = at(signal, first)
    if first < 0 or first + (LANES - 1) * hop + width > n_samples:
        source = spare
        apart = width + LANES
        for i in range(LANES):
            fetch(signal, n_samples, first + i * hop, width, at(spare, i * apart))
        hop = apart
    if width < LANES:
        for c in range(width):
            for i in range(LANES):
                rows[c * stride + i] = source[i * hop + c]
    else:
        for c in range(0, width, LANES):
            c = min(c, width - LANES)  # the last square overlaps the one before
            transpose(source, c, hop, rows, c * stride, stride)


@njit(**OPTIONS)
def slide(rows, width, stride, n):
    """Move the last n floats of every row to its beginning."""
    for c in range(width):
        for i in range(0, n, LANES):
            store(rows, c * stride + i, load(rows, (c + 1) * stride - n + i))
