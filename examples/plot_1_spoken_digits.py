"""
Spoken digits, cross-validated by speaker
=========================================

A classifier of spoken digits is tested on speakers that are not in the training data. Cepstral
coefficients (MFCC) are pooled to one row per recording, for estimators of scikit-learn. All
cross-validations, including the one that selects parameters, keep the recordings of a speaker
together, so that no model is scored on speakers that it was trained on.

This page is also a script: ``python plot_1_spoken_digits.py --data fsdd`` takes recordings of real
speakers, ``--data FOLDER`` your own, in one sub-folder per class.
"""

# %%
# Recordings
# ----------
# ``data`` holds paths, ``target`` the digits, ``groups`` the speakers. The search below encodes
# the recordings again for every candidate, so they are decoded once, here, into waveforms.

# sphinx_gallery_start_ignore
import argparse
from pathlib import Path

from skaudio.datasets import fetch_fsdd, load_audio_files

parser = argparse.ArgumentParser(description="Spoken digits, cross-validated by speaker.")
parser.add_argument("--data", default="digits", help="digits (default), fsdd, or a folder")
parser.add_argument(
    "--groups", help=r"for a folder: where the speaker is in a path, such as '/(\w+)_\d+\.wav$'"
)
parser.add_argument("--output", type=Path, help="folder for pictures; without it they are shown")
args, _ = parser.parse_known_args()
# sphinx_gallery_end_ignore
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import sklearn
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    LeaveOneGroupOut,
    StratifiedKFold,
    cross_val_predict,
    cross_validate,
)
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

from skaudio.datasets import load_spoken_digits
from skaudio.display import SpectrogramDisplay
from skaudio.encoders import MFCC, MelSpectrogram, Waveform
from skaudio.metrics import scores_by
from skaudio.pooling import FramePooling

data, sample_rate = load_spoken_digits(), 16000
# sphinx_gallery_start_ignore
if args.data == "fsdd":
    data, sample_rate = fetch_fsdd(), 8000
elif args.data != "digits":
    data = load_audio_files(args.data, groups=args.groups)
# sphinx_gallery_end_ignore
X = Waveform(sample_rate=sample_rate).fit_transform(data.data)
y = data.target_names[data.target]
speakers = data.groups
X

# %%
# The mel spectrogram of a recording, the usual input of neural networks:

