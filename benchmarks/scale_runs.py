"""Runs of `skaudio.scale.embed` that are killed, timed, and watched.

    python benchmarks/scale_runs.py kills [--kills 30]
    python benchmarks/scale_runs.py speed [--net]
    python benchmarks/scale_runs.py damage
    python benchmarks/scale_runs.py costs
    python benchmarks/scale_runs.py soak [--recordings 200000] [--plot soak.png] [--csv soak.csv]

Each prints what it found, and fails if that is not what it should be. The recordings are clips of
a few hundred files, so that no disk is filled.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import itertools
import os
import random
import shutil
import signal
import statistics
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import soundfile as sf
from sklearn.pipeline import make_pipeline

from skaudio import MFCC, FramePooling, PretrainedEmbedder, Waveform, load_spoken_digits
from skaudio.scale import embed, folder_state, load_rows

CLIP = 0.3  # seconds


def model_of(net):
    """Return the small transformer: MFCC and statistics, or a network with random weights."""
    if net:
        return PretrainedEmbedder("mn01_as", weights="random")
    return make_pipeline(MFCC(), FramePooling())


def clips_of(n, folder, *, n_damaged=0, n_files=300):
    """Return a table of n clips of some hundred files, some of which are damaged."""
    rng = np.random.default_rng(0)
    paths = []
    for i, path in enumerate(load_spoken_digits().data[:n_files]):
        waveform, rate = sf.read(path)
        paths.append(f"{folder}/{i:03d}.wav")
        sf.write(paths[-1], np.resize(waveform, 2 * rate), rate)
    file = np.repeat(paths, -(-n // len(paths)))[:n].astype(object)
    onset = rng.uniform(0, 2 - CLIP, n).round(4)
    damaged = f"{folder}/damaged.wav"
    Path(damaged).write_bytes(Path(paths[0]).read_bytes()[:1000])
    file[rng.choice(n, n_damaged, replace=False)] = damaged
    return pd.DataFrame({"file": file, "onset": onset, "offset": onset + CLIP})


def child(X, folder, *, jobs, size):
    """Return the id of a process that embeds; a group of its own, to be killed with its workers.

    It is forked, so that its start costs no imports. Workers of it start as always.
    """
    sys.stdout.flush()
    process = os.fork()
    if process:
        return process
    code = 1
    try:
        os.setsid()
        warnings.simplefilter("ignore")
        embed(model_of(False), X, folder, part_size=size, n_jobs=jobs)
        code = 0
    finally:
        os._exit(code)


def code_of(process):
    """Wait for a process; return its exit code, or minus the signal that has ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def ended(process):
    """Whether a process has ended, which it may then only be asked once."""
    return os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def contents(folder):
    """Return what is in the files of a folder, by name; temporary files too."""
    paths = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def kills(options, place):
    """Kill a run at random moments, until it has had so many; compare with one in peace."""
    X = clips_of(options.recordings or 30_000, place, n_damaged=30)
    size = len(X) // 300
    assert code_of(child(X, f"{place}/whole", jobs=1, size=size)) == 0
    rng = random.Random(0)
    rows = Path(place, "killed", "rows")
    moments = []

    def finished():
        return len(list(rows.glob("part-*.parquet")))

    while len(moments) < options.kills:
        jobs = rng.choice([1] * 6 + [2])
        process = child(X, f"{place}/killed", jobs=jobs, size=size)
        # After some parts, and a moment: while one is computed, written, or renamed. Or at once.
        target = finished() + rng.choice([0, *range(20)])
        while finished() < target and not ended(process):
            time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.1))
        if ended(process):  # all is done: most of it is undone, to go on killing
            assert code_of(process) == 0
            for path in rng.sample(sorted(rows.glob("*.parquet")), 250):
                path.unlink()
            continue
        if rng.random() < 0.5:  # the parent alone: its workers find out
            os.kill(process, signal.SIGKILL)
        else:
            os.killpg(process, signal.SIGKILL)
        assert code_of(process) == -signal.SIGKILL
        moments.append((jobs, finished()))
    left = len(list(Path(place, "killed").rglob("*.tmp")))
    time.sleep(5)  # for workers of a killed parent
    assert code_of(child(X, f"{place}/killed", jobs=2, size=size)) == 0
    same = contents(f"{place}/killed") == contents(f"{place}/whole")
    print(f"{len(moments)} kills of runs over {len(X)} recordings in {-(-len(X) // size)} parts")
    print(f"(processes, parts finished) at each: {moments}")
    print(f"temporary files left by kills before the last run: {left}")
    print(f"folder identical to an undisturbed one: {same}")
    print(folder_state(f"{place}/killed"))
    assert same


