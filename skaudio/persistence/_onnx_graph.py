"""Graph: build an ONNX graph, with values as Python objects and operators as methods."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

# Versions of the sets of operators: those that onnxruntime 1.14 (2023) and later run.
OPSET = 18
ML_OPSET = 3
IR_VERSION = 8

FLOAT, INT, BOOL = np.dtype(np.float32), np.dtype(np.int64), np.dtype(np.bool_)


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor in a graph: its name and its type."""

    graph: Graph
    name: str
    dtype: np.dtype[Any]

    def __add__(self, other: Any) -> Value:
        return self.graph.op("Add", self, other)

    def __sub__(self, other: Any) -> Value:
        return self.graph.op("Sub", self, other)

    def __rsub__(self, other: Any) -> Value:
        return self.graph.op("Sub", self.graph.constant(other, self.dtype), self)

    def __mul__(self, other: Any) -> Value:
        return self.graph.op("Mul", self, other)

    __radd__ = __add__
    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Value:
        return self.graph.op("Div", self, other)

    def __floordiv__(self, other: int) -> Value:
        """Divide integers that are not negative: ONNX rounds towards zero."""
        return self.graph.op("Div", self, other)

    def __mod__(self, other: Any) -> Value:
        return self.graph.op("Mod", self, other)

    def __neg__(self) -> Value:
        return self.graph.op("Neg", self)

    def __lt__(self, other: Any) -> Value:
        return self.graph.op("Less", self, other, dtype=BOOL)

    def __gt__(self, other: Any) -> Value:
        return self.graph.op("Greater", self, other, dtype=BOOL)

    def __le__(self, other: Any) -> Value:
        return self.graph.op("LessOrEqual", self, other, dtype=BOOL)

    def __ge__(self, other: Any) -> Value:
        return self.graph.op("GreaterOrEqual", self, other, dtype=BOOL)

    def __and__(self, other: Value) -> Value:
        return self.graph.op("And", self, other)

    def __invert__(self) -> Value:
        return self.graph.op("Not", self)

    def __matmul__(self, other: Any) -> Value:
        return self.graph.op("MatMul", self, other)

    def cast(self, dtype: npt.DTypeLike) -> Value:
        """Return the values as another kind of numbers."""
        kind = np.dtype(dtype)
        return self if kind == self.dtype else self.graph.cast(self, kind)

    def unsqueeze(self, *axes: int) -> Value:
        return self.graph.op("Unsqueeze", self, list(axes))

    def squeeze(self, *axes: int) -> Value:
        return self.graph.op("Squeeze", self, list(axes))

    def reshape(self, *shape: int) -> Value:
        """Change the shape; 0 keeps an axis, -1 is what remains."""
        return self.graph.op("Reshape", self, list(shape))

    def transpose(self, *axes: int) -> Value:
        return self.graph.op("Transpose", self, perm=list(axes))

    def size(self, axis: int) -> Value:
        """Return the length of an axis, of shape (1,)."""
        return self.graph.op("Shape", self, start=axis, end=axis + 1 or None, dtype=INT)

    def slice(self, axis: int, start: Any, stop: Any) -> Value:
        """Cut an axis; bounds are integers or values of shape (1,)."""
        bounds = [b if isinstance(b, Value) else [b] for b in (start, stop)]
        return self.graph.op("Slice", self, *bounds, [axis])

    def sum(self, *axes: int, keep: bool = False) -> Value:
        return self._reduce("ReduceSum", axes, keep)

    def mean(self, *axes: int, keep: bool = False) -> Value:
        return self._reduce("ReduceMean", axes, keep)

    def max(self, *axes: int, keep: bool = False) -> Value:
        return self._reduce("ReduceMax", axes, keep)

    def min(self, *axes: int, keep: bool = False) -> Value:
        return self._reduce("ReduceMin", axes, keep)

    def _reduce(self, kind: str, axes: Sequence[int], keep: bool) -> Value:
        return self.graph.op(kind, self, list(axes), keepdims=int(keep))


