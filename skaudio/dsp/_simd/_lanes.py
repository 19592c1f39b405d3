"""Vectors of float32 lanes in compiled code: loading, storing, arithmetic, transposition.

LLVM's automatic vectorisation does not work across frames: scalar loops were 3.5 times slower.
Explicit vector types are vectorised always. numba has no such types, so this module adds one, and
functions on it, which are Python code that emits LLVM instructions (`emitted`).

Every address is a pointer and an offset in floats, and need not be aligned.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from typing import Any

from llvmlite import ir
from numba import njit
from numba.core import types
from numba.core.registry import cpu_target
from numba.extending import intrinsic, models, register_model


def lanes_of(features: str) -> int:
    """Return how many floats the widest vectors of a CPU hold, from LLVM's list of its features."""
    names = features.split(",")
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

OPTIONS = {"nogil": True, "error_model": "numpy", "boundscheck": False}

# mypy does not see the names that numba.core.types collects when it is imported.
index: Any = types.intp
void: Any = types.void
Pointer: Any = types.CPointer(types.float32)  # type: ignore[attr-defined]
IndexPointer: Any = types.CPointer(types.intp)  # type: ignore[attr-defined]


class Lanes(types.Type):
    """One float32 per lane."""

    def __init__(self) -> None:
        super().__init__(name=f"float32x{LANES}")


lanes: Any = Lanes()


