"""Every estimator with a ``device``, on a GPU: as on the CPU. Runs where torch finds one."""

from __future__ import annotations

import gc
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.model_selection import cross_val_predict

import skaudio
from skaudio.classifiers import LeNetClassifier
from skaudio.encoders import MFCC, MelSpectrogram
from tests.walk import ESTIMATORS, MeanNet, build, named, quick

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device"),
]
RATE = 16000
Y = np.array(["low", "high"] * 4)
ENCODER = MelSpectrogram(sample_rate=RATE, n_mels=12)
# ONNX Runtime computes on a GPU only with another package, onnxruntime-gpu.
OTHER_RUNTIME = {"OnnxEmbedder"}
OWN_MODULES = {"MeanNet": MeanNet}


NAMES = [name for name in ESTIMATORS if named(build(name), "device") and name not in OTHER_RUNTIME]
TRAINED = [name for name in NAMES if named(build(name), "random_state")]


@pytest.fixture(scope="module")
def X():
    """Low and high tones in noise, of several lengths."""
    rng = np.random.default_rng(0)
    lengths = (5000, 8000, 6000, 7000, 9000, 5500, 6500, 7500)
    tones = [
        np.sin(2 * np.pi * (300 + 900 * (i % 2)) * np.arange(n) / RATE)
        for i, n in enumerate(lengths)
    ]
    return [(0.3 * tone + 0.02 * rng.normal(size=len(tone))).astype(np.float32) for tone in tones]


def on(device, name):
    """Return an instance on a device: small, exact, with a seed."""
    estimator = quick(name, ENCODER, max_epochs=3, random_state=0, precision="float32")
    return estimator.set_params(**dict.fromkeys(named(estimator, "device"), device))


def results(estimator, X):
    """Return what an estimator gives for recordings, as a list of arrays."""
    methods = ("decision_function", "predict_proba", "transform")
    method = next(m for m in methods if hasattr(estimator, m))
    return [np.asarray(row) for row in getattr(estimator, method)(X)]


def assert_close(found, expected, name):
    for a, b in zip(found, expected, strict=True):
        scale = np.abs(b).max()
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-3 * scale, err_msg=name)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in TRAINED])
def test_transforms_as_on_the_cpu(name, X, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a cache of results goes there
    pair = [results(on(device, name).fit(X, Y), X) for device in ("cuda", "cpu")]
    assert_close(*pair, name)


@pytest.mark.parametrize("name", TRAINED)
def test_trains_repeatably_and_goes_back_to_the_cpu(name, X, tmp_path):
    torch.cuda.manual_seed(7)
    generator = torch.cuda.get_rng_state()
    on_gpu = results(on("cuda", name).fit(X, Y), X)
    gc.collect()
    before = torch.cuda.memory_allocated()  # with the workspaces of libraries
    estimator = on("cuda", name).fit(X, Y)
    assert torch.equal(torch.cuda.get_rng_state(), generator)
    assert_close(results(estimator, X), on_gpu, "a second fit")
    path = tmp_path / "model.skaudio"
    skaudio.save(estimator, path)
    loaded = skaudio.load(path, modules=OWN_MODULES)
    assert_close(results(loaded, X), on_gpu, "loaded beside the GPU")
    rows = tmp_path / "rows.npz"
    np.savez(rows, *X)
    code = (
        "import sys, warnings, numpy as np, skaudio\n"
        "from tests.test_gpu import OWN_MODULES, results\n"
        "with warnings.catch_warnings(record=True) as caught:\n"
        "    model = skaudio.load(sys.argv[1], modules=OWN_MODULES)\n"
        "assert any('not present here' in str(w.message) for w in caught), caught\n"
        "X = list(np.load(sys.argv[2]).values())\n"
        "np.savez(sys.argv[2], *results(model, X))"
    )
    blind = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    subprocess.run([sys.executable, "-c", code, str(path), str(rows)], env=blind, check=True)
    assert_close(np.load(rows).values(), on_gpu, "loaded without a GPU")
    del estimator, loaded
    gc.collect()
    assert torch.cuda.memory_allocated() <= before


def test_learns_in_bfloat16(X):
    model = LeNetClassifier(ENCODER, device="cuda", max_epochs=15, random_state=0)
    assert model.fit(X, Y).score(X, Y) == 1.0


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_in_workers(backend, X):
    import joblib

    model = LeNetClassifier(ENCODER, device="cuda", max_epochs=3, random_state=0)
    model.set_params(precision="float32")
    expected = cross_val_predict(model, X, Y, cv=2, method="decision_function")
    with joblib.parallel_config(backend, n_jobs=2):
        found = cross_val_predict(model, X, Y, cv=2, method="decision_function")
    assert_close(found, expected, backend)


def test_streams_and_long_recordings(X):
    signal = np.concatenate(X)
    for kind in (MFCC, MelSpectrogram):
        there, here = (kind(sample_rate=RATE, top_db=None, device=d) for d in ("cuda", "cpu"))
        stream = skaudio.stream(there)
        parts = [stream.push(part) for part in np.array_split(signal, 7)]
        found = np.concatenate([*parts, stream.finish()], axis=1)
        assert_close([found], here.transform([signal]), kind.__name__)
