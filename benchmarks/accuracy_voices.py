"""Telling voices apart that were not learned from: FSDD's speakers, two by two.

    python benchmarks/accuracy_voices.py [--seeds 0 1 2 3 4]

For each choice of two speakers, `SiameseEmbedder` learns from the other two; the equal error rate
is that over all pairs of recordings of the two chosen. Results are appended to a file, a line per
choice and seed; those found there are not computed again.
"""

from __future__ import annotations

import argparse
import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from scipy.spatial.distance import pdist
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaudio.datasets import fetch_fsdd
from skaudio.embedders import SiameseEmbedder
from skaudio.encoders import MFCC, MelSpectrogram
from skaudio.metrics import equal_error_rate
from skaudio.pooling import FramePooling

# A tenth of a second tells the harmonics of a voice apart.
VOICE = MelSpectrogram(sample_rate=8000, n_mels=128, win_length=800, n_fft=1024, eps=1e-8)
SPEAKERS = {"embedding_size": 256, "max_epochs": 3}
WAYS = {
    "linear hinge": {"hinge": "linear"},
    "linear hinge, labels permuted": {"hinge": "linear"},
    "linear hinge, margin 1.25": {"hinge": "linear", "margin": 1.25},
    "linear hinge, margin 1.25, labels permuted": {"hinge": "linear", "margin": 1.25},
    "squared hinge": {"hinge": "squared"},
    "squared hinge, labels permuted": {"hinge": "squared"},
    "untrained": {"lr": 1e-12},
}


def raw_rows(data):
    return make_pipeline(MFCC(sample_rate=8000), FramePooling()).fit_transform(data.data)


def error_rate(rows, speakers):
    codes = np.unique(speakers, return_inverse=True)[1]
    return equal_error_rate(pdist(codes[:, None], "cityblock") == 0, -pdist(rows))


def speakers(data, frames, raw, pair, seed):
    """Equal error rates on two speakers, learned from the others in several ways."""
    known = np.flatnonzero(~np.isin(data.groups, pair))
    new = np.flatnonzero(np.isin(data.groups, pair))
    out = {
        "MFCC, mean and deviation": error_rate(
            StandardScaler().fit(raw[known]).transform(raw[new]), data.groups[new]
        )
    }
    for way, params in WAYS.items():
        y = data.groups[known]
        if "permuted" in way:
            y = np.random.default_rng(seed).permutation(y)
        model = SiameseEmbedder(random_state=seed, **SPEAKERS, **params)
        model.fit([frames[i] for i in known], y)
        out[way] = error_rate(model.transform([frames[i] for i in new]), data.groups[new])
    return out


def show(results):
    """Means over choices and seeds; standard errors over fits, and over the means of seeds."""
    table = pd.DataFrame(results)
    measures = [c for c in table.columns if c not in ("left out", "seed")]
    print(table.groupby("left out")[measures].mean().T.round(3).to_string())
    summary = {
        "mean": table[measures].mean(),
        "standard error over fits": table[measures].sem(),
        "over seeds": table.groupby("seed")[measures].mean().sem(),
    }
    print(pd.DataFrame(summary).round(4).to_string())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--results", type=Path, default=Path("benchmarks/voices.jsonl"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    data = fetch_fsdd()
    frames, raw = list(VOICE.fit_transform(data.data)), raw_rows(data)
    pairs = itertools.combinations(np.unique(data.groups).tolist(), 2)
    for seed, pair in itertools.product(arguments.seeds, pairs):
        left_out = " ".join(pair)
        if (left_out, seed) in [(r["left out"], r["seed"]) for r in read(arguments.results)]:
            continue
        rates = speakers(data, frames, raw, pair, seed)
        rates = {key: round(float(value), 4) for key, value in rates.items()}
        row = json.dumps({"left out": left_out, "seed": seed, **rates})
        print(row, flush=True)
        with arguments.results.open("a") as file:
            file.write(row + "\n")
    show(read(arguments.results))


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


if __name__ == "__main__":
    main()
