"""The fused pass: signal -> frames -> spectrum -> filters -> scale, lanes of frames at a time."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numba import njit, types

from skaudio.dsp.simd._fft import COMPLEX, OPTIONS, SPECTRUM, transform
from skaudio.dsp.simd._lanes import (
    LANES,
    add,
    at,
    first_of,
    interleave_high,
    interleave_low,
    load,
    log,
    maximum,
    multiply,
    multiply_add,
    pointer_to,
    splat,
    store,
    store_first,
    transpose,
)


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


@njit(**OPTIONS)
def highest(x, spare):
    store(spare, 0, x)
    result = spare[0]
    for i in range(1, LANES):
        result = max(result, spare[i])
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
        place = k * n_columns + 2 * t
        if count == LANES:
            store(target, place, interleave_low(real, imag))
            store(target, place + LANES, interleave_high(real, imag))
        else:
            n = 2 * count
            store_first(target, place, interleave_low(real, imag), min(n, LANES))
            store_first(target, place + LANES, interleave_high(real, imag), max(n - LANES, 0))


@njit(**OPTIONS)
def cosine_transform(bands, n_bands, n_columns, lowest, matrix, target, n_coefficients, spare):
    """Multiply the bands, raised to ``lowest``, by a matrix."""
    bound = splat(lowest)
    for t in range(0, n_columns, LANES):
        count = min(LANES, n_columns - t)
        for band in range(n_bands):
            store(spare, band * LANES, maximum(load(bands, band * n_columns + t), bound))
        for k in range(n_coefficients):
            total = weighted_sum(spare, at(matrix, k * n_bands), n_bands)
            write(target, n_columns, k, t, total, count)


@njit(**OPTIONS)
def raise_to(bands, lowest):
    """Raise what is lower."""
    for row in bands:
        for t in range(len(row)):
            row[t] = max(row[t], lowest)


def _fused(sources: str):
    """Return the kernel, not compiled yet.

    numba's cache on disk watches this file and the values in a function's closure, but not the
    other files whose functions are compiled in: hence the digest of them all, in the closure.
    """

    def encode(
        signal,
        n_frames,  # to compute; other columns of the result become silence
        hop,
        sizes,  # of `FramePlan` and `FourierPlan`
        places,  # in the workspace: rows, transform, spectrum, spare
        where,  # tables of `FramePlan`
        window,
        radices,  # tables of `FourierPlan`
        twiddles,
        blocks,
        turns,
        kind,
        starts,  # bands of a `FilterBank`, or empty
        stops,
        weights,
        scale,  # logarithm or not, eps, floor, factor, what silence becomes, top_db
        matrix,  # of the cosine transform, or empty
        workspace,
        bands,  # result before the cosine transform
        out,  # result; without a cosine transform the same array
    ):
        sources  # noqa: B018
        start, width, reach, stride, gap, n_bins = sizes
        logarithmic, eps_, floor_, factor_, silence, top_db = scale
        eps, floor, factor = splat(eps_), splat(floor_), splat(factor_)
        base, source, target = pointer_to(workspace), pointer_to(signal), pointer_to(bands)
        rows, data = at(base, places[0]), at(base, places[1])
        spectrum, spare = at(base, places[2]), at(base, places[3])
        weights_ = pointer_to(weights)
        n_bands, n_columns = bands.shape
        n_filters = len(starts)
        peak = splat(np.float32(-np.inf))
        for i in range(0, reach, LANES):
            begin = start + i * hop
            transpose_hops(source, signal.size, begin, hop, width, at(rows, i), stride, spare)
        now = 0
        for t in range(0, n_frames, LANES):
            if now + reach == stride:
                slide(rows, width, stride, reach)
                now = 0
            begin, newest = start + (t + reach) * hop, at(rows, now + reach)
            transpose_hops(source, signal.size, begin, hop, width, newest, stride, spare)
            count = min(LANES, n_frames - t)
            transform(
                at(rows, now),
                pointer_to(where),
                pointer_to(window),
                radices,
                pointer_to(twiddles),
                pointer_to(blocks),
                pointer_to(turns),
                gap,
                data,
                spectrum,
                kind,
            )
            now += LANES
            if kind == SPECTRUM:
                write_complex(spectrum, n_bins, target, n_columns, t, count)
                continue
            w = 0
            for band in range(n_bands):
                if n_filters:
                    n = stops[band] - starts[band]
                    value = weighted_sum(at(spectrum, starts[band] * LANES), at(weights_, w), n)
                    w += n
                else:
                    value = load(spectrum, band * LANES)
                if logarithmic:
                    value = multiply(log(maximum(add(value, eps), floor)), factor)
                write(target, n_columns, band, t, value, count)
                peak = maximum(peak, first_of(count, value, peak))
        if kind == SPECTRUM:
            n_frames *= 2
        bands[:, n_frames:] = silence
        lowest = highest(peak, spare) - top_db
        if matrix.size:
            result = pointer_to(out)
            cosine_transform(
                target, n_bands, n_columns, lowest, pointer_to(matrix), result, len(matrix), spare
            )
        elif top_db < np.inf:
            raise_to(bands, lowest)

    return encode


def _signature() -> types.Type:
    """Types of the arguments; tables and signals may be read-only arrays."""

    def table(dtype: types.Type, ndim: int = 1) -> types.Array:
        return types.Array(dtype, ndim, "C", readonly=True)

    single, index = types.float32, types.intp
    output = types.Array(single, 2, "C")
    return types.void(
        table(single),  # signal
        index,  # n_frames
        index,  # hop
        types.UniTuple(index, 6),  # sizes
        types.UniTuple(index, 4),  # places
        table(index),  # where
        table(single),  # window
        table(index),  # radices
        table(single),  # twiddles
        table(index),  # blocks
        table(single),  # turns
        index,  # kind
        table(index),  # starts
        table(index),  # stops
        table(single),  # weights
        types.Tuple([types.boolean] + [single] * 5),  # scale
        table(single, 2),  # matrix
        types.Array(single, 1, "C"),  # workspace
        output,  # bands
        output,  # out
    )


def _compiled():
    """Compile the kernel (some seconds), or load what a former process compiled."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    function, signature = _fused(digest), _signature()
    try:
        return njit(signature, cache=True, **OPTIONS)(function)
    except (RuntimeError, OSError):  # nowhere to keep it, or a full disk
        return njit(signature, **OPTIONS)(function)


encode = _compiled()
