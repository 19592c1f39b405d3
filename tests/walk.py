"""Every public estimator, found by walking the package, with an instance of each."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from pathlib import Path

import torch
from sklearn.base import BaseEstimator

import skaudio
from skaudio.classifiers import GRUClassifier
from skaudio.encoders import MFCC, MelSpectrogram


class MeanNet(torch.nn.Module):
    """The least a module for NetClassifier can be."""

    def __init__(self, n_features, n_classes):
        super().__init__()
        self.hidden = torch.nn.Linear(n_features, 32)
        self.output = torch.nn.Linear(32, n_classes)

    def forward(self, x, lengths):
        return self.output(torch.relu(self.hidden(x.sum(dim=2) / lengths[:, None])))


class WaveNet(torch.nn.Module):
    """The least a module for TorchEmbedder can be: waveforms to frames."""

    def __init__(self, n_features=6):
        super().__init__()
        self.filters = torch.nn.Conv1d(1, n_features, 16, stride=8, padding=8)

    def forward(self, x):
        return torch.relu(self.filters(x[:, None]))


TINY_WAV2VEC2 = str(Path(__file__).parent / "pretrained" / "tiny_wav2vec2")
TINY_ONNX = str(Path(__file__).parent / "pretrained" / "tiny.onnx")

# Instances of what has no default one, or whose default one needs files that may not be there.
REQUIRED = {
    "NetClassifier": lambda kind: kind(module=MeanNet),
    "PretrainedEmbedder": lambda kind: kind("mn01_as", weights="random"),
    "TorchEmbedder": lambda kind: kind(WaveNet),
    "TransformersEmbedder": lambda kind: kind(TINY_WAV2VEC2, weights="random"),
    "OnnxEmbedder": lambda kind: kind(TINY_ONNX),
    "AudioTagger": lambda kind: kind("mn01_as", weights="random"),
    "FineTunedClassifier": lambda kind: kind(
        "mn01_as", weights="random", head_epochs=2, max_epochs=2, random_state=0
    ),
    "NetEmbedder": lambda kind: kind(GRUClassifier(hidden_size=8, max_epochs=2, random_state=0)),
    "FrameUnion": lambda kind: kind([("mel", MelSpectrogram(n_mels=8)), ("mfcc", MFCC(n_mfcc=4))]),
    "CachedTransformer": lambda kind: kind(MFCC(), "cached"),
}


def public_modules():
    """Import the public packages; whatever is public is exported by one of them."""
    for module in pkgutil.iter_modules(skaudio.__path__, "skaudio."):
        if not module.name.startswith("skaudio._"):
            yield importlib.import_module(module.name)


def find_estimators():
    """Return the estimator classes that some ``__all__`` exports, by name."""
    found = {}
    for module in public_modules():
        for name in getattr(module, "__all__", ()):
            item = getattr(module, name)
            if inspect.isclass(item) and issubclass(item, BaseEstimator):
                found[name] = item
    return dict(sorted(found.items()))


def build(name):
    return REQUIRED.get(name, lambda kind: kind())(ESTIMATORS[name])


def quick(name, encoder, **wanted):
    """Return an instance with these parameters where it has them, also in its parts.

    What trains a network gets the encoder; of others, it would be a part of their module.
    """
    estimator = build(name)
    if named(estimator, "max_epochs"):
        wanted["encoder"] = encoder
    for end, value in wanted.items():
        places = [place for place in named(estimator, end) if "encoder__" not in place]
        estimator.set_params(**dict.fromkeys(places, value))
    return estimator


def named(estimator, end):
    """Return the parameters of an estimator and of its parts that have this name."""
    return [name for name in estimator.get_params() if name.split("__")[-1] == end]


ESTIMATORS = find_estimators()
