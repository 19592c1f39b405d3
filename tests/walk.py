"""Every public estimator, found by walking the package, with an instance of each."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

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


# Instances of what has no default one, or whose default one needs files that may not be there.
REQUIRED = {
    "NetClassifier": lambda kind: kind(module=MeanNet),
    "PretrainedEmbedder": lambda kind: kind("mn01_as", weights="random"),
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


ESTIMATORS = find_estimators()
