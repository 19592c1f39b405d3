"""
Event detection with weak labels
================================

A weak label states that a cat, or a word, occurs in a recording, but not when. A detector trained
on weak labels predicts a probability for each frame, and so onsets and offsets.

This page is also a script: ``python plot_5_event_detection.py --data cats_dogs`` trains on real
recordings.
"""

# %%
# Recordings
# ----------
# Soundscapes of spoken digits over noise, whose events are known exactly. The voices of the test
# are not in the training data.

# sphinx_gallery_start_ignore
import argparse
from pathlib import Path

from sklearn.model_selection import train_test_split

from skaudio.datasets import load_cats_dogs

parser = argparse.ArgumentParser(description="Events from weak labels.")
parser.add_argument("--data", choices=["digits", "cats_dogs"], default="digits")
parser.add_argument("--max-epochs", type=int, default=20)
parser.add_argument("--output", type=Path, help="folder for pictures; without it they are shown")
args, _ = parser.parse_known_args()
# sphinx_gallery_end_ignore
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from skaudio.augmentation import FrequencyMask, Noise, Speed
from skaudio.datasets import load_spoken_digits, make_soundscapes
from skaudio.detectors import EventDetector
from skaudio.display import EventsDisplay
from skaudio.encoders import MelSpectrogram
from skaudio.metrics import event_based_f1, segment_based_f1

digits = load_spoken_digits()
words = digits.target_names[digits.target]
used = np.isin(words, ["one", "six", "eight"])
new = np.isin(digits.groups, ["hank", "iris", "jasper"])
rng = np.random.default_rng(0)
hum = [0.01 * np.cumsum(rng.normal(size=64000)) / 50 + 0.01 * rng.normal(size=64000)]


def soundscapes(chosen, n_soundscapes, random_state):
    return make_soundscapes(
        digits.data[chosen],
        words[chosen],
        hum,
        n_soundscapes=n_soundscapes,
        duration=4.0,
        event_duration=(0.1, 1.0),
        random_state=random_state,
    )


train, test = soundscapes(used & ~new, 120, 5), soundscapes(used & new, 30, 4)
X_train, y_train = train.data, train.target
X_test, y_test, truth = test.data, test.target, test.events
max_epochs, shown = 20, [0, 1]
# sphinx_gallery_start_ignore
max_epochs = args.max_epochs
if args.data == "cats_dogs":
    pets = load_cats_dogs()
    labels = pets.target_names[pets.target]
    X_train, X_test, y_train, y_test = train_test_split(
        pets.data, labels, test_size=0.2, stratify=labels, random_state=0
    )
    truth, shown = None, [list(y_test).index(name) for name in ("cat", "dog")]
# sphinx_gallery_end_ignore
y_train[:5]

# %%
# The detector
# ------------
# The augmentations in ``encoder`` are applied in ``fit`` only, not in ``predict_events``. The last
# five parameters determine how probabilities become events.

encoder = Pipeline(
    [
        ("speed", Speed(rate=(0.9, 1.1))),
        ("noise", Noise(snr_db=(20, 40))),
        ("mel", MelSpectrogram(n_mels=40, hop_length=320)),
        ("mask", FrequencyMask()),
    ]
)
detector = EventDetector(
    encoder,
    channels=(16, 16, 32),
    frame_stride=2,
    hidden_size=32,
    max_epochs=max_epochs,
    batch_size=16,
    random_state=0,
    threshold=0.5,
    hysteresis=0.6,
    median_filter=0.12,
    min_duration=0.1,
    max_gap=0.2,
)
detector.fit(X_train, y_train)
print(f"accuracy of whole recordings: {detector.score(X_test, y_test):.3f}")

# %%
# Events
# ------
# One row per event: onset, offset, and mean probability.

events = detector.predict_events(X_test)
events.assign(file=[Path(str(name)).name for name in events["file"]]).round(2).head(10)

# %%
# Probabilities over time
# -----------------------
# Each frame has a probability for each label; in silence, all can be low. Weak labels do not
# determine the extent of events, so high probabilities can extend beyond them. The bars below are
# the predicted events; true events, if known, are hatched.

pictures = {}
for i in shown:
    display = EventsDisplay.from_estimator(detector, X_test, index=i, events_true=truth)
    pictures[f"events_{i}"] = display.figure_

# %%
# Scores
# ------
# With strong labels, events can be compared one by one, or in segments of a quarter of a second.
# The baseline assumes that each label is active in the whole recording. Strong labels of some
# recordings can also be used to tune thresholds, without another training.

# sphinx_gallery_start_ignore
if args.output is not None:
    args.output.mkdir(parents=True, exist_ok=True)
    for name, figure in pictures.items():
        figure.savefig(args.output / f"{name}.png", dpi=100)
if truth is None:  # the events of these recordings are not known
    plt.show()
    raise SystemExit
# sphinx_gallery_end_ignore
names = X_test.names
half = set(names[:15])
tuned = truth[truth["file"].isin(half)]
rest = truth[~truth["file"].isin(half)]
found = {"threshold 0.5": events[~events["file"].isin(half)]}
rows = [
    (name, 0.0, 4.0, label)
    for name, marks in zip(names[15:], detector.predict(X_test)[15:], strict=True)
    for label, mark in zip(detector.labels_, marks, strict=True)
    if mark
]
whole = pd.DataFrame(rows, columns=["file", "onset", "offset", "event_label"])
detector.tune_thresholds(X_test[:15], tuned)
found = {
    "whole recordings": whole,
    **found,
    "tuned thresholds": detector.predict_events(X_test[15:]),
}
table = pd.DataFrame(
    {
        name: {
            "segment-based F1": segment_based_f1(rest, table, segment=0.25),
            "event-based F1": event_based_f1(rest, table),
        }
        for name, table in found.items()
    }
).T.round(3)
print(table.to_string())
# sphinx_gallery_start_ignore
if args.output is None:
    plt.show()
# sphinx_gallery_end_ignore
