"""Vectors of float32 lanes as a numba type, and the operations on them that the kernel needs.

LLVM's automatic vectoriser does not find lanes across frames; explicit vector types leave it no
choice. Everything is addressed by a pointer and an offset in floats, and may be unaligned.
"""

from __future__ import annotations

import math
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.registry import cpu_target
from numba.extending import intrinsic, models, register_model


def lanes_of(features: str) -> int:
    """Return how many floats the widest vectors of a CPU hold, from LLVM's list of its features."""
    names = set(features.split(","))
    if "+avx512f" in names:
        return 16
    return 8 if "+avx" in names else 4  # SSE, NEON


# The same description of the CPU that numba's disk cache is keyed on, overrides included
# (NUMBA_CPU_NAME, NUMBA_CPU_FEATURES).
LANES = lanes_of(cpu_target.target_context.codegen().magic_tuple()[2])

INT = ir.IntType(32)
FLOATS = ir.VectorType(ir.FloatType(), LANES)
INTS = ir.VectorType(INT, LANES)
# Products and sums may become one fused instruction; the sign of a zero does not matter.
FLAGS = ("contract", "nsz")

Pointer = types.CPointer(types.float32)  # type: ignore[attr-defined]


class Lanes(types.Type):
    """One float32 per lane."""

    def __init__(self) -> None:
        super().__init__(name=f"float32x{LANES}")


lanes = Lanes()


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, front_end_type: Any):
        super().__init__(manager, front_end_type, FLOATS)


def constant(value: float) -> ir.Constant:
    return ir.Constant(FLOATS, [value] * LANES)


def emit_load(b: Any, pointer: Any, offset: Any) -> Any:
    loaded = b.load(b.bitcast(b.gep(pointer, [offset]), FLOATS.as_pointer()))
    loaded.align = 4
    return loaded


def emit_store(b: Any, pointer: Any, offset: Any, value: Any) -> None:
    stored = b.store(value, b.bitcast(b.gep(pointer, [offset]), FLOATS.as_pointer()))
    stored.align = 4


def emit_splat(b: Any, value: Any) -> Any:
    """Copy a scalar into every lane."""
    nothing = ir.Constant(FLOATS, ir.Undefined)
    first = b.insert_element(nothing, value, ir.Constant(INT, 0))
    return b.shuffle_vector(first, nothing, ir.Constant(INTS, [0] * LANES))


def declared(b: Any, name: str, result: ir.Type, *arguments: ir.Type) -> Any:
    """Return an intrinsic function of LLVM, by its full name."""
    known = b.module.globals.get(name)
    return known or ir.Function(b.module, ir.FunctionType(result, arguments), name)


def shift(b: Any, offset: Any, by: int) -> Any:
    return b.add(offset, ir.Constant(offset.type, by))


@intrinsic
def pointer_to(typing_context, array):
    """Address of an array's first item."""

    def emit(context, b, signature, arguments):
        return context.make_array(signature.args[0])(context, b, arguments[0]).data

    return types.CPointer(array.dtype)(array), emit  # type: ignore[attr-defined]


@intrinsic
def pointer_from(typing_context, address):
    """Pointer to floats at an address."""

    def emit(context, b, signature, arguments):
        return b.inttoptr(arguments[0], ir.FloatType().as_pointer())

    return Pointer(types.intp), emit


@intrinsic
def at(typing_context, pointer, offset):
    """Pointer moved by an offset in items."""

    def emit(context, b, signature, arguments):
        return b.gep(arguments[0], [arguments[1]])

    return pointer(pointer, types.intp), emit


@intrinsic
def load(typing_context, pointer, offset):
    def emit(context, b, signature, arguments):
        return emit_load(b, *arguments)

    return lanes(pointer, types.intp), emit


@intrinsic
def store(typing_context, pointer, offset, value):
    def emit(context, b, signature, arguments):
        emit_store(b, *arguments)
        return context.get_dummy_value()

    return types.void(pointer, types.intp, lanes), emit


@intrinsic
def prefetch(typing_context, pointer, offset):
    """Ask for the line of the cache at an address, which may lie anywhere."""

    def emit(context, b, signature, arguments):
        address = b.bitcast(b.gep(arguments[0], [arguments[1]]), ir.IntType(8).as_pointer())
        function = declared(b, "llvm.prefetch.p0", ir.VoidType(), address.type, INT, INT, INT)
        b.call(function, [address, *(ir.Constant(INT, x) for x in (0, 2, 1))])
        return context.get_dummy_value()

    return types.void(pointer, types.intp), emit


