"""Layers that several networks share as operators of ONNX: linear maps, norms, pooling."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from skaudio.persistence._onnx_graph import FLOAT, Value
from skaudio.persistence._onnx_values import Frames, Rows

Flow = TypeVar("Flow", Frames, Rows)


def array(tensor: Any) -> np.ndarray:
    """Return a tensor of a network as an array."""
    values: np.ndarray = tensor.detach().cpu().float().numpy()
    return values


def dense(values: Value, layer: Any) -> Value:
    """Apply a `torch.nn.Linear` to the last axis."""
    out = values @ array(layer.weight).T
    return out if layer.bias is None else out + array(layer.bias)


def unit_norm(flow: Flow) -> Flow:
    """Scale rows, or frames, to length 1; zeros stay zeros."""
    values = flow.values
    lengths = values.graph.op("Sqrt", (values * values).sum(1, keep=True))
    return replace(flow, values=values / values.graph.op("Max", lengths, 1e-12))


def mean_over_time(frames: Frames) -> Value:
    return frames.fill(0.0).sum(2) / frames.lengths.cast(FLOAT).unsqueeze(1)


def max_over_time(frames: Frames) -> Value:
    return frames.fill(-np.inf).max(2)


def pool_time(layer: Any, frames: Frames) -> Rows:
    """Apply `skaudio.nets.TimePooling`."""
    graph, kind = frames.graph, layer.pooling
    if kind == "mean":
        pooled = mean_over_time(frames)
    elif kind == "max":
        pooled = max_over_time(frames)
    elif kind == "mean_max":
        pooled = graph.concat([mean_over_time(frames), max_over_time(frames)], 1)
    elif kind == "last":
        at = (frames.lengths - 1).unsqueeze(1, 2)
        shape = graph.concat([frames.lengths.size(0), graph.constant([frames.n_features, 1])], 0)
        index = graph.op("Expand", at, shape)
        pooled = graph.op("GatherElements", frames.values, index, axis=2).squeeze(2)
    elif kind in ("attention", "attention_stats", "mean_std"):
        mean, deviation = _moments(layer, frames)
        pooled = mean if kind == "attention" else graph.concat([mean, deviation], 1)
    else:
        raise ValueError(
            f"pooling={kind!r} cannot be exported to ONNX: expected another one of TimePooling."
        )
    return Rows(pooled, layer.out_features)


def _moments(layer: Any, frames: Frames) -> tuple[Value, Value]:
    """Return mean and standard deviation over time, weighted by learned scores if there are any."""
    graph = frames.graph
    if layer.attends:
        first, _, second = layer.score
        hidden = graph.op("Tanh", dense(frames.values.transpose(0, 2, 1), first))
        scores = dense(hidden, second).transpose(0, 2, 1)
        weights = graph.op("Softmax", graph.where(frames.mask, scores, -np.inf), axis=-1)
    else:
        weights = frames.mask.cast(FLOAT) / frames.lengths.cast(FLOAT).unsqueeze(1, 2)
    values = frames.fill(0.0)
    mean = (values * weights).sum(2, keep=True)
    apart = values - mean
    variance = (apart * apart * weights).sum(2)
    return mean.squeeze(2), graph.op("Sqrt", graph.op("Max", variance, 1e-10))


def scale_and_shift(norm: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return what a `MaskedBatchNorm` multiplies by and adds, for each channel."""
    scale = array(norm.weight) / np.sqrt(array(norm.running_var) + np.float32(norm.eps))
    return scale, array(norm.bias) - array(norm.running_mean) * scale
