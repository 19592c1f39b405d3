"""The networks of `skaudio.nets` as operators of ONNX; results do not depend on the padding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from skaudio import nets
from skaudio.nets import EPS
from skaudio.persistence._onnx_graph import FLOAT, Graph, Value
from skaudio.persistence._onnx_layers import (
    array,
    dense,
    mean_over_time,
    pool_time,
    scale_and_shift,
    unit_norm,
)
from skaudio.persistence._onnx_values import Frames, Rows

# Stands for minus infinity where infinity times zero must not occur.
FAR_BELOW = -1e9


def standardize(layer: Any, frames: Frames) -> Frames:
    """Apply `skaudio.nets.Standardize`; padding becomes zeros."""
    graph, x, mask = frames.graph, frames.values, frames.mask
    if layer.inverse_temperature is not None:
        level = x.mean(1, keep=True) * float(layer.inverse_temperature)
        weights = graph.op("Softmax", graph.where(mask, level, -np.inf), axis=-1)
        x = x - (graph.where(mask, x, 0.0) * weights).sum(2, keep=True)
    x = (x - array(layer.mean)[:, None]) * array(layer.scale)[:, None]
    return Frames(graph.where(mask, x, 0.0), frames.lengths, frames.n_features)


def convolutions(net: Any, frames: Frames) -> Frames:
    """Run the blocks of convolution, maximum and normalisation of a network."""
    graph, lengths = frames.graph, frames.lengths
    x = frames.values.unsqueeze(1)
    n_channels, height = 1, frames.n_features
    for layer, norm, stride in zip(net.convolutions, net.norms, net.strides, strict=True):
        side = layer.kernel_size[0] // 2
        x = graph.op("Conv", x, array(layer.weight), pads=[side] * 4)
        inside = graph.mask(lengths, x.size(3)).unsqueeze(1, 2)
        x = graph.where(inside, x, FAR_BELOW)
        x = graph.op("MaxPool", x, kernel_shape=[2, stride], strides=[2, stride], ceil_mode=1)
        lengths = (lengths + (stride - 1)) // stride
        inside = graph.mask(lengths, x.size(3)).unsqueeze(1, 2)
        scale, shift = scale_and_shift(norm)
        x = x * scale[:, None, None] + shift[:, None, None]
        x = graph.where(inside, graph.op("Relu", x), 0.0)
        n_channels, height = len(scale), -(-height // 2)
    n_features = n_channels * height
    size = graph.concat([graph.constant([0, n_features]), x.size(3)], 0)
    return Frames(graph.op("Reshape", x, size), lengths, n_features)


def recurrent(net: Any, frames: Frames) -> Frames:
    """Run the recurrent layers of a network, forwards and backwards within each length."""
    graph = frames.graph
    if not len(net.forwards):
        return frames
    x = frames.values.transpose(2, 0, 1)  # time first
    lengths = frames.lengths.cast(np.int32)
    n_features = frames.n_features
    layer_norms = getattr(net, "layer_norms", ())
    for i, forwards in enumerate(net.forwards):
        layers = [forwards, net.backwards[i]] if len(net.backwards) else [forwards]
        size = layers[0].hidden_size
        weights = [
            np.stack([_gates(getattr(layer, name)) for layer in layers])
            for name in ("weight_ih_l0", "weight_hh_l0")
        ]
        bias = np.stack(
            [
                np.concatenate([_gates(layer.bias_ih_l0), _gates(layer.bias_hh_l0)])
                for layer in layers
            ]
        )
        out = graph.op(
            "GRU",
            x,
            *weights,
            bias,
            lengths,
            hidden_size=size,
            linear_before_reset=1,
            direction="bidirectional" if len(layers) == 2 else "forward",
        )
        n_features = size * len(layers)
        out = out.transpose(0, 2, 1, 3).reshape(0, 0, n_features)
        if len(layer_norms):
            norm = layer_norms[i]
            scale, shift = array(norm.weight), array(norm.bias)
            out = graph.op("LayerNormalization", x + out, scale, shift, epsilon=norm.eps)
        x = out
    return Frames(x.transpose(1, 2, 0), frames.lengths, n_features)


def _gates(tensor: Any) -> np.ndarray:
    """Put the gates of a GRU in the order of ONNX: update, reset, new."""
    reset, update, new = np.split(array(tensor), 3)
    return np.concatenate([update, reset, new])


def lenet_features(net: Any, frames: Frames) -> Rows:
    rows = pool_time(net.pooling, convolutions(net, frames))
    layer = net.embedding[1]
    return Rows(rows.values.graph.op("Relu", dense(rows.values, layer)), layer.out_features)


def gru_features(net: Any, frames: Frames) -> Rows:
    if net.projection is not None:
        frames = convolutions(net, frames)
        values = dense(frames.values.transpose(0, 2, 1), net.projection).transpose(0, 2, 1)
        frames = Frames(values, frames.lengths, net.projection.out_features)
    return pool_time(net.pooling, recurrent(net, frames))


def tdnn_features(net: Any, frames: Frames) -> Rows:
    graph, x = frames.graph, frames.fill(0.0)
    for i, layer in enumerate(net.convolutions):
        side, dilation = layer.padding[0], layer.dilation[0]
        x = graph.op("Conv", x, array(layer.weight), pads=[side] * 2, dilations=[dilation])
        x = graph.op("Relu", x)
        if i < len(net.norms):
            scale, shift = scale_and_shift(net.norms[i])
            x = graph.where(frames.mask, x * scale[:, None] + shift[:, None], 0.0)
    rows = pool_time(net.pooling, Frames(x, frames.lengths, layer.out_channels))
    scale, shift = scale_and_shift(net.statistics_norm)
    return replace(rows, values=rows.values * scale + shift)


def statistics_tdnn_outputs(net: Any, frames: Frames) -> Rows:
    """Return the output of `skaudio.nets.StatisticsTDNN`: two parts, each of length 1."""
    own = tdnn_features(net, frames).values
    statistics = pool_time(net.pooling, frames).values
    width = net.head[1].out_features
    parts = [
        unit_norm(Rows(dense(own, net.head[1]), width)).values,
        unit_norm(Rows(dense(statistics, net.whitening), net.whitening.out_features)).values,
    ]
    return Rows(frames.graph.concat(parts, 1), width + net.whitening.out_features)


def statistics_features(net: Any, frames: Frames) -> Rows:
    graph = frames.graph
    mean = mean_over_time(frames)
    centred = Frames(frames.values - mean.unsqueeze(2), frames.lengths, frames.n_features)
    square = Frames(centred.values * centred.values, frames.lengths, frames.n_features)
    deviation = graph.op("Sqrt", graph.op("Max", mean_over_time(square), 1e-10))
    return Rows(graph.concat([mean, deviation], 1), 2 * frames.n_features)


FEATURES: dict[type, Callable[[Any, Frames], Rows]] = {
    nets.LeNet: lenet_features,
    nets.GRU: gru_features,
    nets.TDNN: tdnn_features,
    nets.StatisticsPooling: statistics_features,
}


def knows(net: Any) -> bool:
    """Whether a network is written here operator by operator; a subclass may compute otherwise."""
    return type(net) in FEATURES or type(net) is nets.StatisticsTDNN


def features_of(net: Any, frames: Frames) -> Rows:
    """Return what ``forward_features`` returns."""
    return FEATURES[type(net)](net, frames)


def outputs_of(net: Any, frames: Frames) -> Rows:
    """Return what the network returns."""
    if isinstance(net, nets.StatisticsTDNN):
        return statistics_tdnn_outputs(net, frames)
    rows = features_of(net, frames)
    if isinstance(net, nets.StatisticsPooling):
        out = dense(rows.values, net.head) / float((rows.n_columns / 2) ** 0.5)
        return Rows(out, net.head.out_features)
    return Rows(dense(rows.values, net.head[1]), net.head[1].out_features)


def frame_scores(net: Any, frames: Frames) -> Frames:
    """Return what ``forward_frames`` of `skaudio.nets.CRNN` returns."""
    if len(net.convolutions):
        frames = convolutions(net, frames)
    else:
        frames = _mean_of_frames(frames, net.frame_stride)
    frames = recurrent(net, frames)
    scores = dense(frames.values.transpose(0, 2, 1), net.head).transpose(0, 2, 1)
    return Frames(scores, frames.lengths, net.head.out_features)


def _mean_of_frames(frames: Frames, stride: int) -> Frames:
    """Return the means of groups of frames, of those inside the lengths."""
    graph = frames.graph
    if stride == 1:
        return Frames(frames.fill(0.0), frames.lengths, frames.n_features)
    missing = graph.constant([stride - 1])
    pads = graph.concat([graph.constant([0] * 5), missing], 0)
    sums = []
    for values in (frames.fill(0.0), frames.mask.cast(FLOAT)):
        padded = graph.op("Pad", values, pads)
        whole = padded.size(2) // stride
        cut = padded.slice(2, 0, whole * stride)
        shape = graph.concat([graph.constant([0, 0]), whole, graph.constant([stride])], 0)
        sums.append(graph.op("Reshape", cut, shape).sum(3))
    lengths = (frames.lengths + (stride - 1)) // stride
    means = sums[0] / graph.op("Max", sums[1], 1.0)
    return Frames(means, lengths, frames.n_features)


def pool_weakly(layer: Any, scores: Frames) -> tuple[Rows, Frames]:
    """Apply `skaudio.nets.WeakPooling`: probabilities of recordings, and of frames."""
    graph, kind = scores.graph, layer.pooling
    n = scores.n_features // (2 if kind == "attention" else 1)
    values, attention = scores.values, None
    if kind == "attention":
        values, attention = graph.split(values, 1, [n, n])
    y = _off_the_ends(graph, graph.op("Sigmoid", values))
    frames = Frames(y, scores.lengths, n)
    if kind == "max":
        return Rows(frames.fill(0.0).max(2), n), frames
    mask = frames.mask
    if attention is not None:
        weights = graph.op("Softmax", graph.where(mask, attention, -np.inf), axis=-1)
    elif kind == "mean":
        weights = mask.cast(FLOAT)
    else:
        weights = graph.where(mask, y if kind == "linear_softmax" else graph.op("Exp", y), 0.0)
    pooled = (y * weights).sum(2) / weights.sum(2)
    return Rows(_off_the_ends(graph, pooled), n), frames


def _off_the_ends(graph: Graph, y: Value) -> Value:
    return graph.op("Clip", y, EPS, 1 - EPS)
