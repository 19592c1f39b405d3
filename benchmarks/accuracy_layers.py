"""Middle layers of a pretrained network: which of them, side by side, serve which task.

    python benchmarks/accuracy_layers.py [--model mn04_as] [--sets esc10 arabic_digits]

Embeddings of all layers are computed once per set. The folds, classifiers and standard errors are
those of `skaudio.evaluate_embedder`; recordings are in the data home that SKAUDIO_DATA names. For
each choice of layers: accuracy with its standard error, and the paired difference to the embedding
of the network, by groups. "few" are five examples per class.
"""

import argparse

import numpy as np

from skaudio.datasets._evaluate_embedder import _tasks
from skaudio.datasets._probes import accuracies
from skaudio.pretrained import PretrainedEmbedder

# Blocks of EfficientAT: 0 the first convolution, 1 to 15 the blocks, 16 the last convolution.
CHOICES = {
    "embedding (features.16)": [16],
    "features.5": [5],
    "features.8": [8],
    "features.11": [11],
    "features.13": [13],
    "features.15": [15],
    "5, 11, 16": [5, 11, 16],
    "11, 13, 16": [11, 13, 16],
    "5, 8, 11, 13, 15": [5, 8, 11, 13, 15],
    "3, 5, 8, 11, 13, 15, 16": [3, 5, 8, 11, 13, 15, 16],
    "all": list(range(17)),
}


def blocks(model, X):
    """Return the rows of every block, by its number."""
    names = [f"features.{i}" for i in range(17)]
    embedder = PretrainedEmbedder(model, layer=names, verbose=1).fit(X[:1])
    widths = [PretrainedEmbedder(model, layer=name)._n_features() for name in names]
    rows = embedder.transform(X)
    return np.split(rows, np.cumsum(widths)[:-1], axis=1)


def show(values):
    return f"{values.mean():.4f} ±{values.std(ddof=1) / np.sqrt(len(values)):.4f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="mn04_as")
    parser.add_argument("--sets", nargs="+", default=["esc10", "arabic_digits", "arabic_voices"])
    parser.add_argument("--shots", type=int, default=5)
    options = parser.parse_args()
    known = {}
    for name, make in _tasks(options.sets, None).items():
        X, y, groups = make()
        key = tuple(X)
        if key not in known:
            known[key] = blocks(options.model, X)
        rows = known[key]
        print(
            f"\n{name}: {len(y)} recordings, {len(np.unique(y))} classes, "
            f"{len(np.unique(groups))} groups"
        )
        print(
            f"{'layers':26} {'columns':>7}  {'linear':14} {'difference':15} "
            f"{'nearest':14} {'few':14}"
        )
        base = None
        for label, chosen in CHOICES.items():
            values = np.hstack([rows[i] for i in chosen])
            found = accuracies(values, y, groups, shots=options.shots)
            base = found if base is None else base
            difference = show(found["linear"] - base["linear"])
            print(
                f"{label:26} {values.shape[1]:7}  {show(found['linear'])} {difference:>15} "
                f"{show(found['nearest'])} {show(found['few_shot'])}",
                flush=True,
            )


if __name__ == "__main__":
    main()
