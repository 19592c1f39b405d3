"""
Neural classifiers with augmentation
====================================

A LeNet and a network of gated recurrent units are trained on spoken digits, and tested on speakers
that are not in the training data. With few training speakers, they overfit to their voices.
Augmentation, with new draws in every epoch, reduces this.

This page is also a script: ``python plot_2_neural_classifiers.py --data fsdd --seeds 5`` trains on
recordings of real speakers.
"""

# %%
# Recordings
# ----------
# Ten synthetic voices say the digits: three are for training and seven for testing. (Of the real
# speakers, each one is the test speaker in turn.)

# sphinx_gallery_start_ignore
import argparse
from pathlib import Path

from sklearn.model_selection import LeaveOneGroupOut

from skaudio.datasets import fetch_fsdd

parser = argparse.ArgumentParser(description="Neural classifiers of spoken digits.")
parser.add_argument("--data", choices=["digits", "fsdd"], default="digits")
parser.add_argument("--seeds", type=int, default=1, help="how often to train each net")
parser.add_argument("--max-epochs", type=int, default=40)
parser.add_argument("--output", type=Path, help="folder for pictures; without it they are shown")
args, _ = parser.parse_known_args()
# sphinx_gallery_end_ignore
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import GroupShuffleSplit
from sklearn.pipeline import Pipeline

from skaudio.augmentation import VTLP, Noise, Speed, TimeShift
from skaudio.classifiers import GRUClassifier, LeNetClassifier
from skaudio.datasets import load_spoken_digits
from skaudio.encoders import MelSpectrogram
from skaudio.metrics import scores_by

data, sample_rate, n_seeds, max_epochs = load_spoken_digits(), 16000, 1, 40
new_speakers = GroupShuffleSplit(n_splits=1, test_size=7, random_state=0)
# sphinx_gallery_start_ignore
n_seeds, max_epochs = args.seeds, args.max_epochs
if args.data == "fsdd":
    data, sample_rate, new_speakers = fetch_fsdd(), 8000, LeaveOneGroupOut()
# sphinx_gallery_end_ignore
X, y, speakers = data.data, data.target_names[data.target], data.groups
folds = list(new_speakers.split(X, y, speakers))

# %%
# Estimators
# ----------
# ``encoder`` is a transformer, or a Pipeline of augmentations and a transformer. The augmentations
# are applied in ``fit`` only, with new draws for each recording in each epoch: shifts by up to a
# seventh of the recording, because some speakers' recordings were trimmed more closely than
# others'; vocal tracts up to a tenth longer or shorter; speech up to a tenth faster or slower; some
# noise.
#
# ``top_db=35`` is the most important setting for these recordings. Parts that are further below the
# maximum of a recording are noise of microphone and room, which differs between speakers. In clean
# recordings they are weak consonants, and ``top_db=60`` is better.

mel = MelSpectrogram(sample_rate=sample_rate, n_mels=40, scale="db", top_db=35)
augmented = Pipeline(
    [
        ("shift", TimeShift(shift=(-0.15, 0.15))),
        ("vtlp", VTLP(warp=(0.9, 1.1))),
        ("speed", Speed(rate=(0.9, 1.1))),
        ("noise", Noise(snr_db=(15, 40))),
        ("mel", mel),
    ]
)
nets = {
    "LeNet": LeNetClassifier(max_epochs=max_epochs),
    "GRU": GRUClassifier(max_epochs=max_epochs),
}
encoders = {"": mel, ", augmented": augmented}
models = {
    name + how: clone(net).set_params(encoder=encoder)
    for name, net in nets.items()
    for how, encoder in encoders.items()
}
models["LeNet, augmented"]

# %%
# Training
# --------
# The figures below are for the first seed.

predictions, histories, accuracies = {}, {}, {}
for name, model in models.items():
    by_seed = []
    for seed in range(n_seeds):
        predicted = np.full_like(y, "")
        for train, test in folds:
            fitted = clone(model).set_params(random_state=seed).fit(X[train], y[train])
            predicted[test] = fitted.predict(X[test])
        tested = predicted != ""
        table = scores_by(y[tested], predicted[tested], speakers[tested])
        by_seed.append(table["accuracy"])
        if seed == 0:
            predictions[name] = predicted
            histories[name] = fitted.history_
    accuracies[name] = pd.DataFrame(by_seed)
    print(f"{name}: accuracy {accuracies[name]['mean'].mean():.3f}", flush=True)

# %%
# Learning curves
# ---------------
# With augmentation, the training loss stays higher, because recordings differ in every epoch.

figure, ax = plt.subplots(figsize=(6.5, 4), layout="constrained")
for name, history in histories.items():
    line = "--" if "augmented" in name else "-"
    color = "C0" if "LeNet" in name else "C1"
    ax.plot(history[:, "epoch"], history[:, "train_loss"], line, color=color, label=name)
ax.set(xlabel="epoch", ylabel="training loss (label smoothing 0.1)", yscale="log")
ax.legend()
pictures = {"learning_curves": figure}

# %%
# Confusion matrices
# ------------------

figure, axes = plt.subplots(1, 2, figsize=(11, 5), layout="constrained")
for ax, name in zip(axes, ["LeNet, augmented", "GRU, augmented"], strict=True):
    tested = predictions[name] != ""
    ConfusionMatrixDisplay.from_predictions(
        y[tested],
        predictions[name][tested],
        labels=data.target_names,
        normalize="true",
        values_format=".1g",
        xticks_rotation=45,
        cmap="Blues",
        colorbar=False,
        ax=ax,
    )
    ax.set_title(name)
pictures["confusion"] = figure

# %%
# Accuracy for each speaker
# -------------------------
# Means over seeds; with several seeds, ± their standard deviation.

table = {}
for name, by_seed in accuracies.items():
    spread = by_seed.std()
    table[name] = [
        f"{mean:.3f}" + (f" ± {spread[speaker]:.3f}" if n_seeds > 1 else "")
        for speaker, mean in by_seed.mean().items()
    ]
table = pd.DataFrame(table, index=by_seed.columns.rename("speaker"))
print(table.to_string())
# sphinx_gallery_start_ignore
if args.output is None:
    plt.show()
else:
    args.output.mkdir(parents=True, exist_ok=True)
    for name, figure in pictures.items():
        figure.savefig(args.output / f"{name}.png", dpi=150)
# sphinx_gallery_end_ignore
