"""Files that are not loaded, each with the reason; some of the changed files of ``make fuzz``."""

from __future__ import annotations

import importlib
import io
import json
import pickle
import re
import warnings
import zipfile
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch

import skaudio
from skaudio.persistence._archive import write_archive

from .models import fitted

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.skaudio"


def members(path):
    with zipfile.ZipFile(path) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    del found["manifest.json"]
    return found


def refused(path, reason):
    with pytest.raises(ValueError, match=rf"^{re.escape(str(path))} cannot be loaded: .*{reason}"):
        skaudio.load(path)


def rewrite(path, change, name="model.json", **facts):
    """Change a member of JSON, with the hashes that belong to it."""
    found = members(path)
    tree = json.loads(found[name])
    found[name] = json.dumps(change(tree) or tree).encode()
    write_archive(path, found, {"versions": {}, **facts})


def test_other_files(path, tmp_path):
    path.write_bytes(b"")
    refused(path, "it is empty")
    path.write_bytes(b"#!/bin/sh")
    refused(path, "it is not a saved model")
    path.write_bytes(pickle.dumps(skaudio.MFCC()))
    refused(path, r"it is a pickle .*never runs a pickle.*joblib\.load")
    joblib.dump(skaudio.MFCC(), path, compress=3)
    refused(path, "it is compressed, as joblib's pickles")
    torch.save({"a": torch.ones(2)}, path)
    refused(path, r"torch\.save")
    with open(path, "wb") as file:
        np.savez(file, a=np.ones(2))
    refused(path, "another zip archive")
    import soundfile

    soundfile.write(tmp_path / "a.wav", np.zeros(100), 8000)
    refused(tmp_path / "a.wav", r"it is a recording.*Waveform.*load_audio_files")


def test_changed_after_saving(path):
    skaudio.save(skaudio.MFCC(), path)
    found = members(path)
    with zipfile.ZipFile(path) as archive:
        manifest = archive.read("manifest.json")
    found["model.json"] = found["model.json"].replace(b"16000", b"44100")
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {"manifest.json": manifest, **found}.items():
            archive.writestr(name, content)
    refused(path, r"model\.json is not what its manifest states")
    with pytest.raises(ValueError, match="is not what its manifest states"):
        skaudio.inspect(path)


def test_newer_format(path):
    skaudio.save(skaudio.MFCC(), path)
    write_archive(path, members(path), {"version": 2, "versions": {"skaudio": "9.0"}})
    refused(path, r"version 2 of the format.*up to 1.*by skaudio '9\.0': update skaudio")


@pytest.mark.parametrize("name", ["../up", "/etc/passwd", "data.pkl", "arrays/../../x", "C:\\x"])
def test_names(name, path):
    skaudio.save(skaudio.MFCC(), path)
    write_archive(path, {**members(path), name: b"x"}, {"versions": {}})
    refused(path, "which is not a member of a saved model")


def test_links_and_duplicates(path):
    for name, mode, reason in (
        ("arrays/7.npy", 0o120777, "is a link"),
        ("model.json", 0o100644, "two members of one name"),
        ("arrays/8.npy", 0o100644, "other members than its manifest lists"),
    ):
        skaudio.save(skaudio.MFCC(), path)
        with warnings.catch_warnings(), zipfile.ZipFile(path, "a") as archive:
            warnings.simplefilter("ignore")
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            archive.writestr(info, b"/etc/passwd")
        refused(path, reason)


def test_bombs(path):
    skaudio.save(skaudio.MFCC(), path)
    found = members(path)
    for content, reason in (
        (bytes(1 << 25), "would unpack to more"),
        (b"[" * 10**5 + b"]" * 10**5, "is not JSON|inside each other"),
        (b"[" + b"[]," * 10**6 + b"1]", "more items"),
    ):
        write_archive(path, {**found, "model.json": content}, {"versions": {}})
        refused(path, reason)


def test_an_array_that_lies(path):
    skaudio.save(fitted("pipeline")[0], path)
    found = members(path)
    name = next(name for name in found if name.endswith(".npy"))
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream, {"descr": "<f8", "fortran_order": False, "shape": (10**15,)}
    )
    write_archive(path, {**found, name: stream.getvalue()}, {"versions": {}})
    refused(path, "announces an array of another size")
    stream = io.BytesIO()
    np.save(stream, np.array([{}], object), allow_pickle=True)
    write_archive(path, {**found, name: stream.getvalue()}, {"versions": {}})
    refused(path, "holds objects")


