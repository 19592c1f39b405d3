"""Statistics over time and deltas as operators of ONNX, in double precision."""

from __future__ import annotations

from typing import Any

import numpy as np

from skaudio.persistence._onnx_graph import FLOAT, Graph, Value
from skaudio.persistence._onnx_values import Frames, Rows
from skaudio.pooling import DELTA_WIDTH, percent

DOUBLE = np.dtype(np.float64)


def pool(pooling: Any, frames: Frames) -> Rows:
    """Return what a `FramePooling` returns."""
    for name, expected in (("segment_by", "time"), ("segment_overlap", 0)):
        if getattr(pooling, name) != expected:
            raise ValueError(
                f"{name}={getattr(pooling, name)!r} of FramePooling cannot be exported to ONNX: "
                f"expected {expected!r}."
            )
    graph, lengths = frames.graph, frames.lengths
    x, n_features = frames.values.cast(DOUBLE), frames.n_features
    if pooling.cmvn:
        part = FrameRange(graph, x, lengths * 0, lengths)
        std = part.std().unsqueeze(2)
        varies = std > 0.0
        scaled = (x - part.mean().unsqueeze(2)) / graph.where(varies, std, 1.0)
        x = graph.where(varies, scaled, 0.0)
    orders = [x] + [deltas(graph, x, lengths, order) for order in range(1, 1 + pooling.deltas)]
    x = graph.concat(orders, 1)
    n_segments = int(pooling.n_segments)
    starts = [lengths * i // n_segments for i in range(n_segments + 1)]
    columns = []
    for start, stop in zip(starts, starts[1:], strict=False):
        part = FrameRange(graph, x, start, graph.op("Max", stop, start + 1))
        columns += [part.statistic(stat) for stat in pooling.stats]
    n_columns = len(columns) * n_features * (1 + pooling.deltas)
    return Rows(graph.concat(columns, 1).cast(FLOAT), n_columns)


def add_deltas(frames: Frames, orders: int) -> Frames:
    """Append deltas of the features, as `FrameUnion` does."""
    graph = frames.graph
    parts = [deltas(graph, frames.values, frames.lengths, order) for order in range(1, 1 + orders)]
    values = graph.concat([frames.values, *parts], 1)
    return Frames(values, frames.lengths, frames.n_features * (1 + orders))


def deltas(graph: Graph, x: Value, lengths: Value, order: int) -> Value:
    """Return local derivatives of (n, n_features, n_frames); the ends are repeated outwards."""
    from scipy.signal import savgol_coeffs

    half = DELTA_WIDTH // 2
    n_frames = x.size(2)
    places = graph.arange(n_frames + 2 * half) - half
    last = (lengths - 1).unsqueeze(1)
    index = graph.op("Min", graph.op("Max", places, 0).unsqueeze(0), last).unsqueeze(1)
    shape = graph.concat([x.size(0), x.size(1), n_frames + 2 * half], 0)
    padded = graph.op("GatherElements", x, graph.op("Expand", index, shape), axis=2)
    taps = savgol_coeffs(DELTA_WIDTH, polyorder=order, deriv=order, use="dot")
    slopes = [
        padded.slice(2, i, n_frames + i) * float(tap) for i, tap in enumerate(taps) if tap != 0
    ]
    return graph.op("Sum", *slopes)


class FrameRange:
    """Consecutive frames of each recording: those of x (n, n_features, n_frames) between bounds.

    Bounds are values of shape (n,).
    """

    def __init__(self, graph: Graph, x: Value, start: Value, stop: Value) -> None:
        self._graph = graph
        self._x = x
        self._count = stop - start
        steps = graph.arange(x.size(2)).unsqueeze(0)
        inside = (steps >= start.unsqueeze(1)) & (steps < stop.unsqueeze(1))
        self._inside = inside.unsqueeze(1)

    def statistic(self, name: str) -> Value:
        """Return a statistic (n, n_features) by the name that `FramePooling` knows it by."""
        percentage = percent(name)
        if percentage is not None:
            return self.quantile(percentage / 100.0)
        value: Value = getattr(self, name)()
        return value

    def mean(self) -> Value:
        return self._mean_of(self._x)

    def std(self) -> Value:
        """Return the standard deviation, 0 where nothing but rounding varies."""
        graph = self._graph
        centred = self._x - self.mean().unsqueeze(2)
        std = graph.op("Sqrt", self._mean_of(centred * centred))
        rounding = self._fill(graph.op("Abs", self._x), 0.0).max(2) * float(
            4 * np.finfo(np.float32).eps
        )
        return graph.where(std > rounding, std, 0.0)

    def min(self) -> Value:
        return self._fill(self._x, np.inf).min(2)

    def max(self) -> Value:
        return self._fill(self._x, -np.inf).max(2)

    def quantile(self, q: float) -> Value:
        """Return a quantile, linearly interpolated."""
        graph = self._graph
        ascending = graph.ops(
            "TopK",
            self._fill(self._x, np.inf),
            self._x.size(2),
            axis=2,
            largest=0,
            dtypes=[None, np.int64],
        )[0]
        place = (self._count - 1).cast(DOUBLE) * q
        below = graph.op("Floor", place)
        lower = self._at(ascending, below)
        upper = self._at(ascending, graph.op("Ceil", place))
        return lower + (upper - lower) * (place - below).unsqueeze(1)

    def _at(self, values: Value, place: Value) -> Value:
        index = place.cast(np.int64).unsqueeze(1, 2)
        shape = self._graph.concat([values.size(0), values.size(1), self._graph.constant([1])], 0)
        index = self._graph.op("Expand", index, shape)
        return self._graph.op("GatherElements", values, index, axis=2).squeeze(2)

    def _mean_of(self, values: Value) -> Value:
        return self._fill(values, 0.0).sum(2) / self._count.cast(DOUBLE).unsqueeze(1)

    def _fill(self, values: Value, beyond: float) -> Value:
        return self._graph.where(self._inside, values, beyond)
