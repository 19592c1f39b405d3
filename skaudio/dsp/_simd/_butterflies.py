"""The butterflies of the Fourier transform, emitted as LLVM instructions (see `_fft`).

Python code emits the instructions of a butterfly one by one, as a C++ template would: a radix is a
parameter, its loops are unrolled, twiddles of an eighth of a turn become additions, and all values
of a butterfly stay in registers. Written in numba's Python, radix 8 alone would be 150 lines.

A complex vector is a pair (real, imaginary) of vectors; in memory the imaginary lanes follow the
real ones. ``b`` is LLVM's instruction builder throughout.
"""

from __future__ import annotations

import math
from typing import Any

from llvmlite import ir

from skaudio.dsp._simd._lanes import (
    FLAGS,
    FLOATS,
    LANES,
    IndexPointer,
    Pointer,
    constant,
    declared,
    emit_load,
    emit_shift,
    emit_splat,
    emit_store,
    emitted,
    index,
    void,
)
from skaudio.dsp._simd._plan import MAGNITUDE, SPECTRUM

Complex = tuple[Any, Any]

COMPLEX = 2 * LANES  # floats of one complex vector in memory


def _add(b: Any, x: Complex, y: Complex) -> Complex:
    return b.fadd(x[0], y[0], flags=FLAGS), b.fadd(x[1], y[1], flags=FLAGS)


def _subtract(b: Any, x: Complex, y: Complex) -> Complex:
    return b.fsub(x[0], y[0], flags=FLAGS), b.fsub(x[1], y[1], flags=FLAGS)


def _multiply(b: Any, x: Complex, y: Complex) -> Complex:
    real = b.fsub(b.fmul(x[0], y[0], flags=FLAGS), b.fmul(x[1], y[1], flags=FLAGS), flags=FLAGS)
    imag = b.fadd(b.fmul(x[0], y[1], flags=FLAGS), b.fmul(x[1], y[0], flags=FLAGS), flags=FLAGS)
    return real, imag


def _rotate(b: Any, x: Complex, numerator: int, denominator: int) -> Complex:
    """Multiply by ``exp(-2 pi i numerator / denominator)``: 0, 1, 2 or 3 eighths of a turn."""
    real, imag = x
    eighths = 8 * numerator // denominator
    if eighths % 2:
        half = constant(math.sqrt(0.5))
        total, difference = b.fadd(real, imag, flags=FLAGS), b.fsub(imag, real, flags=FLAGS)
        real, imag = b.fmul(total, half, flags=FLAGS), b.fmul(difference, half, flags=FLAGS)
    if eighths // 2 == 1:
        real, imag = imag, b.fneg(real)
    return real, imag


def _dft(b: Any, x: list[Complex]) -> list[Complex]:
    """Transform 2, 4 or 8 complex vectors; bins in natural order."""
    n = len(x)
    if n == 1:
        return x
    half = n // 2
    even = _dft(b, [_add(b, x[i], x[i + half]) for i in range(half)])
    odd = _dft(b, [_rotate(b, _subtract(b, x[i], x[i + half]), i, n) for i in range(half)])
    return [y for pair in zip(even, odd, strict=True) for y in pair]


def _load_pair(b: Any, data: Any, offset: Any) -> Complex:
    return emit_load(b, data, offset), emit_load(b, data, emit_shift(b, offset, LANES))


def _store_pair(b: Any, data: Any, offset: Any, value: Complex) -> None:
    emit_store(b, data, offset, value[0])
    emit_store(b, data, emit_shift(b, offset, LANES), value[1])


def _load_factor(b: Any, table: Any, offset: Any) -> Complex:
    """Load a complex number and copy it into every lane."""
    real, imag = (b.load(b.gep(table, [emit_shift(b, offset, i)])) for i in (0, 1))
    return emit_splat(b, real), emit_splat(b, imag)


def _finish(
    b: Any, x: list[Complex], data: Any, first: Any, step: Any, table: Any, at: Any
) -> None:
    """Transform ``x``, multiply by the twiddles, store ``step`` floats apart."""
    for k, y in enumerate(_dft(b, x)):
        if k:
            y = _multiply(b, y, _load_factor(b, table, emit_shift(b, at, 2 * (k - 1))))
        _store_pair(b, data, first, y)
        first = b.add(first, step)


def _make_butterfly(radix: int) -> Any:
    @emitted(void, Pointer, index, index, Pointer, index)
    def butterfly(b: Any, data: Any, first: Any, step: Any, table: Any, at: Any) -> None:
        """One butterfly in place, on vectors ``step`` floats apart; twiddles are ``table[at:]``."""
        x, offset = [], first
        for _ in range(radix):
            x.append(_load_pair(b, data, offset))
            offset = b.add(offset, step)
        _finish(b, x, data, first, step, table, at)

    return butterfly


