"""From spectra to features: filters, scale, cosine transform, and writing of results.

Results are rows of frames, as in librosa. The cosine transform of decibels needs the maximum of its
recording. Until it is known, bands are kept in tiles of (n_bands, LANES), one per vector of frames.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from skaudio.dsp._simd._butterflies import COMPLEX
from skaudio.dsp._simd._lanes import (
    LANES,
    add,
    at,
    compiled,
    first_of,
    floats_at,
    indices_at,
    inlined,
    interleave_high,
    interleave_low,
    load,
    maximum,
    multiply,
    multiply_add,
    splat,
    store,
    store_first,
)
from skaudio.dsp._simd._log import log


@compiled
def highest(x: Any, spare: Any) -> Any:
    """The largest lane."""
    store(spare, 0, x)
    result = spare[0]
    for i in range(1, LANES):
        result = max(result, spare[i])
    return result


@compiled
def total(x: Any, spare: Any) -> Any:
    """The sum of the lanes."""
    store(spare, 0, x)
    result = spare[0]
    for i in range(1, LANES):
        result += spare[i]
    return result


@compiled
def weighted_sum(vectors: Any, weights: Any, n: Any) -> Any:
    """Sum of n weighted vectors, by four independent partial sums: faster, and less rounding."""
    a = b = c = d = splat(np.float32(0))
    whole = n - n % 4
    for i in range(0, whole, 4):
        a = multiply_add(splat(weights[i]), load(vectors, i * LANES), a)
        b = multiply_add(splat(weights[i + 1]), load(vectors, (i + 1) * LANES), b)
        c = multiply_add(splat(weights[i + 2]), load(vectors, (i + 2) * LANES), c)
        d = multiply_add(splat(weights[i + 3]), load(vectors, (i + 3) * LANES), d)
    for i in range(whole, n):
        a = multiply_add(splat(weights[i]), load(vectors, i * LANES), a)
    return add(add(a, b), add(c, d))


@compiled
def write(target: Any, n_columns: Any, row: Any, t: Any, value: Any, count: Any) -> None:
    """Write the first ``count`` lanes to a row of the result, from frame t on."""
    if count == LANES:
        store(target, row * n_columns + t, value)
    else:
        store_first(target, row * n_columns + t, value, count)


@inlined
def write_complex(
    spectrum: Any, n_bins: Any, target: Any, n_columns: Any, t: Any, count: Any
) -> None:
    """Write complex bins, whose real and imaginary parts alternate in the result."""
    for k in range(n_bins):
        real, imag = load(spectrum, k * COMPLEX), load(spectrum, k * COMPLEX + LANES)
        place = 2 * (k * n_columns + t)
        if count == LANES:
            store(target, place, interleave_low(real, imag))
            store(target, place + LANES, interleave_high(real, imag))
        else:
            n = 2 * count
            store_first(target, place, interleave_low(real, imag), min(n, LANES))
            store_first(target, place + LANES, interleave_high(real, imag), max(n - LANES, 0))


@inlined
def write_bands(
    spectrum: Any,
    bands: Any,
    n_bands: Any,
    scale: Any,
    keep: Any,
    tile: Any,
    target: Any,
    n_columns: Any,
    t: Any,
    count: Any,
    peak: Any,
) -> Any:
    """Filter and scale the spectra of frames t ... t + count - 1; return the new ``peak``.

    The bands, or the bins themselves where there are no filters, are kept in ``tile`` if ``keep``
    says so, else written to the result. ``peak`` is the maximum in each lane so far.
    """
    starts, stops = indices_at(bands.starts), indices_at(bands.stops)
    weights = floats_at(bands.weights)
    eps, floor, factor = splat(scale.eps), splat(scale.floor), splat(scale.factor)
    w = 0
    for band in range(n_bands):
        if bands.n_filters:
            n = stops[band] - starts[band]
            value = weighted_sum(at(spectrum, starts[band] * LANES), at(weights, w), n)
            w += n
        else:
            value = load(spectrum, band * LANES)
        if scale.logarithmic:
            value = multiply(log(maximum(add(value, eps), floor)), factor)
        peak = maximum(peak, first_of(count, value, peak))
        if keep:
            store(tile, band * LANES, value)
        elif t < n_columns:
            write(target, n_columns, band, t, value, min(count, n_columns - t))
    return peak


@inlined
def fill(target: Any, n_rows: Any, n_columns: Any, first: Any, value: Any) -> None:
    """Set every row from column ``first`` on."""
    for row in range(n_rows):
        for t in range(first, n_columns):
            target[row * n_columns + t] = value


@inlined
def raise_to(target: Any, n: Any, lowest: Any) -> None:
    """Raise what is lower than ``lowest``."""
    for i in range(n):
        target[i] = max(target[i], lowest)


@inlined
def finish_tile(tile: Any, n_bands: Any, count: Any, silence: Any, lowest: Any) -> None:
    """Set the lanes after the first ``count`` to silence, and raise values below ``lowest``."""
    quiet, bound = splat(silence), splat(lowest)
    for band in range(n_bands):
        value = first_of(count, load(tile, band * LANES), quiet)
        store(tile, band * LANES, maximum(value, bound))


@compiled
def cosine_transform(
    tile: Any, n_bands: Any, matrix: Any, n_rows: Any, target: Any, n_columns: Any, t: Any
) -> None:
    """Multiply a matrix of (n_rows, n_bands) by a tile; the result is columns t, t + 1, ...

    Four rows at a time: each vector of the tile is loaded once for all of them.
    """
    count = min(LANES, n_columns - t)
    whole = n_rows - n_rows % 4
    for k in range(0, whole, 4):
        first = at(matrix, k * n_bands)
        second, third = at(first, n_bands), at(first, 2 * n_bands)
        fourth = at(first, 3 * n_bands)
        a = b = c = d = splat(np.float32(0))
        for band in range(n_bands):
            x = load(tile, band * LANES)
            a = multiply_add(splat(first[band]), x, a)
            b = multiply_add(splat(second[band]), x, b)
            c = multiply_add(splat(third[band]), x, c)
            d = multiply_add(splat(fourth[band]), x, d)
        write(target, n_columns, k, t, a, count)
        write(target, n_columns, k + 1, t, b, count)
        write(target, n_columns, k + 2, t, c, count)
        write(target, n_columns, k + 3, t, d, count)
    for k in range(whole, n_rows):
        value = weighted_sum(tile, at(matrix, k * n_bands), n_bands)
        write(target, n_columns, k, t, value, count)
