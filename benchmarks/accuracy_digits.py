"""Digits of speakers who are not in the training data.

    python benchmarks/accuracy_digits.py [--data fsdd arabic] [--encoders plain augmented recipe]
        [--models nets classical] [--seeds 0 1 2] [--speakers 4] [--embeddings] [--results FILE]
    python benchmarks/accuracy_digits.py --show [--results FILE]

fsdd: each of the speakers is left out in turn. arabic: five folds, each tested on every fifth
speaker, of the recordings in the folder arabic_digits that SKAUDIO_DATA names (a folder per digit;
files named by speaker). --speakers: so many of its speakers train, and four others are tested, in
two folds, those of accuracy_augmentation.py.

Nets: LeNetClassifier and GRUClassifier learn for 20 epochs; "both" averages their probabilities.
"recipe" is skaudio.recipe("words"), and a GRUClassifier with its encoder, epochs and draws;
"recipe, plain" is the same without augmentation and draws.
classical: MFCC and mel statistics with a linear discriminant or a support vector machine, whose
settings a search chooses on the training speakers of each fold. --embeddings also measures what the
embeddings of the nets are worth: nearest neighbours, silhouettes and linear probes.

Results are appended to a file, a line per model, and those found there are not computed again: an
interrupted run goes on where it was. Standard errors are over speakers or folds, of means over
seeds. Seconds are of the processor: of a fit, or of the whole search.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from accuracy_augmentation import splits
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import silhouette_score
from sklearn.model_selection import (
    GroupKFold,
    LeaveOneGroupOut,
    StratifiedKFold,
    cross_val_score,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skaudio import recipe
from skaudio.audio import AudioBatch
from skaudio.augmentation import VTLP, DynamicRange, Speed
from skaudio.classifiers import GRUClassifier, LeNetClassifier
from skaudio.datasets import fetch_fsdd, get_data_home, load_audio_files
from skaudio.embedders import NetEmbedder
from skaudio.encoders import MFCC, MelSpectrogram, Waveform
from skaudio.pooling import FramePooling

RATES = {"fsdd": 8000, "arabic": 16000}
RECIPES_RATE = 16000  # of the encoder of skaudio.recipe("words")
EPOCHS = 20
HOW = ["plain", "augmented", "recipe", "recipe, plain"]


def nets(how, rate, n, seed):
    """Return both networks, with one encoder: plain mel bands in dB, augmented, or a recipe's."""
    if how.startswith("recipe"):
        lenet = recipe("words", n).set_params(random_state=seed)
        if how == "recipe, plain":
            lenet.set_params(encoder=lenet.encoder["mel"], n_draws=0)
        shared = ("encoder", "max_epochs", "batch_size", "n_draws", "random_state")
        gru = GRUClassifier(**{name: getattr(lenet, name) for name in shared})
        return {"lenet": lenet, "gru": gru}
    if how == "plain":
        encoder = MelSpectrogram(sample_rate=rate, n_mels=40, scale="db")
    else:
        mel = MelSpectrogram(sample_rate=rate, n_mels=40, scale="db", top_db=60)
        encoder = make_pipeline(VTLP((0.9, 1.1)), Speed((0.9, 1.1)), mel, DynamicRange((25, 65)))
    kinds = {"lenet": LeNetClassifier, "gru": GRUClassifier}
    return {
        name: kind(encoder, max_epochs=EPOCHS, random_state=seed) for name, kind in kinds.items()
    }


