"""How well events are found: soundscapes of ESC-10, and cats and dogs. One command per row.

    python benchmarks/accuracy_events.py soundscapes mn04_as --labels weak [--seeds 0 1 2]
    python benchmarks/accuracy_events.py cats_dogs mel [--seeds 0 1 2] [--results FILE]

Frames: "mel" (the detector's own network on mel bands, its defaults), "mel_20ms" (a smaller one
with filters, on frames of 20 ms), "mn04_as" (the output of a
layer in the middle of the pretrained network, a frame each 0.16 s), "mn04_as_last" (of its last
layer, each 0.32 s), "chunks" (its embeddings of chunks of 1 s, each 0.1 s).

SKAUDIO_DATA names the folder that holds esc10 (a folder per class, files named by fold), cats_dogs
and the pretrained weights. Soundscapes: 400 of 10 s from folds 1 to 3, tested on 100 from fold 4,
of recordings and backgrounds the training has not seen; with ``--inner`` from folds 1 and 2, tested
on fold 3: settings are chosen there. 60 more soundscapes have strong labels. Labels: "weak" tunes
thresholds with the 60; "filters" tunes thresholds and filters with them; "mixed" trains with their
strong labels as well, and tunes thresholds; "untuned" uses weak labels alone. The baseline marks
the whole clip for each label that the detector predicts of it. Scores are macro F1, by the second
("segment") and by events with a collar of 0.2 s and a fifth of their length ("event"). Standard
errors are those over seeds, and those of a bootstrap over test recordings.

Each row is appended to a file, and a row found there is not computed again.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from skaudio.datasets import get_data_home, load_cats_dogs, make_soundscapes
from skaudio.detectors import EventDetector
from skaudio.encoders import MelSpectrogram
from skaudio.events import events_to_target
from skaudio.metrics import event_based_scores, segment_based_scores
from skaudio.pretrained import PretrainedEmbedder

EVENTS = {
    "baby cry": "004 - Baby cry",
    "dog bark": "001 - Dog bark",
    "rooster": "009 - Rooster",
    "sneeze": "006 - Person sneeze",
}
BACKGROUNDS = ("002 - Rain", "003 - Sea waves")
RATE = 32000
DURATION = 10.0
SCORES = {"segment": segment_based_scores, "event": event_based_scores}
PARTS = {
    False: {"train": ((1, 2, 3), 400, 0), "strong": ((1, 2, 3), 60, 1), "test": ((4,), 100, 0)},
    True: {"train": ((1, 2), 400, 0), "strong": ((1, 2), 60, 1), "test": ((3,), 100, 0)},
}
ENCODERS = {
    "mel": MelSpectrogram(n_mels=40),
    "mel_20ms": MelSpectrogram(sample_rate=RATE, win_length=1024, hop_length=640, n_mels=40),
    "mn04_as": PretrainedEmbedder(layer="features.12", resolution="layer", pooling=None),
    "mn04_as_last": PretrainedEmbedder(layer="features.16", resolution="layer", pooling=None),
    "chunks": PretrainedEmbedder(pooling=None, chunk_duration=1.0, chunk_hop=0.1),
}
# The pretrained network has seen what is around a frame; its frames need no convolutions.
ON_FRAMES = {"channels": (), "frame_stride": 1, "max_epochs": 20}
SMALL = {
    "channels": (16, 16, 32),
    "frame_stride": 2,
    "hidden_size": 32,
    "standardize": "both",
    "pooling": "max",
    "max_epochs": 20,
    "median_filter": 0.28,
    "min_duration": 0.1,
    "max_gap": 0.2,
}
PARAMS = {"mel": {}, "mel_20ms": SMALL} | dict.fromkeys(
    ["mn04_as", "mn04_as_last", "chunks"], ON_FRAMES
)
LABELS = ("weak", "filters", "mixed", "untuned")


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


def frames_of(encoder, X):
    """Return the frames of recordings as a list, and the time from one to the next."""
    frames = list(encoder.fit(X).transform(X))
    times = encoder.frame_times(2)
    return frames, float(times[1] - times[0])


def whole_clips(labels, predicted):
    """Return the baseline: every label of a clip is heard from its beginning to its end."""
    rows = [(i, 0.0, DURATION, labels[j]) for i, j in zip(*np.nonzero(predicted), strict=True)]
    return pd.DataFrame(rows, columns=["file", "onset", "offset", "event_label"])


def f1(true, found, names, draws=200):
    """Return the macro F1 of both kinds, and their standard errors over recordings."""
    labels = sorted(set(true["event_label"]))
    out = {}
    for kind, score in SCORES.items():
        counts = []
        for i in names:
            parts = [table[table["file"] == i] for table in (true, found)]
            table = score(*parts, labels=labels).iloc[:-2]
            counts.append(table[["n_true", "n_pred", "n_found"]].to_numpy())
        counts, rng = np.array(counts), np.random.default_rng(0)
        samples = [np.arange(len(names)), *rng.integers(len(names), size=(draws, len(names)))]
        totals = np.array([counts[s].sum(axis=0) for s in samples])
        scores = (2 * totals[..., 2] / np.maximum(totals[..., :2].sum(-1), 1)).mean(axis=1)
        out[kind], out[f"{kind} se"] = float(scores[0]), float(scores[1:].std())
    return out


def run_soundscapes(arguments, row):
    """Yield one row of results for each seed."""
    made = {name: soundscapes(*part) for name, part in PARTS[arguments.inner].items()}
    start = time.process_time()
    frames = {n: frames_of(ENCODERS[arguments.frames], s.data) for n, s in made.items()}
    encoding = time.process_time() - start
    X = {name: found for name, (found, _) in frames.items()}
    events = {}
    for name, part in made.items():
        number = {file: i for i, file in enumerate(part.data.names)}
        events[name] = part.events.assign(file=part.events["file"].map(number))
    for seed in row():
        model = EventDetector(
            frame_duration=frames["train"][1], random_state=seed, **PARAMS[arguments.frames]
        )
        model.set_params(**json.loads(arguments.params))
        start = time.process_time()
        if arguments.labels == "mixed":
            both, weak = X["train"] + X["strong"], pd.concat([made[n].target for n in X][:2])
            strong = events["strong"].assign(file=events["strong"]["file"] + len(X["train"]))
            model.fit(both, events_to_target(strong, both, weak))
        else:
            lists = events_to_target(events["train"][:0], X["train"], made["train"].target)
            model.fit(X["train"], lists)
        seconds = time.process_time() - start
        if arguments.labels != "untuned":
            search = arguments.labels == "filters"
            model.tune_thresholds(X["strong"], events["strong"], metric="event", filters=search)
        names = range(len(X["test"]))
        found = f1(events["test"], model.predict_events(X["test"]), names)
        baseline = f1(events["test"], whole_clips(model.labels_, model.predict(X["test"])), names)
        yield {
            "seed": seed,
            **found,
            **{f"{kind}, whole clips": baseline[kind] for kind in SCORES},
            "encoding s": round(encoding),
            "training s": round(seconds),
        }


def run_cats_dogs(arguments, row):
    """Yield one row of results for each seed: accuracy in five folds."""
    pets = load_cats_dogs()
    y = pets.target_names[pets.target]
    start = time.process_time()
    frames, step = frames_of(ENCODERS[arguments.frames], pets.data)
    encoding = time.process_time() - start
    X = np.empty(len(frames), dtype=object)
    X[:] = frames
    for seed in row():
        model = EventDetector(frame_duration=step, random_state=seed, **PARAMS[arguments.frames])
        model.set_params(**json.loads(arguments.params))
        folds = StratifiedKFold(5, shuffle=True, random_state=seed)
        start = time.process_time()
        right = cross_val_predict(model, X, y, cv=folds) == y
        yield {
            "seed": seed,
            "accuracy": float(right.mean()),
            "accuracy se": float(right.std() / np.sqrt(len(right))),
            "baseline": float((y == "cat").mean()),
            "encoding s": round(encoding),
            "training s": round(time.process_time() - start),
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", choices=["soundscapes", "cats_dogs"])
    parser.add_argument("frames", choices=list(ENCODERS))
    parser.add_argument("--labels", choices=LABELS, default="weak")
    parser.add_argument("--inner", action="store_true")
    parser.add_argument("--params", default="{}", help="of the detector, as JSON")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--results", type=Path, default=Path("accuracy_events.jsonl"))
    arguments = parser.parse_args()
    names = ("data", "frames", "labels", "inner", "params")
    setting = {name: getattr(arguments, name) for name in names}
    lines = arguments.results.read_text().splitlines() if arguments.results.exists() else []
    known = [line for line in map(json.loads, lines) if setting.items() <= line.items()]

    def missing():
        return [seed for seed in arguments.seeds if seed not in {line["seed"] for line in known}]

    run = {"soundscapes": run_soundscapes, "cats_dogs": run_cats_dogs}[arguments.data]
    for found in run(arguments, missing) if missing() else ():
        known.append(setting | found)
        with arguments.results.open("a") as file:
            file.write(json.dumps(known[-1]) + "\n")
    table = pd.DataFrame([line for line in known if line["seed"] in arguments.seeds])
    print(setting)
    numbers = table.drop(columns=list(names))
    print(numbers.round(3).to_string(index=False))
    means = pd.DataFrame({"mean": numbers.mean(), "se over seeds": numbers.sem()})
    print(means.drop(index="seed").T.round(3).to_string())


if __name__ == "__main__":
    main()
