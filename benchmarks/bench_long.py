"""An hour of sound: seconds it takes, and the memory of the process at its peak.

    python benchmarks/bench_long.py [detect|embed|tag] [--minutes 60]

A WAV file of 44.1 kHz stereo, written for the purpose, so that reading, mixing down, resampling,
encoding and the net are all in the figure. The detector has the default net, the embedder and the
tagger have "mn04_as".
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile as sf
import torch

from skaudio.detectors import EventDetector
from skaudio.encoders import MelSpectrogram
from skaudio.pretrained import AudioTagger, PretrainedEmbedder

RATE = 44100


def peak_mib():
    """Peak resident memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def write(path, n_minutes):
    """Write beeps in noise, a minute at a time."""
    rng = np.random.default_rng(0)
    minute = 0.01 * rng.standard_normal((60 * RATE, 2)).astype(np.float32)
    for second in range(5, 60, 10):
        beep = np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE)
        minute[second * RATE : (second + 1) * RATE] += 0.2 * beep[:, None].astype(np.float32)
    with sf.SoundFile(path, "w", RATE, 2, subtype="PCM_16") as file:
        for _ in range(n_minutes):
            file.write(minute)
    return [minute[a * RATE : (a + 4) * RATE].mean(axis=1) for a in (0, 4, 10, 14, 20, 24)]


def detect(clips):
    """Return the call to measure, of a detector with the default net."""
    y = [["beep"] if i % 2 else [] for i in range(len(clips))]
    detector = EventDetector(MelSpectrogram(), max_epochs=2, random_state=0).fit(clips, y)
    return detector.predict_events


def embed(clips):
    """Return the call to measure, of a pretrained net; its weights do not matter for the time."""
    return PretrainedEmbedder("mn04_as", weights="random").fit(clips).transform


def tag(clips):
    """Return the call to measure, of a tagger with a score per chunk."""
    return AudioTagger("mn04_as", weights="random", pooling=None).fit(clips).transform


WORK = {"detect": detect, "embed": embed, "tag": tag}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", nargs="?", default="detect", choices=list(WORK))
    parser.add_argument("--minutes", type=int, default=60)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "long.wav")
        clips = [{"array": c, "sampling_rate": RATE} for c in write(path, arguments.minutes)]
        call = WORK[arguments.work](clips)
        call(clips)  # compiles, and sizes what stays
        before = peak_mib()
        start, cpu = time.perf_counter(), time.process_time()
        call([path])
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    audio = 60 * arguments.minutes
    print(f"{arguments.minutes} min, {torch.get_num_threads()} threads: {seconds:.1f} s")
    print(f"  {cpu:.1f} s of CPU; {audio / seconds:.0f} (CPU: {audio / cpu:.0f}) times real time")
    print(f"  peak memory {peak_mib():.0f} MiB, {before:.0f} MiB before")


if __name__ == "__main__":
    main()
