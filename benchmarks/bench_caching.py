"""A grid search by fold over a slow transformer: cached per recording, per array, not at all.

    python benchmarks/bench_caching.py [--recordings 120] [--json FILE]

Five folds, six grid points. The transformer is a pretrained net with random weights, which takes
as long as one with the official ones. ``Pipeline(memory=...)`` is scikit-learn's own cache, which
keeps the output for a whole X. Both caches begin empty; a second run begins with what the first has
left; a third has one recording more.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile as sf
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import Pipeline

from skaudio.caching import CachedTransformer
from skaudio.pretrained import PretrainedEmbedder

RATE, SECONDS = 16000, 2.0


def write_recordings(folder: Path, n: int) -> list[str]:
    rng = np.random.default_rng(0)
    paths = []
    for i in range(n):
        path = folder / f"{i}.wav"
        sf.write(path, 0.1 * rng.standard_normal(round(RATE * SECONDS)), RATE)
        paths.append(str(path))
    return paths


def search(features, paths, memory=None):
    y, groups = np.arange(len(paths)) % 4, np.arange(len(paths)) // 4
    steps = [("features", features), ("clf", LogisticRegression(max_iter=200, tol=1e-2))]
    grid = {"clf__C": np.logspace(-3, 2, 6)}
    model = Pipeline(steps, memory=memory)
    GridSearchCV(model, grid, cv=GroupKFold(5), refit=False).fit(paths, y, groups=groups)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recordings", type=int, default=120)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    embedder = PretrainedEmbedder("mn01_as", weights="random", chunk_duration=SECONDS)
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = write_recordings(folder, arguments.recordings + 1)
        embedder.fit_transform(paths[:2])  # warm-up
        cached = CachedTransformer(embedder, folder / "ours")
        ways = {
            "CachedTransformer": lambda X: search(cached, X),
            "Pipeline(memory=)": lambda X: search(embedder, X, str(folder / "theirs")),
            "no cache": lambda X: search(embedder, X),
        }
        for title, X in (
            ("first run", paths[:-1]),
            ("second run", paths[:-1]),
            ("one recording more", paths),
        ):
            row = {"run": title}
            for way, run in ways.items():
                if way == "no cache" and title != "first run":
                    continue  # the same again
                start = time.perf_counter()
                run(X)
                row[way] = time.perf_counter() - start
            rows.append(row)
            print(title, {k: round(v, 2) for k, v in row.items() if k != "run"}, flush=True)
        print(cached.cache_info())
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
