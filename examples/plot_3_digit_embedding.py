"""
Embeddings of a classifier: clusters of digits
==============================================

A neural classifier of spoken digits, without its last layer, maps each recording to a vector.
Recordings of the same digit have similar vectors, for any speaker, including speakers that are not
in the training data.

This page is also a script: ``python plot_3_digit_embedding.py --data fsdd`` takes recordings of
real speakers, which needs some minutes.
"""

# %%
# A classifier
# ------------
# Three of the ten synthetic voices (or one of the real speakers) are for testing.

# sphinx_gallery_start_ignore
import argparse
from pathlib import Path

from skaudio.datasets import fetch_fsdd

parser = argparse.ArgumentParser(description="The embedding of a digit classifier.")
parser.add_argument("--data", choices=["digits", "fsdd"], default="digits")
parser.add_argument("--max-epochs", type=int, help="default: 12; 30 for fsdd")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--output", type=Path, help="folder for results; without it they are shown")
args, _ = parser.parse_known_args()
# sphinx_gallery_end_ignore
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import TSNE
from sklearn.metrics import silhouette_score
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skaudio.augmentation import VTLP, Noise, Speed, TimeShift
from skaudio.classifiers import LeNetClassifier
from skaudio.datasets import load_spoken_digits
from skaudio.display import AudioPlayers
from skaudio.embedders import NetEmbedder
from skaudio.encoders import MFCC, MelSpectrogram, Waveform
from skaudio.metrics import map_at_r, precision_at_k
from skaudio.pooling import FramePooling

data, sample_rate, n_new, max_epochs, seed = load_spoken_digits(), 16000, 3, 12, 0
# sphinx_gallery_start_ignore
if args.data == "fsdd":
    data, sample_rate, n_new, max_epochs = fetch_fsdd(), 8000, 1, 30
max_epochs, seed = args.max_epochs or max_epochs, args.seed
# sphinx_gallery_end_ignore
X = Waveform(sample_rate=sample_rate).fit_transform(data.data)
y, speakers = data.target_names[data.target], data.groups
new = np.isin(speakers, np.unique(speakers)[-n_new:])
train, test = np.flatnonzero(~new), np.flatnonzero(new)

encoder = Pipeline(
    [
        ("shift", TimeShift(shift=(-0.15, 0.15))),
        ("vtlp", VTLP()),
        ("speed", Speed()),
        ("noise", Noise(snr_db=(15, 40))),
        ("mel", MelSpectrogram(sample_rate=sample_rate, n_mels=40, scale="db", top_db=35)),
    ]
)
classifier = LeNetClassifier(encoder, max_epochs=max_epochs, random_state=seed)
classifier.fit(X[train], y[train])

# %%
# The network without its last layer
# ----------------------------------
# ``net_.module_`` is the torch module, ``net`` in it the network after the standardisation of
# features. Its last layer maps 128 features to the ten digits:

classifier.net_.module_.net

# %%
# ``NetEmbedder`` returns the input of the last layer. With a ``FrozenEstimator``, no training is
# needed; with an unfitted classifier, it trains a clone, and can be cross-validated as a step of a
# Pipeline. ``layer=`` returns the output of any other layer.

embedder = NetEmbedder(FrozenEstimator(classifier), unit_norm=True)
rows = embedder.transform(X)
raw = make_pipeline(MFCC(sample_rate=sample_rate), FramePooling()).fit_transform(X)
rows.shape, raw.shape

# %%
# The digit of the nearest training recording is about as accurate as the classifier:

nearest = KNeighborsClassifier(1).fit(rows[train], y[train])
print(f"classifier, speakers never heard:       {classifier.score(X[test], y[test]):.3f}")
print(f"nearest neighbour, speakers never heard: {nearest.score(rows[test], y[test]):.3f}")

# %%
# Information in the embedding
# ----------------------------
# A silhouette near 1 means tight clusters, near 0 none. A linear probe is a linear classifier of
# the rows: it measures which information they contain, whether or not they form clusters by it.
# Means and standard deviations of cepstral coefficients are for comparison.


def probe(rows, labels):
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    return cross_val_score(model, rows, labels, cv=folds).mean()


table = pd.DataFrame(
    {
        name: {
            f"{measure.__name__}, {what}": measure(values, labels)
            for measure in (silhouette_score, precision_at_k, map_at_r, probe)
            for what, labels in (("digit", y), ("speaker", speakers))
        }
        for name, values in (("embedding", rows), ("raw MFCC", StandardScaler().fit_transform(raw)))
    }
)
print(table.round(3).to_string())

# %%
# A map of all recordings, with those of test speakers as crosses:

places = TSNE(init="pca", random_state=0).fit_transform(rows)
figure, axes = plt.subplots(1, 2, figsize=(11, 5), layout="constrained")
for ax, labels, title in ((axes[0], y, "by digit"), (axes[1], speakers, "by speaker")):
    names = data.target_names if labels is y else np.unique(speakers)
    for i, name in enumerate(names):
        for chosen, marker in ((labels == name) & ~new, "."), ((labels == name) & new, "x"):
            ax.scatter(*places[chosen].T, s=25, marker=marker, color=f"C{i}")
        ax.scatter([], [], s=25, color=f"C{i}", label=name)
    ax.set(title=title, xticks=[], yticks=[])
    ax.legend(fontsize="small", ncols=2)

# %%
# Nearest and furthest
# --------------------
# Rows have length 1, so the furthest from a row is the nearest to its negative: one index finds
# both.

index = NearestNeighbors(n_neighbors=4).fit(rows)
query = test[0]
near = index.kneighbors(rows[[query]], return_distance=False)[0][1:]
far = index.kneighbors(-rows[[query]], n_neighbors=3, return_distance=False)[0]
heard = [query, *near, *far]
kinds = ["query"] + ["nearest"] * 3 + ["furthest"] * 3
titles = [f"{kind}: {y[i]}, {speakers[i]}" for kind, i in zip(kinds, heard, strict=True)]
print("\n".join(titles))
players = AudioPlayers(X[heard], titles=titles, sample_rate=sample_rate)
# sphinx_gallery_start_ignore
if args.output is None:
    plt.show()
else:
    args.output.mkdir(parents=True, exist_ok=True)
    figure.savefig(args.output / "digit_embedding.png", dpi=150)
    (args.output / "digit_neighbours.html").write_text(players.to_html())
# sphinx_gallery_end_ignore
players