register_model(Lanes)(lambda manager, kind: models.PrimitiveModel(manager, kind, FLOATS))


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function that other compiled functions call."""
    return njit(**OPTIONS)(function)


def inlined(function: Callable[..., Any]) -> Any:
    """Compile a function as a part of its only caller.

    Compiled by itself it would cost time: LLVM optimises a function again in each that calls it.
    """
    return njit(inline="always", **OPTIONS)(function)


def emitted(result: Any, *arguments: Any) -> Callable[[Callable[..., Any]], Any]:
    """Make a function of compiled code from Python code that emits its instructions.

    The Python code takes LLVM's instruction builder and the arguments' values, and returns the
    value of the result, or nothing where ``result`` is `void`.
    """

    def decorate(emit: Callable[..., Any]) -> Any:
        @wraps(emit)  # numba reads the parameters from the signature
        def typed(typing_context: Any, *given: Any) -> Any:
            def lower(context: Any, b: Any, signature: Any, values: Any) -> Any:
                value = emit(b, *values)
                return context.get_dummy_value() if value is None else value

            return result(*arguments), lower

        return intrinsic(typed)

    return decorate


def constant(value: float) -> ir.Constant:
    """Every lane the same number."""
    return ir.Constant(FLOATS, [value] * LANES)


def emit_shift(b: Any, offset: Any, by: int) -> Any:
    """An offset moved by a number known now."""
    return b.add(offset, ir.Constant(offset.type, by))


def emit_load(b: Any, pointer: Any, offset: Any) -> Any:
    loaded = b.load(b.bitcast(b.gep(pointer, [offset]), FLOATS.as_pointer()))
    loaded.align = 4
    return loaded


def emit_store(b: Any, pointer: Any, offset: Any, value: Any) -> None:
    stored = b.store(value, b.bitcast(b.gep(pointer, [offset]), FLOATS.as_pointer()))
    stored.align = 4


def emit_splat(b: Any, value: Any, vector: ir.VectorType = FLOATS) -> Any:
    """Copy a scalar into every lane."""
    undefined = ir.Constant(vector, ir.Undefined)
    first = b.insert_element(undefined, value, ir.Constant(INT, 0))
    return b.shuffle_vector(first, undefined, ir.Constant(INTS, [0] * LANES))


def emit_fma(b: Any, x: Any, y: Any, z: Any) -> Any:
    """``x * y + z``, fused where the CPU can."""
    return b.fadd(b.fmul(x, y, flags=FLAGS), z, flags=FLAGS)


def declared(b: Any, name: str, result: ir.Type, *arguments: ir.Type) -> Any:
    """Return an intrinsic function of LLVM, by its full name."""
    known = b.module.globals.get(name)
    return known or ir.Function(b.module, ir.FunctionType(result, arguments), name)


@emitted(Pointer, index)
def floats_at(b: Any, address: Any) -> Any:
    """Pointer to floats at an address."""
    return b.inttoptr(address, ir.FloatType().as_pointer())


@emitted(IndexPointer, index)
def indices_at(b: Any, address: Any) -> Any:
    """Pointer to indices at an address."""
    return b.inttoptr(address, ir.IntType(index.bitwidth).as_pointer())


@emitted(Pointer, Pointer, index)
def at(b: Any, pointer: Any, offset: Any) -> Any:
    """Pointer moved by an offset in floats."""
    return b.gep(pointer, [offset])


@emitted(lanes, Pointer, index)
def load(b: Any, pointer: Any, offset: Any) -> Any:
    """LANES floats from memory."""
    return emit_load(b, pointer, offset)


@emitted(void, Pointer, index, lanes)
def store(b: Any, pointer: Any, offset: Any, value: Any) -> None:
    """LANES floats to memory."""
    emit_store(b, pointer, offset, value)


@emitted(void, Pointer, index)
def prefetch(b: Any, pointer: Any, offset: Any) -> None:
    """Ask for the cache line at an address, which need not be mapped."""
    address = b.bitcast(b.gep(pointer, [offset]), ir.IntType(8).as_pointer())
    function = declared(b, "llvm.prefetch.p0", ir.VoidType(), address.type, INT, INT, INT)
    # For reading (0), into the second-level cache (2), data (1).
    b.call(function, [address, *(ir.Constant(INT, x) for x in (0, 2, 1))])


@emitted(lanes, types.float32)
def splat(b: Any, value: Any) -> Any:
    """Every lane the same number."""
    return emit_splat(b, value)


@emitted(lanes, lanes, lanes)
def add(b: Any, x: Any, y: Any) -> Any:
    """``x + y``."""
    return b.fadd(x, y, flags=FLAGS)


@emitted(lanes, lanes, lanes)
def multiply(b: Any, x: Any, y: Any) -> Any:
    """``x * y``."""
    return b.fmul(x, y, flags=FLAGS)


@emitted(lanes, lanes, lanes, lanes)
def multiply_add(b: Any, x: Any, y: Any, z: Any) -> Any:
    """``x * y + z``."""
    return emit_fma(b, x, y, z)


@emitted(lanes, lanes, lanes)
def maximum(b: Any, x: Any, y: Any) -> Any:
    """The larger one; NaN where ``x`` is."""
    return b.select(b.fcmp_ordered("<", x, y), y, x)


def _emit_mask(b: Any, count: Any) -> Any:
    """True in the first ``count`` lanes."""
    counts = emit_splat(b, b.trunc(count, INT), INTS)
    return b.icmp_signed("<", ir.Constant(INTS, list(range(LANES))), counts)


@emitted(lanes, index, lanes, lanes)
def first_of(b: Any, count: Any, x: Any, y: Any) -> Any:
    """``x`` in the first ``count`` lanes, ``y`` in the others."""
    return b.select(_emit_mask(b, count), x, y)


@emitted(void, Pointer, index, lanes, index)
def store_first(b: Any, pointer: Any, offset: Any, value: Any, count: Any) -> None:
    """Store the first ``count`` lanes."""
    address = b.bitcast(b.gep(pointer, [offset]), FLOATS.as_pointer())
    mask = _emit_mask(b, count)
    name = f"llvm.masked.store.v{LANES}f32.p0"
    function = declared(b, name, ir.VoidType(), FLOATS, address.type, INT, mask.type)
    b.call(function, [value, address, ir.Constant(INT, 4), mask])


# Shuffle masks: alternate the lanes of two vectors, of their lower halves or of their upper ones.
_LOW = [i // 2 + (LANES if i % 2 else 0) for i in range(LANES)]
INTERLEAVE_LOW = ir.Constant(INTS, _LOW)
INTERLEAVE_HIGH = ir.Constant(INTS, [i + LANES // 2 for i in _LOW])


@emitted(lanes, lanes, lanes)
def interleave_low(b: Any, x: Any, y: Any) -> Any:
    """``x[0], y[0], x[1], y[1], ...``, from the lower halves."""
    return b.shuffle_vector(x, y, INTERLEAVE_LOW)


@emitted(lanes, lanes, lanes)
def interleave_high(b: Any, x: Any, y: Any) -> Any:
    """``x[LANES / 2], y[LANES / 2], ...``, from the upper halves."""
    return b.shuffle_vector(x, y, INTERLEAVE_HIGH)


@emitted(void, Pointer, index, index, Pointer, index, index)
def transpose(b: Any, source: Any, start: Any, row: Any, target: Any, place: Any, col: Any) -> None:
    """Turn LANES rows of LANES floats, ``row`` floats apart, into columns ``col`` floats apart."""
    x = []
    for _ in range(LANES):
        x.append(emit_load(b, source, start))
        start = b.add(start, row)
    # log2(LANES) perfect shuffles of the rows transpose them.
    half = LANES // 2
    for _ in range(int(math.log2(LANES))):
        x = [
            b.shuffle_vector(x[i], x[i + half], mask)
            for i in range(half)
            for mask in (INTERLEAVE_LOW, INTERLEAVE_HIGH)
        ]
    for column in x:
        emit_store(b, target, place, column)
        place = b.add(place, col)
