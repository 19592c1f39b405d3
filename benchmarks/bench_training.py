"""Training and predicting: ours, skorch's default loader over padded features, a bare torch loop.

    python benchmarks/bench_training.py [--repeats 5] [--json FILE]

Same net, same optimiser, same precision, same number of steps. The bare loop walks over the very
batches ours walks over, padded beforehand; skorch's default pads everything to the longest
recording and draws batches at random. Augmentation is timed by the epoch with and without it.
Prediction is compared with a bare loop over batches of similar length.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from sklearn.pipeline import make_pipeline
from skorch import NeuralNet

from skaudio._neural import FrameSource, TrainingBatches, TrainingSet
from skaudio._neural.batches import pad
from skaudio.augmentation import VTLP, Noise, Speed
from skaudio.classifiers import GRUClassifier, LeNetClassifier
from skaudio.encoders import MelSpectrogram
from skaudio.nets import GRU, LeNet

SAMPLE_RATE = 16000
N_CLASSES = 10
# Lengths in seconds: uniform between two bounds, or as spoken words have them, most short and a few
# long (those of the Free Spoken Digit Dataset: 0.14 to 2.3 s, median 0.42 s).
COLLECTIONS = {
    "2000 clips of 0.3-0.7 s": lambda rng: rng.uniform(0.3, 0.7, 2000),
    "2000 spoken words": lambda rng: np.exp(rng.normal(np.log(0.42), 0.4, 2000)).clip(0.14, 2.3),
    "200 clips of 1-18 s": lambda rng: rng.uniform(1.0, 18.0, 200),
}
ESTIMATORS = {"LeNet": (LeNetClassifier, LeNet), "GRU": (GRUClassifier, GRU)}


def recordings(draw_seconds):
    rng = np.random.default_rng(0)
    lengths = (draw_seconds(rng) * SAMPLE_RATE).astype(int)
    clips = [rng.standard_normal(length, np.float32) for length in lengths]
    return clips, np.arange(len(clips)) % N_CLASSES


def per_epoch(run):
    """Seconds per epoch: two epochs more than one, so that set-up cancels."""

    def timed(n_epochs):
        start = time.perf_counter()
        run(n_epochs)
        return time.perf_counter() - start

    return (timed(3) - timed(1)) / 2


def ours(estimator, X, y):
    return lambda n_epochs: estimator(max_epochs=n_epochs, random_state=0, precision="float32").fit(
        X, y
    )


def bare_loop(module, frames, y):
    """Walk over the same buckets without an estimator; padding is done before the clock starts."""
    training = TrainingSet(FrameSource(frames), y, np.arange(len(y)), seed=0)
    batches = list(TrainingBatches(training, 32))

    def run(n_epochs):
        torch.manual_seed(0)
        net = module(frames[0].shape[0], N_CLASSES)
        optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
        loss_of = torch.nn.CrossEntropyLoss(label_smoothing=0.1)
        for _ in range(n_epochs):
            for inputs, target in batches:
                optimizer.zero_grad()
                loss_of(net(**inputs), target).backward()
                torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
                optimizer.step()

    return run


def prediction(estimator, frames, y):
    """Two ways to predict with one trained net: the estimator's, and a bare bucketed loop."""
    fitted = estimator(max_epochs=1, random_state=0).fit(frames, y)
    net = fitted.net_.module_
    order = np.argsort([f.shape[1] for f in frames], kind="stable")
    batches = [pad([frames[i] for i in part]) for part in np.array_split(order, len(order) // 32)]

    def bare():
        with torch.inference_mode():
            return torch.cat([net(x, lengths) for x, lengths in batches])

    return {"skaudio": lambda: fitted.decision_function(frames), "bare loop": bare}


def skorch_default(module, frames, y):
    longest = max(f.shape[1] for f in frames)
    x = np.zeros((len(frames), len(frames[0]), longest), np.float32)
    for row, item in zip(x, frames, strict=True):
        row[:, : item.shape[1]] = item
    X = {"x": x, "lengths": np.array([f.shape[1] for f in frames])}

    def run(n_epochs):
        NeuralNet(
            module,
            module__n_features=len(frames[0]),
            module__n_outputs=N_CLASSES,
            criterion=torch.nn.CrossEntropyLoss,
            optimizer=torch.optim.AdamW,
            iterator_train__shuffle=True,
            batch_size=32,
            max_epochs=n_epochs,
            train_split=None,
            verbose=0,
        ).fit(X, y)

    return run


def seconds_each(ways, repeats, clock):
    """Return the median of each way's seconds, the ways taken in turn."""
    seconds = {way: [] for way in ways}
    for _ in range(repeats):
        for way, run in ways.items():
            seconds[way].append(clock(run))
    return {way: statistics.median(times) for way, times in seconds.items()}


def per_call(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--collections", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--nets", nargs="+", choices=list(ESTIMATORS), default=list(ESTIMATORS))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    mel = MelSpectrogram(n_mels=40)
    augmented = make_pipeline(Noise(), VTLP(), Speed(), MelSpectrogram(n_mels=40))
    rows = []
    for collection in [list(COLLECTIONS)[i] for i in arguments.collections]:
        X, y = recordings(COLLECTIONS[collection])
        frames = list(mel.fit_transform(X))
        for name in arguments.nets:
            estimator, module = ESTIMATORS[name]

            def with_encoder(**params):
                return estimator(augmented, **params)  # noqa: B023

            ways = {
                "skaudio": ours(estimator, frames, y),
                "skorch default": skorch_default(module, frames, y),
                "bare loop": bare_loop(module, frames, y),
                "skaudio, augmented": ours(with_encoder, X, y),
            }
            row = seconds_each(ways, arguments.repeats, per_epoch)
            ways = prediction(estimator, frames, y)
            predicting = seconds_each(ways, arguments.repeats, per_call)
            row["predicting / bare loop"] = predicting["skaudio"] / predicting["bare loop"]
            rows.append({"collection": collection, "net": name, **row})
    print(f"seconds per epoch, {torch.get_num_threads()} threads, medians of {arguments.repeats}")
    print(
        f"{'':38}{'skaudio':>9}{'skorch':>9}{'bare':>9}{'augm.':>9}"
        f"{'skorch/ours':>13}{'ours/bare':>11}{'augmenting':>12}{'predicting':>12}"
    )
    for row in rows:
        ours_, default = row["skaudio"], row["skorch default"]
        bare, augmented_ = row["bare loop"], row["skaudio, augmented"]
        print(
            f"{row['collection'] + ', ' + row['net']:38}{ours_:9.2f}{default:9.2f}{bare:9.2f}"
            f"{augmented_:9.2f}{default / ours_:12.2f}x{ours_ / bare:10.2f}x"
            f"{augmented_ - ours_:+11.2f}s{row['predicting / bare loop']:11.2f}x"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
