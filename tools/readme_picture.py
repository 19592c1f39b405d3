"""Make the picture of the README: events found in a soundscape of spoken digits.

    python tools/readme_picture.py [FILE]

A detector is trained on soundscapes of eight of the bundled voices, with the labels of whole
soundscapes. Onsets and offsets are only used to choose a threshold for each label. The picture
shows a soundscape of the other two voices. It takes about a minute.
"""

from __future__ import annotations

import io
import sys

import matplotlib as mpl
import numpy as np
from PIL import Image

from skaudio import load_spoken_digits, make_soundscapes, recipe, segment_based_f1
from skaudio.display import EventsDisplay

FILE = "docs/_static/events.png"
WORDS = ("one", "three", "six", "seven")
N_TRAINING, N_TEST, SEED = 250, 30, 0


def soundscapes(digits, chosen, n, seed):
    """Mix the recordings of some voices with noise."""
    words = digits.target_names[digits.target]
    chosen = chosen & np.isin(words, WORDS)
    noise = 0.01 * np.random.default_rng(seed).normal(size=160000)
    return make_soundscapes(
        digits.data[chosen],
        words[chosen],
        [noise],
        n_soundscapes=n,
        duration=6.0,
        n_events=(2, 5),
        random_state=seed,
    )


def main():
    """Train, draw, and write the picture with few colors, which makes it small."""
    file = sys.argv[1] if len(sys.argv) > 1 else FILE
    digits = load_spoken_digits()
    known = np.isin(digits.groups, np.unique(digits.groups)[:8])
    train = soundscapes(digits, known, N_TRAINING, SEED)
    test = soundscapes(digits, ~known, N_TEST, SEED + 1)
    detector = recipe("events", n_recordings=N_TRAINING, pretrained=False)
    # Words are short: longer filters would remove them.
    detector.set_params(random_state=SEED, median_filter=0.1, min_duration=0.05, max_epochs=30)
    detector.fit(train.data, train.target).tune_thresholds(train.data, train.events)
    f1 = segment_based_f1(test.events, detector.predict_events(test.data))
    print(f"F1 of segments: {f1:.2f}")
    draw(detector, test, file)


def draw(detector, test, file):
    """Draw the soundscape with the most events, and of those the one with the most labels."""
    counts = test.events.groupby("file")["event_label"].agg(["size", "nunique"])
    index = test.data.names.index(counts.sort_values(["size", "nunique"]).index[-1])
    mpl.rcParams["font.size"] = 9
    display = EventsDisplay.from_estimator(
        detector, test.data, events_true=test.events, index=index
    )
    display.figure_.set_size_inches(8, 4.6)
    buffer = io.BytesIO()
    display.figure_.savefig(buffer, dpi=100)
    Image.open(buffer).convert("RGB").quantize(200).save(file, optimize=True)


if __name__ == "__main__":
    main()
