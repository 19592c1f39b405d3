"""What auditing 10 000 recordings of a second costs: time, processor time, and memory.

The recordings are 16-bit WAV at 16 kHz: synthetic words in noise, none of them a copy of another.
Peak memory is that of the process; the share before the audit is the libraries'.

    python benchmarks/bench_audit.py [number of recordings]
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile as sf
from scipy.signal import lfilter

from skaudio.datasets import audit_recordings

RATE = 16000
N_GROUPS = 50
N_CLASSES = 10


def word(rng: np.random.Generator) -> np.ndarray:
    """Three syllables of different pitch, colour and length, in a little noise."""
    samples = 0.003 * rng.standard_normal(RATE)
    for start in (0.05, 0.35, 0.65):
        n = round(rng.uniform(0.15, 0.3) * RATE)
        pitch = np.interp(np.arange(n), [0, n // 2, n], rng.uniform(90, 250, 3))
        phase = 2 * np.pi * np.cumsum(pitch) / RATE
        source = np.sign(np.sin(phase)) + rng.uniform(0, 1) * rng.standard_normal(n)
        for _ in range(3):
            centre, width = rng.uniform(300, 3500), rng.uniform(80, 300)
            pole = np.exp((2j * np.pi * centre - np.pi * width) / RATE)
            source = lfilter([1], [1, -2 * pole.real, abs(pole) ** 2], source)
        at = round(start * RATE)
        samples[at : at + n] += 0.1 * np.hanning(n) * source / source.std()
    return samples


def peak_memory() -> float:
    """Return the peak memory of this process in MB."""
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / 1e6 if sys.platform == "darwin" else size / 1e3


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder, f"{i}.wav")) for i in range(n)]
        for path in paths:
            sf.write(path, word(rng), RATE, subtype="PCM_16")
        y, groups = np.arange(n) % N_CLASSES, np.arange(n) // N_CLASSES % N_GROUPS
        audit_recordings(paths[:10])  # loads the libraries
        before = peak_memory()
        wall, processor = time.perf_counter(), time.process_time()
        audit = audit_recordings(paths, y, groups)
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        print(f"{n} recordings of 1 s: {wall:.1f} s, {processor:.1f} s of processor time")
        print(f"peak memory: {before:.0f} MB before, {peak_memory():.0f} MB after")
        print(audit)


if __name__ == "__main__":
    main()
