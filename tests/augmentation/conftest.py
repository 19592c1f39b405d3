"""Every augmentation of the package, found by walking it, and what each is given in the tests."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

import numpy as np
import pytest

import skaudio.augmentation
from skaudio.augmentation._augmentation import Augmentation, WaveformAugmentation
from skaudio.augmentation._frame_augmentation import FrameAugmentation
from skaudio.augmentation._masks import Mask

RATE = 16000


def find_augmentations():
    found = {}
    for module in pkgutil.walk_packages(skaudio.augmentation.__path__, "skaudio.augmentation."):
        for name, value in vars(importlib.import_module(module.name)).items():
            is_one = inspect.isclass(value) and issubclass(value, Augmentation)
            if (
                is_one
                and value.__module__ == module.name
                and value
                not in (
                    Augmentation,
                    FrameAugmentation,
                    WaveformAugmentation,
                    Mask,
                )
            ):
                found[name] = value
    return found


AUGMENTATIONS = find_augmentations()

# Parameters with which an augmentation does something to every recording, where the defaults do
# not. np.subtract is a function of a waveform and a number that the workers of joblib know.
ACTIVE = {
    "FunctionAugmentation": {"func": np.subtract, "sample_rate": RATE},
    "TimeShift": {"shift": (0.05, 0.2)},  # less than a frame, some of the default's
    "VTLP": {"warp": (1.05, 1.2)},
    "DynamicRange": {"top_db": (1, 3)},  # of frames that are normal numbers
    "TimeMask": {"width": (0.1, 0.3)},
    "FrequencyMask": {"width": (0.1, 0.3)},
}


def takes_frames(name):
    return issubclass(AUGMENTATIONS[name], FrameAugmentation)


@pytest.fixture(params=sorted(AUGMENTATIONS))
def name(request):
    return request.param


@pytest.fixture
def on_frames(name):
    return takes_frames(name)


@pytest.fixture
def make(name):
    """Make an augmentation that acts on every recording."""

    def build(**params):
        return AUGMENTATIONS[name](**{**ACTIVE.get(name, {}), **params})

    return build


@pytest.fixture
def recordings(name, on_frames):
    """Make waveforms of some lengths, or frames for the augmentations that take them."""

    def build(lengths, seed=0):
        rng = np.random.default_rng(seed)
        if on_frames:
            return [rng.normal(size=(12, n // 100)).astype(np.float32) for n in lengths]
        return [(0.1 * rng.normal(size=n)).astype(np.float32) for n in lengths]

    return build
