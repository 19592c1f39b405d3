"""Networks that torch itself exports: those of users, and pretrained ones."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from skaudio import nets
from skaudio._state import muted
from skaudio.persistence._onnx_graft import graft
from skaudio.persistence._onnx_graph import OPSET, Graph, Value
from skaudio.persistence._onnx_values import Frames, Rows

# Numbers of frames on which a module is compared with what torch makes of it, and how far it may
# be off: rounding in single precision.
TRIALS = (19, 53)
TOLERANCE = 1e-3


def torch_model(module: nn.Module, inputs: Sequence[torch.Tensor], called: str) -> Any:
    """Return the ModelProto of a module; the last axis of its first input may have any length.

    The other axes are fixed: batches of one sequence.
    """
    # The limit binds no model. Without it, torch 2.10 refuses convolutions: sizes could overflow.
    time = torch.export.Dim("n_frames", min=1, max=1 << 16)
    alone = in_one_piece(module)
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


def check_lengths(model: Any, module: nn.Module, n_features: int, called: str) -> None:
    """Raise an error where a model gives other numbers than its module for some lengths.

    For some modules, torch takes the length that it has seen for a constant, without a word.
    """
    from onnx.reference import ReferenceEvaluator

    evaluator = ReferenceEvaluator(model)
    names = [given.name for given in model.graph.input]
    for n_frames in TRIALS:
        x = np.random.default_rng(0).standard_normal((1, n_features, n_frames), np.float32)
        lengths = np.array([n_frames])
        with torch.inference_mode():
            expected = module(torch.from_numpy(x), torch.from_numpy(lengths)).numpy()
        try:
            outputs: Any = evaluator.run(None, dict(zip(names, (x, lengths), strict=False)))
            found = outputs[0]
            difference = float(np.abs(found - expected).max() / (1 + np.abs(expected).max()))
            problem = f"its results differ by {difference:.2g}" if difference > TOLERANCE else ""
        except Exception as error:  # of any kind, where shapes do not fit
            problem = f"running it fails ({str(error).partition(chr(10))[0]:.100})"
        if problem:
            raise TypeError(
                f"{called} cannot be exported to ONNX: torch.onnx.export took a number of frames "
                f"for a constant. With {n_frames} frames, {problem}."
            )


def in_one_piece(module: nn.Module) -> nn.Module:
    """Return a copy for evaluation on the CPU whose layers take all frames at once.

    torch cannot trace loops over steps of frames, whose number depends on the sequence. Pooling of
    `skaudio.nets` has such a loop in evaluation, and differs in nothing else.
    """
    alone = copy.deepcopy(module).cpu().eval().requires_grad_(False)
    for part in alone.modules():
        if isinstance(part, nets.TimePooling):
            part.training = True
    return alone


def run_module(graph: Graph, module: nn.Module, frames: Frames, called: str) -> Rows:
    """Append a user's module, which takes one sequence at a time, without padding.

    So its result depends neither on the padding nor on the number of sequences, however it was
    written: torch takes both for constants where the code of the module loops over them.
    """
    like = torch.zeros(1, frames.n_features, 24), torch.tensor([24])
    with torch.inference_mode():
        n_columns = copy.deepcopy(module).cpu().eval()(*like).shape[1]
    model = torch_model(module, like, called)
    check_lengths(model, in_one_piece(module), frames.n_features, called)

    def body(index: Value) -> list[Value]:
        length = graph.op("Gather", frames.lengths, index.unsqueeze(0), dtype=frames.lengths.dtype)
        sequence = graph.op("Gather", frames.values, index.unsqueeze(0), axis=0)
        rows = graft(graph, model, [sequence.slice(2, 0, length), length])
        return [rows[0].reshape(n_columns)]

    count = frames.lengths.size(0).squeeze(0)
    return Rows(graph.loop(count, body, [[n_columns]])[0].reshape(-1, n_columns), n_columns)
