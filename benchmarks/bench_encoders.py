"""Encoders side by side with librosa and torchaudio: arrays, files, memory, scaling.

    python benchmarks/bench_encoders.py [--quick] [--output encoders.json]

Everything goes through the public estimators, ``fit`` and ``transform``. Contestants of a row
take turns; figures are medians. A figure during which others used the machine is marked with *.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# The peers' processes and threads are tuned by hand: no hidden ones.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import joblib
import numpy as np
import soundfile as sf
import torch
from peers import Setting, TorchAudio, librosa_file, librosa_mel, librosa_mfcc, librosa_processes
from timing import Report, compare, machine

from skaudio.encoders import MFCC, MelSpectrogram, Waveform

A = Setting(16000, 512, 400, 160, 64)
B = Setting(22050, 2048, 2048, 512, 128)
SECONDS = 5
CORES = os.cpu_count() or 1
MEMORY = """
import re, sys
import numpy as np
from skaudio.encoders import MelSpectrogram
n, batches = int(sys.argv[1]), sys.argv[2] == "batches"
clip = np.random.default_rng(0).standard_normal(8000, dtype=np.float32)
encoder = MelSpectrogram()
encoder.transform([clip] * 64)
def peak():
    return int(re.search("VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1]) * 1024
before, size = peak(), 0
if batches:
    for frames in encoder.transform_batches([clip] * n, batch_size=1000):
        size = frames.nbytes
else:
    size = encoder.transform([clip] * n).nbytes
print(peak() - before, size)
"""


def noise(n: int, s: Setting, seconds: float = SECONDS) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.standard_normal((n, int(seconds * s.sample_rate)), dtype=np.float32)


def mel(s: Setting, **options) -> MelSpectrogram:
    return MelSpectrogram(sample_rate=s.sample_rate, scale="linear", **s.frames, **options)


def mfcc(s: Setting) -> MFCC:
    return MFCC(sample_rate=s.sample_rate, n_mfcc=s.n_mfcc, **s.frames)


def bench_cores(report: Report, repeats: int) -> None:
    """Tell how much of its cores a shared machine gives: what threads can gain at most."""
    report.head("what the cores give together, over one alone")
    clips = noise(8, A)
    with joblib.Parallel(n_jobs=CORES) as workers:
        for name, work in (("sgemm", multiply), ("librosa", by_librosa)):
            figures = compare(
                {
                    "alone": lambda work=work: workers([joblib.delayed(work)(clips)]),
                    "together": lambda work=work: workers([joblib.delayed(work)(clips)] * CORES),
                },
                repeats,
            )
            gain = CORES * figures["alone"].median / figures["together"].median
            report.fact(f"{name} in {CORES} processes", gain, "times one")


def multiply(clips: np.ndarray) -> None:
    square = np.ones((512, 512), np.float32)
    for _ in range(len(clips) * 20):
        square @ square


def by_librosa(clips: np.ndarray) -> None:
    for clip in np.repeat(clips, 8, axis=0):
        librosa_mel(clip, A)


def bench_arrays(report: Report, n: int, repeats: int) -> None:
    report.head(f"{n} clips of {SECONDS} s in memory, {CORES} cores, time per clip")
    rows = [
        ("mel A", A, mel(A), librosa_mel, "mel"),
        ("mel B", B, mel(B), librosa_mel, "mel"),
        ("MFCC A", A, mfcc(A), librosa_mfcc, "mfcc"),
        ("MFCC B", B, mfcc(B), librosa_mfcc, "mfcc"),
    ]
    for row in rows:
        bench_arrays_row(report, n, repeats, *row)


def bench_arrays_row(report, n, repeats, title, s, encoder, by_librosa, name) -> None:
    X, torchaudio = noise(n, s), TorchAudio(s)
    function = getattr(torchaudio, name)
    contestants = {
        "skaudio": lambda: encoder.fit(X).transform(X),
        "librosa loop": lambda: [by_librosa(x, s) for x in X],
        "librosa, processes": lambda: librosa_processes(by_librosa, X, s, CORES),
        "torchaudio, batches": lambda: torchaudio.in_batches(function, X),
        "torchaudio, threads": lambda: torchaudio.in_threads(function, X, CORES),
        "torchaudio, at once": lambda: function(torch.from_numpy(X)),
    }
    report.row(title, compare(contestants, repeats), n)
    reference = np.stack([by_librosa(x.astype(np.float64), s) for x in X[:5]])
    error = np.abs(encoder.transform(X[:5]) - reference).max() / np.abs(reference).max()
    report.fact(f"{title}: largest error over the maximum, to librosa in float64", error)


def bench_single(report: Report, repeats: int) -> None:
    report.head("one clip, one thread, time per call")
    torch.set_num_threads(1)
    for title, s in (("MFCC A", A), ("MFCC B", B)):
        bench_single_row(report, repeats, title, s)
    torch.set_num_threads(CORES)


def bench_single_row(report: Report, repeats: int, title: str, s: Setting) -> None:
    X, torchaudio, encoder = noise(1, s), TorchAudio(s), mfcc(s)
    clip, batch, calls = [X[0]], torch.from_numpy(X), 20
    contestants = {
        "skaudio": lambda: [encoder.transform(clip) for _ in range(calls)],
        "librosa": lambda: [librosa_mfcc(X[0], s) for _ in range(calls)],
        "torchaudio": lambda: [torchaudio.mfcc(batch) for _ in range(calls)],
    }
    report.row(title, compare(contestants, 2 * repeats), calls)


def bench_limit(report: Report, n: int, repeats: int) -> None:
    report.head("share of what the processor can do (sgemm), one thread")
    torch.set_num_threads(1)
    square = torch.rand(1024, 1024)
    for title, s in (("mel A", A), ("mel B", B)):
        X, encoder = noise(n // 4, s), mel(s)
        figures = compare(
            {
                "skaudio": lambda e=encoder, X=list(X): e.transform(X),
                "sgemm": lambda: square @ square,
            },
            repeats,
        )
        touched = int((encoder._analysis().filters(1.0).weights != 0).sum())
        per_frame = 2.5 * s.n_fft * np.log2(s.n_fft) + s.win_length
        per_frame += 3 * (s.n_fft // 2 + 1) + 2 * touched
        n_frames = len(X) * (1 + X.shape[1] // s.hop_length)
        rate = per_frame * n_frames / figures["skaudio"].median
        report.fact(title, 100 * rate / (2 * 1024**3 / figures["sgemm"].median), "%")
    torch.set_num_threads(CORES)


def bench_random(report: Report, n: int, repeats: int) -> None:
    report.head("ten random configurations, time per clip")
    rng = np.random.default_rng(0)
    for _ in range(10):
        n_fft = 1 << int(rng.integers(8, 13))
        window = int(rng.integers(n_fft // 2, n_fft + 1))
        hop = int(rng.integers(window // 5, window))
        s = Setting(16000, n_fft, window, hop, int(rng.integers(10, n_fft // 8)), 10)
        X, torchaudio, encoder = noise(n // 4, s), TorchAudio(s), mel(s)
        contestants = {
            "skaudio": lambda e=encoder, X=X: e.transform(X),
            "torchaudio, batches": lambda t=torchaudio, X=X: t.in_batches(t.mel, X),
            "torchaudio, threads": lambda t=torchaudio, X=X: t.in_threads(t.mel, X, CORES),
        }
        title = f"n_fft {n_fft}, window {window}, hop {hop}, {s.n_mels} mels"
        report.row(title, compare(contestants, repeats), len(X))


def bench_files(report: Report, n: int, repeats: int, folder: Path) -> None:
    report.head(f"{n} files of {SECONDS} s, 44.1 to 16 kHz, mel A, {CORES} cores, time per file")
    torchaudio, encoder, native = TorchAudio(A), mel(A), Waveform(sample_rate=44100)
    for ending in ("wav", "flac", "ogg", "mp3"):
        for channels in (1, 2):
            paths = write_files(folder, ending, channels, n)
            contestants = {
                "skaudio": lambda p=paths: encoder.fit(p).transform(p),
                "librosa, processes": lambda p=paths: librosa_processes(librosa_file, p, A, CORES),
                "torchaudio, threads": lambda p=paths: torchaudio.of_files(p, CORES),
                "decoding alone": lambda p=paths: native.transform(p),
            }
            kind = "mono" if channels == 1 else "stereo"
            report.row(f"{ending} {kind}", compare(contestants, repeats), n)


def write_files(folder: Path, ending: str, channels: int, n: int) -> list[str]:
    """Write a glide in noise n times, a second at a time (long Ogg files need that)."""
    rate = 44100
    t = np.arange(SECONDS * rate) / rate
    rng = np.random.default_rng(channels)
    tone = 0.3 * np.sin(2 * np.pi * (300 + 40 * t) * t)[:, None]
    samples = tone + 0.02 * rng.standard_normal((len(t), channels))
    first = folder / f"{channels}-0.{ending}"
    with sf.SoundFile(first, "w", rate, channels) as file:
        for start in range(0, len(t), rate):
            file.write(samples[start : start + rate])
    others = [folder / f"{channels}-{i}.{ending}" for i in range(1, n)]
    for other in others:
        other.write_bytes(first.read_bytes())
    return [str(path) for path in (first, *others)]


def bench_memory(report: Report, quick: bool) -> None:
    report.head("memory beyond what was there before, clips of 0.5 s")
    for n, way in ((10_000, "whole"), (10_000, "batches"), (100_000, "batches")):
        if quick and n > 10_000:
            continue
        command = [sys.executable, "-c", MEMORY, str(n), way]
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        extra, size = map(int, out.split())
        report.fact(f"{n} clips, {way}: extra peak", extra / 2**20, "MiB")
        if way == "whole":
            report.fact(f"{n} clips, {way}: beyond the output", 100 * (extra / size - 1), "%")


def bench_scaling(report: Report, quick: bool) -> None:
    report.head("scaling, clips of 0.5 s in memory, batches of 1000, clips per second")
    clip, encoder = noise(1, A, 0.5)[0], MelSpectrogram()
    for n in (10, 100, 1000, 10_000, 100_000)[: 4 if quick else 5]:
        X = [clip] * n
        figures = compare(
            {"skaudio": lambda X=X: [len(b) for b in encoder.transform_batches(X)]}, 3
        )
        report.fact(f"{n} clips", n / figures["skaudio"].median)


def bench_processes(report: Report, n: int, repeats: int) -> None:
    """What a grid search with ``n_jobs`` does: encoders in processes that run side by side."""
    report.head(f"{CORES} processes that encode at the same time, as in a grid search")
    times = n  # a second or more: what starts and ends the work weighs little
    contestants = {"one process": lambda: encode_repeatedly(CORES * times)}
    for threads in (1, CORES):  # joblib's choice in its workers, and too many

        def side_by_side(threads: int = threads) -> None:
            with joblib.parallel_config("loky", inner_max_num_threads=threads):
                joblib.Parallel(n_jobs=CORES)(
                    joblib.delayed(encode_repeatedly)(times) for _ in range(CORES)
                )

        contestants[f"processes, threads in each: {threads}"] = side_by_side
    figures = compare(contestants, repeats)
    for name, figure in list(figures.items())[1:]:
        ideal = figures["one process"].median / figure.median
        report.fact(f"{name}: throughput over that of one process with all threads", ideal)


def encode_repeatedly(times: int) -> None:
    X, encoder = noise(200, A, 1.0), MelSpectrogram()
    for _ in range(times):
        encoder.transform(X)


def first_call() -> float:
    """Seconds until the kernel has been compiled, or loaded from numba's cache."""
    start = time.perf_counter()
    MelSpectrogram().transform([np.zeros(8000, np.float32)])
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer clips and repeats")
    parser.add_argument(
        "--output", default="benchmarks/encoders.json", help="where to write the figures"
    )
    options = parser.parse_args()
    n, repeats = (40, 3) if options.quick else (200, 5)
    torch.set_num_threads(CORES)
    report = Report()
    print(", ".join(f"{name} {value}" for name, value in machine().items()))
    report.fact("first call (compiles, or loads from disk)", first_call(), "s")
    bench_cores(report, repeats)
    bench_arrays(report, n, repeats)
    bench_single(report, repeats)
    bench_limit(report, n, repeats)
    bench_random(report, n, repeats)
    with tempfile.TemporaryDirectory() as folder:
        bench_files(report, n // 2, repeats, Path(folder))
    bench_memory(report, options.quick)
    bench_scaling(report, options.quick)
    bench_processes(report, n, repeats)
    output = Path(options.output)
    output.write_text(json.dumps({"machine": machine(), "rows": report.rows}, indent=1))
    output.with_suffix(".md").write_text(report.markdown())
    print(f"\nwritten to {output} and, as a table, {output.with_suffix('.md')}")


if __name__ == "__main__":
    main()