@functools.cache
def load(name, rate, n_speakers=None):
    """Return recordings, digits, speakers and the folds."""
    if name == "fsdd":
        data = fetch_fsdd()
    else:
        data = load_audio_files(get_data_home() / "arabic_digits", groups=r"/(\d+)_")
    X = AudioBatch(list(Waveform(sample_rate=rate).fit_transform(data.data)), rate)
    y, groups = np.asarray(data.target), np.asarray(data.groups)
    if name == "fsdd":
        return X, y, groups, list(LeaveOneGroupOut().split(X, y, groups))
    speakers = np.unique(groups)
    if n_speakers is None:
        parts = [(speakers[i::5], np.setdiff1d(speakers, speakers[i::5])) for i in range(5)]
    else:
        parts = splits(name, speakers, n_speakers)
    folds = [[np.flatnonzero(np.isin(groups, p)) for p in (train, test)] for test, train in parts]
    return X, y, groups, folds


def classical_frames(rate):
    """Return encoders and poolings to choose among. They learn nothing: rows are made once."""
    encoders = {"MFCC": MFCC(sample_rate=rate)}
    for n_mels in (24, 40):
        mel = MelSpectrogram(sample_rate=rate, n_mels=n_mels, scale="db", top_db=60)
        encoders[f"{n_mels} mels"] = mel
    parts = {"segment_by": "change", "segment_overlap": 0.5, "deltas": 1}
    return {
        f"{name}, {n} parts{', cmvn' if cmvn else ''}": make_pipeline(
            encoder, FramePooling(n_segments=n, cmvn=cmvn, **parts)
        )
        for name, encoder in encoders.items()
        for n in (6, 10)
        for cmvn in (False, True)
    }


CLASSIFIERS = {
    "LDA": LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
    "SVC": make_pipeline(StandardScaler(), SVC(C=10)),
}


def measure_classical(rows, y, groups, train, test):
    """Choose rows and classifier by the training speakers, and learn from all of them."""
    start = time.process_time()
    inner = GroupKFold(min(4, len(np.unique(groups[train]))))
    scores = {
        (frames, name): cross_val_score(
            model, values[train], y[train], groups=groups[train], cv=inner
        ).mean()
        for frames, values in rows.items()
        for name, model in CLASSIFIERS.items()
    }
    frames, name = max(scores, key=scores.get)
    model = CLASSIFIERS[name].fit(rows[frames][train], y[train])
    found = {"accuracy": model.score(rows[frames][test], y[test])}
    found["seconds"] = time.process_time() - start
    return found | {"chosen": {"frames": frames, "classifier": name}}


def measure_nets(X, y, train, test, how, rate, seed):
    """Yield (net, what is found, fitted model) of both nets, then of their average."""
    probabilities, seconds = [], 0.0
    for name, model in nets(how, rate, len(train), seed).items():
        start = time.process_time()
        model.fit(X[train], y[train])
        own = time.process_time() - start
        probabilities.append(model.predict_proba(X[test]))
        yield name, {"accuracy": accuracy(probabilities[-1], y[test]), "seconds": own}, model
        seconds += own
    yield (
        "both",
        {"accuracy": accuracy(np.mean(probabilities, 0), y[test]), "seconds": seconds},
        None,
    )


def accuracy(probabilities, y):
    return np.mean(probabilities.argmax(axis=1) == y)  # classes are 0 to 9


def embedding(model, X, y, groups, test):
    """What is left of a classifier without its head, as it is and in rows of length 1."""
    found = {}
    train = np.setdiff1d(np.arange(len(y)), test)
    for way, unit_norm in (("", False), (", length 1", True)):
        rows = NetEmbedder(FrozenEstimator(model), unit_norm=unit_norm).transform(X)
        nearest = KNeighborsClassifier(1).fit(rows[train], y[train])
        found["1-NN" + way] = nearest.score(rows[test], y[test])
        found |= {name + way: value for name, value in silhouettes(rows, y, groups).items()}
        if not unit_norm:
            found |= probes(rows, y, groups)
    return found


def silhouettes(rows, y, groups):
    """Whether rows group by digit or by speaker."""
    labels = {"digit": y, "speaker": groups}
    return {f"silhouette by {n}": silhouette_score(rows, label) for n, label in labels.items()}


