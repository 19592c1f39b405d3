"""
Fine-tuning a pretrained network
================================

A network pretrained on AudioSet can be used in two ways: as it is, with a classifier on its
features, or trained further together with a new head. Its first layers compute what all sounds
need, and are kept or trained at a small share of the learning rate; ``lr_multipliers`` states the
share of each part.

As a script::

    python plot_7_fine_tuning.py                    # bundled digits, random weights
    python plot_7_fine_tuning.py --data esc10       # environmental sounds, weights of mn04_as
    python plot_7_fine_tuning.py --data cats_dogs   # 164 cats and 113 dogs
    python plot_7_fine_tuning.py --data FOLDER      # your own, one sub-folder per class
    python plot_7_fine_tuning.py --output pictures  # write a file instead of showing it
"""

# %%
# Recordings
# ----------
# One fold of the data set is the test part, of field recordings or voices that do not occur in the
# other folds.

import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaudio.augmentation import FrequencyMask, TimeMask, TimeShift
from skaudio.datasets import get_data_home, load_spoken_digits
from skaudio.display import HistoryDisplay
from skaudio.pretrained import AudioTagger, FineTunedClassifier, PretrainedEmbedder

data = load_spoken_digits()
keep = np.flatnonzero(data.target < 4)[::2]
X, y, groups = data.data[keep], data.target_names[data.target[keep]], data.groups[keep]
# sphinx_gallery_start_ignore
import argparse

from sklearn.model_selection import StratifiedKFold

from skaudio.datasets import fetch_esc10, load_audio_files, load_cats_dogs

parser = argparse.ArgumentParser(description="A pretrained network, trained further.")
parser.add_argument("--data", default="digits", help="digits (default), esc10, cats_dogs, folder")
parser.add_argument("--groups", help="for a folder: regular expression, see load_audio_files")
parser.add_argument("--model", help="network; default: mn04_as, or mn01_as for the digits")
parser.add_argument("--weights", help="file of weights; default: found in the data home")
parser.add_argument("--epochs", type=int, help="default: 15, or 8 for the digits")
parser.add_argument("--output", type=Path, help="folder for a picture; without it, it is shown")
args, _ = parser.parse_known_args()
if args.data != "digits":
    if args.data == "esc10":
        data = fetch_esc10()
    elif args.data == "cats_dogs":
        data = load_cats_dogs()
    else:
        data = load_audio_files(args.data, groups=args.groups)
    X, y, groups = data.data, data.target_names[data.target], data.groups
# sphinx_gallery_end_ignore
cutter = GroupKFold(5)
# sphinx_gallery_start_ignore
if groups is None:
    cutter = StratifiedKFold(4, shuffle=True, random_state=0)
elif len(set(groups)) < 5:
    cutter = GroupKFold(len(set(groups)))
# sphinx_gallery_end_ignore
training, test = next(cutter.split(X, y, groups))
X_train, y_train = [X[i] for i in training], y[training]
X_test, y_test = [X[i] for i in test], y[test]
print(f"{len(X_train)} recordings to learn from, {len(X_test)} to test")

# %%
# The network
# -----------
# The bundled digits let this example run anywhere. They are classified by the small ``mn01_as``,
# with its weights if these are in the data home and with random ones otherwise, which makes all
# classifiers poor.

model = "mn01_as"
found = (get_data_home() / "pretrained" / "mn01_as_mAP_298.pt").is_file()
weights = None if found else "random"
settings = {"chunk_duration": 1.0, "max_epochs": 8, "batch_size": 8, "lr": 3e-3}
# sphinx_gallery_start_ignore
if args.data != "digits":
    model, weights = "mn04_as", None
    settings = {"chunk_duration": 5.0, "max_epochs": 15, "batch_size": 32, "lr": 1e-3}
if args.model:
    model, weights = args.model, None
weights = args.weights or weights
settings["max_epochs"] = args.epochs or settings["max_epochs"]
# sphinx_gallery_end_ignore
shared = {"model": model, "weights": weights, "random_state": 0, **settings}
print(f"{model}, weights {weights or 'of the data home'}")

# %%
# Frozen and trained
# ------------------
# With everything frozen, the features are computed once. With ``unfreeze=4``, the maps before the
# last four layers are. "staged" trains the head alone before the whole network.

features = PretrainedEmbedder(model, weights=weights, chunk_duration=shared["chunk_duration"])
augmentation = make_pipeline(TimeShift(), TimeMask(), FrequencyMask())
classifiers = {
    "frozen, logistic regression": make_pipeline(
        features, StandardScaler(), LogisticRegression(max_iter=2000)
    ),
    "frozen, new head": FineTunedClassifier(unfreeze="head", **shared),
    "last four layers": FineTunedClassifier(unfreeze=4, **shared),
    "staged": FineTunedClassifier(unfreeze="staged", **shared),
    "staged, by layer": FineTunedClassifier(
        unfreeze="staged",
        lr_multipliers={"*": 0.1, "features.[0-4]": 0, "features.1[0-6]": 0.3, "head": 1},
        **shared,
    ),
    "last four layers, augmented": FineTunedClassifier(
        unfreeze=4, augmentation=augmentation, **shared
    ),
}
rows = []
for name, classifier in classifiers.items():
    start = time.perf_counter()
    accuracy = classifier.fit(X_train, y_train).score(X_test, y_test)
    rows.append({"classifier": name, "accuracy": accuracy, "s": time.perf_counter() - start})
print(pd.DataFrame(rows).round(3).to_string(index=False))

# %%
# The learning rate of each layer
# -------------------------------
# A layer with the multiplier 0 is frozen: its weights are those of the file.

tuned = classifiers["staged, by layer"]
factors = pd.Series(tuned.net_.module_.lr_factors)
layers = factors.groupby(
    factors.index.str.extract(r"(head|features\.\d+)", expand=False).values, sort=False
)
print((layers.first() * tuned.lr).to_string())

# %%
# The network for other purposes
# ------------------------------
# The weights go into a file, from which an embedder and a tagger take them: features for a search
# of similar sounds, and probabilities of the own classes for every second of a recording.

with tempfile.TemporaryDirectory() as folder:
    path = tuned.save_weights(Path(folder) / "tuned.pt")
    embedder = PretrainedEmbedder(model, weights=path)
    tagger = AudioTagger(
        model, weights=path, labels=tuned.labels_.tolist(), chunk_duration=1.0, chunk_hop=0.5
    )
    print(embedder.transform(X_test[:2]).shape)
    print(tagger.tag(X_test[:1], top=1, by_chunk=True).round(2).to_string(index=False))

# %%
# The training: first the head alone, then everything.

display = HistoryDisplay.from_estimator(tuned)

# sphinx_gallery_start_ignore
if args.output is None:
    plt.show()
else:
    args.output.mkdir(parents=True, exist_ok=True)
    display.figure_.savefig(args.output / "fine_tuning.png", dpi=150)
    print(f"fine_tuning.png is in {args.output}.")
# sphinx_gallery_end_ignore
