"""The natural logarithm of a vector."""

from __future__ import annotations

import math
from typing import Any

from llvmlite import ir

from skaudio.dsp._simd._lanes import FLOATS, INTS, LANES, constant, emit_fma, emitted, lanes

# ln(1 + f) = f - f^2 / 2 + f^3 P(f) for sqrt(1/2) <= 1 + f < sqrt(2): Cephes, logf.c.
LOG_POLYNOMIAL = (
    7.0376836292e-2,
    -1.1514610310e-1,
    1.1676998740e-1,
    -1.2420140846e-1,
    1.4249322787e-1,
    -1.6668057665e-1,
    2.0000714765e-1,
    -2.4999993993e-1,
    3.3333331174e-1,
)
# ln 2 in two parts: the first times an exponent is exact.
LN2_HIGH, LN2_LOW = 0.693359375, -2.12194440e-4
SQRT_HALF_BITS = 0x3F3504F3  # of the float32 sqrt(1/2)


@emitted(lanes, lanes)
def log(b: Any, x: Any) -> Any:
    """Natural logarithm of positive normal numbers, to 2 units in the last place.

    With x = 2^e (1 + f) it is e ln 2 + ln(1 + f). Infinity and NaN stay.
    """

    def ints(value: int) -> ir.Constant:
        return ir.Constant(INTS, [value] * LANES)

    bits = b.bitcast(x, INTS)
    exponent = b.ashr(b.sub(bits, ints(SQRT_HALF_BITS)), ints(23))
    mantissa = b.bitcast(b.sub(bits, b.shl(exponent, ints(23))), FLOATS)
    exponent = b.sitofp(exponent, FLOATS)
    f = b.fsub(mantissa, constant(1.0))
    square = b.fmul(f, f)
    p = constant(LOG_POLYNOMIAL[0])
    for coefficient in LOG_POLYNOMIAL[1:]:
        p = emit_fma(b, p, f, constant(coefficient))
    tail = b.fmul(b.fmul(p, f), square)
    tail = emit_fma(b, exponent, constant(LN2_LOW), tail)
    tail = emit_fma(b, square, constant(-0.5), tail)
    result = emit_fma(b, exponent, constant(LN2_HIGH), b.fadd(f, tail))
    return b.select(b.fcmp_ordered("<", x, constant(math.inf)), result, x)
