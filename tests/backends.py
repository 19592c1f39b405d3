"""Encoders, embedders, caches and searches over nets under joblib's backends.

    python tests/backends.py FOLDER BACKEND...

Run as a program, so that one that hangs can be ended. Everything is compared, bit for bit, with
what it gives one after the other. Before the first worker starts, torch has used two threads: a
forked process that waits for them would hang.
"""

import os
import sys
import time

import joblib
import numpy as np
import sklearn
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_validate
from sklearn.pipeline import make_pipeline

from skaudio.augmentation import Noise
from skaudio.caching import CachedTransformer
from skaudio.classifiers import GRUClassifier
from skaudio.embedders import NetEmbedder
from skaudio.encoders import MFCC, MelSpectrogram, Waveform
from skaudio.pooling import FramePooling
from skaudio.pretrained import PretrainedEmbedder

RATE = 8000
FAST = {"max_epochs": 1, "random_state": 0}


def recordings():
    rng = np.random.default_rng(0)
    lengths = rng.integers(1600, 4000, 24)
    X = [rng.standard_normal(n, np.float32) * 0.1 for n in lengths]
    return X, np.arange(24) % 2, np.arange(24) // 4


def net():
    encoder = make_pipeline(Noise(), MFCC(sample_rate=RATE, n_mfcc=6, n_jobs=2))
    return GRUClassifier(encoder, hidden_size=4, n_layers=1, **FAST)


def search(estimator, grid, **params):
    search = GridSearchCV(
        estimator, grid, cv=GroupKFold(2), scoring="neg_log_loss", error_score="raise", **params
    )
    return search


def encoder(X, y, groups, folder, n_jobs):
    return [*MelSpectrogram(sample_rate=RATE, n_mels=8, n_jobs=n_jobs).fit_transform(X)]


def waveform(X, y, groups, folder, n_jobs):
    return [*Waveform(sample_rate=RATE, n_jobs=n_jobs).fit_transform(X)]


def embedder(X, y, groups, folder, n_jobs):
    model = make_pipeline(NetEmbedder(net()), LogisticRegression())
    return [search(model, {"logisticregression__C": [0.1, 1.0]}, n_jobs=n_jobs).fit(
        X, y, groups=groups
    ).cv_results_["mean_test_score"]]  # fmt: skip


def pretrained(X, y, groups, folder, n_jobs):
    model = make_pipeline(PretrainedEmbedder("mn01_as", weights="random"), LogisticRegression())
    found = cross_validate(model, X, y, groups=groups, cv=GroupKFold(2), n_jobs=n_jobs)
    return [found["test_score"]]


def cache(X, y, groups, folder, n_jobs):
    features = make_pipeline(MFCC(sample_rate=RATE, n_jobs=n_jobs), FramePooling())
    cached = CachedTransformer(features, os.path.join(folder, f"{n_jobs}"), batch_size=5)
    model = make_pipeline(cached, LogisticRegression())
    grid = {"logisticregression__C": [0.1, 1.0]}
    found = search(model, grid, n_jobs=n_jobs).fit(X, y, groups=groups)
    assert cached.cache_info().misses == len(X), cached.cache_info()
    return [found.cv_results_["mean_test_score"], found.predict_proba(X)]


def nets(X, y, groups, folder, n_jobs):
    found = search(net(), {"lr": [1e-3, 1e-2]}, n_jobs=n_jobs).fit(X, y, groups=groups)
    return [found.cv_results_["mean_test_score"], found.predict_proba(X)]


def nested(X, y, groups, folder, n_jobs):
    """A search inside a cross-validation, with groups in both by metadata routing."""
    with sklearn.config_context(enable_metadata_routing=True):
        inner = search(net(), {"lr": [1e-3, 1e-2]}, n_jobs=n_jobs)
        found = cross_validate(
            inner, X, y, cv=GroupKFold(2), params={"groups": groups}, n_jobs=n_jobs,
            error_score="raise",
        )  # fmt: skip
    return [found["test_score"]]


def results(X, y, groups, folder, n_jobs):
    for what in (encoder, waveform, embedder, pretrained, cache, nets, nested):
        began = time.perf_counter()
        yield what.__name__, what(X, y, groups, folder, n_jobs)
        print(f"{what.__name__} {time.perf_counter() - began:.1f} s", flush=True)


def main(folder, *backends):
    torch.set_num_threads(2)
    torch.randn(300, 300) @ torch.randn(300, 300)
    data = recordings()
    expected = dict(results(*data, folder, None))
    for backend in backends:
        compare(backend, data, expected, os.path.join(folder, backend))


def compare(backend, data, expected, folder):
    """Run everything under one backend; its caches, in a folder of its own, are empty."""
    cluster = None
    if backend.startswith("dask"):
        from dask.distributed import Client, LocalCluster

        how = {"n_workers": 2, "threads_per_worker": 1}
        if backend == "dask threads":
            how = {"n_workers": 1, "threads_per_worker": 2, "processes": False}
        cluster = Client(LocalCluster(dashboard_address=None, **how))
    name = backend.partition(" ")[0]
    # dask takes the number of workers from the cluster.
    chosen = {} if cluster else {"n_jobs": 2}
    print(f"{backend}:", flush=True)
    with joblib.parallel_config(name, **chosen):
        for what, found in results(*data, folder, -1 if cluster else 2):
            for a, b in zip(found, expected[what], strict=True):
                assert np.array_equal(a, b), (what, a, b)
    if cluster:
        cluster.shutdown()
    print(f"{backend}: all equal", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
