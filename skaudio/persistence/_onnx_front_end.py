"""Waveforms to features, as operators of ONNX.

The Fourier transform is a convolution with windowed cosines and sines, one product of matrices.
Their table holds ``n_fft`` numbers; the kernels are made of it when a file is loaded, so that files
stay small.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from skaudio.dsp import Analysis, Framing, Scale
from skaudio.persistence._onnx_graph import FLOAT, Graph, Value
from skaudio.persistence._onnx_values import Frames, Waves


def read_waves(graph: Graph, encoder: Any, waves: Waves, rate: float) -> Waves:
    """Cut and normalise as an encoder does when it reads."""
    values, lengths = waves.values, waves.lengths
    start = round(encoder.offset * rate)
    if encoder.duration is not None:
        stop = start + max(round(encoder.duration * rate), 1)
        lengths = graph.op("Min", lengths, stop)
        values = values.slice(1, 0, stop)
    if start:
        lengths = graph.op("Max", lengths - start, 0)
        values = values.slice(1, start, np.iinfo(np.int64).max)
    waves = Waves(values, lengths)
    if encoder.normalize is None:
        return waves
    if encoder.normalize == "max":
        level = graph.op("Abs", values).max(1, keep=True)
    else:
        count = graph.op("Max", lengths, 1).cast(FLOAT).unsqueeze(1)
        level = graph.op("Sqrt", (values * values).sum(1, keep=True) / count)
    return Waves(values / graph.where(level > 0.0, level, 1.0), lengths)


def fit_samples(graph: Graph, waves: Waves, n_samples: int) -> Waves:
    """Trim to a number of samples, or pad with zeros."""
    missing = graph.op("Max", n_samples - waves.values.size(1), 0)
    pads = graph.concat([graph.constant([0, 0, 0]), missing], 0)
    values = graph.op("Pad", waves.values, pads).slice(1, 0, n_samples)
    lengths = graph.where(waves.lengths >= 0, graph.constant([n_samples]), waves.lengths)
    return Waves(values, lengths)


class Tables:
    """What an analysis multiplies with, the same for all waveforms.

    Attributes
    ----------
    kernel : Value
        Windowed cosines and sines, (2 n_bins, 1, win_length).
    filters : Value or None
        (n_filters, n_bins).
    """

    def __init__(self, graph: Graph, analysis: Analysis) -> None:
        self.kernel = _kernel(graph, analysis.framing)
        bank = None if analysis.filters is None else analysis.filters(1.0)
        self.filters = None if bank is None else _filters(graph, bank.weights)


def analyse(graph: Graph, analysis: Analysis, waves: Waves, tables: Tables | None = None) -> Frames:
    """Return what ``analysis.encode`` returns of each waveform."""
    assert analysis.power is not None
    tables = tables or Tables(graph, analysis)
    framing, scale = analysis.framing, analysis.scale
    counts = frame_counts(graph, framing, waves.lengths)
    n_frames = counts.max(0, keep=True)
    signal = pad_waves(graph, framing, waves, n_frames)
    features = _spectra(graph, framing, analysis.power, signal, tables.kernel)
    if tables.filters is not None:
        features = tables.filters @ features
    features = _scaled(graph, scale, features)
    return _finish(graph, analysis, features, counts)


def frame_counts(graph: Graph, framing: Framing, lengths: Value) -> Value:
    """Return the number of frames of each recording, at least 1."""
    missing = 2 * framing.margin - framing.n_fft
    beyond = graph.op("Max", lengths + missing, 0)
    return beyond // framing.hop_length + 1


def pad_waves(graph: Graph, framing: Framing, waves: Waves, n_frames: Value) -> Value:
    """Return signals (n, 1, n_times) that begin and end with the windows of the frames."""
    before = framing.margin - framing.lead  # below 0: samples before the first window
    n_times = (n_frames - 1) * framing.hop_length + framing.win_length
    if framing.center and framing.pad_mode != "constant":
        values = _mirrored(graph, framing, waves, graph.arange(n_times) - before)
        return values.unsqueeze(1)
    missing = graph.op("Max", n_times - waves.values.size(1) - before, 0)
    zeros = graph.constant([0])
    pads = graph.concat([zeros, graph.constant([max(before, 0)]), zeros, missing], 0)
    values = graph.op("Pad", waves.values, pads)
    first = max(-before, 0)
    return values.slice(1, first, n_times + first).unsqueeze(1)


def _mirrored(graph: Graph, framing: Framing, waves: Waves, places: Value) -> Value:
    """Return the samples at some places (n_times,), which may lie before or after a recording."""
    n = graph.op("Max", waves.lengths, 1).unsqueeze(1)
    at = places.unsqueeze(0)
    if framing.pad_mode in ("edge", "linear_ramp"):
        index = graph.op("Min", graph.op("Max", at, 0), n - 1)
    else:
        # One period of a signal that goes on forwards and backwards in turn.
        once = framing.pad_mode == "reflect"  # the samples at the ends occur once
        period = graph.op("Max", n * 2 - (2 if once else 0), 1)
        index = at % period
        index = graph.where(index < n, index, period - (0 if once else 1) - index)
    values = graph.op("GatherElements", waves.values, index, axis=1)
    if framing.pad_mode == "linear_ramp":
        distance = graph.op("Max", -at, at - (n - 1)).cast(FLOAT)
        fade = 1.0 - graph.op("Max", distance, 0.0) / float(max(framing.margin, 1))
        values = values * graph.op("Max", fade, 0.0)
    return values


def _kernel(graph: Graph, framing: Framing) -> Value:
    n_fft = framing.n_fft
    turn = 2 * np.pi * np.arange(n_fft) / n_fft
    steps = graph.arange(graph.constant([framing.win_length])).unsqueeze(0)
    bins = graph.arange(graph.constant([framing.n_bins])).unsqueeze(1)
    phases = (bins * steps) % n_fft
    parts = [
        graph.op("Gather", graph.constant(wave.astype(np.float32)), phases) * framing.weights
        for wave in (np.cos(turn), np.sin(turn))
    ]
    return graph.concat(parts, 0).unsqueeze(1)


def _spectra(graph: Graph, framing: Framing, power: float, signal: Value, kernel: Value) -> Value:
    """Return magnitudes to some power, (n, n_bins, n_frames)."""
    parts = graph.op("Conv", signal, kernel, strides=[framing.hop_length])
    real, imaginary = graph.split(parts, 1, [framing.n_bins] * 2)
    powers = real * real + imaginary * imaginary
    if power == 2.0:
        return powers
    return graph.op("Sqrt", powers) if power == 1.0 else graph.op("Pow", powers, power / 2)


def _filters(graph: Graph, weights: np.ndarray) -> Value:
    """Return a bank of filters as a matrix that is made of its numbers other than zero."""
    places = np.argwhere(weights)
    shape = graph.constant(list(weights.shape))
    empty = graph.op("Expand", np.zeros((1, 1), np.float32), shape, dtype=FLOAT)
    return graph.op("ScatterND", empty, graph.constant(places), weights[weights != 0])


def _scaled(graph: Graph, scale: Scale, values: Value) -> Value:
    if scale.kind == "log":
        return graph.op("Log", values + scale.eps)
    if scale.kind == "db":
        floored = graph.op("Max", values, 10.0 ** (_silence(scale) * scale.power / 20.0))
        return graph.op("Log", floored) * float(20.0 / scale.power / np.log(10.0))
    return values


def _finish(graph: Graph, analysis: Analysis, features: Value, counts: Value) -> Frames:
    """Do what needs the whole recording: the range in dB, the number of frames; the cosines."""
    n_rows = len(analysis.filters(1.0).weights) if analysis.filters else analysis.framing.n_bins
    frames = Frames(features, counts, n_rows)
    loudest = None
    if analysis.scale.clips:
        loudest = frames.fill(-np.inf).max(1, 2, keep=True)
    target = analysis.target_frames
    if target is not None:
        missing = graph.op("Max", target - features.size(2), 0)
        pads = graph.concat([graph.constant([0] * 5), missing], 0)
        features = graph.op("Pad", features, pads).slice(2, 0, target)
        silence = _silence(analysis.scale)
        features = Frames(features, counts, n_rows).fill(silence)
        counts = counts * 0 + target
    if loudest is not None:
        assert analysis.scale.top_db is not None
        features = graph.op("Max", features, loudest - float(analysis.scale.top_db))
    if analysis.dct is not None:
        features, n_rows = graph.constant(analysis.dct) @ features, len(analysis.dct)
    return Frames(features, counts, n_rows)


def _silence(scale: Scale) -> float:
    """Return the scaled value of zero."""
    import torch

    return float(scale.apply(torch.zeros(1)))
