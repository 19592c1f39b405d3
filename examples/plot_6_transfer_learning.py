"""
Transfer learning with cached features
======================================

A network pretrained on the two million clips of AudioSet names sounds, and computes features for
small classifiers. The network takes most of the time, so its results are cached on disk, for all
folds, candidates of a search and later runs. An interactive plot shows the recordings as points,
near each other if their features are similar; a click plays a recording.

This page is also a script: ``python plot_6_transfer_learning.py --data FOLDER`` takes your own
recordings, in one sub-folder per class; ``--memory cache`` keeps the features.
"""

# %%
# Recordings
# ----------
# ESC-10: ten classes of environmental sounds, in five folds. Clips of one field recording are in
# the same fold, so folds are groups. If ESC-10 is not in the data home, the page is made with the
# bundled digits instead, so that nothing is downloaded.

# sphinx_gallery_start_ignore
import argparse
from pathlib import Path

from sklearn.model_selection import GroupKFold, StratifiedKFold

from skaudio.datasets import fetch_esc50, load_audio_files

parser = argparse.ArgumentParser(description="Pretrained features, computed once.")
parser.add_argument("--data", help="digits, esc10, esc50, or a folder (default: esc10)")
parser.add_argument("--groups", help="for a folder: regular expression, see load_audio_files")
parser.add_argument("--model", help="net; default: mn04_as, or mn01_as without its weights")
parser.add_argument("--weights", help="file of weights; default: found in the data home")
parser.add_argument("--memory", help="folder of features; without it they go after the run")
parser.add_argument("--output", type=Path, help="folder for files; without it they are shown")
args, _ = parser.parse_known_args()
# sphinx_gallery_end_ignore
import tempfile

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut, cross_validate
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skaudio.caching import CachedTransformer
from skaudio.classifiers import GRUClassifier
from skaudio.datasets import fetch_esc10, get_data_home, load_spoken_digits
from skaudio.display import FeatureSpaceDisplay
from skaudio.pretrained import AudioTagger, PretrainedEmbedder

home = get_data_home()
data = fetch_esc10() if (home / "esc10").is_dir() else load_spoken_digits()
folds = LeaveOneGroupOut()
# sphinx_gallery_start_ignore
if args.data == "digits":
    data = load_spoken_digits()
elif args.data == "esc10":
    data = fetch_esc10()
elif args.data == "esc50":
    data = fetch_esc50()
elif args.data is not None:
    data = load_audio_files(args.data, groups=args.groups)
short = args.data == "digits" or (args.data is None and not (home / "esc10").is_dir())
if short:
    data.data, data.target, data.groups = data.data[::3], data.target[::3], data.groups[::3]
if data.groups is None:
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
elif len(set(data.groups)) > 5:
    folds = GroupKFold(5)
# sphinx_gallery_end_ignore
X, y, groups = data.data, data.target_names[data.target], data.groups
print(f"{len(X)} recordings of {len(set(y))} classes")

# %%
# What is in a recording?
# -----------------------
# `AudioTagger` names the sounds in a recording, without any training. The official weights of
# ``mn04_as`` are used if they are in the data home; otherwise a smaller network with random
# weights, whose tags are random, too.

found = (home / "pretrained" / "mn04_as_mAP_432.pt").is_file()
model, weights = ("mn04_as", None) if found else ("mn01_as", "random")
chunks = {"chunk_duration": 2.0, "chunk_hop": 1.0}
n_epochs = 30
# sphinx_gallery_start_ignore
if args.model or args.weights or not (found or short):
    model, weights = args.model or "mn04_as", args.weights
if short:  # the bundled recordings last half a second
    chunks, n_epochs = {"chunk_duration": 0.3, "chunk_hop": 0.1}, 10
# sphinx_gallery_end_ignore
print(f"{model}, weights {weights or 'of the data home'}")
tagger = AudioTagger(model, weights=weights, **chunks)
tagger.tag(X[:2], top=3).drop(columns="file").round(2)

# %%
# Tags by chunk: a recording is cut into chunks, and each has its own scores.

tagger.tag(X[:1], top=1, by_chunk=True).drop(columns="file").round(2)

# %%
# The scores of the best classes over time:

by_chunk = AudioTagger(model, weights=weights, pooling=None, **chunks).fit(X[:1])
scores = by_chunk.transform(X[:1])[0]
best = np.argsort(scores.mean(axis=1))[::-1][:8]
figure, ax = plt.subplots(figsize=(7, 3), layout="constrained")
image = ax.imshow(scores[best], aspect="auto", cmap="Blues", vmin=0)
ax.set_yticks(range(8), by_chunk.get_feature_names_out()[best])
ax.set(xlabel="chunk", title=f"{y[0]}")
figure.colorbar(image, ax=ax, label="score")

# %%
# The network at the core
# -----------------------
# ``net_`` is the torch module: convolutions, pooling over frequency and time, and a small
# classifier of 527 classes. Its embedding, the input of that classifier, describes any sound.

net = by_chunk.net_
print(f"{sum(weight.numel() for weight in net.parameters())} weights")
net.classifier

# %%
# Features, computed once
# -----------------------
# `PretrainedEmbedder` returns the embedding: its mean over the chunks of a recording, or the
# sequence of chunks. `CachedTransformer` stores the results, one file per recording.

scratch = tempfile.TemporaryDirectory()
memory = scratch.name
# sphinx_gallery_start_ignore
memory = args.memory or scratch.name
# sphinx_gallery_end_ignore
means = CachedTransformer(PretrainedEmbedder(model, weights=weights), memory)
sequences = CachedTransformer(
    PretrainedEmbedder(model, weights=weights, pooling=None, **chunks), memory
)

# %%
# Two classifiers, fold by fold
# -----------------------------
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
            ("clf", GRUClassifier(None, max_epochs=n_epochs, random_state=0)),
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
# ``display.to_html("features.html")`` writes the same plot as an interactive page: hovering shows
# name, class and spectrogram, a click plays.

# sphinx_gallery_start_ignore
if args.output is None:
    plt.show()
else:
    args.output.mkdir(parents=True, exist_ok=True)
    display.figure_.savefig(args.output / "feature_space.png", dpi=150)
    display.to_html(args.output / "feature_space.html", title=f"features of {model}")
    print(f"feature_space.png and feature_space.html are in {args.output}.")
# sphinx_gallery_end_ignore
scratch.cleanup()
