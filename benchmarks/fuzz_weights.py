"""Read damaged files of weights: every damage is a ValueError that names the file.

    python benchmarks/fuzz_weights.py [RUNS] [SEED]

Each run changes, cuts or repeats bytes of a small file (torch, torch before 1.6, npz, compressed
npz, HDF5, with arrays of numpy beside the weights) and reads it. Prints counts, and ends with
status 1 if an exception of another kind escaped, weights that are not finite came through, or
memory grew by more than 200 MB.
"""

from __future__ import annotations

import io
import random
import resource
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from fuzz_archives import damage, main

from skaudio.pretrained._weights import read_tensors

MEMORY = 200 << 10  # in the units of ru_maxrss on Linux


def files() -> Iterator[tuple[str, bytes]]:
    """Yield files of weights by kind."""
    state = {"a": torch.arange(6.0), "b.c": torch.ones(3, 4, dtype=torch.int64)}
    arrays = {name: tensor.numpy() for name, tensor in state.items()}
    beside = {"model": state, "statistics": {"mAP": np.float64(0.4), "ap": np.zeros(5)}}
    for name, save in {
        "torch": lambda f: torch.save(state, f),
        "torch, with numpy": lambda f: torch.save(beside, f),
        "torch before 1.6": lambda f: torch.save(state, f, _use_new_zipfile_serialization=False),
        "npz": lambda f: np.savez(f, **arrays),
        "npz, compressed": lambda f: np.savez_compressed(f, **arrays),
        "HDF5": save_hdf5,
    }.items():
        stream = io.BytesIO()
        save(stream)
        yield name, stream.getvalue()


def save_hdf5(stream: io.BytesIO) -> None:
    import h5py

    with h5py.File(stream, "w") as file:
        for i in range(5):
            file[f"layer{i}/weight"] = np.ones(20, np.float32)


def run(n_runs: int, seed: int = 0) -> dict[str, Counter[str]]:
    """Return how often what has happened, by kind of file. Names of faults end in "!"."""
    made = list(files())
    counts: dict[str, Counter[str]] = {name: Counter() for name, _ in made}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with tempfile.TemporaryDirectory() as temporary, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(temporary, "net.pt")
        for i in range(n_runs):
            name, content = made[i % len(made)]
            path.write_bytes(damage(content, random.Random(f"{seed}/{i}")))
            counts[name][outcome(path)] += 1
            if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > before + MEMORY:
                counts[name]["memory!"] += 1
                before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return counts


def outcome(path: Path) -> str:
    """Read a file, and return what has come of it."""
    try:
        tensors = read_tensors(path, legacy=lambda path: True)
    except ValueError as error:
        return "refused" if str(path) in str(error) else "unnamed!"
    except BaseException as error:
        return f"{type(error).__name__}!"
    finite = all(np.isfinite(np.asarray(tensor.float())).all() for tensor in tensors.values())
    return "read" if finite else "not finite!"


if __name__ == "__main__":
    main(run, "files")
