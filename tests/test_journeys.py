"""How many files a reader has to hold open: those that four calls go through, counted as they run.

Small files are good where a file is a whole idea. A call that crosses many is hard to follow.
"""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

import skaudio
from skaudio.augmentation import Noise
from skaudio.caching import CachedTransformer
from skaudio.classifiers import GRUClassifier
from skaudio.datasets import load_spoken_digits
from skaudio.detectors import EventDetector
from skaudio.encoders import MelSpectrogram
from skaudio.pretrained import PretrainedEmbedder

PACKAGE = str(Path(skaudio.__file__).parent)


def files_crossed(call):
    """Return the files of the package in which a function is called, in any thread."""
    seen = set()

    def look(frame, event, argument):
        if event == "call" and frame.f_code.co_filename.startswith(PACKAGE):
            seen.add(frame.f_code.co_filename[len(PACKAGE) + 1 :])

    threading.setprofile(look)
    sys.setprofile(look)
    try:
        call()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return sorted(seen)


def encode(folder):
    X = load_spoken_digits().data[:8]
    return lambda: MelSpectrogram().fit_transform(X)


def train(folder):
    X, y = load_spoken_digits(return_X_y=True)
    encoder = make_pipeline(Noise(), MelSpectrogram())
    gru = GRUClassifier(encoder, hidden_size=8, max_epochs=1, random_state=0)
    return lambda: gru.fit(X[:60], y[:60])


def detect(folder):
    X, y = load_spoken_digits(return_X_y=True)
    detector = EventDetector(MelSpectrogram(), max_epochs=1, random_state=0).fit(X[:60], y[:60])
    return lambda: detector.predict_events(X[:2])


def embed(folder):
    X = load_spoken_digits().data[:4]
    embedder = PretrainedEmbedder("mn01_as", weights="random")
    count = iter(range(9))
    # Into a new folder each time, or there would be nothing to compute.
    return lambda: CachedTransformer(embedder, folder / str(next(count))).fit(X).transform(X)


@pytest.mark.parametrize(
    ("journey", "most"), [(encode, 14), (train, 35), (detect, 29), (embed, 30)]
)
def test_journeys_cross_few_files(journey, most, tmp_path):
    call = journey(tmp_path)
    call()  # what is made at the first call only is left out
    crossed = files_crossed(call)
    assert len(crossed) <= most, "\n".join(crossed)


def test_counts_files_in_threads():
    def call():
        thread = threading.Thread(target=lambda: MelSpectrogram().fit(np.zeros((1, 400))))
        thread.start()
        thread.join()

    assert "encoders/_mel_spectrogram.py" in files_crossed(call)
