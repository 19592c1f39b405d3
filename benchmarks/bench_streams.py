"""Streams: how long a push of 100 ms takes, how many times faster than sound, and memory.

    python benchmarks/bench_streams.py [mel] [gru] [detect] [tag] [--seconds 60] [--hour]

Each contestant hears noise in pushes of 100 ms, at 44.1 kHz stereo int16, as a sound card gives it:
mixing down, resampling to 16 or 32 kHz, encoding and the network are in the figures. Latency is
that of a call of ``push``: median, 99th percentile, longest. The real-time factor is the time of
all pushes over the duration of the sound. Both are given by the clock and in seconds of the CPU,
which a busy machine changes less. With ``--hour``, an hour is heard, and the growth of the memory
of the process from the sixth minute to the last is printed. "tag" is AudioTagger("mn04_as") with
its weights from SKAUDIO_DATA; one push in a hundred completes a chunk of 10 s, and runs the
network. One thread: set OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import gc
import time
from pathlib import Path

import numpy as np
from timing import machine

from skaudio.classifiers import GRUClassifier
from skaudio.datasets import load_spoken_digits
from skaudio.detectors import EventDetector
from skaudio.encoders import MelSpectrogram
from skaudio.pretrained import AudioTagger

RATE = 44100
PUSH = RATE // 10
HOUR = 36_000  # pushes


def mel():
    """Frames of the default log-mel spectrogram."""
    return MelSpectrogram()


def gru():
    """Probabilities of ten digits, of the default GRU without its backward layers."""
    X, y = load_spoken_digits(return_X_y=True)
    classifier = GRUClassifier(
        MelSpectrogram(), bidirectional=False, standardize="global", max_epochs=1, random_state=0
    )
    return classifier.fit(X, y)


def detect():
    """Events of two labels, of the default detector without its backward layers."""
    X, y = load_spoken_digits(return_X_y=True)
    detector = EventDetector(
        MelSpectrogram(), bidirectional=False, median_filter=0.2, max_epochs=1, random_state=0
    )
    return detector.fit(X[y < 2], y[y < 2])


def tag():
    """Scores of AudioSet's classes for each chunk of 10 s."""
    return AudioTagger("mn04_as", pooling=None)


WORK = {"mel": mel, "gru": gru, "detect": detect, "tag": tag}


def resident():
    """Return the memory of this process in MiB; 0 where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return 0.0
    return pages * 4096 / (1 << 20)


def hear(stream, n_pushes):
    """Push noise; return the seconds of each push, (of the clock, of the CPU), and memory."""
    rng = np.random.default_rng(0)
    noise = rng.integers(-3000, 3000, (10, 2, PUSH)).astype(np.int16)
    seconds, memory = np.empty((2, n_pushes)), []
    for i in range(n_pushes):
        start, cpu = time.perf_counter(), time.process_time()
        stream.push(noise[i % 10])
        seconds[:, i] = time.perf_counter() - start, time.process_time() - cpu
        if i % 600 == 599:
            gc.collect()
            memory.append(resident())
    stream.finish()
    return seconds, memory


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", nargs="*", default=[], choices=[[], *WORK])
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--hour", action="store_true")
    arguments = parser.parse_args()
    print(machine())
    n_pushes = HOUR if arguments.hour else arguments.seconds * 10
    for name in arguments.work or WORK:
        estimator = WORK[name]()
        hear(estimator.stream(RATE), 200)  # compiles, and loads what is loaded once
        seconds, memory = hear(estimator.stream(RATE), n_pushes)
        for clock, own in zip(("clock", "CPU"), seconds, strict=True):
            late = np.percentile(own, [50, 99, 100]) * 1000
            factor = own.sum() / (n_pushes / 10)
            print(
                f"{name}, {clock}: push of 100 ms {late[0]:.2f} ms (median), {late[1]:.2f} ms "
                f"(99 %), {late[2]:.1f} ms (longest); real-time factor {factor:.4f}, "
                f"{1 / factor:.0f} times faster than sound",
                flush=True,
            )
        if arguments.hour:
            grown = memory[-1] - memory[5]
            print(f"{name}: memory {memory[-1]:.0f} MiB after an hour, {grown:+.1f} since minute 6")


if __name__ == "__main__":
    main()
