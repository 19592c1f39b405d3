"""From spectra to features: filters, scale, cosine transform, and where the results go.

Bands on their way to the cosine transform stay as they were made, a tile of (bands, LANES) for
every vector of frames; results are rows of frames.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from skaudio.dsp._simd._complex import COMPLEX
from skaudio.dsp._simd._fft import OPTIONS
from skaudio.dsp._simd._lanes import (
    LANES,
    add,
    at,
    first_of,
    interleave_high,
    interleave_low,
    load,
    maximum,
    multiply_add,
    splat,
    store,
    store_first,
)


@njit(**OPTIONS)
def highest(x, spare):
    store(spare, 0, x)
    result = spare[0]
    for i in range(1, LANES):
        result = max(result, spare[i])
    return result


@njit(**OPTIONS)
def total(x, spare):
    store(spare, 0, x)
    result = spare[0]
    for i in range(1, LANES):
        result += spare[i]
    return result


@njit(**OPTIONS)
def weighted_sum(vectors, weights, n):
    """Sum of weighted vectors; four partial sums keep the adders busy, and round less."""
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


@njit(**OPTIONS)
def write(target, n_columns, row, t, value, count):
    """Store the first ``count`` lanes of frame t on."""
    if count == LANES:
        store(target, row * n_columns + t, value)
    else:
        store_first(target, row * n_columns + t, value, count)


@njit(**OPTIONS)
def write_complex(spectrum, n_bins, target, n_columns, t, count):
    """Store complex bins: columns are pairs of floats."""
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


@njit(**OPTIONS)
def fill(target, n_rows, n_columns, first, value):
    """Set every row from column ``first`` on."""
    for row in range(n_rows):
        for t in range(first, n_columns):
            target[row * n_columns + t] = value


@njit(**OPTIONS)
def raise_to(target, n, lowest):
    """Raise what is lower."""
    for i in range(n):
        target[i] = max(target[i], lowest)


@njit(**OPTIONS)
def finish_tile(tile, n_bands, count, silence, lowest):
    """Put silence into the lanes after the first ``count``, and raise what is below ``lowest``."""
    quiet, bound = splat(silence), splat(lowest)
    for band in range(n_bands):
        value = first_of(count, load(tile, band * LANES), quiet)
        store(tile, band * LANES, maximum(value, bound))


@njit(**OPTIONS)
def cosine_transform(tile, n_bands, matrix, n_rows, target, n_columns, t):
    """Multiply a tile by a matrix of (n_rows, n_bands); the result is columns t, t + 1, ...

    Four rows at a time: each vector of the tile is fetched once for all of them.
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