class Graph:
    """A graph that grows by one operator per call.

    Numbers, lists and arrays among the inputs of an operator become constants: integers for lists,
    else numbers of the kind of the first input.
    """

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.inputs: list[Any] = []
        self.outputs: list[Any] = []
        self.initializers: list[Any] = []
        self.domains = {"": OPSET}
        self._constants: dict[Any, Value] = {}
        self._count = 0

    def op(
        self,
        kind: str,
        *inputs: Any,
        dtype: npt.DTypeLike | None = None,
        domain: str = "",
        **attributes: Any,
    ) -> Value:
        """Append an operator, and return its first output."""
        return self.ops(kind, *inputs, dtypes=[dtype], domain=domain, **attributes)[0]

    def ops(
        self,
        kind: str,
        *inputs: Any,
        dtypes: Sequence[npt.DTypeLike | None],
        domain: str = "",
        **attributes: Any,
    ) -> list[Value]:
        """Append an operator with several outputs; a dtype of None is that of the first input."""
        from onnx import helper

        first = next((i.dtype for i in inputs if isinstance(i, Value)), FLOAT)
        names = ["" if i is None else self._value(i, first).name for i in inputs]
        outputs = [
            Value(self, self.new_name(kind), first if dtype is None else np.dtype(dtype))
            for dtype in dtypes
        ]
        attributes = {key: value for key, value in attributes.items() if value is not None}
        node = helper.make_node(
            kind, names, [out.name for out in outputs], domain=domain, **attributes
        )
        if domain:
            self.domains.setdefault(domain, ML_OPSET)
        self.nodes.append(node)
        return outputs

    def cast(self, value: Value, kind: np.dtype[Any]) -> Value:
        return self.op("Cast", value, to=onnx_type(kind), dtype=kind)

    def constant(self, value: Any, dtype: npt.DTypeLike | None = None) -> Value:
        """Return a constant; the same numbers are stored once."""
        from onnx import numpy_helper

        array = np.ascontiguousarray(value, dtype) if np.ndim(value) else np.array(value, dtype)
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            known = Value(self, self.new_name("constant"), array.dtype)
            self.initializers.append(numpy_helper.from_array(array, known.name))
            self._constants[key] = known
        return self._constants[key]

    def where(self, condition: Value, yes: Any, no: Any) -> Value:
        """Choose by a condition; a number becomes one of the kind of the other choice."""
        dtype = next(v.dtype for v in (yes, no) if isinstance(v, Value))
        yes, no = (self._value(v, dtype) for v in (yes, no))
        return self.op("Where", condition, yes, no, dtype=dtype)

    def concat(self, values: Sequence[Value], axis: int) -> Value:
        return values[0] if len(values) == 1 else self.op("Concat", *values, axis=axis)

    def split(self, value: Value, axis: int, sizes: Sequence[int]) -> list[Value]:
        return self.ops("Split", value, list(sizes), axis=axis, dtypes=[None] * len(sizes))

    def arange(self, stop: Value) -> Value:
        """Return the integers below a value of shape (1,)."""
        return self.op("Range", np.int64(0), stop.squeeze(0), np.int64(1), dtype=INT)

    def mask(self, lengths: Value, size: Value) -> Value:
        """Return (n, size), True inside each length."""
        return self.arange(size).unsqueeze(0) < lengths.unsqueeze(1)

    def loop(
        self, count: Value, body: Callable[[Value], Sequence[Value]], shapes: Sequence[Any]
    ) -> list[Value]:
        """Call ``body`` with each integer below a scalar; stack what it returns along a new axis.

        ``shapes`` are those of the outputs of one call.
        """
        from onnx import helper

        index = Value(self, self.new_name("index"), INT)
        before, after = self.new_name("condition"), self.new_name("condition")
        with self._inside() as nodes:
            results = body(index)
            nodes.append(helper.make_node("Identity", [before], [after]))
        inner = helper.make_graph(
            nodes,
            "body",
            [_info(index.name, INT, []), _info(before, BOOL, [])],
            [_info(after, BOOL, [])]
            + [_info(r.name, r.dtype, s) for r, s in zip(results, shapes, strict=True)],
        )
        stacked = [Value(self, self.new_name("Loop"), result.dtype) for result in results]
        names = [value.name for value in stacked]
        self.nodes.append(helper.make_node("Loop", [count.name, ""], names, body=inner))
        return stacked

    @contextmanager
    def _inside(self) -> Iterator[list[Any]]:
        """Append operators to a list of their own, those of the body of a loop."""
        outer, self.nodes = self.nodes, []
        try:
            yield self.nodes
        finally:
            self.nodes = outer

    def input(self, name: str, dtype: npt.DTypeLike, shape: Sequence[Any]) -> Value:
        """Declare an input; axes of any length have names instead of numbers."""
        self.inputs.append(_info(name, np.dtype(dtype), shape))
        return Value(self, name, np.dtype(dtype))

    def output(self, name: str, value: Value, shape: Sequence[Any]) -> None:
        """Declare an output."""
        from onnx import helper

        self.nodes.append(helper.make_node("Identity", [value.name], [name]))
        self.outputs.append(_info(name, value.dtype, shape))

    def model(self, metadata: dict[str, str]) -> Any:
        """Return the graph as a checked ModelProto."""
        import onnx
        from onnx import helper

        graph = helper.make_graph(
            self.nodes, "skaudio", self.inputs, self.outputs, self.initializers
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid(d, v) for d, v in self.domains.items()],
            ir_version=IR_VERSION,
            producer_name="skaudio",
        )
        helper.set_model_props(model, metadata)
        onnx.checker.check_model(model)
        return model

    def new_name(self, kind: str) -> str:
        """Return a name that no other value has."""
        self._count += 1
        return f"{kind.lower()}_{self._count}"

    def _value(self, value: Any, dtype: np.dtype[Any]) -> Value:
        if isinstance(value, Value):
            return value
        if isinstance(value, (np.ndarray, np.generic)):
            return self.constant(value)
        return self.constant(value, INT if isinstance(value, list) else dtype)


def onnx_type(dtype: np.dtype[Any]) -> int:
    """Return ONNX's number of a kind of numbers."""
    from onnx import helper

    return int(helper.np_dtype_to_tensor_dtype(dtype))


def _info(name: str, dtype: np.dtype[Any], shape: Sequence[Any]) -> Any:
    from onnx import helper

    return helper.make_tensor_value_info(name, onnx_type(dtype), list(shape))
