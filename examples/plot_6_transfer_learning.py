"""
Transfer learning with cached features
======================================

A network pretrained on the two million clips of AudioSet computes features for small classifiers.
The network takes most of the time, so its results are cached on disk, for all folds, candidates of
a search and later runs. An interactive plot shows the recordings as points, near each other if
their features are similar; a click plays a recording.

As a script::

    python plot_6_transfer_learning.py                    # bundled digits, weights at hand
    python plot_6_transfer_learning.py --data esc10       # environmental sounds
    python plot_6_transfer_learning.py --data FOLDER      # your own, one sub-folder per class
    python plot_6_transfer_learning.py --memory cache     # keep the features; run it twice
    python plot_6_transfer_learning.py --output pictures  # write files instead of showing them
"""

# %%
# Recordings
# ----------
# The folds of the data set are groups: clips of one field recording, or of one voice, are never in
# both training and test parts.

import argparse
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    LeaveOneGroupOut,
    StratifiedKFold,
    cross_validate,
)
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skaudio.caching import CachedTransformer
from skaudio.classifiers import GRUClassifier
from skaudio.datasets import fetch_esc10, get_data_home, load_audio_files, load_spoken_digits
from skaudio.display import FeatureSpaceDisplay
from skaudio.pretrained import AudioTagger, PretrainedEmbedder

parser = argparse.ArgumentParser(description="Pretrained features, computed once.")
parser.add_argument("--data", default="digits", help="digits (default), esc10, or a folder")
parser.add_argument("--groups", help="for a folder: regular expression, see load_audio_files")
parser.add_argument("--model", help="net; default: mn04_as, or mn01_as without its weights")
parser.add_argument("--weights", help="file of weights; default: found in the data home")
parser.add_argument("--memory", help="folder of features; without it they go after the run")
parser.add_argument("--output", type=Path, help="folder for files; without it they are shown")
args, _ = parser.parse_known_args()

if args.data == "digits":
    data = load_spoken_digits()
    data.data, data.target, data.groups = data.data[::3], data.target[::3], data.groups[::3]
elif args.data == "esc10":
    data = fetch_esc10()
else:
    data = load_audio_files(args.data, groups=args.groups)
X, y = data.data, data.target_names[data.target]
if data.groups is None:
    groups, folds = None, StratifiedKFold(5, shuffle=True, random_state=0)
else:
    groups = data.groups
    folds = LeaveOneGroupOut() if len(set(groups)) <= 5 else GroupKFold(5)

# %%
# The network
# -----------
# By default, this example uses the weights of ``mn04_as`` if they are in the data home, and a
# smaller network with random weights otherwise.

model, weights = args.model, args.weights
if model is None:
    found = (get_data_home() / "pretrained" / "mn04_as_mAP_432.pt").is_file()
    model = "mn04_as" if found or weights or args.data != "digits" else "mn01_as"
    if model == "mn01_as":
        weights = "random"
print(f"{model}, weights {weights or 'of the data home'}")

scratch = tempfile.TemporaryDirectory()
memory = args.memory or scratch.name
short = args.data == "digits"  # the bundled recordings last half a second
means = CachedTransformer(
    PretrainedEmbedder(model, weights=weights, chunk_duration=1.0 if short else "auto"), memory
)
sequences = CachedTransformer(
    PretrainedEmbedder(
        model,
        weights=weights,
        pooling=None,
        chunk_duration=0.3 if short else 2.0,
        chunk_hop=0.1 if short else 1.0,
    ),
    memory,
)

# %%
# The tags of a recording, without training. If the weights are random, so are the tags.

if model != "vggish":  # which was published without its classes
    print(AudioTagger(model, weights=weights).tag(X[:1], top=3).to_string(index=False))

# %%
# Two classifiers
# ---------------
# A logistic regression on the mean over each recording, and a small recurrent network on the
# sequence of chunks.

classifiers = {
    "mean + logistic regression": Pipeline(
        [
            ("features", means),
            ("scale", StandardScaler()),
            ("clf", LogisticRegression(max_iter=5000)),
        ]
    ),
    "chunks + GRU": Pipeline(
        [
            ("features", sequences),
            ("clf", GRUClassifier(None, max_epochs=10 if short else 30, random_state=0)),
        ]
    ),
}
accuracies = {}
for name, classifier in classifiers.items():
    scores = cross_validate(classifier, X, y, groups=groups, cv=folds)["test_score"]
    accuracies[name] = scores
table = pd.DataFrame(accuracies).rename(index=lambda i: f"fold {i + 1}")
table.loc["mean"] = [scores.mean() for scores in accuracies.values()]
table.loc["standard error"] = [s.std(ddof=1) / np.sqrt(len(s)) for s in accuracies.values()]
print(table.round(3).to_string())

# %%
# A search with cached features
# -----------------------------
# The features of each recording are requested once per fold and candidate, and read from the cache.

before = means.cache_info()
grid = {"clf__C": np.logspace(-3, 2, 6)}
search = GridSearchCV(classifiers["mean + logistic regression"], grid, cv=folds)
search.fit(X, y, groups=groups)
after = means.cache_info()
print(
    f"best C {search.best_params_['clf__C']:g}, accuracy {search.best_score_:.3f}; "
    f"{after.hits - before.hits} results found, {after.misses - before.misses} computed"
)

# %%
# The feature space
# -----------------

display = FeatureSpaceDisplay.from_estimator(
    means, X, y, groups=groups, method="tsne", random_state=0
)
display.ax_.set_title(f"{model}, t-SNE", loc="right", fontsize="small")

# %%
# The same plot as an interactive page: hovering shows name, class and spectrogram, a click plays.

if args.output is None:
    plt.show()
else:
    args.output.mkdir(parents=True, exist_ok=True)
    display.figure_.savefig(args.output / "feature_space.png", dpi=150)
    display.to_html(args.output / "feature_space.html", title=f"{args.data}, features of {model}")
    print(f"feature_space.png and feature_space.html are in {args.output}.")

scratch.cleanup()