def probes(rows, y, groups):
    """What a linear model reads off rows: its cross-validated accuracy."""
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    labels = {"digit": y, "speaker": groups}
    return {
        f"probe of {name}": cross_val_score(model, rows, label, cv=folds).mean()
        for name, label in labels.items()
    }


def run(name, arguments):
    rate = RATES[name]
    X, y, groups, folds = load(name, rate, arguments.speakers)
    if "classical" in arguments.models:
        run_classical(name, X, y, groups, folds, arguments.results)
    if "nets" in arguments.models:
        for how in arguments.encoders:
            resampled = how.startswith("recipe") and rate != RECIPES_RATE
            own = load(name, RECIPES_RATE)[0] if resampled else X
            run_nets(name, how, (own, y, groups, folds), arguments)


def run_classical(name, X, y, groups, folds, results):
    keys = [
        {"data": name, "model": "classical", "encoder": "plain", "fold": fold, "seed": 0}
        for fold in range(len(folds))
    ]
    if not any(is_new(results, key) for key in keys):
        return
    rows = {way: rower.fit_transform(X) for way, rower in classical_frames(RATES[name]).items()}
    for key, (train, test) in zip(keys, folds, strict=True):
        if is_new(results, key):
            append(results, key, measure_classical(rows, y, groups, train, test))


def run_nets(name, how, data, arguments):
    X, y, groups, folds = data
    for seed, (fold, (train, test)) in itertools.product(arguments.seeds, enumerate(folds)):
        key = {"data": name, "encoder": how, "fold": fold, "seed": seed}
        key |= {"speakers": arguments.speakers}
        if not is_new(arguments.results, {**key, "model": "both"}):
            continue
        for net, found, model in measure_nets(X, y, train, test, how, RATES[name], seed):
            if arguments.embeddings and model is not None:
                found |= embedding(model, X, y, groups, test)
            if is_new(arguments.results, {**key, "model": net}):
                append(arguments.results, {**key, "model": net}, found)


def is_new(path, key):
    return not any(all(row.get(k) == v for k, v in key.items()) for row in read(path))


def append(path, key, found):
    numbers = {k: v if isinstance(v, dict) else round(float(v), 4) for k, v in found.items()}
    row = json.dumps({**key, **numbers})
    print(row, flush=True)
    with path.open("a") as file:
        file.write(row + "\n")


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def show(rows):
    table = pd.DataFrame(rows)
    table["speakers"] = table["speakers"].fillna("all") if "speakers" in table else "all"
    key = ["data", "model", "encoder", "speakers"]
    per_fold = table.groupby([*key, "fold"])["accuracy"].mean()
    shown = pd.DataFrame({"accuracy": per_fold.groupby(key).mean()})
    shown["standard error"] = per_fold.groupby(key).sem()
    shown["seeds"] = table.groupby(key)["seed"].nunique()
    shown["fits"] = table.groupby(key)["seed"].size()
    shown["seconds"] = table.groupby(key)["seconds"].mean().round(1)
    print(shown.round(4).to_string())
    print(per_fold.unstack().round(3).to_string())
    structural = [c for c in table.columns if c.startswith(("1-NN", "silhouette", "probe"))]
    if structural:
        print(table.groupby(key)[structural].mean().T.round(3).to_string())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", nargs="+", choices=list(RATES), default=list(RATES))
    parser.add_argument("--encoders", nargs="+", choices=HOW, default=HOW)
    parser.add_argument("--models", nargs="+", default=["nets", "classical"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--speakers", type=int, help="number of training speakers of arabic")
    parser.add_argument("--embeddings", action="store_true")
    parser.add_argument("--results", type=Path, default=Path("benchmarks/digits.jsonl"))
    parser.add_argument("--show", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # start several of these rather than one with threads
    for name in () if arguments.show else arguments.data:
        run(name, arguments)
    show(read(arguments.results))


if __name__ == "__main__":
    main()
