"""Digits of speakers never heard: each of FSDD's speakers is left out in turn.

    python benchmarks/accuracy_digits.py [--nets lenet gru] [--seeds 0 1 2 3 4] [--results FILE]

Every net learns with and without augmentation. What its embedding is worth is measured as well:
the nearest neighbour on the speaker left out, and, over all recordings, silhouettes and linear
probes of digit and speaker, beside those of MFCC statistics. Results are appended to a file, a line
per fit, and those found there are not computed again: an interrupted run goes on where it was.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import silhouette_score
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skaudio.augmentation import VTLP, Noise, Speed, TimeShift
from skaudio.classifiers import GRUClassifier, LeNetClassifier
from skaudio.datasets import fetch_fsdd
from skaudio.embedders import NetEmbedder
from skaudio.encoders import MFCC, MelSpectrogram
from skaudio.pooling import FramePooling

# A floor 35 dB below each recording's maximum: below it, there is the microphone, not the word.
FLOOR = {"scale": "db", "top_db": 35}
MELS = {
    "lenet": MelSpectrogram(sample_rate=8000, n_mels=40, **FLOOR),
    "gru": MelSpectrogram(sample_rate=8000, n_mels=40, hop_length=160, **FLOOR),
}
NETS = {
    "lenet": LeNetClassifier(max_epochs=20),
    "gru": GRUClassifier(max_epochs=20),
}
HOW = ["augmented", "plain"]


def encoders(net):
    steps = [
        ("shift", TimeShift(shift=(-0.15, 0.15))),
        ("vtlp", VTLP(warp=(0.9, 1.1))),
        ("speed", Speed(rate=(0.9, 1.1))),
        ("noise", Noise(snr_db=(15, 40))),
        ("mel", MELS[net]),
    ]
    return {"plain": MELS[net], "augmented": Pipeline(steps)}


def measure(net, how, speaker, seed, data):
    held_out = data.groups == speaker
    start = time.perf_counter()
    model = clone(NETS[net]).set_params(encoder=encoders(net)[how], random_state=seed)
    model.fit(data.data[~held_out], data.target[~held_out])
    accuracy = model.score(data.data[held_out], data.target[held_out])
    return {
        "net": net,
        "encoder": how,
        "speaker": str(speaker),
        "seed": seed,
        "accuracy": round(float(accuracy), 4),
        "epochs": model.n_iter_,
        "seconds": round(time.perf_counter() - start, 1),
        **embedding(model, held_out, data),
    }


def embedding(model, held_out, data):
    """What is left of a classifier without its head, as it is and in rows of length 1."""
    found = {}
    for way, unit_norm in (("", False), (", length 1", True)):
        rows = NetEmbedder(FrozenEstimator(model), unit_norm=unit_norm).transform(data.data)
        nearest = KNeighborsClassifier(1).fit(rows[~held_out], data.target[~held_out])
        found["1-NN" + way] = nearest.score(rows[held_out], data.target[held_out])
        found |= {name + way: value for name, value in silhouettes(rows, data).items()}
        if not unit_norm:
            found |= probes(rows, data)
    return {name: round(float(value), 4) for name, value in found.items()}


def silhouettes(rows, data):
    """Whether rows group by digit or by speaker."""
    labels = {"digit": data.target, "speaker": data.groups}
    return {f"silhouette by {name}": silhouette_score(rows, y) for name, y in labels.items()}


def probes(rows, data):
    """What a linear model reads off rows: its cross-validated accuracy."""
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    labels = {"digit": data.target, "speaker": data.groups}
    return {
        f"probe of {n}": cross_val_score(model, rows, y, cv=folds).mean() for n, y in labels.items()
    }


def show(results):
    table = pd.DataFrame(results)
    key = ["net", "encoder"]
    by_speaker = table.pivot_table(index=key, columns="speaker", values="accuracy")
    by_seed = table.groupby([*key, "seed"])["accuracy"].mean()
    by_speaker["mean"] = by_seed.groupby(key).mean()
    by_speaker["std over seeds"] = by_seed.groupby(key).std()
    print(by_speaker.round(3).to_string())
    structural = [c for c in table.columns if c.startswith(("1-NN", "silhouette", "probe"))]
    print(table.groupby(key)[structural].mean().T.round(3).to_string())
    for net, rows in table.groupby("net"):
        pairs = rows.pivot_table(index=["speaker", "seed"], columns="encoder", values="accuracy")
        if {"plain", "augmented"} <= set(pairs.columns):
            gain = (pairs["augmented"] - pairs["plain"]).dropna()
            error = gain.std() / np.sqrt(len(gain))
            print(f"{net}: augmentation gains {gain.mean():.3f} +- {error:.3f}, {len(gain)} pairs")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nets", nargs="+", choices=list(NETS), default=list(NETS))
    parser.add_argument("--encoders", nargs="+", choices=HOW, default=HOW)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument("--results", type=Path, default=Path("benchmarks/digits.jsonl"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # start several of these rather than one with threads
    data = fetch_fsdd()
    raw = make_pipeline(MFCC(sample_rate=8000), FramePooling()).fit_transform(data.data)
    print(
        "MFCC, mean and deviation:",
        pd.Series(silhouettes(raw, data) | probes(raw, data)).round(4).to_dict(),
    )
    for seed, net, how, speaker in itertools.product(
        arguments.seeds, arguments.nets, arguments.encoders, np.unique(data.groups)
    ):
        done = read(arguments.results)
        if (net, how, speaker, seed) not in {
            (r["net"], r["encoder"], r["speaker"], r["seed"]) for r in done
        }:
            row = json.dumps(measure(net, how, speaker, seed, data))
            print(row, flush=True)
            with arguments.results.open("a") as file:
                file.write(row + "\n")
    show(read(arguments.results))


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


if __name__ == "__main__":
    main()
