"""Running exported graphs, and recordings to run them on."""

from __future__ import annotations

import functools

import numpy as np
import onnxruntime

from skaudio.persistence import export_onnx

# 0.1 to 10 s at 16 kHz, the shortest and longest in the middle.
SECONDS = (0.5, 0.1, 2.0, 10.0, 0.3, 1.25)


@functools.cache
def recordings():
    """Return tones of several pitches in noise, of lengths that no hop divides."""
    rng = np.random.default_rng(0)
    made = []
    for i, seconds in enumerate(SECONDS):
        t = np.arange(round(seconds * 16000) + 37 * i) / 16000
        tone = np.sin(2 * np.pi * (200 + 150 * i) * t) * (0.6 + 0.4 * np.sin(9 * t + i))
        made.append((0.3 * tone + 0.02 * rng.standard_normal(len(t))).astype(np.float32))
    return made


def training(n=8, seconds=0.3, sample_rate=16000):
    """Return short recordings of two classes, and their labels."""
    rng = np.random.default_rng(1)
    t = np.arange(round(seconds * sample_rate)) / sample_rate
    y = np.array(["high", "low"] * n)[:n]
    X = [
        (np.sin(2 * np.pi * (900 if c == "high" else 250) * t[: len(t) - 40 * i]))
        for i, c in enumerate(y)
    ]
    return [(x + 0.05 * rng.standard_normal(len(x))).astype(np.float32) for x in X], y


def batch(clips, *, beyond=0.0, extra=0):
    """Return inputs of a graph: padded recordings and their lengths."""
    lengths = np.array([len(clip) for clip in clips])
    waveform = np.full((len(clips), lengths.max() + extra), beyond, np.float32)
    for row, clip in zip(waveform, clips, strict=True):
        row[: len(clip)] = clip
    return {"waveform": waveform, "lengths": lengths}


def open_graph(estimator, folder):
    """Export an estimator, and return the session that runs it."""
    path = folder / "model.onnx"
    export_onnx(estimator, path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def run(session, clips, **how):
    """Return the outputs of a session by name."""
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, batch(clips, **how)), strict=True))
