"""Networks that torch itself exports: those of users, and pretrained ones."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from skaudio._state import muted
from skaudio.persistence._onnx_graft import graft
from skaudio.persistence._onnx_graph import OPSET, Graph, Value
from skaudio.persistence._onnx_values import Frames, Rows


def torch_model(module: nn.Module, inputs: Sequence[torch.Tensor], called: str) -> Any:
    """Return the ModelProto of a module; the last axis of its first input may have any length.

    The other axes are fixed: batches of one sequence.
    """
    time = torch.export.Dim("n_frames", min=1)
    alone = copy.deepcopy(module).cpu().eval().requires_grad_(False)
    shapes = ({inputs[0].ndim - 1: time}, *[{}] * (len(inputs) - 1))
    try:
        # torch warns of what is missing, and of its own older parts.
        with muted():
            program: Any = torch.onnx.export(
                alone,
                tuple(inputs),
                dynamo=True,
                opset_version=OPSET,
                dynamic_shapes=shapes,
                verbose=False,
            )
    except Exception as error:  # of many kinds, from tracing a user's code
        reason = str(error.__cause__ or error).strip().partition("\n")[0]
        raise TypeError(
            f"{called} cannot be exported to ONNX, because torch.onnx.export cannot for sequences "
            f"of any length ({type(error).__name__}: {reason:.200})."
        ) from error
    return program.model_proto


def run_module(graph: Graph, module: nn.Module, frames: Frames, called: str) -> Rows:
    """Append a user's module, which takes one sequence at a time, without padding.

    So its result depends neither on the padding nor on the number of sequences, however it was
    written: torch takes both for constants where the code of the module loops over them.
    """
    like = torch.zeros(1, frames.n_features, 24), torch.tensor([24])
    with torch.inference_mode():
        n_columns = copy.deepcopy(module).cpu().eval()(*like).shape[1]
    model = torch_model(module, like, called)

    def body(index: Value) -> list[Value]:
        length = graph.op("Gather", frames.lengths, index.unsqueeze(0), dtype=frames.lengths.dtype)
        sequence = graph.op("Gather", frames.values, index.unsqueeze(0), axis=0)
        rows = graft(graph, model, [sequence.slice(2, 0, length), length])
        return [rows[0].reshape(n_columns)]

    count = frames.lengths.size(0).squeeze(0)
    return Rows(graph.loop(count, body, [[n_columns]])[0].reshape(-1, n_columns), n_columns)
