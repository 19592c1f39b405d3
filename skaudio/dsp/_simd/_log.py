"""The natural logarithm of a vector."""

from __future__ import annotations

import math
from typing import Any

from llvmlite import ir
from numba.extending import intrinsic

from skaudio.dsp._simd._lanes import FLAGS, FLOATS, INTS, LANES, constant, lanes

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
SQRT_HALF_BITS = 0x3F3504F3


@intrinsic
def log(typing_context, x):
    """Natural logarithm of positive normal numbers, to 2 units in the last place."""

    def emit(context, b, signature, arguments):
        def ints(value: int) -> ir.Constant:
            return ir.Constant(INTS, [value] * LANES)

        def fma(x: Any, y: Any, z: Any) -> Any:
            return b.fadd(b.fmul(x, y, flags=FLAGS), z, flags=FLAGS)

        (x,) = arguments
        bits = b.bitcast(x, INTS)
        exponent = b.ashr(b.sub(bits, ints(SQRT_HALF_BITS)), ints(23))
        mantissa = b.bitcast(b.sub(bits, b.shl(exponent, ints(23))), FLOATS)
        exponent = b.sitofp(exponent, FLOATS)
        f = b.fsub(mantissa, constant(1.0))
        square = b.fmul(f, f)
        p = constant(LOG_POLYNOMIAL[0])
        for coefficient in LOG_POLYNOMIAL[1:]:
            p = fma(p, f, constant(coefficient))
        tail = b.fmul(b.fmul(p, f), square)
        tail = fma(exponent, constant(LN2_LOW), tail)
        tail = fma(square, constant(-0.5), tail)
        result = fma(exponent, constant(LN2_HIGH), b.fadd(f, tail))
        finite = b.fcmp_ordered("<", x, constant(math.inf))
        return b.select(finite, result, x)  # infinity and NaN stay

    return lanes(lanes), emit
