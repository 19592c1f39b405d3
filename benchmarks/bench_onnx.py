"""Graphs of ONNX against the estimators: largest difference, seconds, size of the file.

    python benchmarks/bench_onnx.py [NAME...] [--recordings 100]

Recordings of 0.1 to 60 s (log-uniform), tones that glide in noise, each at the rate of the
estimator. Both compute with one thread. "alone" gives onnxruntime one recording per call, "batches"
eight of similar length; skaudio gets all at once. Networks are trained for one epoch on the bundled
digits. Needs the weights of "mn04_as" (SKAUDIO_DATA, or downloaded).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import skaudio
from skaudio import (
    MFCC,
    AudioTagger,
    EventDetector,
    FramePooling,
    GRUClassifier,
    LeNetClassifier,
    MelSpectrogram,
    PretrainedEmbedder,
)

BATCH = 8
QUICK = {"max_epochs": 1, "random_state": 0}

ESTIMATORS = {
    "mel": lambda: MelSpectrogram(),
    "mfcc": lambda: MFCC(),
    "lenet": lambda: LeNetClassifier(MelSpectrogram(), **QUICK),
    "gru": lambda: GRUClassifier(MFCC(), **QUICK),
    "detector": lambda: EventDetector(MelSpectrogram(), **QUICK),
    "logistic": lambda: make_pipeline(
        MFCC(), FramePooling(), StandardScaler(), LogisticRegression(max_iter=500)
    ),
    "svc": lambda: make_pipeline(MFCC(), FramePooling(), StandardScaler(), SVC()),
    "mn04_as": lambda: PretrainedEmbedder("mn04_as"),
    "tagger": lambda: AudioTagger("mn04_as"),
}


def make_recordings(n, sample_rate):
    rng = np.random.default_rng(0)
    clips = []
    for seconds in np.geomspace(0.1, 60, n):
        t = np.arange(round(seconds * sample_rate)) / sample_rate
        pitch = 200 * rng.uniform(1, 3) * (1 + 0.3 * np.sin(2 * np.pi * rng.uniform(0.2, 2) * t))
        tone = np.sin(2 * np.pi * np.cumsum(pitch) / sample_rate)
        throb = 0.6 + 0.4 * np.sin(2 * np.pi * 3 * t)
        clips.append((0.3 * tone * throb + 0.01 * rng.standard_normal(len(t))).astype(np.float32))
    return clips


def run(session, clips):
    lengths = np.array([len(clip) for clip in clips])
    waveform = np.zeros((len(clips), lengths.max()), np.float32)
    for row, clip in zip(waveform, clips, strict=True):
        row[: len(clip)] = clip
    return session.run(["scores"], {"waveform": waveform, "lengths": lengths})[0]


def timed(function):
    began = time.perf_counter()
    result = function()
    return result, time.perf_counter() - began


def measure(name, n):
    estimator = ESTIMATORS[name]()
    digits = skaudio.load_spoken_digits()
    if not isinstance(estimator, (MFCC, MelSpectrogram, PretrainedEmbedder, AudioTagger)):
        estimator.fit(digits.data[::3], digits.target[::3])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        _, export = timed(lambda: skaudio.export_onnx(estimator, path))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        size = path.stat().st_size
    facts = session.get_modelmeta().custom_metadata_map
    clips = make_recordings(n, float(facts["sample_rate"]))
    method = getattr(estimator, facts["method"])
    method(clips[:2])  # compiles kernels
    run(session, clips[:1])
    expected, ours = timed(lambda: method(clips))
    rows, alone = timed(lambda: [run(session, [clip])[0] for clip in clips])
    _, batches = timed(
        lambda: [run(session, clips[i : i + BATCH]) for i in range(0, len(clips), BATCH)]
    )
    pairs = list(zip(rows, expected, strict=True))
    difference = max(float(np.abs(a - b).max()) for a, b in pairs)
    largest = max(float(np.abs(b).max()) for _, b in pairs)
    seconds = sum(map(len, clips)) / float(facts["sample_rate"])
    print(
        f"{name:9} {facts['method']:17} difference {difference:.1e} of {largest:.3g} "
        f"(relative {difference / largest:.1e})  {seconds:.0f} s of sound: skaudio {ours:.2f} s, "
        f"alone {alone:.2f} s, batches {batches:.2f} s  file {size / 1e3:.0f} kB, "
        f"weights {n_weights(estimator) * 4 / 1e3:.0f} kB, export {export:.1f} s",
        flush=True,
    )


def n_weights(estimator):
    net = getattr(estimator, "net_", None)
    if isinstance(estimator, (PretrainedEmbedder, AudioTagger)):
        net = estimator.fit([np.zeros(32000)]).net_
    module = getattr(net, "module_", net)
    return 0 if module is None else sum(p.numel() for p in module.parameters())


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", default=list(ESTIMATORS), metavar="NAME")
    parser.add_argument("--recordings", type=int, default=100)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.names:
        measure(name, options.recordings)


if __name__ == "__main__":
    main()
