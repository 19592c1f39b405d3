"""Telling apart the voices of speakers that are not in the training data.

    python benchmarks/accuracy_voices.py --data arabic --ways default
    python benchmarks/accuracy_voices.py --ways WCCN "default and statistics"
    python benchmarks/accuracy_voices.py --data fsdd --ways default statistics --seeds 0 1 2
    SKAUDIO_DATA=... python benchmarks/accuracy_voices.py --ways GE2E "GE2E and statistics"

Equal error rates over all pairs of recordings of the test speakers. Arabic digits: 14 speakers for
training and 6 for the test, five random splits; bundled recordings: 5 and 5, five splits; FSDD: all
choices of two speakers for training and two for the test. Results are appended to a file, a line
per way, split and seed; those found there are not computed again. Without --ways, it is shown.
GE2E is a pretrained network, which needs its official weights and no training speakers; those are
used by WCCN and normalised scores alone.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from pathlib import Path
from tempfile import gettempdir

import numpy as np
import pandas as pd
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics.pairwise import cosine_similarity, euclidean_distances
from sklearn.model_selection import GroupShuffleSplit
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler

from skaudio.caching import CachedTransformer
from skaudio.datasets import fetch_fsdd, get_data_home, load_audio_files, load_spoken_digits
from skaudio.embedders import WCCN, SiameseEmbedder
from skaudio.encoders import MFCC, MelSpectrogram, Waveform
from skaudio.metrics import equal_error_rate, normalized_scores
from skaudio.pooling import FramePooling
from skaudio.pretrained import PretrainedEmbedder

# Windows of 800 samples tell the harmonics of a voice apart: for the training speakers of FSDD, a
# tenth of a second.
HARMONICS = {"n_mels": 128, "win_length": 800, "n_fft": 1024, "eps": 1e-8}
# The default until version 0.1.
OLD = {"loss": "pairs", "module": "statistics", "unit_norm": False, "speeds": None}
OLD |= {"batch_size": 64, "max_epochs": 20, "lr": 1e-3}
FEW = {**OLD, "embedding_size": 256, "max_epochs": 3, "hinge": "linear"}
SIAMESE = {
    "default": {},
    "default, permuted": {},
    "default and statistics": {},
    "untrained": {"lr": 1e-12, "max_epochs": 1, "speeds": None},
    "no copies": {"speeds": None},
    "no copies, longer": {"speeds": None, "max_epochs": 24},
    "angular margin": {"loss": "angular_margin"},
    "all pairs": {"loss": "all_pairs"},
    "attention": {"module_params": {"pooling": "attention_stats"}},
    "gru": {"module": "gru"},
    "statistics": {"module": "statistics"},
    "pairs, statistics": OLD,
    "pairs, statistics, harmonics": FEW,
    "pairs, statistics, harmonics, permuted": FEW,
}
PRETRAINED = {"GE2E": "ge2e", "GE2E and statistics": "ge2e"}
WAYS = ["MFCC statistics", "LDA", "WCCN", *SIAMESE, *PRETRAINED]


def load(name):
    """Return recordings at one rate, their speakers, the rate."""
    if name == "arabic":
        data, rate = load_audio_files(get_data_home() / "arabic_digits", groups=r"/(\d+)_"), 16000
    elif name == "fsdd":
        data, rate = fetch_fsdd(), 8000
    else:
        data, rate = load_spoken_digits(), 16000
    return Waveform(sample_rate=rate).fit_transform(data.data), np.asarray(data.groups), rate


def splits_of(name, speakers):
    if name == "fsdd":
        for pair in itertools.combinations(np.unique(speakers).tolist(), 2):
            new = np.isin(speakers, pair)
            yield np.flatnonzero(~new), np.flatnonzero(new)
    else:
        n_test = 6 if name == "arabic" else 5
        split = GroupShuffleSplit(5, test_size=n_test, random_state=0)
        yield from split.split(speakers, groups=speakers)


def whitened_statistics(rate):
    """Mean and deviation of mel bands, of usual windows and of long ones."""
    encoders = [MelSpectrogram(sample_rate=rate, **how) for how in ({}, HARMONICS)]
    statistics = make_union(*(make_pipeline(encoder, FramePooling()) for encoder in encoders))
    # The best shrinkage on splits of the training speakers of the first split.
    return make_pipeline(statistics, StandardScaler(), WCCN(0.2))


def embed(way, X, speakers, rate, train, test, seed):
    """Return rows of the training and of the test recordings."""
    y = speakers[train]
    if "permuted" in way:
        y = np.random.default_rng(seed).permutation(y)
    if way == "MFCC statistics":
        model = make_pipeline(MFCC(sample_rate=rate), FramePooling(), StandardScaler())
    elif way == "WCCN":
        model = whitened_statistics(rate)
    elif way in PRETRAINED:
        # The rows of a recording are the same in every split.
        model = CachedTransformer(
            PretrainedEmbedder(PRETRAINED[way], unit_norm=True), Path(gettempdir()) / "voices"
        )
        if "and statistics" in way:
            model = make_union(model, whitened_statistics(rate))
    elif way == "LDA":
        discriminant = LinearDiscriminantAnalysis(solver="eigen", shrinkage=0.1)
        mel = MelSpectrogram(sample_rate=rate)
        model = make_pipeline(mel, FramePooling(), StandardScaler(), discriminant)
    else:
        encoder = MelSpectrogram(sample_rate=rate, **(HARMONICS if "harmonics" in way else {}))
        model = SiameseEmbedder(encoder, random_state=seed, **SIAMESE[way])
        if "and statistics" in way:
            model = make_union(model, whitened_statistics(rate))
    model.fit(X[train], y)
    return model.transform(X[train]), model.transform(X[test])


def triples(rows, speakers):
    """Return means of three recordings of a speaker, each recording in one of them."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rows).assign(speaker=speakers).iloc[rng.permutation(len(rows))]
    place = table.groupby("speaker").cumcount() // 3
    groups = table.groupby(["speaker", place])
    means = groups.mean()[groups.size() == 3]
    return means.to_numpy(), means.index.get_level_values(0).to_numpy()


