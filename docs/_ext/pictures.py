"""The pictures of the landing page, drawn from the recordings that come with skaudio.

As a Sphinx extension, it draws those that are missing in ``docs/pictures`` before a build.
``python docs/_ext/pictures.py FOLDER`` draws all of them. ``make clean`` removes them.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy.spatial.distance import pdist
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import TSNE
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skaudio

SIZE = (4.4, 2.6)
COLORS = "C0", "C1", "C2", "C3"


def new_figure(*args, **kwargs):
    return plt.subplots(*args, figsize=SIZE, layout="constrained", **kwargs)


def show_frames(ax, frames):
    ax.imshow(frames, origin="lower", aspect="auto", cmap="magma")
    ax.set(xticks=[], yticks=[])


def unknown_voices(digits, n=3):
    """Return a mask of the recordings of the last voices, which the pictures do not train on."""
    return np.isin(digits.groups, np.unique(digits.groups)[-n:])


def classify(digits):
    """A recording, and the probabilities of a classifier that does not know its voice."""
    new = unknown_voices(digits)
    model = make_pipeline(
        skaudio.MFCC(),
        skaudio.FramePooling(n_segments=3),
        StandardScaler(),
        LogisticRegression(C=0.01, max_iter=1000),
    ).fit(digits.data[~new], digits.target[~new])
    query = np.flatnonzero(new & (digits.target == 7))[:1]
    figure, (left, right) = new_figure(1, 2)
    mel = skaudio.MelSpectrogram(scale="db", hop_length=32)
    show_frames(left, mel.transform(digits.data[query])[0])
    left.set_title("a recording of “seven”", fontsize=10)
    right.barh(digits.target_names, model.predict_proba(digits.data[query])[0])
    right.invert_yaxis()
    right.set_title("probabilities", fontsize=10)
    right.spines[["top", "right"]].set_visible(False)
    return figure


def network(digits):
    """A recording as a network sees it in several epochs."""
    augmentation = make_pipeline(
        skaudio.VTLP((0.8, 1.2)), skaudio.Speed((0.75, 1.3)), skaudio.Noise(snr_db=(0, 25))
    )
    mel = skaudio.MelSpectrogram(scale="db", hop_length=32, top_db=60)
    path = skaudio.TrainingPath(make_pipeline(augmentation, mel))
    query = digits.data[np.flatnonzero(digits.target == 6)[4:5]]
    figure, axes = new_figure(2, 2)
    show_frames(axes.flat[0], mel.transform(query)[0])
    axes.flat[0].set_title("recording", fontsize=9)
    for epoch, ax in enumerate(axes.flat[1:], 1):
        seeds = skaudio.epoch_seeds(0, epoch, [4])
        show_frames(ax, np.asarray(path(query, seeds)[0]))
        ax.set_title(f"epoch {epoch}", fontsize=9)
    return figure


def similar(digits):
    """The embedding of a digit classifier; recordings of new voices are crosses."""
    new = unknown_voices(digits)
    mel = skaudio.MelSpectrogram(n_mels=40, scale="db", top_db=60)
    classifier = skaudio.LeNetClassifier(
        make_pipeline(skaudio.VTLP(), skaudio.Speed(), mel),
        channels=(8, 16, 32),
        max_epochs=12,
        random_state=0,
    ).fit(digits.data[~new], digits.target[~new])
    embedder = skaudio.NetEmbedder(FrozenEstimator(classifier), unit_norm=True)
    places = TSNE(init="pca", random_state=0).fit_transform(embedder.transform(digits.data))
    figure, ax = new_figure()
    for digit, name in enumerate(digits.target_names):
        for mask, marker in ((~new, "."), (new, "x")):
            chosen = mask & (digits.target == digit)
            ax.scatter(*places[chosen].T, s=22, marker=marker, color=f"C{digit}", linewidth=1)
        middle = np.median(places[digits.target == digit], axis=0)
        box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}
        ax.text(*middle, name, ha="center", va="center", fontsize=9, bbox=box)
    ax.set(xticks=[], yticks=[])
    ax.set_title("dots: training voices, crosses: new voices", fontsize=9)
    return figure


def voices(digits):
    """Distances within and between voices that are not in the training data."""
    new = unknown_voices(digits, n=5)
    mel = skaudio.MelSpectrogram(n_mels=128, win_length=1600, n_fft=2048, eps=1e-8)
    embedder = skaudio.SiameseEmbedder(mel, speeds=None, max_epochs=6, random_state=0)
    embedder.fit(digits.data[~new], digits.groups[~new])
    codes = np.unique(digits.groups[new], return_inverse=True)[1]
    same = pdist(codes[:, np.newaxis], "cityblock") == 0
    distances = pdist(embedder.transform(digits.data[new]))
    figure, ax = new_figure()
    bins = np.linspace(0, distances.max(), 40)
    for mask, name in ((same, "one voice"), (~same, "two voices")):
        ax.hist(distances[mask], bins, density=True, alpha=0.6, label=name)
    ax.set(yticks=[], xlabel="distance of two recordings")
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.legend(frameon=False)
    return figure


def events(digits):
    """A soundscape of other voices than those of the training, with probabilities and events."""
    words = digits.target_names[digits.target]
    used, new = np.isin(words, ["one", "six", "eight"]), unknown_voices(digits)
    hiss = [0.005 * np.random.default_rng(0).normal(size=64000)]
    scenes = [
        skaudio.make_soundscapes(
            digits.data[which],
            words[which],
            hiss,
            n_soundscapes=n,
            duration=4.0,
            event_duration=(0.1, 1.0),
            random_state=1,
        )
        for which, n in ((used & ~new, 100), (used & new, 1))
    ]
    mel = skaudio.MelSpectrogram(n_mels=40, hop_length=320)
    detector = skaudio.EventDetector(
        mel,
        channels=(16, 16, 32),
        frame_stride=2,
        hidden_size=32,
        max_epochs=15,
        batch_size=16,
        median_filter=0.12,
        min_duration=0.1,
        max_gap=0.2,
        random_state=0,
    ).fit(scenes[0].data, scenes[0].target)
    shown = scenes[1].data
    figure, (top, bottom) = new_figure(2, 1, height_ratios=(2, 1.2), sharex=True)
    frames = skaudio.MelSpectrogram(scale="db").transform(shown)[0]
    top.imshow(frames, origin="lower", aspect="auto", cmap="magma", extent=(0, 4, 0, 1))
    top.set(yticks=[])
    probabilities = detector.predict_frames(shown)[0]
    times = detector.frame_times(probabilities)
    for label, row, color in zip(detector.labels_, probabilities, COLORS, strict=False):
        bottom.plot(times, row, color=color, label=label)
    found = detector.predict_events(shown)
    for event in found.itertuples():
        color = COLORS[list(detector.labels_).index(event.event_label)]
        top.axvspan(event.onset, event.offset, 0.9, color=color)
    bottom.set(yticks=[0, 1], xlabel="time (s)", xlim=(0, 4), ylim=(-0.05, 1.05))
    bottom.legend(fontsize=7, loc="upper right", ncols=3)
    return figure


def pretrained(digits):
    """Tags of each chunk, with official weights and ESC-10 at hand; else features of chunks."""
    home = skaudio.get_data_home()
    weights = (home / "pretrained" / "mn04_as_mAP_432.pt").is_file()
    figure, ax = new_figure()
    if weights and (home / "esc10").is_dir():
        clips = skaudio.fetch_esc10()
        names = clips.target_names[clips.target]
        chosen = ["Dog bark", "Rain", "Rooster", "Clock tick"]
        clips = [clips.data[np.flatnonzero(names == name)[2]] for name in chosen]
        waves = skaudio.Waveform(sample_rate=32000, duration=5.0).transform(clips)
        tagger = skaudio.AudioTagger("mn04_as", pooling=None, chunk_duration=2.0, chunk_hop=0.5)
        whole = skaudio.AudioBatch([np.concatenate([np.ravel(wave) for wave in waves])], 32000)
        scores = tagger.fit_transform(whole)[0]
        # The two best labels of each clip.
        parts = np.array_split(scores, 4, axis=1)
        best = [i for part in parts for i in np.argsort(part.mean(axis=1))[::-1][:2]]
        best = list(dict.fromkeys(best))
        labels = [str(label) for label in tagger.get_feature_names_out()[best]]
        ax.imshow(scores[best], aspect="auto", cmap="Blues", extent=(0, 20, len(best), 0), vmin=0)
        ax.set_yticks(
            np.arange(len(best)) + 0.5, [label.split(",")[0] for label in labels], fontsize=8
        )
        ax.set(xlabel="time (s)")
        ax.set_title("dog, rain, rooster, clock: 5 s each", fontsize=10)
        return figure
    embedder = skaudio.PretrainedEmbedder(
        "mn01_as", weights="random", pooling=None, chunk_duration=0.3, chunk_hop=0.05
    )
    waves = skaudio.Waveform(sample_rate=32000).transform(digits.data[::40])
    rows = embedder.transform([np.concatenate([np.ravel(wave) for wave in waves])])[0]
    ax.imshow(rows, aspect="auto", cmap="viridis")
    ax.set(xticks=[], yticks=[], xlabel="chunks", ylabel="features")
    ax.set_title("untrained network: no weights at hand", fontsize=10)
    return figure


PICTURES = classify, network, similar, voices, events, pretrained


def draw(folder, *, missing_only=True):
    """Draw the pictures into a folder; with ``missing_only``, those that are not there yet."""
    folder = Path(folder)
    wanted = [p for p in PICTURES if not (missing_only and (folder / f"{p.__name__}.png").exists())]
    if not wanted:
        return
    folder.mkdir(parents=True, exist_ok=True)
    digits = skaudio.load_spoken_digits()
    with plt.rc_context({"font.size": 9}):
        for picture in wanted:
            figure = picture(digits)
            figure.savefig(folder / f"{picture.__name__}.png", dpi=200, facecolor="white")
            plt.close(figure)


def setup(app):
    plt.switch_backend("Agg")
    app.connect("builder-inited", lambda app: draw(Path(app.srcdir) / "pictures"), priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


if __name__ == "__main__":
    plt.switch_backend("Agg")
    draw(sys.argv[1], missing_only=False)
