"""Recordings on disk, and a transformer whose work can be counted."""

import sys
from pathlib import Path

import cloudpickle
import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def counting():
    """The module, under the name by which other processes import it too."""
    sys.path.insert(0, str(HERE))
    try:
        import counting
    finally:
        sys.path.remove(str(HERE))
    # joblib's workers do not have it on their path.
    cloudpickle.register_pickle_by_value(counting)
    return counting


@pytest.fixture
def paths(tmp_path, make_clip, write_audio) -> list[str]:
    folder = tmp_path / "recordings"
    folder.mkdir()
    return [write_audio(folder / f"{i:02}.wav", make_clip(0.05, seed=i)) for i in range(20)]


@pytest.fixture
def log(tmp_path) -> str:
    (tmp_path / "log").mkdir()
    return str(tmp_path / "log")


@pytest.fixture
def memory(tmp_path) -> str:
    return str(tmp_path / "memory")
