"""Arithmetic of complex vectors as LLVM instructions.

A complex vector is a pair (real, imaginary); in memory the imaginary lanes follow the real ones.
"""

from __future__ import annotations

import math
from typing import Any

from skaudio.dsp._simd._lanes import (
    FLAGS,
    LANES,
    constant,
    emit_load,
    emit_splat,
    emit_store,
    shift,
)

Complex = tuple[Any, Any]

COMPLEX = 2 * LANES  # floats of one complex vector in memory


def emit_add(b: Any, x: Complex, y: Complex) -> Complex:
    return b.fadd(x[0], y[0], flags=FLAGS), b.fadd(x[1], y[1], flags=FLAGS)


def emit_subtract(b: Any, x: Complex, y: Complex) -> Complex:
    return b.fsub(x[0], y[0], flags=FLAGS), b.fsub(x[1], y[1], flags=FLAGS)


def emit_multiply(b: Any, x: Complex, y: Complex) -> Complex:
    real = b.fsub(b.fmul(x[0], y[0], flags=FLAGS), b.fmul(x[1], y[1], flags=FLAGS), flags=FLAGS)
    imag = b.fadd(b.fmul(x[0], y[1], flags=FLAGS), b.fmul(x[1], y[0], flags=FLAGS), flags=FLAGS)
    return real, imag


def emit_rotate(b: Any, x: Complex, numerator: int, denominator: int) -> Complex:
    """Multiply by ``exp(-2 pi i numerator / denominator)``, an eighth of a turn or a multiple."""
    real, imag = x
    eighths = 8 * numerator // denominator
    if eighths % 2:
        half = constant(math.sqrt(0.5))
        total, difference = b.fadd(real, imag, flags=FLAGS), b.fsub(imag, real, flags=FLAGS)
        real, imag = b.fmul(total, half, flags=FLAGS), b.fmul(difference, half, flags=FLAGS)
    if eighths // 2 == 1:
        real, imag = imag, b.fneg(real)
    return real, imag


def emit_dft(b: Any, x: list[Complex]) -> list[Complex]:
    """Emit the transform of 2, 4 or 8 complex vectors, bins in natural order."""
    n = len(x)
    if n == 1:
        return x
    half = n // 2
    even = emit_dft(b, [emit_add(b, x[i], x[i + half]) for i in range(half)])
    odd = emit_dft(
        b, [emit_rotate(b, emit_subtract(b, x[i], x[i + half]), i, n) for i in range(half)]
    )
    return [y for pair in zip(even, odd, strict=True) for y in pair]


def emit_load_pair(b: Any, data: Any, offset: Any) -> Complex:
    return emit_load(b, data, offset), emit_load(b, data, shift(b, offset, LANES))


def emit_store_pair(b: Any, data: Any, offset: Any, value: Complex) -> None:
    emit_store(b, data, offset, value[0])
    emit_store(b, data, shift(b, offset, LANES), value[1])


def emit_twiddle(b: Any, table: Any, offset: Any) -> Complex:
    real, imag = (b.load(b.gep(table, [shift(b, offset, i)])) for i in (0, 1))
    return emit_splat(b, real), emit_splat(b, imag)
