"""The effect of augmentation on voices that are not in the training data, and on a shortcut.

    python benchmarks/accuracy_augmentation.py words [--data arabic fsdd] [--speakers 4 8 16]
        [--nets lenet gru] [--settings plain old new] [--seeds 0 1 2]
    python benchmarks/accuracy_augmentation.py shortcut [--seeds 0 1 2]
    python benchmarks/accuracy_augmentation.py show

SKAUDIO_DATA names the folder that holds arabic_digits (a folder per digit; 20 speakers, files named
by speaker), fsdd (four speakers) and cats_dogs.

words, arabic: two folds, each with four test speakers, which do not occur in the other fold and
were not used to choose the settings. 4, 8 or 16 of the other speakers train. words, fsdd: each
speaker is left out in turn. Networks train for 20 epochs.

shortcut: cats and dogs, five folds; white noise is planted on the training recordings of dogs
alone. The test recordings have no noise, or noise on the dogs, as in training.

Results are appended to a file, a line per fit, and those found there are not computed again.
Standard errors are over folds, of means over seeds.
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
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skaudio.audio import AudioBatch
from skaudio.augmentation import VTLP, DynamicRange, Noise, Speed, TimeShift
from skaudio.classifiers import GRUClassifier, LeNetClassifier
from skaudio.datasets import (
    audit_recordings,
    fetch_fsdd,
    get_data_home,
    load_audio_files,
    load_cats_dogs,
)
from skaudio.encoders import MFCC, MelSpectrogram, Waveform
from skaudio.pooling import FramePooling

NETS = {
    "lenet": LeNetClassifier(channels=(24, 48, 96, 128), max_epochs=20),
    "gru": GRUClassifier(max_epochs=20),
}
RATE = 16000  # to which FSDD, of 8 kHz, is resampled
DATA = ["arabic", "fsdd"]
TEST_SPEAKERS = 4  # in each of two folds of the Arabic digits
COPIES = 4  # of each training recording of cats and dogs, with draws of their own
SNR_DB = 10  # of the noise planted on dogs
SPEEDS = (0.95, 1.0, 1.05)  # of the copies whose probabilities are averaged


def mel(**params):
    return MelSpectrogram(n_mels=40, scale="db", **params)


def encoder(setting):
    """Return the frames of one setting: plain, the advice of earlier versions, or that of now."""
    if setting == "plain":
        return mel(top_db=60)
    if setting == "old":
        return make_pipeline(
            TimeShift((-0.15, 0.15), mode="cut"),
            VTLP((0.9, 1.1)),
            Speed((0.9, 1.1)),
            Noise(snr_db=(15, 40)),
            mel(sample_rate=8000, top_db=35),
        )
    return make_pipeline(
        VTLP((0.85, 1.15)), Speed((0.85, 1.15)), mel(top_db=60), DynamicRange((25, 65))
    )


def words(name):
    """Return waveforms, words and speakers."""
    if name == "fsdd":
        data = fetch_fsdd()
    else:
        data = load_audio_files(get_data_home() / "arabic_digits", groups=r"/(\d+)_")
    waveforms = list(Waveform(sample_rate=RATE).fit_transform(data.data))
    return waveforms, np.asarray(data.target), np.asarray(data.groups)


def splits(name, speakers, n_train):
    """Return (test speakers, training speakers) of each fold."""
    if name == "fsdd":
        return [([one], [other for other in speakers if other != one]) for one in speakers]
    order = np.random.default_rng(0).permutation(speakers).tolist()
    first, second = order[:TEST_SPEAKERS], order[TEST_SPEAKERS : 2 * TEST_SPEAKERS]
    others = order[2 * TEST_SPEAKERS :]
    return [(first, (others + second)[:n_train]), (second, (others + first)[:n_train])]


def measure_words(arguments):
    for name in arguments.data:
        X, y, groups = words(name)
        counts = [3] if name == "fsdd" else arguments.speakers
        for seed, n, net, setting in itertools.product(
            arguments.seeds, counts, arguments.nets, arguments.settings
        ):
            for fold, (test, train) in enumerate(splits(name, np.unique(groups), n)):
                key = {"part": "words", "data": name, "speakers": n, "net": net}
                key |= {"setting": setting, "fold": fold, "seed": seed}
                if not is_new(arguments.results, key):
                    continue
                a, b = (np.flatnonzero(np.isin(groups, some)) for some in (train, test))
                model = clone(NETS[net]).set_params(encoder=encoder(setting), random_state=seed)
                start = time.process_time()
                model.fit([X[i] for i in a], y[a])
                seconds = time.process_time() - start
                held_out = [X[i] for i in b]
                found = {"accuracy": model.score(held_out, y[b]), "seconds": seconds}
                found["averaged"] = np.mean(averaged(model, held_out) == y[b])
                append(arguments.results, key, **found)


def averaged(model, recordings):
    """Return what is predicted from mean probabilities of copies at several speeds."""
    speeds = [Speed(rate).augment(recordings, range(len(recordings))) for rate in SPEEDS]
    probabilities = np.mean([model.predict_proba(list(copy)) for copy in speeds], axis=0)
    return model.classes_[probabilities.argmax(axis=1)]


def classifier(setting, seed):
    """Return the classical pipeline, with noise on both classes, or a high floor, if asked for."""
    top_db = 30 if setting.endswith("floor") else 80
    steps = [MFCC(top_db=top_db), FramePooling(), StandardScaler(), SVC()]
    if setting.startswith("Noise"):
        steps.insert(0, Noise(snr_db=(-10, 20), random_state=seed))
    return make_pipeline(*steps)


def planted(waveforms, y, seed):
    """Return the recordings with noise on the dogs."""
    rows = [i for i, label in enumerate(y) if label == "dog"]
    noisy = Noise(snr_db=SNR_DB, random_state=seed).fit_transform([waveforms[i] for i in rows])
    out = list(waveforms)
    for i, waveform in zip(rows, noisy, strict=True):
        out[i] = waveform
    return out


def measure_shortcut(arguments):
    pets = load_cats_dogs()
    X, y = list(Waveform().fit_transform(pets.data)), pets.target_names[pets.target]
    for name, recordings in {"as they are": X, "noise on dogs": planted(X, y, 0)}.items():
        audit = audit_recordings(AudioBatch(recordings, RATE), y)
        print(f"{name}: {audit.shortcuts.round(3).to_dict()}")
        print([f.message for f in audit.findings if f.kind == "shortcut"], flush=True)
    for seed in arguments.seeds:
        folds = StratifiedKFold(5, shuffle=True, random_state=seed).split(X, y)
        for fold, (train, test) in enumerate(folds):
            clean, held_out = [X[i] for i in train], [X[i] for i in test]
            shortcut = planted(clean, y[train], seed)
            tests = {"clean": held_out, "noise on dogs": planted(held_out, y[test], seed + 1)}
            for setting, recordings in {
                "no noise": clean,
                "noise on dogs": shortcut,
                "Noise on both": shortcut,
                "floor": shortcut,
                "Noise on both, floor": shortcut,
            }.items():
                start = time.process_time()
                model = classifier(setting, seed)
                model.fit(recordings * COPIES, np.tile(y[train], COPIES))
                seconds = time.process_time() - start
                for where, some in tests.items():
                    key = {"part": "shortcut", "data": "cats_dogs", "net": "MFCC, SVC"}
                    key |= {"setting": setting, "tested on": where, "fold": fold, "seed": seed}
                    if is_new(arguments.results, key):
                        accuracy = model.score(some, y[test])
                        append(arguments.results, key, accuracy=accuracy, seconds=seconds)


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def is_new(path, key):
    return not any(key.items() <= row.items() for row in read(path))


def append(path, key, **found):
    row = json.dumps(key | {name: round(float(value), 4) for name, value in found.items()})
    print(row, flush=True)
    with path.open("a") as file:
        file.write(row + "\n")


def show(path):
    """Print accuracies, their standard errors over folds, and seconds of CPU per fit."""
    table = pd.DataFrame(read(path))
    for _, rows in table.groupby("part"):
        names = ["data", "speakers", "net", "setting", "tested on"]
        names = [n for n in names if n in rows and rows[n].notna().any()]
        measured = [n for n in ("accuracy", "averaged", "seconds") if n in rows]
        by_fold = rows.groupby([*names, "fold"])[measured].mean()
        grouped = by_fold.groupby(names)
        summary = grouped.mean()
        summary.insert(1, "standard error", grouped["accuracy"].sem())
        summary["seeds"] = rows.groupby(names)["seed"].nunique()
        print(summary.round({"accuracy": 3, "standard error": 3, "seconds": 2}).to_string())
        gains(rows)


def gains(rows):
    """Print what each setting gains on plain, paired by fold and seed."""
    keys = ["data", "speakers", "net", "fold", "seed"]
    if "plain" not in set(rows["setting"]):
        return
    table = rows.pivot_table(index=keys, columns="setting", values="accuracy")
    for setting in [s for s in table if s != "plain"]:
        gain = (table[setting] - table["plain"]).dropna().groupby(keys[:3])
        found = pd.DataFrame({"gain": gain.mean(), "standard error": gain.sem(), "n": gain.size()})
        print(f"{setting} less plain:\n{found.round(3).to_string()}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=["words", "shortcut", "show"])
    parser.add_argument("--data", nargs="+", choices=DATA, default=DATA)
    parser.add_argument("--speakers", nargs="+", type=int, default=[4, 8, 16])
    parser.add_argument("--nets", nargs="+", choices=list(NETS), default=list(NETS))
    parser.add_argument(
        "--settings", nargs="+", choices=["plain", "old", "new"], default=["plain", "old", "new"]
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--results", type=Path, default=Path("benchmarks/augmentation.jsonl"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.part == "words":
        measure_words(arguments)
    elif arguments.part == "shortcut":
        measure_shortcut(arguments)
    show(arguments.results)


if __name__ == "__main__":
    main()
