"""
What augmentations do to the accuracy for new speakers
======================================================

An augmentation alters the recordings a model is trained on, and leaves alone those it is asked
about. In scikit-learn's terms: it acts in ``fit`` and not in ``predict``. So it is a step of a
Pipeline, and how strong it should be is a parameter to search over.

As a script::

    python plot_augmentations.py                     # the recordings that come with skaudio
    python plot_augmentations.py --data fsdd         # real speakers, downloaded if need be
    python plot_augmentations.py --output pictures   # write PNG files instead of showing them
"""

# %%
# Recordings
# ----------
# Some of each speaker, decoded once.

import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skaudio.augmentation import (
    VTLP,
    Convolution,
    FrequencyMask,
    Noise,
    RandomSegment,
    Speed,
    TimeMask,
    TimeShift,
    Volume,
)
from skaudio.datasets import fetch_fsdd, load_spoken_digits
from skaudio.display import AugmentationDisplay
from skaudio.encoders import MelSpectrogram, Waveform
from skaudio.pooling import FramePooling

parser = argparse.ArgumentParser(description="Effects of augmentations on the accuracy.")
parser.add_argument("--data", default="digits", choices=["digits", "fsdd"])
parser.add_argument("--per-class", type=int, default=8, help="fsdd: recordings of each word")
parser.add_argument("--output", type=Path, help="folder for pictures; without it they are shown")
args, _ = parser.parse_known_args()

if args.data == "digits":
    data, sample_rate = load_spoken_digits(), 16000
    chosen = np.arange(len(data.data))
else:
    data, sample_rate = fetch_fsdd(), 8000
    table = pd.DataFrame({"digit": data.target, "speaker": data.groups})
    chosen = table.groupby(["digit", "speaker"]).sample(args.per_class, random_state=0).index

X = Waveform(sample_rate=sample_rate).fit_transform(data.data)[chosen]
y, speakers = data.target[chosen], data.groups[chosen]
X

# %%
# What they look like
# -------------------
# ``AugmentationDisplay`` draws a recording and what an augmentation makes of it, each draw with
# another seed; in a notebook there are players, too. Pitch and formants go up together with
# ``Speed``, formants alone with ``VTLP``, whose warped filters show them lower when they are
# higher themselves.

examples = {
    "noise": Noise(snr_db=(0, 20)),
    "room": Convolution(reverberation_time=(0.3, 0.8)),
    "vtlp": VTLP((0.8, 1.2)),
    "speed": Speed((0.7, 1.4)),
    "frequency mask": FrequencyMask((0.1, 0.3)),
}
pictures = {}
for name, augmentation in examples.items():
    display = AugmentationDisplay.from_estimator(augmentation, X, index=4)
    display.figure_.suptitle(f"{augmentation}, a {data.target_names[y[4]]!r}")
    pictures[name] = display.figure_

# %%
# A search over augmentations
# ---------------------------
# Two steps are left open: one for waveforms, before the encoder, one for frames, after it. Each
# entry of the grid puts an augmentation into one of them, at several strengths.
#
# A Pipeline trains on each recording once, augmented. To train on several variants, pass each
# recording several times: every copy gets a draw of its own. The copies of a speaker are left out
# together; in the test they are equal, and do not change the accuracy.

model = Pipeline(
    [
        ("waveforms", "passthrough"),
        ("mel", MelSpectrogram(sample_rate=sample_rate, n_mels=32)),
        ("frames", "passthrough"),
        ("pooling", FramePooling(n_segments=3, cmvn=True)),
        ("scale", StandardScaler()),
        ("svc", SVC(C=5)),
    ]
)
EOF
