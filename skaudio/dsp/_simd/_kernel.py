"""The fused pass: signal -> frames -> spectrum -> filters -> scale, lanes of frames at a time."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numba import njit, types

from skaudio.dsp._simd._fft import OPTIONS, SPECTRUM, transform
from skaudio.dsp._simd._lanes import (
    LANES,
    add,
    at,
    first_of,
    load,
    maximum,
    multiply,
    multiply_add,
    pointer_from,
    pointer_to,
    splat,
    store,
)
from skaudio.dsp._simd._log import log
from skaudio.dsp._simd._output import (
    cosine_transform,
    fill,
    finish_tile,
    highest,
    raise_to,
    total,
    weighted_sum,
    write,
    write_complex,
)
from skaudio.dsp._simd._rows import slide, transpose_hops


def _fused(sources: str):
    """Return the kernel, not compiled yet.

    numba's cache on disk watches this file and the values in a function's closure, but not the
    other files whose functions are compiled in: hence the digest of them all, in the closure.
    """

    def encode(
        recordings,  # a row each: address of the signal, n_samples, n_frames, address of the
        # result, n_columns. Frames to compute may be more than columns (they count for the
        # maximum) or fewer (the rest becomes silence).
        poisoned,  # result for each: a sample that is no finite number was met, or an overflow
        hop,
        sizes,  # of `FramePlan` and `FourierPlan`
        places,  # in the workspace: rows, transform, spectrum, spare, tiles
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
    ):
        sources  # noqa: B018
        start, width, reach, stride, gap, n_bins = sizes
        logarithmic, eps_, floor_, factor_, silence, top_db = scale
        eps, floor, factor = splat(eps_), splat(floor_), splat(factor_)
        zero = splat(np.float32(0))
        base, weights_ = pointer_to(workspace), pointer_to(weights)
        rows, data = at(base, places[0]), at(base, places[1])
        spectrum, spare, tiles = at(base, places[2]), at(base, places[3]), at(base, places[4])
        n_filters, n_coefficients = len(starts), len(matrix)
        n_bands = n_filters if n_filters else n_bins
        for recording in range(len(recordings)):
            signal = pointer_from(recordings[recording, 0])
            n_samples, n_frames = recordings[recording, 1], recordings[recording, 2]
            target = pointer_from(recordings[recording, 3])
            n_columns = recordings[recording, 4]
            peak = splat(np.float32(-np.inf))
            poison = zero
            now = 0
            for t in range(-reach, n_frames, LANES):
                if now == stride:
                    slide(rows, width, stride, reach)
                    now = reach
                begin, newest = start + (t + reach) * hop, at(rows, now)
                transpose_hops(signal, n_samples, begin, hop, width, newest, stride, spare)
                now += LANES
                if t < 0:  # the first frames do not have all their hops yet
                    continue
                transform(
                    at(rows, now - reach - LANES),
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
                    at(signal, begin + LANES * hop),  # what is transposed next
                    LANES * hop,
                )
                # The bin at 0 Hz is a sum over the frame: NaN and infinity do not leave it, and
                # times zero are NaN, while all else is zero.
                poison = multiply_add(load(spectrum, 0), zero, poison)
                count = min(LANES, n_frames - t)
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
                    peak = maximum(peak, first_of(count, value, peak))
                    if n_coefficients:
                        store(tiles, t * n_bands + band * LANES, value)
                    elif t < n_columns:
                        write(target, n_columns, band, t, value, min(count, n_columns - t))
            poisoned[recording] = np.isnan(total(poison, spare))
            lowest = highest(peak, spare) - top_db
            for t in range(0, n_columns if n_coefficients else 0, LANES):
                tile = at(tiles, t * n_bands)
                finish_tile(tile, n_bands, n_frames - t, silence, lowest)
                cosine_transform(
                    tile, n_bands, pointer_to(matrix), n_coefficients, target, n_columns, t
                )
            if n_coefficients == 0:
                per_column = 2 if kind == SPECTRUM else 1  # floats
                fill(target, n_bands, per_column * n_columns, per_column * n_frames, silence)
                if top_db < np.inf:
                    raise_to(target, n_bands * n_columns, lowest)

    return encode


def _signature() -> types.Type:
    """Types of the arguments; tables may be read-only arrays."""

    def table(dtype: types.Type, ndim: int = 1) -> types.Array:
        return types.Array(dtype, ndim, "C", readonly=True)

    single, index = types.float32, types.intp
    return types.void(
        table(index, 2),  # recordings
        types.Array(types.boolean, 1, "C"),  # poisoned
        index,  # hop
        types.UniTuple(index, 6),  # sizes
        types.UniTuple(index, 5),  # places
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