def set_params(**params):
    def change(tree):
        tree["params"].update(params)

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda tree: {**tree, "class": "os.system"}, "in no list of classes"),
        (lambda tree: {**tree, "class": "sklearn.pipeline.make_pipeline"}, "no list of classes"),
        (lambda tree: {**tree, "t": "pickle"}, "unknown kind 'pickle'"),
        (set_params(wrong=1), "has no parameter 'wrong'"),
        (set_params(n_mfcc="many"), "n_mfcc"),
        (set_params(n_jobs=64), "n_jobs=64, which no saved model sets"),
        (lambda tree: {**tree, "state": {"transform": 1}}, "no learned attribute 'transform'"),
        (lambda tree: {**tree, "state": {"__class__": 1}}, "no learned attribute"),
        (set_params(window={"t": "function", "v": "os.system"}), "in no list of functions"),
    ],
)
def test_changed_trees(change, reason, path):
    skaudio.save(skaudio.MFCC(), path)
    rewrite(path, change)
    refused(path, reason)


@pytest.mark.parametrize("params", [{"hidden_size": 10**9}, {"n_layers": 10**9}])
def test_a_net_that_does_not_fit_its_weights(params, path):
    """Nothing of that size is built."""
    skaudio.save(fitted("GRUClassifier")[0], path)

    def change(tree):
        for pair in tree["net"]["built_with"]["v"]:
            pair[1] = params.get(pair[0], pair[1])

    rewrite(path, change)
    refused(path, "much larger network|do not fit the weights|does not fit together")


def test_weights_of_another_type(path):
    from safetensors.torch import load, save

    skaudio.save(fitted("GRUClassifier")[0], path)
    found = members(path)
    name = next(name for name in found if name.startswith("weights/"))
    halves = {key: tensor.half() for key, tensor in load(found[name]).items()}
    write_archive(path, {**found, name: save(halves)}, {"versions": {}})
    refused(path, "do not fit the weights")


def test_a_tree_of_decisions_that_leads_nowhere(path):
    skaudio.save(fitted("sklearn.tree.DecisionTreeClassifier")[0], path)
    found = members(path)
    for name, content in found.items():
        if name.endswith(".npy"):
            array = np.load(io.BytesIO(content))
            if array.dtype.names:
                array["left_child"][0] = 10**6
                stream = io.BytesIO()
                np.save(stream, array)
                found[name] = stream.getvalue()
    write_archive(path, found, {"versions": {}})
    refused(path, "leads to nodes or features that there are not")


def test_drift_is_named(path):
    skaudio.save(skaudio.MFCC(), path)
    rewrite(path, set_params(lifter=22))
    with pytest.warns(UserWarning, match=r"other results.*a difference of .* of the largest value"):
        skaudio.load(path)


def test_a_probe_that_would_take_long_is_not_computed(path):
    skaudio.save(skaudio.MFCC(), path)
    rewrite(path, set_params(n_fft=2**30, win_length=2**30))
    with pytest.warns(UserWarning, match="computing them would take long"):
        skaudio.load(path)


def test_a_pretrained_net_without_weights(path, monkeypatch):
    """It would look for a file, or download it."""
    monkeypatch.setattr("skaudio._files.fetch_file", None)
    skaudio.save(fitted("AudioTagger")[0], path)

    def change(tree):
        tree["params"]["weights"] = None
        del tree["weights"]

    rewrite(path, change)
    refused(path, "it refers to None, which it does not hold")


def test_a_regression_as_classifier(path):
    """libsvm would read beyond the end of the coefficients of two classes."""
    skaudio.save(fitted("sklearn.svm.SVC")[0], path)
    rewrite(path, lambda tree: tree["state"].pop("classes_") and None)
    refused(path, "classes_")


def test_modules_that_are_none(path):
    with pytest.raises(TypeError, match=r"modules=\['Net'\]: expected a dict"):
        skaudio.load(path, modules=["Net"])


def test_another_device(path):
    skaudio.save(fitted("GRUClassifier")[0], path)
    rewrite(path, set_params(device="cuda:77"))
    with pytest.warns(UserWarning, match="device='cuda:77', which is not present here"):
        assert skaudio.load(path).device == "cpu"


@pytest.mark.slow
def test_some_of_the_changed_files(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    fuzz = importlib.import_module("fuzz_models")
    counts = fuzz.run(120, seed=1, seconds=float("inf"))  # time is for the benchmark
    assert sum(sum(found.values()) for found in counts.values()) == 120
    assert {how for found in counts.values() for how in found} <= {"refused", "loaded", "drifts"}
    assert all(found["refused"] for found in counts.values())
