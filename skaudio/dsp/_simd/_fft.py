"""Fourier transforms of many real frames at once, a frame per lane.

A frame of ``n_fft`` real samples is taken for ``n_fft / 2`` complex ones, even samples real and
odd samples imaginary, and transformed in place by decimation in frequency. That leaves the bins
in digit-reversed order; the last stage brings them into theirs while it separates the spectra of
the even and the odd samples and takes magnitudes.

The butterflies are emitted as LLVM instructions by the Python code below, so that radix 8 costs
no more lines than radix 4.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import njit
from numba.core import types
from numba.extending import intrinsic

from skaudio.dsp._simd._complex import (
    COMPLEX,
    Complex,
    emit_add,
    emit_dft,
    emit_load_pair,
    emit_multiply,
    emit_store_pair,
    emit_subtract,
    emit_twiddle,
)
from skaudio.dsp._simd._lanes import (
    FLAGS,
    FLOATS,
    LANES,
    Pointer,
    declared,
    emit_load,
    emit_splat,
    emit_store,
    prefetch,
    shift,
)

OPTIONS = {"nogil": True, "error_model": "numpy", "boundscheck": False}
POWER, MAGNITUDE, SPECTRUM = 2, 1, 0


def _emit_outputs(b: Any, x: list[Complex], data: Any, first: Any, step: Any, table: Any, at: Any):
    """Transform, multiply by the twiddles, store ``step`` floats apart."""
    for k, y in enumerate(emit_dft(b, x)):
        if k:
            y = emit_multiply(b, y, emit_twiddle(b, table, shift(b, at, 2 * (k - 1))))
        emit_store_pair(b, data, first, y)
        first = b.add(first, step)


def _make_butterfly(radix: int):
    @intrinsic
    def butterfly(typing_context, data, first, step, table, at):
        """One butterfly in place on vectors ``step`` floats apart."""

        def emit(context, b, signature, arguments):
            data, first, step, table, at = arguments
            x, offset = [], first
            for _ in range(radix):
                x.append(emit_load_pair(b, data, offset))
                offset = b.add(offset, step)
            _emit_outputs(b, x, data, first, step, table, at)
            return context.get_dummy_value()

        intp = types.intp
        return types.void(Pointer, intp, intp, Pointer, intp), emit

    return butterfly


def _make_windowed_butterfly(radix: int):
    @intrinsic
    def butterfly(
        typing_context, signal, where, window, sample, apart, data, first, step, table, at
    ):
        """One butterfly of the first stage, on samples fetched and windowed on the way.

        ``where[i]`` is the place in ``signal`` of sample i of the frames, ``window[i]`` its
        weight; ``apart`` is the distance in samples of a butterfly's inputs.
        """

        def emit(context, b, signature, arguments):
            signal, where, window, sample, apart, data, first, step, table, at = arguments

            def fetch(index: Any) -> Any:
                samples = emit_load(b, signal, b.load(b.gep(where, [index])))
                weight = emit_splat(b, b.load(b.gep(window, [index])))
                return b.fmul(samples, weight, flags=FLAGS)

            x = []
            for _ in range(radix):
                x.append((fetch(sample), fetch(shift(b, sample, 1))))
                sample = b.add(sample, apart)
            _emit_outputs(b, x, data, first, step, table, at)
            return context.get_dummy_value()

        intp = types.intp
        places = types.CPointer(types.intp)  # type: ignore[attr-defined]
        return (
            types.void(Pointer, places, Pointer, intp, intp, Pointer, intp, intp, Pointer, intp),
            emit,
        )

    return butterfly


def _emit_bin(context: Any, b: Any, kind: int, spectrum: Any, k: Any, value: Complex) -> None:
    """Store bin k as power, magnitude or complex number."""
    if kind == SPECTRUM:
        emit_store_pair(b, spectrum, b.mul(k, ir.Constant(k.type, COMPLEX)), value)
        return
    real, imag = (b.fmul(x, x, flags=FLAGS) for x in value)
    result = b.fadd(real, imag, flags=FLAGS)
    if kind == MAGNITUDE:
        root = declared(b, f"llvm.sqrt.v{LANES}f32", FLOATS, FLOATS)
        result = b.call(root, [result])
    emit_store(b, spectrum, b.mul(k, ir.Constant(k.type, LANES)), result)


def _emit_split(context, b, kind, x: Complex, y: Complex, turn: Complex, spectrum, k, mirror):
    """Spectra of real frames, at bin k and its mirror, from those of the even-odd complex ones.

    With Z the complex spectrum of M bins, x = Z[k], y = Z[M - k] and turn = exp(-2 pi i k / 2M):
    even = (x + y*) / 2, odd = (x - y*) / 2i, X[k] = even + turn odd, X[M - k]* = even - turn odd.
    The window carries the factor 1/2.
    """
    even = b.fadd(x[0], y[0], flags=FLAGS), b.fsub(x[1], y[1], flags=FLAGS)
    odd = b.fadd(x[1], y[1], flags=FLAGS), b.fsub(y[0], x[0], flags=FLAGS)
    turned = emit_multiply(b, odd, turn)
    _emit_bin(context, b, kind, spectrum, k, emit_add(b, even, turned))
    real, imag = emit_subtract(b, even, turned)
    _emit_bin(context, b, kind, spectrum, mirror, (real, b.fneg(imag)))


def _make_last_stage(kind: int):
    @intrinsic
    def last_pair(typing_context, data, block, other, turns, spectrum, k, n_bins):
        """The last butterflies of two blocks whose bins mirror each other.

        The blocks hold bins ``k + j n_bins / 4`` and ``(n_bins / 4 - k) + j n_bins / 4``.
        """

        def emit(context, b, signature, arguments):
            data, block, other, turns, spectrum, k, n_bins = arguments
            x = emit_dft(
                b, [emit_load_pair(b, data, shift(b, block, i * COMPLEX)) for i in range(4)]
            )
            y = emit_dft(
                b, [emit_load_pair(b, data, shift(b, other, i * COMPLEX)) for i in range(4)]
            )
            quarter = b.lshr(n_bins, ir.Constant(n_bins.type, 2))
            for j in range(4):
                turn = emit_twiddle(b, turns, b.shl(k, ir.Constant(k.type, 1)))
                _emit_split(context, b, kind, x[j], y[3 - j], turn, spectrum, k, b.sub(n_bins, k))
                k = b.add(k, quarter)
            return context.get_dummy_value()

        intp = types.intp
        return types.void(Pointer, intp, intp, Pointer, Pointer, intp, intp), emit

    @intrinsic
    def last_first(typing_context, data, turns, spectrum, n_bins):
        """The last butterfly of the first block: bins 0, 1/4, 1/2, 3/4 of all, which mirror it."""

        def emit(context, b, signature, arguments):
            data, turns, spectrum, n_bins = arguments
            zero = ir.Constant(n_bins.type, 0)
            x = emit_dft(
                b, [emit_load_pair(b, data, shift(b, zero, i * COMPLEX)) for i in range(4)]
            )
            quarter = b.lshr(n_bins, ir.Constant(n_bins.type, 2))
            k = zero
            for j in range(3):
                turn = emit_twiddle(b, turns, b.shl(k, ir.Constant(k.type, 1)))
                _emit_split(context, b, kind, x[j], x[-j], turn, spectrum, k, b.sub(n_bins, k))
                k = b.add(k, quarter)
            return context.get_dummy_value()

        return types.void(Pointer, Pointer, Pointer, types.intp), emit

    @njit(**OPTIONS)
    def last_stage(data, blocks, turns, spectrum, n_complex):
        last_first(data, turns, spectrum, n_complex)
        quarter = n_complex // 4
        for k in range(1, n_complex // 8 + 1):
            last_pair(data, blocks[k], blocks[quarter - k], turns, spectrum, k, n_complex)

    return last_stage


_butterfly4, _butterfly8 = _make_butterfly(4), _make_butterfly(8)
_windowed4, _windowed8 = _make_windowed_butterfly(4), _make_windowed_butterfly(8)
_to_spectrum, _to_magnitude, _to_power = map(_make_last_stage, (SPECTRUM, MAGNITUDE, POWER))


@njit(**OPTIONS)
def transform(
    signal,
    where,
    window,
    radices,
    twiddles,
    blocks,
    turns,
    gap,
    data,
    spectrum,
    kind,
    next_samples,
    n_next,
):
    """Transform one frame per lane; everything but ``radices`` and numbers is a pointer.

    The arguments are those of `_plan.Plan`; ``data`` holds the complex vectors, ``spectrum``
    receives the bins, and ``signal`` points at the frames' samples. The ``n_next`` floats at
    ``next_samples``, which come from memory, are called into the cache meanwhile, a few at a
    time: so many at once would have to be waited for.
    """
    n = 4
    for r in radices:
        n *= r
    # The first stage leaves sub-transforms that no longer touch each other: each is finished while
    # it is in the cache.
    r = radices[0]
    size = n // r
    apart = size * COMPLEX + gap
    share = (n_next + size - 1) // size
    for j in range(size):
        for i in range(j * share, min((j + 1) * share, n_next), LANES):
            prefetch(next_samples, i)
        if r == 8:
            _windowed8(
                signal, where, window, 2 * j, 2 * size, data, j * COMPLEX, apart, twiddles, 14 * j
            )
        else:
            _windowed4(
                signal, where, window, 2 * j, 2 * size, data, j * COMPLEX, apart, twiddles, 6 * j
            )
    for part in range(r):
        start = part * apart
        table = 2 * (r - 1) * size
        m = size
        for stage in range(1, len(radices)):
            radix = radices[stage]
            step = m // radix
            for first in range(0, size, m):
                base = start + first * COMPLEX
                if radix == 8:
                    for j in range(step):
                        _butterfly8(
                            data, base + j * COMPLEX, step * COMPLEX, twiddles, table + 14 * j
                        )
                else:
                    for j in range(step):
                        _butterfly4(
                            data, base + j * COMPLEX, step * COMPLEX, twiddles, table + 6 * j
                        )
            table += 2 * (radix - 1) * step
            m = step
    if kind == POWER:
        _to_power(data, blocks, turns, spectrum, n)
    elif kind == MAGNITUDE:
        _to_magnitude(data, blocks, turns, spectrum, n)
    else:
        _to_spectrum(data, blocks, turns, spectrum, n)