def speed(options, place):
    """Time 1 and 2 worker processes in turn, with equal results."""
    n = options.recordings or (600 if options.net else 20_000)
    X = clips_of(n, place)
    model = model_of(options.net)
    import joblib

    seconds = {1: [], 2: []}
    with joblib.parallel_config(backend="loky", inner_max_num_threads=1):
        for repeat in range(options.repeats + 1):
            for jobs in seconds:
                folder = Path(place, f"rows{jobs}")
                shutil.rmtree(folder, ignore_errors=True)
                began = time.perf_counter()
                embed(model, X, folder, part_size=max(10, n // 40), n_jobs=jobs)
                if repeat:  # the first starts the workers, and compiles
                    seconds[jobs].append(time.perf_counter() - began)
    same = contents(f"{place}/rows1") == contents(f"{place}/rows2")
    medians = {jobs: statistics.median(times) for jobs, times in seconds.items()}
    print(f"{n} recordings, {'network' if options.net else 'MFCC'}, load {os.getloadavg()}")
    for jobs, times in seconds.items():
        print(f"  {jobs} process(es): {medians[jobs]:.2f} s {[round(t, 2) for t in times]}")
    print(f"  ratio {medians[1] / medians[2]:.2f}, folders identical: {same}")
    assert same


def damage(options, place):
    """List all of one recording in a thousand that is damaged."""
    n = options.recordings or 20_000
    X = clips_of(n, place, n_damaged=n // 1000)
    state = embed(model_of(options.net), X, f"{place}/rows", n_jobs=1)
    failures = load_rows(f"{place}/rows").failures
    expected = np.flatnonzero(X["file"].str.endswith("damaged.wav"))
    assert failures["recording"].tolist() == expected.tolist()
    assert failures["reason"].str.len().gt(0).all()
    print(f"{state}\nreason of the first: {failures['reason'][0]}")


def soak(options, place):
    """Watch memory, handles and threads, and the time per recording, over a long run."""
    n = options.recordings or 200_000
    X = clips_of(n, place, n_damaged=n // 1000)
    model = model_of(options.net)
    model.transform(X[:300])
    samples = []
    ended = threading.Event()
    began, cpu = time.perf_counter(), time.process_time()

    def watch():
        while not ended.wait(options.every):
            status = Path("/proc/self/status").read_text()
            facts = dict(line.split(":\t") for line in status.splitlines() if ":\t" in line)
            samples.append(
                {
                    "seconds": time.perf_counter() - began,
                    "cpu_seconds": time.process_time() - cpu,
                    "n_done": 1000 * len(list(Path(place, "rows", "rows").glob("part-*.parquet"))),
                    "megabytes": int(facts["VmRSS"].split()[0]) / 1024,
                    "threads": int(facts["Threads"]),
                    "handles": len(os.listdir("/proc/self/fd")),
                }
            )

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        state = embed(model, X, f"{place}/rows", n_jobs=1)
    finally:
        ended.set()
        watcher.join()
    seconds, used = time.perf_counter() - began, time.process_time() - cpu
    size = sum(path.stat().st_size for path in Path(place, "rows").rglob("*") if path.is_file())
    print(state)
    print(f"{seconds:.0f} s, {used:.0f} s of CPU: {1e6 * used / n:.0f} us of CPU per recording")
    print(f"{size / n:.0f} bytes on disk per recording")
    table = pd.DataFrame(samples)
    quarter = len(table) // 4
    for name in ("megabytes", "threads", "handles"):
        first, last = table[name][quarter : 2 * quarter].median(), table[name][-quarter:].median()
        print(f"{name}: {first:.0f} in the second quarter, {last:.0f} in the last one")
    rates = [np.polyfit(part["n_done"], part["cpu_seconds"], 1)[0] * 1e6 for part in (
        table[quarter : 2 * quarter], table[-quarter:])]  # fmt: skip
    print(
        f"us of CPU per recording: {rates[0]:.0f} in the second quarter, {rates[1]:.0f} in the last"
    )
    if options.csv:
        table.round(3).to_csv(options.csv, index=False, quoting=csv.QUOTE_MINIMAL)
    if options.plot:
        draw(table, options.plot)


def costs(options, place):
    """Print CPU seconds and bytes per recording, from which runs of any size are reckoned."""
    rng = np.random.default_rng(0)
    forms = {"WAV 16 kHz mono": ("wav", 16000, 1), "FLAC 44.1 kHz stereo": ("flac", 44100, 2)}
    forms["MP3 44.1 kHz stereo"] = ("mp3", 44100, 2)
    n = options.recordings or 60
    voice = np.concatenate([sf.read(path)[0] for path in load_spoken_digits().data[:40]])
    encoder = Waveform()
    for form, (suffix, rate, channels) in forms.items():
        paths = [f"{place}/{i}.{suffix}" for i in range(n)]
        for path in paths:
            signal = np.resize(np.roll(voice, rng.integers(len(voice))), 10 * rate)
            sf.write(path, np.stack([signal] * channels, axis=1), rate)
        size = sum(os.path.getsize(path) for path in paths) / n
        decode = cpu_of(lambda paths=paths: [encoder.transform([path]) for path in paths]) / n
        hashing = cpu_of(lambda paths=paths: [sha256(path) for path in paths]) / n
        print(f"10 s of {form}: {size / 1e6:.2f} MB, decode {1e3 * decode:.2f} ms of CPU,"
              f" SHA-256 {1e3 * hashing:.2f} ms")  # fmt: skip
    models = {"MFCC and statistics": model_of(False)}
    models |= {name: PretrainedEmbedder(name, weights="random") for name in ("mn04_as", "mn10_as")}
    clips = encoder.transform([f"{place}/{i}.wav" for i in range(n)])
    for name, model in models.items():
        model.transform(clips[:8])
        used = cpu_of(lambda model=model: model.transform(clips)) / n
        width = model.transform(clips[:1]).shape[1]
        print(f"10 s through {name}: {1e3 * used:.2f} ms of CPU, {width} columns")
    short = [f"{place}/recorder_{i:07d}.wav" for i in range(1000)]  # a part of different files
    for path in short:
        sf.write(path, rng.normal(size=8000) * 0.1, 16000)
    for name, dtype in itertools.product(
        ["MFCC and statistics", "mn04_as"], ["float32", "float16"]
    ):
        folder = Path(place, f"{name} {dtype}")
        embed(models[name], short, folder, dtype=dtype, n_jobs=1)
        size = sum(path.stat().st_size for path in Path(folder, "rows").glob("*"))
        print(f"{size / 1000:.0f} bytes per row of {name}, {dtype}")
    # What a recording costs besides its samples: clips of two lengths give it.
    per = {}
    for seconds, many in ((CLIP, 6000), (1.8, 2000)):
        X = clips_of(many, place)
        X["onset"], X["offset"] = 0.1, 0.1 + seconds
        folder = Path(place, f"clips{seconds}")
        used = cpu_of(lambda X=X, folder=folder: embed(models["MFCC and statistics"], X, folder))
        per[seconds] = used / many * 1e6
    rate = (per[1.8] - per[CLIP]) / (1.8 - CLIP)
    fixed = per[CLIP] - CLIP * rate
    print(f"clips of WAV, MFCC: {fixed:.0f} us + {rate:.0f} us per second of sound")


def cpu_of(call):
    """Return the seconds of CPU of a call."""
    began = time.process_time()
    call()
    return time.process_time() - began


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def draw(table, path):
    """Draw the samples of a soak."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots(2, 2, sharex=True).ravel()
    done = table["n_done"] / 1000
    per = table["cpu_seconds"].diff(20) / table["n_done"].diff(20) * 1e6
    drawn = {
        "memory [MB]": table["megabytes"],
        "open handles": table["handles"],
        "threads": table["threads"],
        "CPU per recording [us]": per.where(np.isfinite(per)),
    }
    for ax, (title, values) in zip(axes, drawn.items(), strict=True):
        ax.plot(done, values)
        ax.set(title=title, ylim=(0, 1.3 * values[len(values) // 10 :].max()))
    for ax in axes[2:]:
        ax.set_xlabel("recordings done [thousand]")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("kills", "speed", "damage", "soak", "costs"))
    parser.add_argument("--recordings", type=int)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--net", action="store_true", help="a network in place of MFCC")
    parser.add_argument("--every", type=float, default=0.5, help="seconds between samples")
    parser.add_argument("--plot")
    parser.add_argument("--csv")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        globals()[options.what](options, place)
