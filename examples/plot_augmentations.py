"""
Effect of augmentations on the accuracy for new speakers
========================================================

An augmentation changes the training recordings, in ``fit``, and leaves recordings unchanged in
``predict``. It is a step of a Pipeline, and its strength can be searched like any parameter.

This page is also a script: ``python plot_augmentations.py --data fsdd`` takes recordings of real
speakers.
"""

# %%
# Recordings
# ----------
# They are decoded once, here.

# sphinx_gallery_start_ignore
import argparse
from pathlib import Path

from skaudio.datasets import fetch_fsdd

parser = argparse.ArgumentParser(description="Effects of augmentations on the accuracy.")
parser.add_argument("--data", default="digits", choices=["digits", "fsdd"])
parser.add_argument("--output", type=Path, help="folder for pictures; without it they are shown")
args, _ = parser.parse_known_args()
# sphinx_gallery_end_ignore
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from skaudio.augmentation import (
    VTLP,
    Convolution,
    DynamicRange,
    FrequencyMask,
    Noise,
    RandomSegment,
    Speed,
    TimeMask,
    TimeShift,
    Volume,
)
from skaudio.datasets import load_spoken_digits
from skaudio.display import AugmentationDisplay
from skaudio.encoders import MelSpectrogram, Waveform
from skaudio.pooling import FramePooling

data, sample_rate, n_takes, n_copies = load_spoken_digits(), 16000, 1, 3
# sphinx_gallery_start_ignore
if args.data == "fsdd":
    data, sample_rate, n_takes = fetch_fsdd(), 8000, 8
# sphinx_gallery_end_ignore
X = Waveform(sample_rate=sample_rate).fit_transform(data.data)
y, speakers = data.target, data.groups
X

# %%
# Augmented recordings
# --------------------
# ``AugmentationDisplay`` draws a recording and several augmented versions, each with another seed;
# in a notebook, there are audio players, too. ``Speed`` shifts pitch and formants together,
# ``VTLP`` the formants only: if its warped filters are higher, formants appear lower in the
# spectrogram. ``DynamicRange`` draws a floor, to which what is quieter is raised: it hides the
# background noise of a recording and, if the range is small, weak consonants too.

examples = {
    "noise": Noise(snr_db=(0, 20)),
    "room": Convolution(reverberation_time=(0.3, 0.8)),
    "vtlp": VTLP((0.8, 1.2)),
    "speed": Speed((0.7, 1.4)),
    "dynamic range": DynamicRange((25, 65)),
    "frequency mask": FrequencyMask((0.1, 0.3)),
}
pictures = {}
for name, augmentation in examples.items():
    display = AugmentationDisplay.from_estimator(augmentation, X, index=40, random_state=0)
    display.figure_.suptitle(f"{augmentation} on '{data.target_names[y[40]]}'")
    pictures[name] = display.figure_

# %%
# Folds
# -----
# One speaker is left out at a time. Augmentations help most if there are few training recordings,
# so one recording per digit is used for each of the other speakers (for the real recordings, which
# have fewer speakers, eight).
#
# In a Pipeline, each recording is augmented once per ``fit``. To train on several variants, repeat
# the recordings: each copy has its own draw.

take = pd.DataFrame({"digit": y, "speaker": speakers}).groupby(["digit", "speaker"]).cumcount()
folds = [
    (
        np.tile(np.flatnonzero((speakers != speaker) & (take < n_takes)), n_copies),
        np.flatnonzero(speakers == speaker),
    )
    for speaker in np.unique(speakers)
]
print(f"{len(folds)} speakers; {len(folds[0][0]) // n_copies} recordings to train on")

# %%
# A search over augmentations
# ---------------------------
# Two steps are placeholders: one for waveforms, before the encoder, and one for frames, after it.
# Each entry of the grid replaces one of them by an augmentation, at several strengths.

model = Pipeline(
    [
        ("waveforms", "passthrough"),
        ("mel", MelSpectrogram(sample_rate=sample_rate, n_mels=32, scale="db")),
        ("frames", "passthrough"),
        ("pooling", FramePooling(n_segments=3, cmvn=True)),
        ("scale", StandardScaler()),
        ("svc", SVC(C=5)),
    ]
)


def entry(step, augmentation, **strengths):
    """Return a part of the grid: an augmentation in one of the open steps, and its strengths."""
    parameters = {f"{step}__{name}": values for name, values in strengths.items()}
    return {step: [augmentation.set_params(random_state=0)], **parameters}


grid = [
    {},  # no augmentation
    entry("waveforms", TimeShift(), shift=[(-0.05, 0.05), (-0.2, 0.2)]),
    entry("waveforms", Noise(), snr_db=[(20, 50), (5, 35)]),
    entry("waveforms", Volume(), gain_db=[(-3, 3), (-12, 12)]),
    entry("waveforms", Convolution(reverberation_time=(0.05, 0.3)), mix=[(0, 0.3), (0, 1)]),
    entry("waveforms", VTLP(), warp=[(0.9, 1.1), (0.8, 1.25)]),
    entry("waveforms", Speed(), rate=[(0.9, 1.1), (0.8, 1.25)]),
    entry("waveforms", RandomSegment(), duration=[(0.9, 1), (0.6, 1)]),
    entry("frames", DynamicRange(), top_db=[(40, 80), (25, 65)]),
    entry("frames", TimeMask(), width=[(0, 0.1), (0, 0.3)]),
    entry("frames", FrequencyMask(), width=[(0, 0.1), (0, 0.3)]),
]

search = GridSearchCV(model, grid, cv=folds, n_jobs=-1, refit=False).fit(X, y)

# %%
# Paired comparison
# -----------------
# Accuracies differ more between speakers than between augmentations, so they are compared for each
# speaker: the table has the mean difference from training without augmentation, and its standard
# error over speakers.

scores = np.array([search.cv_results_[f"split{k}_test_score"] for k in range(search.n_splits_)])
gains = scores - scores[:, :1]
rows = []
for k, params in enumerate(search.cv_results_["params"]):
    strength = {name.split("__")[1]: value for name, value in params.items() if "__" in name}
    used = [type(value).__name__ for name, value in params.items() if "__" not in name]
    name, value = next(iter(strength.items()), ("", ""))
    error = gains[:, k].std(ddof=1) / np.sqrt(len(gains))
    what = f"{used[0]} {name}={value}" if used else "no augmentation"
    rows.append([what, scores[:, k].mean(), gains[:, k].mean(), error])
table = pd.DataFrame(rows, columns=["augmentation", "accuracy", "difference", "standard error"])
table = table.set_index("augmentation").round(3)
print(table.to_string())

# %%
# Differences below two standard errors may be due to chance, and the score of the best of many
# candidates is too high. To report its accuracy, nest the search in another cross-validation, as in
# the first example.

figure, ax = plt.subplots(figsize=(7, 6), layout="constrained")
places = np.arange(len(table) - 1)[::-1]
shown = table.iloc[1:]
ax.errorbar(shown["difference"], places, xerr=2 * shown["standard error"], fmt="o", capsize=3)
ax.axvline(0, color="black", linewidth=0.8)
ax.set_yticks(places, labels=shown.index)
ax.set_xlabel("Accuracy for a new speaker, less that without augmentation\n(± 2 standard errors)")
pictures["accuracy"] = figure
# sphinx_gallery_start_ignore
if args.output is None:
    plt.show()
else:
    args.output.mkdir(parents=True, exist_ok=True)
    for name, figure in pictures.items():
        figure.savefig(args.output / f"{name.replace(' ', '_')}.png", dpi=100)
# sphinx_gallery_end_ignore