picture = MelSpectrogram(sample_rate=sample_rate, hop_length=sample_rate // 500, scale="db")
display = SpectrogramDisplay.from_estimator(picture, X, index=0)
display.ax_.set_title(f"{y[0]}: {Path(data.data[0]).name}")
pictures = {"spectrogram": display.figure_}

# %%
# How the score depends on the folds
# ----------------------------------
# With random folds, every test speaker is in the training data, too. ``GroupKFold`` keeps the
# recordings of a speaker together, ``LeaveOneGroupOut`` tests on one speaker at a time. The scores
# are lower, and are those to expect for a new speaker.

baseline = Pipeline(
    [
        ("mfcc", MFCC(sample_rate=sample_rate)),
        ("pooling", FramePooling(stats=("mean", "std"))),
        ("scale", StandardScaler()),
        ("svc", SVC(C=5)),
    ]
)
at_random = StratifiedKFold(5, shuffle=True, random_state=0)
by_speaker, inner_folds, new_speakers = GroupKFold(5), GroupKFold(3), LeaveOneGroupOut()
groups = {"groups": speakers}
# sphinx_gallery_start_ignore
rarest = min(np.unique(y, return_counts=True)[1])
at_random = StratifiedKFold(min(5, rarest), shuffle=True, random_state=0)
n_speakers = 0 if speakers is None else len(set(speakers))
if n_speakers >= 3:
    by_speaker, inner_folds = GroupKFold(min(5, n_speakers)), GroupKFold(min(3, n_speakers - 1))
    new_speakers = LeaveOneGroupOut() if n_speakers <= 10 else GroupKFold(10)
else:
    print(
        "Speakers unknown, or fewer than three (see --groups): all folds are random, and the "
        "scores hold for the voices in the training data only. The table has a row per class."
    )
    inner_folds = StratifiedKFold(max(min(3, rarest - 1), 2), shuffle=True, random_state=0)
    by_speaker = new_speakers = at_random
    speakers, groups = y, {}
# sphinx_gallery_end_ignore
scores = cross_validate(baseline, X, y, cv=at_random)["test_score"]
print(f"Mean and std of MFCC, folds at random:  accuracy {scores.mean():.3f}")
scores = cross_validate(baseline, X, y, cv=by_speaker, **groups)["test_score"]
print(f"Mean and std of MFCC, folds by speaker: accuracy {scores.mean():.3f}")
results = {"mean and std": cross_val_predict(baseline, X, y, cv=new_speakers, **groups)}

# %%
# Nested parameter search
# -----------------------
# Normalising coefficients within each recording (``cmvn``) reduces the influence of voice and
# microphone; few wide bands and long windows reduce that of pitch. Statistics of consecutive parts
# of a recording, and of deltas, represent the order in time. The number of coefficients is selected
# by a grid search; for real recordings also the dynamic range (``top_db``, which cuts off noise)
# and the number of parts.
#
# The search is nested in the cross-validation: for each test speaker, it uses the other speakers
# only, with folds by speaker. Metadata routing passes the groups to the inner folds.

model = Pipeline(
    [
        ("mfcc", MFCC(sample_rate=sample_rate, n_mels=20, win_length=sample_rate // 25)),
        ("pooling", FramePooling(n_segments=3, deltas=True, cmvn=True)),
        ("scale", StandardScaler()),
        ("svc", SVC(C=5, break_ties=True)),  # predicts what its decision function says
    ]
)
grid = {"mfcc__n_mfcc": [10, 13]}
# sphinx_gallery_start_ignore
if args.data == "fsdd":
    grid |= {"mfcc__top_db": [40, 80], "pooling__n_segments": [3, 5]}
# sphinx_gallery_end_ignore


def nested(model, grid):
    """Search on the training part of each fold; return predictions and their margins."""
    search = GridSearchCV(model, grid, cv=inner_folds)
    with sklearn.config_context(enable_metadata_routing=True):
        folds = cross_validate(
            search,
            X,
            y,
            cv=new_speakers,
            params=groups,
            return_estimator=True,
            return_indices=True,
            n_jobs=-1,
        )
    predicted, margin = np.empty_like(y), np.empty(len(y))
    for fitted, test in zip(folds["estimator"], folds["indices"]["test"], strict=True):
        predicted[test] = fitted.predict(X[test])
        values = fitted.decision_function(X[test])
        if values.ndim == 1:  # two classes
            values = np.column_stack([-values, values])
        true = y[test, np.newaxis] == fitted.classes_
        own = np.where(true, values, -np.inf).max(axis=1)
        margin[test] = own - np.where(true, -np.inf, values).max(axis=1)
    choices = pd.DataFrame([fitted.best_params_ for fitted in folds["estimator"]]).astype(str)
    print(choices.value_counts().reset_index(name="folds").to_string(index=False))
    return predicted, margin


results["searched"], _ = nested(model, grid)

# %%
# A custom step
# -------------
# Some speakers paused before and after the word, so that the parts of their recordings are not
# comparable with those of others. The function below trims these pauses. Frames are arrays,
# ``(n_features, n_frames)`` per recording, so a function of them can be a step of the Pipeline. The
# zeroth coefficient is the level.


def trim_silence(X, fraction):
    """Cut off the frames before the first and after the last loud one."""
    trimmed = []
    for frames in X:
        level = frames[0]
        loud = np.flatnonzero(level >= level.min() + fraction * np.ptp(level))
        trimmed.append(frames[:, loud[0] : loud[-1] + 1])
    return trimmed


model.steps.insert(1, ("trim", FunctionTransformer(trim_silence)))
grid["trim__kw_args"] = [{"fraction": 0.3}, {"fraction": 0.5}]
predicted, margin = nested(model, grid)
results["searched, trimmed"] = predicted

# %%
# Confusion matrix
# ----------------

figure, ax = plt.subplots(figsize=(6.5, 5.5), layout="constrained")
ConfusionMatrixDisplay.from_predictions(
    y,
    predicted,
    labels=data.target_names,
    xticks_rotation=45,
    cmap="Blues",
    ax=ax,
)
pictures["confusion"] = figure

# %%
# The misclassified recordings farthest from the decision boundary, which are worth listening to:

figure, axes = plt.subplots(2, 3, figsize=(10, 5), layout="constrained", sharey=True)
for ax, i in zip(axes.flat, np.argsort(margin), strict=False):
    SpectrogramDisplay.from_estimator(picture, X, index=i, ax=ax, colorbar=False)
    ax.set_title(f"{Path(data.data[i]).name}\n{y[i]}, predicted as {predicted[i]}", fontsize=9)
    ax.set(xlabel="", ylabel="")
figure.supxlabel("Time (s)")
figure.supylabel("Frequency (Hz)")
pictures["worst"] = figure

# %%
# Accuracy for each speaker
# -------------------------
# Standard errors are those of a proportion for a speaker, and those over speakers for the mean.
# With four speakers of the real recordings (``--data fsdd``) the means are 0.42, 0.64 and 0.73.

table = {}
for name, guesses in results.items():
    scores = scores_by(y, guesses, speakers)
    pairs = zip(scores["accuracy"], scores["standard_error"], strict=True)
    table[name] = [f"{accuracy:.3f} ± {error:.3f}" for accuracy, error in pairs]
table = pd.DataFrame(table, index=scores.index.rename("speaker"))
print(table.to_string())
# sphinx_gallery_start_ignore
if args.output is None:
    plt.show()
else:
    args.output.mkdir(parents=True, exist_ok=True)
    for name, figure in pictures.items():
        figure.savefig(args.output / f"{name}.png", dpi=150)
# sphinx_gallery_end_ignore
