"""What embeddings are worth on FSDD's speakers who were not learned from.

    python benchmarks/accuracy_embeddings.py digits [--seeds 0 1 2 3 4] [--max-epochs 30]
    python benchmarks/accuracy_embeddings.py speakers [--seeds 0 1 2]

"digits" leaves out each speaker in turn, chops the classifier trained on the others, and compares
the nearest neighbour with the classifier itself. "speakers" learns to tell two speakers apart, for
each choice of two, and reports the equal error rate over all pairs of recordings of the others.
Results are appended to a file, a line per fit; those found there are not computed again.
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
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import silhouette_score
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skaudio.augmentation import VTLP, Noise, Speed, TimeShift
from skaudio.classifiers import LeNetClassifier
from skaudio.datasets import fetch_fsdd
from skaudio.embedders import NetEmbedder, SiameseEmbedder
from skaudio.encoders import MFCC, MelSpectrogram
from skaudio.metrics import equal_error_rate
from skaudio.pooling import FramePooling

AUGMENTED = Pipeline(
    [
        ("shift", TimeShift(shift=(-0.3, 0.3))),
        ("vtlp", VTLP(warp=(0.9, 1.1))),
        ("speed", Speed(rate=(0.9, 1.1))),
        ("noise", Noise(snr_db=(15, 40))),
        ("mel", MelSpectrogram(sample_rate=8000, n_mels=40)),
    ]
)
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


def probe(rows, labels):
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    return cross_val_score(model, rows, labels, cv=folds).mean()


def raw_rows(data):
    return make_pipeline(MFCC(sample_rate=8000), FramePooling()).fit_transform(data.data)


def digits(data, speaker, seed, max_epochs):
    """One classifier: its accuracy on the speaker left out, and what its embedding is worth."""
    X, y = data.data, data.target
    new = data.groups == speaker
    model = LeNetClassifier(AUGMENTED, max_epochs=max_epochs, random_state=seed)
    model.fit(X[~new], y[~new])
    rows = NetEmbedder(FrozenEstimator(model), normalize=True).transform(X)
    neighbour = KNeighborsClassifier(1).fit(rows[~new], y[~new])
    return {
        "classifier": model.score(X[new], y[new]),
        "1-NN": neighbour.score(rows[new], y[new]),
        "silhouette by digit": silhouette_score(rows, y),
        "silhouette by speaker": silhouette_score(rows, data.groups),
        "probe of digit": probe(rows, y),
        "probe of speaker": probe(rows, data.groups),
    }


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
    """Means over what was left out and over seeds; standard errors over the means of seeds."""
    table = pd.DataFrame(results).drop(columns="max_epochs", errors="ignore")
    measures = [c for c in table.columns if c not in ("left out", "seed")]
    print(table.groupby("left out")[measures].mean().T.round(3).to_string())
    by_seed = table.groupby("seed")[measures].mean()
    by_fit = table[measures]
    summary = pd.DataFrame(
        {
            "mean": by_fit.mean(),
            "standard error over fits": by_fit.sem(),
            "over seeds": by_seed.sem(),
        }
    )
    print(summary.round(4).to_string())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["digits", "speakers"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--max-epochs", type=int, default=30, help="of the digit classifier")
    parser.add_argument("--results", type=Path, help="default: benchmarks/embeddings_WHAT.jsonl")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    path = arguments.results or Path(f"benchmarks/embeddings_{arguments.what}.jsonl")
    data = fetch_fsdd()
    names = np.unique(data.groups).tolist()
    if arguments.what == "digits":
        left_out = [(name,) for name in names]
        raw = raw_rows(data)
        for name, labels in (("digit", data.target), ("speaker", data.groups)):
            silhouette, linear = silhouette_score(raw, labels), probe(raw, labels)
            print(
                f"MFCC, mean and deviation: {name}: silhouette {silhouette:.3f}, probe {linear:.4f}"
            )
    else:
        left_out = list(itertools.combinations(names, 2))
        frames, raw = list(VOICE.fit_transform(data.data)), raw_rows(data)
    for seed, new in itertools.product(arguments.seeds, left_out):
        if (list(new), seed) in [(r["left out"], r["seed"]) for r in read(path)]:
            continue
        if arguments.what == "digits":
            measured = digits(data, new[0], seed, arguments.max_epochs)
            measured["max_epochs"] = arguments.max_epochs
        else:
            measured = speakers(data, frames, raw, new, seed)
        measured = {key: round(float(value), 4) for key, value in measured.items()}
        row = json.dumps({"left out": new, "seed": seed, **measured})
        print(row, flush=True)
        with path.open("a") as file:
            file.write(row + "\n")
    show([{**row, "left out": " ".join(row["left out"])} for row in read(path)])


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


if __name__ == "__main__":
    main()