@intrinsic
def splat(typing_context, value):
    def emit(context, b, signature, arguments):
        return emit_splat(b, arguments[0])

    return lanes(types.float32), emit


@intrinsic
def add(typing_context, x, y):
    def emit(context, b, signature, arguments):
        return b.fadd(*arguments, flags=FLAGS)

    return lanes(lanes, lanes), emit


@intrinsic
def multiply(typing_context, x, y):
    def emit(context, b, signature, arguments):
        return b.fmul(*arguments, flags=FLAGS)

    return lanes(lanes, lanes), emit


@intrinsic
def multiply_add(typing_context, x, y, z):
    """``x * y + z``."""

    def emit(context, b, signature, arguments):
        x, y, z = arguments
        return b.fadd(b.fmul(x, y, flags=FLAGS), z, flags=FLAGS)

    return lanes(lanes, lanes, lanes), emit


@intrinsic
def maximum(typing_context, x, y):
    """The larger one; NaN where ``x`` is."""

    def emit(context, b, signature, arguments):
        x, y = arguments
        return b.select(b.fcmp_ordered("<", x, y), y, x)

    return lanes(lanes, lanes), emit


def _emit_first(b: Any, count: Any) -> Any:
    """Mask of the first ``count`` lanes."""
    number = b.trunc(count, INT)
    nothing = ir.Constant(INTS, ir.Undefined)
    first = b.insert_element(nothing, number, ir.Constant(INT, 0))
    everywhere = b.shuffle_vector(first, nothing, ir.Constant(INTS, [0] * LANES))
    return b.icmp_signed("<", ir.Constant(INTS, list(range(LANES))), everywhere)


@intrinsic
def first_of(typing_context, count, x, y):
    """``x`` in the first ``count`` lanes, ``y`` in the others."""

    def emit(context, b, signature, arguments):
        count, x, y = arguments
        return b.select(_emit_first(b, count), x, y)

    return lanes(types.intp, lanes, lanes), emit


@intrinsic
def store_first(typing_context, pointer, offset, value, count):
    """Store the first ``count`` lanes."""

    def emit(context, b, signature, arguments):
        pointer, offset, value, count = arguments
        address = b.bitcast(b.gep(pointer, [offset]), FLOATS.as_pointer())
        mask = _emit_first(b, count)
        parameters = (FLOATS, address.type, INT, mask.type)
        name = f"llvm.masked.store.v{LANES}f32.p0"
        function = declared(b, name, ir.VoidType(), *parameters)
        b.call(function, [value, address, ir.Constant(INT, 4), mask])
        return context.get_dummy_value()

    return types.void(pointer, types.intp, lanes, types.intp), emit


def _make_interleave(first: int):
    @intrinsic
    def interleave(typing_context, x, y):
        """Alternate lanes of ``x`` and ``y``: of their lower halves, or of their upper ones."""

        def emit(context, b, signature, arguments):
            order = [first + i // 2 + (LANES if i % 2 else 0) for i in range(LANES)]
            return b.shuffle_vector(*arguments, ir.Constant(INTS, order))

        return lanes(lanes, lanes), emit

    return interleave


interleave_low, interleave_high = _make_interleave(0), _make_interleave(LANES // 2)


@intrinsic
def transpose(typing_context, source, start, row, target, at, column):
    """Turn a square of LANES rows, ``row`` floats apart, into columns ``column`` floats apart."""

    def emit(context, b, signature, arguments):
        source, start, row, target, at, column = arguments
        rows = []
        for _ in range(LANES):
            rows.append(emit_load(b, source, start))
            start = b.add(start, row)
        # log2(LANES) perfect shuffles of the rows transpose them.
        half = LANES // 2
        low = [i // 2 + (LANES if i % 2 else 0) for i in range(LANES)]
        masks = [ir.Constant(INTS, [i + first for i in low]) for first in (0, half)]
        for _ in range(int(math.log2(LANES))):
            rows = [
                b.shuffle_vector(rows[i], rows[i + half], mask)
                for i in range(half)
                for mask in masks
            ]
        for x in rows:
            emit_store(b, target, at, x)
            at = b.add(at, column)
        return context.get_dummy_value()

    intp = types.intp
    return types.void(source, intp, intp, target, intp, intp), emit
