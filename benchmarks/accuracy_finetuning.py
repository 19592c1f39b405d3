"""Whether training a pretrained network further pays, against a classifier on its features.

    python benchmarks/accuracy_finetuning.py run esc10 [--folds 1 2 3 4] [--settings frozen all]
        [--seeds 0] [--device cpu] [--out results.jsonl]
    python benchmarks/accuracy_finetuning.py inner esc10 [--folds 1] [--settings ...]
    python benchmarks/accuracy_finetuning.py show [--out results.jsonl]

SKAUDIO_DATA names the data home with esc10, cats_dogs, arabic_digits, and the weights of mn04_as.

esc10: folds 1 to 4, each left out in turn (320 clips); fold 5 is not used. cats_dogs: five folds,
stratified. arabic: spoken digits of twenty speakers, four of which are left out in turn. Chunks
last 5 s, except where a recording is shorter. ``inner`` leaves out folds of the training part
instead, to choose settings.

Results are appended to a file, a line per fit, and those found there are not computed again.
Standard errors are over folds, of means over seeds; differences are paired by fold.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import LeaveOneGroupOut, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaudio.augmentation import FrequencyMask, TimeMask, TimeShift, Volume
from skaudio.datasets import (
    fetch_esc10,
    get_data_home,
    load_audio_files,
    load_cats_dogs,
)
from skaudio.encoders import Waveform
from skaudio.pretrained import FineTunedClassifier, PretrainedEmbedder

RATE = 32000  # of mn04_as
CHUNKS = {"chunk_duration": 5.0}
SLOW, FAST = {"lr": 1e-3}, {"lr": 3e-3}
AUGMENTATION = make_pipeline(Volume(), TimeShift(), TimeMask(), FrequencyMask())
SETTINGS = {
    "frozen": None,
    "head": {"unfreeze": "head", "max_epochs": 30, **FAST},
    "last 4": {"unfreeze": 4, **SLOW},
    "last 4, lr x 3": {"unfreeze": 4, **FAST},
    "all": {"unfreeze": "all", **SLOW},
    "all, lr x 3": {"unfreeze": "all", **FAST},
    "all, multiplier 1": {"unfreeze": "all", "lr_multipliers": {"*": 1}, **SLOW},
    "staged": SLOW,
    "staged, lr x 3": FAST,
    "staged, augmented": {"augmentation": AUGMENTATION, **FAST},
}


def load(name):
    """Return recordings, labels, and splits as (name, training, test)."""
    if name == "esc10":
        data = fetch_esc10()
        kept = np.flatnonzero(data.groups != 5)
        y, groups = data.target[kept], data.groups[kept]
        splits = LeaveOneGroupOut().split(kept, y, groups)
        X = decoded([data.data[i] for i in kept])
        return X, y, [(int(groups[b[0]]), a, b) for a, b in splits]
    if name == "arabic":
        data = load_audio_files(get_data_home() / "arabic_digits", groups=r"/(\d+)_")
        speakers = np.unique(data.groups)
        tests = [np.isin(data.groups, speakers[i::5]) for i in range(5)]
        splits = [(i + 1, np.flatnonzero(~t), np.flatnonzero(t)) for i, t in enumerate(tests)]
        return decoded(data.data), np.asarray(data.target), splits
    data = load_cats_dogs()
    splits = StratifiedKFold(5, shuffle=True, random_state=0).split(data.data, data.target)
    return decoded(data.data), data.target, [(i + 1, a, b) for i, (a, b) in enumerate(splits)]


def decoded(paths):
    """Return recordings at the rate of the network, which are fitted many times."""
    waveforms = Waveform(sample_rate=RATE).fit_transform(paths)
    return [{"array": waveform, "sampling_rate": RATE} for waveform in waveforms]


def inner_splits(splits, folds):
    """Return splits of the training part of each outer fold into its other folds."""
    fold_of = {int(i): name for name, _, test in splits for i in test}
    found = []
    for outer, training, _ in splits:
        for inner in sorted({fold_of[i] for i in training.tolist()}) if outer in folds else ():
            held = np.array([fold_of[i] == inner for i in training.tolist()])
            found.append((f"{outer}/{inner}", training[~held], training[held]))
    return found


def make(setting, seed, device):
    """Return the estimator of a setting."""
    if setting == "frozen":
        features = PretrainedEmbedder(**CHUNKS, device=device)
        return make_pipeline(features, StandardScaler(), LogisticRegression(max_iter=2000))
    fixed = {**CHUNKS, "random_state": seed, "device": device}
    return FineTunedClassifier(**{**fixed, **SETTINGS[setting]})


def run(args):
    """Fit what is asked for and not found in the file."""
    X, y, splits = load(args.data)
    folds = args.folds or [name for name, *_ in splits]
    if args.command == "inner":
        splits = inner_splits(splits, folds)
    else:
        splits = [split for split in splits if split[0] in folds]
    done = (
        [json.loads(line) for line in args.out.read_text().splitlines()]
        if args.out.exists()
        else []
    )
    known = {(r["data"], r["setting"], str(r["fold"]), r["seed"]) for r in done}
    for setting in args.settings:
        for seed in [0] if setting == "frozen" else args.seeds:
            for fold, training, test in splits:
                if (args.data, setting, str(fold), seed) in known:
                    continue
                wall, cpu = time.perf_counter(), time.process_time()
                model = make(setting, seed, args.device).fit([X[i] for i in training], y[training])
                row = {
                    "data": args.data,
                    "setting": setting,
                    "fold": fold,
                    "seed": seed,
                    "seconds": round(time.perf_counter() - wall, 1),
                    "cpu": round(time.process_time() - cpu, 1),
                    "accuracy": model.score([X[i] for i in test], y[test]),
                    "n": len(test),
                }
                with args.out.open("a") as file:
                    file.write(json.dumps(row) + "\n")
                print(row, flush=True)


def show(args):
    """Print a table for each data set, of the outer and of the inner folds."""
    rows = pd.DataFrame(json.loads(line) for line in args.out.read_text().splitlines())
    rows["data"] += np.where(rows["fold"].astype(str).str.contains("/"), ", inner folds", "")
    for data, part in rows.groupby("data"):
        by_fold = part.groupby(["setting", "fold"])["accuracy"].mean().unstack("setting")
        seconds = part.groupby("setting")["cpu"].mean()
        table = []
        for setting in SETTINGS:
            if setting not in by_fold:
                continue
            found = by_fold[setting].dropna()
            difference = (by_fold[setting] - by_fold["frozen"]).dropna()
            n = len(difference)
            table.append(
                {
                    "setting": setting,
                    "accuracy": found.mean(),
                    "error": found.std() / np.sqrt(len(found)),
                    "minus frozen": difference.mean(),
                    "its error": difference.std() / np.sqrt(n) if n else np.nan,
                    "folds": len(found),
                    "seeds": part.loc[part["setting"] == setting, "seed"].nunique(),
                    "CPU s per fit": seconds[setting],
                }
            )
        print(f"{data}\n{pd.DataFrame(table).round(4).to_string(index=False)}\n")


def main():
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=["run", "inner", "show"])
    parser.add_argument(
        "data", nargs="?", default="esc10", choices=["esc10", "cats_dogs", "arabic"]
    )
    parser.add_argument("--folds", type=int, nargs="+")
    parser.add_argument(
        "--settings", nargs="+", choices=SETTINGS, default=["frozen", "head", "all"]
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, default=Path("finetuning.jsonl"))
    args = parser.parse_args()
    show(args) if args.command == "show" else run(args)


if __name__ == "__main__":
    main()
