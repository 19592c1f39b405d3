"""Short recordings with two damaged ones among them, and folders compared file by file."""

from __future__ import annotations

from pathlib import Path

import pytest
from sklearn.pipeline import make_pipeline

from skaudio.encoders import MFCC
from skaudio.pooling import FramePooling

DAMAGED = (3, 17)
N = 24


@pytest.fixture(scope="session")
def files(tmp_path_factory, make_clip, write_audio):
    """Return paths of 24 recordings; one is no audio, one is missing."""
    folder = tmp_path_factory.mktemp("recordings")
    paths = [
        write_audio(folder / f"{i:02d}.wav", make_clip(0.2 + 0.01 * i, seed=i)) for i in range(N)
    ]
    (folder / "03.wav").write_bytes(b"RIFF and no more")
    (folder / "17.wav").unlink()
    return paths


@pytest.fixture(scope="session")
def good(files):
    return [path for i, path in enumerate(files) if i not in DAMAGED]


def small_model(**params):
    return make_pipeline(MFCC(n_mfcc=5, **params), FramePooling())


@pytest.fixture
def model():
    return small_model()


def contents(folder):
    """Return what is in the files of a folder, by name."""
    folder = Path(folder)
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}
