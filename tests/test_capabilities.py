"""The table of what each estimator can do: complete, and every cell tried."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.pipeline import make_pipeline

import skaudio
from skaudio.encoders import MelSpectrogram
from skaudio.pooling import FramePooling
from tests import walk
from tests.walk import ESTIMATORS

pytest.importorskip("sphinx")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "docs" / "_ext"))
import capability_table

sys.path.pop(0)

ROWS = {
    kind.__name__: capability_table.capabilities(capability_table.build(kind))
    for kinds in capability_table.estimators().values()
    for kind in kinds
}
RATE = 8000
Y = np.array([0, 1, 0, 1, 0, 1])


def recordings():
    """Return noise of several lengths, as what the table says that X holds."""
    rng = np.random.default_rng(0)
    waves = [
        rng.normal(scale=0.1, size=n).astype("f") for n in (2000, 2500, 3000, 2200, 2700, 3300)
    ]
    frames = MelSpectrogram(sample_rate=RATE, n_mels=12).transform(waves)
    rows = FramePooling().fit_transform(frames)
    return {"recordings": waves, "frames": list(frames), "rows": rows}


X = recordings()


def quick(name):
    """Return an instance that trains for one epoch, on recordings at the rate of these."""
    return walk.quick(name, MelSpectrogram(n_mels=12), max_epochs=1, random_state=0)


def fitted(name, **params):
    estimator = quick(name)
    return estimator.fit(X[ROWS[name]["takes"]], Y, **params)


def works(function, *args, **kwargs):
    """Whether a call does not raise what bad input and bad calls raise."""
    try:
        function(*args, **kwargs)
    except (TypeError, ValueError, AttributeError):
        return False
    return True


def test_table_has_every_public_estimator():
    assert set(ROWS) == set(ESTIMATORS)
    text = "\n".join(capability_table.lines())
    for name in ESTIMATORS:
        assert text.count(f".{name}`") == 1
    assert all(set(row) == set(capability_table.COLUMNS) for row in ROWS.values())


@pytest.mark.parametrize("name", ESTIMATORS)
def test_takes_learns_and_groups(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a cache of results goes there
    row = ROWS[name]
    estimator = fitted(name)  # recordings or frames of several lengths, or rows
    others = {"rows": ("frames",), "frames": (), "recordings": ()}[row["takes"]]
    for other in others:
        assert not works(quick(name).fit, X[other], Y)
    used = next(m for m in ("transform", "predict") if hasattr(estimator, m))
    getattr(estimator, used)(X[row["takes"]])
    assert works(getattr(quick(name), used), X[row["takes"]]) is not row["learns"]
    assert works(fitted, name, groups=Y) is row["groups"]


@pytest.mark.parametrize("name", ESTIMATORS)
def test_labels_streams_and_device(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    row, estimator = ROWS[name], quick(name)
    several = np.array([[0, 1], [1, 0], [1, 1], [0, 0], [1, 0], [0, 1]])
    if hasattr(estimator, "predict"):
        assert works(quick(name).fit, X[row["takes"]], several) is row["multi-label"]
    else:
        assert not row["multi-label"]
    step = (
        make_pipeline(estimator, MelSpectrogram()) if hasattr(estimator, "augment") else estimator
    )
    if row["takes"] == "frames" and hasattr(estimator, "augment"):
        step = make_pipeline(MelSpectrogram(), estimator)
    try:
        skaudio.stream(step)
    except TypeError:
        assert not row["streams"]
    except ValueError:  # not fitted, or parameters that need the whole recording
        assert row["streams"]
    else:
        assert row["streams"]
    named = walk.named(estimator, "device")
    assert bool(named) is row["device"]
    for parameter in named:
        elsewhere = quick(name).set_params(**{parameter: "cuda:99"})
        with pytest.raises(ValueError, match="expected the name of a torch device"):
            elsewhere.fit(X[row["takes"]], Y).transform(X[row["takes"]])


@pytest.mark.parametrize("name", ESTIMATORS)
def test_saves(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert works(skaudio.save, fitted(name), tmp_path / "a.skaudio") is ROWS[name]["saves"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ESTIMATORS)
def test_exports(name, tmp_path, monkeypatch):
    pytest.importorskip("onnx")
    monkeypatch.chdir(tmp_path)
    row, estimator = ROWS[name], quick(name)
    steps = [estimator]
    if hasattr(estimator, "augment") or row["takes"] != "recordings":
        steps = [MelSpectrogram(sample_rate=RATE, n_mels=12), estimator]
    if hasattr(estimator, "augment") and row["takes"] == "recordings":
        steps = steps[::-1]
    if row["takes"] == "rows":
        steps.insert(1, FramePooling())
    torch.manual_seed(0)
    pipeline = make_pipeline(*steps).fit(X["recordings"], Y)
    assert works(skaudio.export_onnx, pipeline, tmp_path / "a.onnx") is row["ONNX"]