def _make_windowed_butterfly(radix: int) -> Any:
    @emitted(
        void, Pointer, IndexPointer, Pointer, index, index, Pointer, index, index, Pointer, index
    )
    def butterfly(
        b: Any,
        samples: Any,
        places: Any,
        window: Any,
        i: Any,
        apart: Any,
        data: Any,
        first: Any,
        step: Any,
        table: Any,
        at: Any,
    ) -> None:
        """One butterfly of the first stage, on samples that are loaded and windowed on the way.

        ``samples[places[i]:]`` holds sample i of the frames, a frame per lane, and ``window[i]``
        its weight. Samples i and i + 1 make a complex number; the next input of the butterfly is
        ``apart`` samples later.
        """

        def windowed(i: Any) -> Any:
            values = emit_load(b, samples, b.load(b.gep(places, [i])))
            weight = emit_splat(b, b.load(b.gep(window, [i])))
            return b.fmul(values, weight, flags=FLAGS)

        x = []
        for _ in range(radix):
            x.append((windowed(i), windowed(emit_shift(b, i, 1))))
            i = b.add(i, apart)
        _finish(b, x, data, first, step, table, at)

    return butterfly


def _store_bin(b: Any, kind: int, spectrum: Any, k: Any, value: Complex) -> None:
    """Store bin k as power, magnitude or complex number."""
    if kind == SPECTRUM:
        _store_pair(b, spectrum, b.mul(k, ir.Constant(k.type, COMPLEX)), value)
        return
    real, imag = (b.fmul(x, x, flags=FLAGS) for x in value)
    result = b.fadd(real, imag, flags=FLAGS)
    if kind == MAGNITUDE:
        root = declared(b, f"llvm.sqrt.v{LANES}f32", FLOATS, FLOATS)
        result = b.call(root, [result])
    emit_store(b, spectrum, b.mul(k, ir.Constant(k.type, LANES)), result)


def _split(
    b: Any, kind: int, x: Complex, y: Complex, turns: Any, spectrum: Any, k: Any, n_complex: Any
) -> None:
    """Store X[k] and X[M - k] of real frames, from x = Z[k] and y = Z[M - k]."""
    turn = _load_factor(b, turns, b.shl(k, ir.Constant(k.type, 1)))
    mirror = b.sub(n_complex, k)
    even = b.fadd(x[0], y[0], flags=FLAGS), b.fsub(x[1], y[1], flags=FLAGS)
    odd = b.fadd(x[1], y[1], flags=FLAGS), b.fsub(y[0], x[0], flags=FLAGS)
    turned = _multiply(b, odd, turn)
    _store_bin(b, kind, spectrum, k, _add(b, even, turned))
    real, imag = _subtract(b, even, turned)
    _store_bin(b, kind, spectrum, mirror, (real, b.fneg(imag)))


def _last_dft(b: Any, data: Any, block: Any) -> list[Complex]:
    return _dft(b, [_load_pair(b, data, emit_shift(b, block, i * COMPLEX)) for i in range(4)])


def make_last_butterflies(kind: int) -> tuple[Any, Any]:
    """Return the last butterflies, with their splits, of one block and of a pair of blocks.

    With ``n`` complex samples, a block holds what becomes bins k + j n / 4, j = 0 ... 3.
    """

    @emitted(void, Pointer, Pointer, Pointer, index)
    def last_first(b: Any, data: Any, turns: Any, spectrum: Any, n: Any) -> None:
        """Bins 0, n / 4, n / 2 and 3 n / 4, whose mirrors are in the same block."""
        k = ir.Constant(n.type, 0)
        x = _last_dft(b, data, k)
        quarter = b.lshr(n, ir.Constant(n.type, 2))
        for j in range(3):
            _split(b, kind, x[j], x[-j], turns, spectrum, k, n)
            k = b.add(k, quarter)

    @emitted(void, Pointer, index, index, Pointer, Pointer, index, index)
    def last_pair(
        b: Any, data: Any, block: Any, mirror: Any, turns: Any, spectrum: Any, k: Any, n: Any
    ) -> None:
        """The blocks of k and n / 4 - k: bin k + j n / 4 mirrors n / 4 - k + (3 - j) n / 4."""
        x, y = _last_dft(b, data, block), _last_dft(b, data, mirror)
        quarter = b.lshr(n, ir.Constant(n.type, 2))
        for j in range(4):
            _split(b, kind, x[j], y[3 - j], turns, spectrum, k, n)
            k = b.add(k, quarter)

    return last_first, last_pair


butterfly4, butterfly8 = _make_butterfly(4), _make_butterfly(8)
windowed4, windowed8 = _make_windowed_butterfly(4), _make_windowed_butterfly(8)
