"""Putting a model that another exporter made into a graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from skaudio.persistence._onnx_graph import Graph, Value


def graft(graph: Graph, model: Any, inputs: Sequence[Value]) -> list[Value]:
    """Append the operators of a ModelProto, and return its outputs."""
    from onnx import helper, inliner

    if model.functions:
        model = inliner.inline_local_functions(model)
    inner = model.graph
    names = {given.name: value.name for given, value in zip(inner.input, inputs, strict=False)}
    for tensor in inner.initializer:
        names[tensor.name] = graph.new_name("weight")
        copy = type(tensor)()
        copy.CopyFrom(tensor)
        copy.name, copy.doc_string = names[tensor.name], ""
        graph.initializers.append(copy)
    for node in inner.node:
        graph.nodes.append(_renamed(graph, node, names))
    for opset in model.opset_import:
        if opset.domain and any(node.domain == opset.domain for node in inner.node):
            known = graph.domains.setdefault(opset.domain, opset.version)
            graph.domains[opset.domain] = max(known, opset.version)
    return [
        Value(
            graph,
            names[out.name],
            helper.tensor_dtype_to_np_dtype(out.type.tensor_type.elem_type),
        )
        for out in inner.output
    ]


def _renamed(graph: Graph, node: Any, names: dict[str, str]) -> Any:
    """Return a copy of a node, with names that are new to the graph, in its subgraphs too."""
    copy = type(node)()
    copy.CopyFrom(node)
    copy.name = copy.doc_string = ""
    del copy.input[:], copy.output[:], copy.metadata_props[:]
    copy.input.extend(names.get(name, name) for name in node.input)
    for name in node.output:
        if name:
            names[name] = graph.new_name(node.op_type)
        copy.output.append(names.get(name, name))
    for attribute in copy.attribute:
        if attribute.HasField("g"):
            _rename_body(graph, attribute.g, dict(names))
    return copy


def _rename_body(graph: Graph, body: Any, names: dict[str, str]) -> None:
    for value in [*body.input, *body.initializer]:
        names[value.name] = graph.new_name("inner")
        value.name = names[value.name]
    nodes = [_renamed(graph, node, names) for node in body.node]
    del body.node[:]
    body.node.extend(nodes)
    for value in body.output:
        value.name = names[value.name]
    del body.value_info[:]
