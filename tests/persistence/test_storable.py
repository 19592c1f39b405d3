"""What is stored, what is not, and what is said about it."""

from __future__ import annotations

import json
import os
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch.callbacks import EpochTimer

import skaudio
from skaudio.augmentation import Convolution, FunctionAugmentation, Noise
from skaudio.caching import CachedTransformer
from skaudio.classifiers import NetClassifier
from skaudio.encoders import MFCC
from skaudio.pooling import FramePooling

from ..cases import clips
from ..walk import MeanNet
from .models import MODULES, features, fitted, gru


class Own(TransformerMixin, BaseEstimator):
    """A transformer of a user."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X


def double(x):
    return 2 * np.asarray(x)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.skaudio"


def content(path):
    """Return all that a file holds, unpacked, as one text."""
    with zipfile.ZipFile(path) as archive:
        return b"".join(archive.read(name) for name in archive.namelist()).decode("latin-1")


def test_user_code_is_asked_for(path):
    model = fitted("NetClassifier")[0]
    skaudio.save(model, path)
    call = r'skaudio\.load\(".*model\.skaudio", modules=\{"MeanNet": MeanNet\}\)'
    with pytest.raises(ValueError, match=f"needs MeanNet, whose code.*{call}"):
        skaudio.load(path)
    card = skaudio.inspect(path)
    assert card["needs"] == {"MeanNet": "the class given as module"}
    assert 'modules={"MeanNet": MeanNet}' in str(card)
    assert skaudio.load(path, modules=MODULES).module is MeanNet


def test_another_module_of_that_name(path):
    class Other(MeanNet):
        def __init__(self, n_features, n_classes):
            super().__init__(n_features, n_classes)
            self.hidden = torch.nn.Linear(n_features, 31)

    skaudio.save(fitted("NetClassifier")[0], path)
    with pytest.raises(ValueError, match=r"do not fit the weights: net\.hidden\.bias is \(32,\)"):
        skaudio.load(path, modules={"MeanNet": Other})


def test_functions(path):
    augment = FunctionAugmentation(double)
    model = make_pipeline(augment, MFCC(), FramePooling(), FunctionTransformer(double))
    skaudio.save(model, path)
    with pytest.raises(ValueError, match="needs double, whose code"):
        skaudio.load(path)
    again = skaudio.load(path, modules={"double": double})
    assert again[0].func is double


def test_classes_of_skaudio_and_torch_need_no_modules(path):
    params = {"optimizer": torch.optim.SGD, "optimizer__momentum": 0.9}
    model = NetClassifier(MFCC(), module=skaudio.LeNet, net_params=params)
    again = skaudio.load(skaudio.save(model, path))
    assert again.module is skaudio.LeNet
    assert again.net_params == params


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (make_pipeline(Own(), MFCC()), r"steps\[0\]\[1\] is a tests\..*\.Own, which skaudio\.save"),
        (FunctionAugmentation(lambda x: x), r"func is a .*function.*Give it a name"),
        (gru(callbacks=[EpochTimer()]), r"callbacks\[0\] is a skorch.*callbacks=None"),
    ],
)
def test_what_cannot_be_stored_is_named(model, message, path):
    with pytest.raises(TypeError, match=message):
        skaudio.save(model, path)
    assert list(path.parent.iterdir()) == []


def test_two_objects_of_one_name(path):
    def other(x):
        return x

    other.__name__ = "double"
    model = make_pipeline(FunctionTransformer(double), FunctionTransformer(other))
    with pytest.raises(ValueError, match="two objects named double"):
        skaudio.save(model, path)


@pytest.mark.parametrize("value", [MFCC, "model", None, 3])
def test_no_estimator(value, path):
    with pytest.raises(TypeError, match="expected an estimator"):
        skaudio.save(value, path)


def test_search_that_was_not_fitted(path):
    from sklearn.model_selection import GridSearchCV

    with pytest.raises(ValueError, match=r"saved as its best_estimator_, and has none"):
        skaudio.save(GridSearchCV(features(), {}), path)


def test_no_paths_of_the_machine(path, tmp_path):
    secret = tmp_path / "speaker-jane"
    model = make_pipeline(
        Noise(noise=str(secret)),
        Convolution(impulse_response=[secret / "hall.wav"]),
        CachedTransformer(make_pipeline(MFCC(n_jobs=1), FramePooling()), secret),
        LogisticRegression(random_state=np.random.RandomState(0)),
        memory=str(secret),
    )
    skaudio.save(model, path)
    assert "speaker-jane" not in content(path)
    left_out = " ".join(skaudio.inspect(path)["not_stored"])
    for word in ("noise", "impulse_response", "memory", "n_jobs", "cache", "random numbers"):
        assert word in left_out
    again = skaudio.load(path)
    assert again.memory is None
    assert again[0].noise == "(not stored)"
    assert type(again[2][0]) is MFCC
    assert again[-1].random_state is None
    with pytest.raises((ValueError, FileNotFoundError), match="not stored"):
        again[0].fit_transform(clips()[0])


def test_arrays_as_parameters(path):
    response = np.hanning(50).astype(np.float32)
    again = skaudio.load(skaudio.save(Convolution(impulse_response=response), path))
    np.testing.assert_array_equal(again.impulse_response, response)


def test_unusual_values(path):
    weights = {"a": 1.0, 2: np.float32(0.1), ("x",): float("inf"), None: {1, 2}}
    weights |= {"big": 10**30, "slice": slice(1, None), "z": 1j, "e": np.array([], "<U1")}
    model = SGDClassifier(class_weight=weights)
    again = skaudio.load(skaudio.save(model, path)).class_weight
    assert again.pop("e").dtype == weights.pop("e").dtype
    assert again == weights
    assert type(again[2]) is np.float32


def test_pretrained_weights_are_in_the_file(path, tmp_path, monkeypatch):
    """No official file is here, and no network: the loaded embedder needs neither."""
    X, _ = clips()
    random = skaudio.PretrainedEmbedder("mn01_as", weights="random").fit(X)
    torch.save(random.net_.state_dict(), tmp_path / "jane.pt")
    embedder = skaudio.PretrainedEmbedder("mn01_as", weights=tmp_path / "jane.pt")
    expected = embedder.fit_transform(X)
    skaudio.save(make_pipeline(embedder, FunctionTransformer()), path)
    (tmp_path / "jane.pt").unlink()
    monkeypatch.setenv("SKAUDIO_OFFLINE", "1")
    again = skaudio.load(path)
    np.testing.assert_array_equal(again.transform(X), expected)
    assert "jane" not in content(path)
    card = skaudio.inspect(path)
    assert card["weights_size"] > 400_000
    assert "not known" in card["weights_licences"]["mn01_as"]
    with pytest.raises(FileNotFoundError, match="not stored"):
        again.fit(X)


def test_card(path):
    model, _ = fitted("pipeline")
    scores = {"accuracy": (0.97, 0.01), "equal error rate": 0.04}
    skaudio.save(model, path, scores=scores, description="Two pitches.\nOf tones.")
    card = skaudio.inspect(path)
    assert card["classes"] == ["high", "low"]
    assert card["n_recordings"] == 12
    assert card["scores"] == {"accuracy": [0.97, 0.01], "equal error rate": [0.04]}
    text = str(card)
    for line in ("accuracy: 0.97 ± 0.01", "sample rate: 8000 Hz", "MFCC: n_mfcc=8", "scikit-learn"):
        assert line in text
    assert "Two pitches.\nOf" not in text  # control characters are shown as what they are
    assert json.loads(json.dumps(card)) == card


@pytest.mark.parametrize("scores", [{"a": (1, 2, 3)}, {"a": "good"}, {"a": float("nan")}, {3: 1}])
def test_scores_that_are_none(scores, path):
    with pytest.raises(ValueError, match=r"scores=|could not convert"):
        skaudio.save(MFCC(), path, scores=scores)


def test_the_same_model_is_the_same_bytes(path):
    model, _ = fitted("pipeline")
    first = skaudio.save(model, path).read_bytes()
    assert skaudio.save(skaudio.load(path), path).read_bytes() == first


def test_saved_whole_or_not_at_all(path, monkeypatch):
    skaudio.save(MFCC(), path)
    before = path.read_bytes()

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        skaudio.save(fitted("pipeline")[0], path)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_too_large(path):
    model = SGDClassifier(class_weight={i: 1.0 for i in range(300_000)})
    with pytest.raises(ValueError, match=r"too large for such a file: model\.json has more items"):
        skaudio.save(model, path)
    assert not path.exists()


def test_folder_that_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        skaudio.save(MFCC(), tmp_path / "missing" / "model.skaudio")
    with pytest.raises(FileNotFoundError):
        skaudio.load(tmp_path / "missing.skaudio")


def test_threads_at_once(tmp_path):
    model, X = fitted("GRUClassifier")
    expected, found = model.decision_function(X), {}

    def go(i):
        path = skaudio.save(model, Path(tmp_path, f"{i}.skaudio"))
        found[i] = skaudio.load(path).decision_function(X)

    threads = [threading.Thread(target=go, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    for scores in found.values():
        np.testing.assert_array_equal(scores, expected)