def rate_of(scores, speakers):
    i, j = np.triu_indices(len(speakers), 1)
    return equal_error_rate(speakers[i] == speakers[j], scores[i, j])


def measure(way, known, rows, known_speakers, speakers):
    """Return equal error rates: plain, normalised, whitened, and for means of three recordings."""
    euclidean = way in ("MFCC statistics", "LDA") or (
        way in SIAMESE and SIAMESE[way].get("unit_norm") is False
    )
    plain = (lambda r: -euclidean_distances(r)) if euclidean else cosine_similarity
    white = WCCN().fit(known, known_speakers)
    out = {}
    for what, (r, s) in {"": (rows, speakers), " of three": triples(rows, speakers)}.items():
        out[f"rate{what}"] = rate_of(plain(r), s)
        out[f"S-norm{what}"] = rate_of(normalized_scores(r, r, known, pairwise=True), s)
    whitened, cohort = white.transform(rows), white.transform(known)
    for what, (r, s) in {
        "": (whitened, speakers),
        " of three": triples(whitened, speakers),
    }.items():
        out[f"WCCN, S-norm{what}"] = rate_of(normalized_scores(r, r, cohort, pairwise=True), s)
    return {key: round(float(value), 4) for key, value in out.items()}


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def show(results):
    """Means over splits and seeds, and standard errors over splits."""
    table = pd.DataFrame(results)
    measures = [c for c in table.columns if c not in ("data", "way", "split", "seed")]
    by_split = table.groupby(["data", "way", "split"], sort=False)[measures].mean()
    groups = by_split.groupby(["data", "way"], sort=False)
    pd.set_option("display.width", 200)
    print("means", groups.mean().round(3).to_string(), sep="\n")
    print("standard errors over splits", groups.sem().round(3).to_string(), sep="\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", choices=["arabic", "fsdd", "bundled"], default="arabic")
    parser.add_argument("--ways", nargs="*", choices=WAYS)
    parser.add_argument("--splits", nargs="+", type=int)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--results", type=Path, default=Path("benchmarks/voices.jsonl"))
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.ways:
        X, speakers, rate = load(args.data)
        splits = list(enumerate(splits_of(args.data, speakers)))
    for way, seed in itertools.product(args.ways or [], args.seeds):
        for split, (train, test) in splits:
            key = {"data": args.data, "way": way, "split": split, "seed": seed}
            done = [{k: row[k] for k in key} for row in read(args.results)]
            if key in done or (args.splits and split not in args.splits):
                continue
            start = time.process_time()
            known, rows = embed(way, X, speakers, rate, train, test, seed)
            seconds = round(time.process_time() - start, 1)
            rates = measure(way, known, rows, speakers[train], speakers[test])
            line = json.dumps({**key, **rates, "CPU seconds": seconds})
            print(line, flush=True)
            with args.results.open("a") as file:
                file.write(line + "\n")
    show(read(args.results))


if __name__ == "__main__":
    main()
