"""Cats and dogs: found in their folders, or said where to get."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from skaudio.datasets import load_cats_dogs


@pytest.fixture
def home(tmp_path):
    for name in ("cats/cat_10.wav", "cats/cat_2.wav", "cats/._cat_3.wav", "dogs/dog_0.wav"):
        path = tmp_path / "cats_dogs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def test_what_is_there_is_found_in_numeric_order(home):
    pets = load_cats_dogs(data_home=home, as_frame=True)
    names = [Path(path).name for path in pets.frame["path"]]
    assert names == ["cat_2.wav", "cat_10.wav", "dog_0.wav"]
    assert pets.target.tolist() == [0, 0, 1]
    assert pets.target_names.tolist() == ["cat", "dog"]
    assert "kaggle.com" in pets.DESCR
    X, y = load_cats_dogs(data_home=home, return_X_y=True)
    assert X.tolist() == pets.frame["path"].tolist()
    assert y.tolist() == [0, 0, 1]


def test_missing(home):
    (home / "cats_dogs" / "dogs" / "dog_0.wav").unlink()
    where = re.escape(str(home / "cats_dogs" / "dogs"))
    message = rf"no \.wav files in {where}\. Download https://www\.kaggle\.com.*into {where}"
    with pytest.raises(FileNotFoundError, match=message):
        load_cats_dogs(data_home=home)


def test_real_recordings(data_home):
    if not (data_home / "cats_dogs").is_dir():
        pytest.skip("no cats_dogs in SKAUDIO_DATA")
    pets = load_cats_dogs()
    assert len(pets.data) > 100
    assert set(pets.target) == {0, 1}
