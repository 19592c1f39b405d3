"""The kernel: signals -> frames -> spectra -> filters -> scale -> cosines, LANES frames at a time.

Rows
    A window of several hops overlaps its neighbours, so that copying frames would copy each sample
    several times. Instead the signal is cut into hops, and these are transposed: row c holds
    sample c of successive hops (h is ``hop_length``, signal[0] is where frame 0 begins).

                  hop 0        hop 1        hop 2
        row 0     signal[0]    signal[h]    signal[2h]      ...
        row 1     signal[1]    signal[h+1]  signal[2h+1]    ...
        ...
        row w-1   signal[w-1]  ...                          w = min(hop_length, win_length)

    Sample i of frame t is sample i mod h of hop t + i div h. So sample i of the frames
    t ... t + LANES - 1 is LANES floats side by side, in row i mod h from column t + i div h on: one
    load, no copy. ``FramePlan.sample_places`` holds these places for t = 0.

Columns
    The rows have ``stride`` columns. Each step appends LANES hops to those that are filled, and
    its frames begin LANES + reach columns before their end:

        | earlier hops | LANES hops: each begins a frame | reach hops: frames end here | free |

    When no column is free, the last ``reach`` columns move to the beginning. The first
    reach / LANES steps of a recording only append.

Steps
    For each recording, and each LANES frames t ... t + LANES - 1 of it:

        append_hops   signal -> areas.rows       (width, stride)
        transform     rows -> areas.spectrum     (n_bins, LANES); in areas.data
        write_bands   spectrum -> the result, columns t ...; or areas.tiles, tile t / LANES, of
                      (n_bands, LANES), if a cosine transform follows
        or write_complex where complex spectra are wanted

    Then, once the maximum of the recording is known: silence is appended, values more than
    ``top_db`` below the maximum are raised, and tiles go through the cosine transform.

Everything a step touches stays in the first two levels of the cache.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numba import from_dtype, njit, types

from skaudio.dsp._simd._fft import transform
from skaudio.dsp._simd._lanes import (
    LANES,
    OPTIONS,
    at,
    floats_at,
    inlined,
    load,
    multiply_add,
    splat,
)
from skaudio.dsp._simd._output import (
    cosine_transform,
    fill,
    finish_tile,
    highest,
    raise_to,
    total,
    write_bands,
    write_complex,
)
from skaudio.dsp._simd._plan import (
    RECORDING,
    SPECTRUM,
    Areas,
    Bands,
    Cosines,
    FourierPlan,
    FramePlan,
    ScaleNumbers,
)
from skaudio.dsp._simd._rows import append_hops


@inlined
def encode_frames(
    recording: Any,
    frames: Any,
    fourier: Any,
    kind: Any,
    bands: Any,
    n_bands: Any,
    scale: Any,
    keep: Any,
    areas: Any,
) -> Any:
    """Compute the frames of a recording; return its maximum.

    The bands are kept in tiles if ``keep``, else written to the result.
    """
    signal, n_samples = floats_at(recording.signal), recording.n_samples
    target, n_columns = floats_at(recording.result), recording.n_output_frames
    n_frames, hop, reach = recording.n_frames, frames.hop_length, frames.reach
    rows, data, spectrum = floats_at(areas.rows), floats_at(areas.data), floats_at(areas.spectrum)
    spare, tiles = floats_at(areas.spare), floats_at(areas.tiles)
    zero = splat(np.float32(0))
    nonfinite = zero
    peak = splat(np.float32(-np.inf))
    filled = 0
    for t in range(-reach, n_frames, LANES):
        first = frames.start + (t + reach) * hop  # of the newest hops
        filled = append_hops(signal, n_samples, first, frames, filled, rows, spare)
        if t < 0:  # the first frames do not have all their hops yet
            continue
        transform(
            at(rows, filled - reach - LANES),
            frames,
            fourier,
            kind,
            data,
            spectrum,
            at(signal, first + LANES * hop),  # the next hops to append
            LANES * hop,
        )
        # The bin at 0 Hz is a sum over the frame, so it is not finite if a sample is not.
        # Multiplied by zero, it is then NaN; otherwise it is zero.
        nonfinite = multiply_add(load(spectrum, 0), zero, nonfinite)
        count = min(LANES, n_frames - t)
        if kind == SPECTRUM:
            write_complex(spectrum, n_bands, target, n_columns, t, count)
        else:
            tile = at(tiles, t * n_bands)
            peak = write_bands(
                spectrum, bands, n_bands, scale, keep, tile, target, n_columns, t, count, peak
            )
    recording.has_nonfinite = np.isnan(total(nonfinite, spare))
    return highest(peak, spare)


@inlined
def finish_bands(recording: Any, n_bands: Any, kind: Any, scale: Any, lowest: Any) -> None:
    """Append silence to the result, and raise values below ``lowest``."""
    target, n_columns = floats_at(recording.result), recording.n_output_frames
    per_column = 2 if kind == SPECTRUM else 1  # floats
    fill(target, n_bands, per_column * n_columns, per_column * recording.n_frames, scale.silence)
    if scale.top_db < np.inf:
        raise_to(target, n_bands * n_columns, lowest)


@inlined
def finish_cosines(
    recording: Any, n_bands: Any, scale: Any, lowest: Any, cosines: Any, tiles: Any
) -> None:
    """Do the same in the tiles, and write their cosine transforms to the result."""
    target, n_columns = floats_at(recording.result), recording.n_output_frames
    n_frames, matrix = recording.n_frames, floats_at(cosines.matrix)
    for t in range(0, n_columns, LANES):
        tile = at(floats_at(tiles), t * n_bands)
        finish_tile(tile, n_bands, n_frames - t, scale.silence, lowest)
        cosine_transform(tile, n_bands, matrix, cosines.n_coefficients, target, n_columns, t)


@inlined
def areas_of(workspace: Any, offsets: Any) -> Any:
    """The areas of a workspace, as addresses."""
    rows, data, spectrum, spare, tiles = offsets
    return Areas(
        workspace + 4 * rows,
        workspace + 4 * data,
        workspace + 4 * spectrum,
        workspace + 4 * spare,
        workspace + 4 * tiles,
    )


def _kernel_of(sources: str) -> Callable[..., None]:
    """Return the kernel, which is not compiled yet.

    numba's cache on disk depends on this file and on the values in the closure of a function, but
    not on the other files with compiled functions. A digest of all these files is therefore in the
    closure.
    """

    def encode(
        recordings: Any,  # array of RECORDING
        frame_numbers: Any,
        fourier_numbers: Any,
        kind: Any,
        band_numbers: Any,
        scale_numbers: Any,
        cosine_numbers: Any,
        offsets: Any,
        workspace: Any,
    ) -> None:
        sources  # noqa: B018
        frames, fourier = FramePlan(*frame_numbers), FourierPlan(*fourier_numbers)
        bands, cosines = Bands(*band_numbers), Cosines(*cosine_numbers)
        scale, areas = (
            ScaleNumbers(*scale_numbers),
            areas_of(np.intp(workspace.ctypes.data), offsets),
        )
        n_bands = bands.n_filters if bands.n_filters else fourier.n_complex + 1
        keep = cosines.n_coefficients > 0
        for i in range(len(recordings)):
            recording = recordings[i]
            peak = encode_frames(
                recording, frames, fourier, kind, bands, n_bands, scale, keep, areas
            )
            lowest = peak - scale.top_db
            if keep:
                finish_cosines(recording, n_bands, scale, lowest, cosines, areas.tiles)
            else:
                finish_bands(recording, n_bands, kind, scale, lowest)

    return encode


def _signature() -> Any:
    """Types of the arguments; the fields of a plan are numbers or addresses."""

    def numbers(plan: Any) -> Any:
        return types.UniTuple(types.intp, len(plan._fields))

    return types.void(
        types.Array(from_dtype(RECORDING), 1, "C"),
        numbers(FramePlan),
        numbers(FourierPlan),
        types.intp,
        numbers(Bands),
        types.Tuple([types.boolean] + [types.float32] * 5),
        numbers(Cosines),
        numbers(Areas),
        types.Array(types.float32, 1, "C"),
    )


def _compiled() -> Any:
    """Compile the kernel (some seconds), or load it from numba's cache on disk."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    function, signature = _kernel_of(digest), _signature()
    try:
        return njit(signature, cache=True, **OPTIONS)(function)
    except (RuntimeError, OSError):  # no writable cache folder, or a full disk
        return njit(signature, **OPTIONS)(function)


encode = _compiled()
