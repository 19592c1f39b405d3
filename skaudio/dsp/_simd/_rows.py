"""From a signal to rows of hops: row c holds sample c of successive hops (see `_kernel`)."""

from __future__ import annotations

from typing import Any

import numpy as np

from skaudio.dsp._simd._lanes import LANES, at, compiled, inlined, load, store, transpose


@compiled
def copy_samples(signal: Any, n_samples: Any, first: Any, n: Any, target: Any) -> None:
    """Copy n samples from ``first`` on, zeros where there is no signal."""
    if first >= 0 and first + n <= n_samples and n >= LANES:
        for i in range(0, n, LANES):
            i = min(i, n - LANES)  # the last vector overlaps the one before
            store(target, i, load(signal, first + i))
    else:
        for i in range(n):
            p = first + i
            target[i] = signal[p] if 0 <= p < n_samples else np.float32(0)


@compiled
def transpose_hops(
    signal: Any, n_samples: Any, first: Any, frames: Any, rows: Any, spare: Any
) -> None:
    """Write LANES hops, the first beginning at sample ``first``, to the first LANES columns."""
    hop, width, stride = frames.hop_length, frames.width, frames.stride
    source = at(signal, first)
    if first < 0 or first + (LANES - 1) * hop + width > n_samples:
        source = spare
        apart = width + LANES
        for i in range(LANES):
            copy_samples(signal, n_samples, first + i * hop, width, at(spare, i * apart))
        hop = apart
    if width < LANES:
        for c in range(width):
            for i in range(LANES):
                rows[c * stride + i] = source[i * hop + c]
    else:
        for c in range(0, width, LANES):
            c = min(c, width - LANES)  # the last square overlaps the one before
            transpose(source, c, hop, rows, c * stride, stride)


@inlined
def keep_last(rows: Any, frames: Any) -> None:
    """Move the last ``reach`` columns to the beginning."""
    width, reach, stride = frames.width, frames.reach, frames.stride
    for c in range(width):
        for i in range(0, reach, LANES):
            store(rows, c * stride + i, load(rows, (c + 1) * stride - reach + i))


@inlined
def append_hops(
    signal: Any, n_samples: Any, first: Any, frames: Any, filled: Any, rows: Any, spare: Any
) -> Any:
    """Append LANES hops to the ``filled`` columns and return how many are filled now."""
    if filled == frames.stride:
        keep_last(rows, frames)
        filled = frames.reach
    transpose_hops(signal, n_samples, first, frames, at(rows, filled), spare)
    return filled + LANES
