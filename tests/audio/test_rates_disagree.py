"""A model fitted on recordings that state their rates, and used on arrays that do not; or else."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skaudio.audio import AudioBatch
from skaudio.augmentation import Noise
from skaudio.caching import CachedTransformer
from skaudio.classifiers import GRUClassifier
from skaudio.encoders import MFCC, MelSpectrogram
from skaudio.pooling import FramePooling
from skaudio.pretrained import PretrainedEmbedder

BARE = "X holds bare arrays, which are taken to be at .*the recordings of fit stated their rates"
STATED = "X holds recordings that state their sample rates, and the X of fit held bare arrays"


@pytest.fixture
def forms(tmp_path, make_clip, write_audio):
    clips = [make_clip(0.2, seed=i) for i in range(4)]
    return {
        "paths": [write_audio(tmp_path / f"{i}.wav", clip) for i, clip in enumerate(clips)],
        "mappings": [{"array": clip, "sampling_rate": 16000} for clip in clips],
        "batch": AudioBatch(clips, 16000),
        "arrays": clips,
        "2-D": np.stack(clips),
        "batch without a rate": AudioBatch(clips),
    }


HAVE_RATES = ["paths", "mappings", "batch"]
HAVE_NONE = ["arrays", "2-D", "batch without a rate"]


def told(call, X):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call(X)
    return [str(warning.message) for warning in caught if "X holds" in str(warning.message)]


@pytest.mark.parametrize("before", HAVE_RATES + HAVE_NONE)
@pytest.mark.parametrize("after", HAVE_RATES + HAVE_NONE)
def test_rates_that_disagree_warn_once(before, after, forms):
    encoder = MFCC().fit(forms[before])
    found = told(encoder.transform, forms[after])
    if (before in HAVE_RATES) == (after in HAVE_RATES):
        assert found == []
        return
    assert len(found) == 1
    assert re.search(BARE if before in HAVE_RATES else STATED, found[0])
    assert told(encoder.transform, forms[after]) == []  # once
    encoder.fit(forms[before])
    assert len(told(encoder.transform, forms[after])) == 1


def test_both_together_are_taken_as_meant(forms):
    encoder = MFCC().fit([*forms["arrays"], *forms["paths"]])
    assert told(encoder.transform, forms["arrays"]) == told(encoder.transform, forms["paths"]) == []
    encoder = MFCC().fit(forms["paths"])
    assert len(told(encoder.transform, [*forms["arrays"], *forms["paths"]])) == 1


@pytest.mark.parametrize(
    "model",
    [
        make_pipeline(MFCC(), FramePooling(), LogisticRegression()),
        make_pipeline(Noise(random_state=0), MFCC(), FramePooling(), LogisticRegression()),
        GRUClassifier(MFCC(), max_epochs=1, hidden_size=4, random_state=0),
        GRUClassifier(make_pipeline(Noise(), MelSpectrogram()), max_epochs=1, hidden_size=4),
        PretrainedEmbedder("mn01_as", weights="random"),
    ],
    ids=["encoder", "noise", "net", "net with noise", "pretrained"],
)
def test_models_say_so_once(model, forms):
    fitted = clone(model).fit(forms["paths"], [0, 1, 0, 1])
    call = fitted.predict if hasattr(fitted, "predict") else fitted.transform
    assert len(told(call, forms["arrays"])) == 1
    assert told(call, forms["arrays"]) == []


def test_caches_say_so_once(forms, tmp_path):
    cached = CachedTransformer(MFCC(), tmp_path / "cache").fit(forms["paths"])
    assert len(told(cached.transform, forms["arrays"])) == 1


def test_nothing_is_said_without_fit(forms):
    encoder = MFCC()
    for X in forms.values():
        assert told(encoder.transform, X) == []


def test_the_rate_is_told(forms):
    encoder = MFCC(sample_rate=8000).fit(forms["paths"])
    with pytest.warns(UserWarning, match="taken to be at 8000 Hz") as caught:
        encoder.transform(forms["arrays"])
    assert caught[0].filename == __file__
