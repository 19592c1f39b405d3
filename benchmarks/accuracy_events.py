"""How well events are found from weak labels: soundscapes of ESC-10, and cats and dogs.

    python benchmarks/accuracy_events.py soundscapes [--poolings linear_softmax ...] [--seeds 1]
    python benchmarks/accuracy_events.py cats_dogs [--seeds 1] [--augment]

SKAUDIO_DATA names the folder that holds esc10 (a folder per class, files named by fold) and
cats_dogs. Soundscapes: 400 of 10 s from folds 1 to 3 with their weak labels alone, tested on 100
from fold 4, of recordings and backgrounds the training has not seen. The baseline marks the whole
clip for each label that the detector predicts of the clip. "tuned": thresholds chosen by the strong
labels of 60 more soundscapes from folds 1 to 3. Scores are macro F1, by the second ("segment") and
by events with a collar of 0.2 s and a fifth of their length ("event").
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline

from skaudio.augmentation import RandomSegment
from skaudio.datasets import get_data_home, load_cats_dogs, make_soundscapes
from skaudio.detectors import EventDetector
from skaudio.encoders import MelSpectrogram
from skaudio.metrics import event_based_f1, scores_by, segment_based_f1
from skaudio.nets._crnn import WEAK_POOLINGS

EVENTS = {
    "baby cry": "004 - Baby cry",
    "dog bark": "001 - Dog bark",
    "rooster": "009 - Rooster",
    "sneeze": "006 - Person sneeze",
}
BACKGROUNDS = ("002 - Rain", "003 - Sea waves")
RATE = 32000
DURATION = 10.0


def soundscapes(folds, n, seed):
    """Return soundscapes made of the recordings of some folds."""
    home = get_data_home() / "esc10"

    def paths(folder):
        found = sorted(map(str, (home / folder).glob("*.ogg")))
        return [path for path in found if int(path.rsplit("/", 1)[1][0]) in folds]

    labelled = [(path, label) for label, folder in EVENTS.items() for path in paths(folder)]
    background = [path for folder in BACKGROUNDS for path in paths(folder)]
    return make_soundscapes(
        *zip(*labelled, strict=True),
        background,
        n_soundscapes=n,
        duration=DURATION,
        sample_rate=RATE,
        random_state=seed,
    )


def detector(**params):
    return EventDetector(
        channels=(16, 16, 32),
        frame_stride=2,
        hidden_size=32,
        standardize="both",
        max_epochs=20,
        median_filter=0.28,
        min_duration=0.1,
        max_gap=0.2,
        **params,
    )


def whole_clips(labels, predicted, files):
    """Return the baseline: every label of a clip is heard from its beginning to its end."""
    rows = [
        (files[i], 0.0, DURATION, labels[j]) for i, j in zip(*np.nonzero(predicted), strict=True)
    ]
    return pd.DataFrame(rows, columns=["file", "onset", "offset", "event_label"])


def run_soundscapes(arguments):
    encoder = MelSpectrogram(sample_rate=RATE, win_length=1024, hop_length=640, n_mels=40)
    parts = {"train": ((1, 2, 3), 400, 0), "tune": ((1, 2, 3), 60, 1), "test": ((4,), 100, 0)}
    made = {name: soundscapes(*part) for name, part in parts.items()}
    frames = {name: encoder.transform(part.data) for name, part in made.items()}
    events = {}
    for name, part in made.items():
        number = {file: i for i, file in enumerate(part.data.names)}
        events[name] = part.events.assign(file=part.events["file"].map(number))
    test, y = frames["test"], made["test"].target
    rows = []
    for pooling in arguments.poolings:
        for seed in range(arguments.seeds):
            model = detector(pooling=pooling, frame_duration=0.02, random_state=seed)
            start = time.process_time()
            model.fit(frames["train"], made["train"].target)
            seconds = time.process_time() - start
            predicted = model.predict(test)
            outputs = {
                "whole clips": whole_clips(model.labels_, predicted, range(len(test))),
                "0.5": model.predict_events(test),
            }
            model.tune_thresholds(frames["tune"], events["tune"])
            outputs["tuned"] = model.predict_events(test)
            row = {"pooling": pooling, "seed": seed, "train s": round(seconds)}
            row["clip"] = f1_score(y, predicted, average="macro")
            for name, output in outputs.items():
                row[f"segment, {name}"] = segment_based_f1(events["test"], output)
                row[f"event, {name}"] = event_based_f1(events["test"], output)
            rows.append(row)
            print(pd.DataFrame([row]).round(3).to_string(index=False), flush=True)
            by_label = segment_based_f1(events["test"], outputs["tuned"], average=None)
            print("  segment, tuned:", by_label.round(2).to_dict(), flush=True)
    table = pd.DataFrame(rows).drop(columns="seed").groupby("pooling", sort=False)
    print(table.mean().round(3).to_string())
    if arguments.seeds > 1:
        print(table.std().round(3).to_string())


def run_cats_dogs(arguments):
    pets = load_cats_dogs()
    X, y = pets.data, pets.target_names[pets.target]
    mel = MelSpectrogram(n_mels=40, hop_length=320)
    encoders = {"plain": mel}
    if arguments.augment:
        segment = RandomSegment(4.0, unit="seconds")
        encoders["segments of 4 s"] = make_pipeline(segment, mel)
    for name, encoder in encoders.items():
        for seed in range(arguments.seeds):
            model = EventDetector(encoder, max_epochs=15, random_state=seed)
            folds = StratifiedKFold(5, shuffle=True, random_state=seed)
            start = time.process_time()
            predicted = cross_val_predict(model, X, y, cv=folds)
            seconds = (time.process_time() - start) / 5 / model.max_epochs
            print(f"{name}, seed {seed}: {seconds:.2f} s of CPU per epoch", flush=True)
            print(scores_by(y, predicted).round(3).to_string())
            print(f"accuracy {np.mean(y == predicted):.4f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=["soundscapes", "cats_dogs"])
    parser.add_argument("--poolings", nargs="+", choices=WEAK_POOLINGS, default=WEAK_POOLINGS)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--augment", action="store_true")
    arguments = parser.parse_args()
    {"soundscapes": run_soundscapes, "cats_dogs": run_cats_dogs}[arguments.part](arguments)


if __name__ == "__main__":
    main()
