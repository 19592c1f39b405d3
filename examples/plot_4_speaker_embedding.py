"""
Speaker verification by a siamese network
=========================================

A siamese network compares embeddings of recordings: in training, those of one speaker become
similar, and those of different speakers do not. It then decides for speakers that are not in the
training data whether two recordings are of the same person.

This page is also a script: ``python plot_4_speaker_embedding.py --data fsdd`` trains on two real
speakers and tests on two others.
"""

# %%
# Recordings
# ----------
# Half of the speakers are for training. Mel spectrograms of long windows resolve the harmonics of a
# voice, and so its pitch; those of 25 ms do not.

# sphinx_gallery_start_ignore
import argparse
from pathlib import Path

from skaudio.datasets import fetch_fsdd

parser = argparse.ArgumentParser(description="A siamese speaker embedding.")
parser.add_argument("--data", choices=["digits", "fsdd"], default="digits")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--output", type=Path, help="folder for results; without it they are shown")
args, _ = parser.parse_known_args()
# sphinx_gallery_end_ignore
import matplotlib.pyplot as plt
import numpy as np
from scipy.spatial.distance import pdist
from sklearn.metrics import DetCurveDisplay
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skaudio.datasets import load_spoken_digits
from skaudio.display import AudioPlayers
from skaudio.embedders import SiameseEmbedder
from skaudio.encoders import MFCC, MelSpectrogram, Waveform
from skaudio.metrics import equal_error_rate, precision_at_k
from skaudio.pooling import FramePooling

data, sample_rate, n_fft, training = load_spoken_digits(), 16000, 2048, {"random_state": 0}
# sphinx_gallery_start_ignore
training = {"random_state": args.seed}
if args.data == "fsdd":
    data, sample_rate, n_fft, training["max_epochs"] = fetch_fsdd(), 8000, 1024, 3
# sphinx_gallery_end_ignore
X = Waveform(sample_rate=sample_rate).fit_transform(data.data)
digits, speakers = data.target_names[data.target], data.groups
names = np.unique(speakers)
known = np.isin(speakers, names[: len(names) // 2])
train, test = np.flatnonzero(known), np.flatnonzero(~known)

mel = MelSpectrogram(
    sample_rate=sample_rate, n_mels=128, win_length=sample_rate // 10, n_fft=n_fft, eps=1e-8
)

# %%
# Training
# --------
# Batches hold several recordings of each of several speakers, and each recording has to recognise
# those of its own speaker. Copies at other speeds are further speakers. The network is a stack of
# convolutions over time by default; ``module`` takes any other. Compared with it: a recurrent
# network trained in the same way, and one that compares two recordings at a time.

embedder = SiameseEmbedder(mel, **training)
embedder.fit(X[train], speakers[train])
recurrent = SiameseEmbedder(
    mel, module="gru", module_params={"n_layers": 1}, speeds=None, **training
)
recurrent.fit(X[train], speakers[train])
by_pairs = SiameseEmbedder(
    mel, loss="pairs", module="statistics", speeds=None, random_state=training["random_state"]
).fit(X[train], speakers[train])
rows = embedder.transform(X[test])
rows.shape

# %%
# Verification
# ------------
# The equal error rate over all pairs of recordings of the test speakers: at its threshold, equal
# fractions of pairs of one speaker are rejected and of pairs of two accepted. For comparison:
# statistics of cepstral coefficients, an untrained network, and a network trained to distinguish
# words. `sklearn.metrics` draws the curve; its scores are negative distances.

codes = np.unique(speakers[test], return_inverse=True)[1]
same = pdist(codes[:, np.newaxis], "cityblock") == 0
raw = make_pipeline(MFCC(sample_rate=sample_rate), FramePooling(), StandardScaler())
untrained = SiameseEmbedder(mel, speeds=None, max_epochs=1, lr=1e-12, random_state=0)
by_digit = SiameseEmbedder(**embedder.get_params(deep=False))
ways = {
    "speaker embedding": rows,
    "recurrent network": recurrent.transform(X[test]),
    "pair by pair": by_pairs.transform(X[test]),
    "trained on digits": by_digit.fit(X[train], digits[train]).transform(X[test]),
    "untrained": untrained.fit(X[train], speakers[train]).transform(X[test]),
    "raw MFCC": raw.fit(X[train]).transform(X[test]),
}
figure, ax = plt.subplots(figsize=(6, 5), layout="constrained")
for name, values in ways.items():
    distances = pdist(values)
    rate = equal_error_rate(same, -distances)
    neighbour = precision_at_k(values, speakers[test])
    print(f"{name:18} equal error rate {rate:.3f}, nearest is of the same speaker {neighbour:.3f}")
    DetCurveDisplay.from_predictions(same, -distances, name=f"{name} ({rate:.0%})", ax=ax)
ax.set_title("Speakers never heard")
ax.legend(loc="upper right")

# %%
# Decisions need a threshold, which should be calibrated on other speakers than those of the test.
# At least two speakers are needed; if there are only two test speakers, it is calibrated on these.

new = names[len(names) // 2 :]
some = test[np.isin(speakers[test], new[: max(2, len(new) // 2)])]
left, right = np.random.default_rng(0).choice(some, (2, 200))
embedder.calibrate_threshold(X[left], X[right], speakers[left] == speakers[right])
print(f"threshold {embedder.threshold_:.3f}")
embedder.predict_pairs(X[test[:3]], X[test[3:6]])

# %%
# Nearest and furthest
# --------------------
# The nearest and the furthest recordings of other words:

index = NearestNeighbors(n_neighbors=len(rows)).fit(rows)
query = 0
order = index.kneighbors(rows[[query]], return_distance=False)[0][1:]
others = [i for i in order if digits[test[i]] != digits[test[query]]]
heard = test[[query, *others[:3], *others[-3:]]]
kinds = ["query"] + ["nearest"] * 3 + ["furthest"] * 3
titles = [f"{kind}: {speakers[i]}, {digits[i]}" for kind, i in zip(kinds, heard, strict=True)]
print("\n".join(titles))
players = AudioPlayers(X[heard], titles=titles, sample_rate=sample_rate)
# sphinx_gallery_start_ignore
if args.output is None:
    plt.show()
else:
    args.output.mkdir(parents=True, exist_ok=True)
    figure.savefig(args.output / "speaker_verification.png", dpi=150)
    (args.output / "speaker_neighbours.html").write_text(players.to_html())
# sphinx_gallery_end_ignore
players
