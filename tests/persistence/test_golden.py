"""Files of the first format stay loadable, and give what they gave."""

from __future__ import annotations

import numpy as np
import pytest

import skaudio

from .make_golden import GOLDEN, MODELS, output, sounds
from .models import MODULES

NAMES = sorted(path.stem for path in GOLDEN.glob("*.skaudio"))


def test_there_is_one_of_each_kind():
    assert sorted(MODELS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_golden(name):
    model = skaudio.load(GOLDEN / f"{name}.skaudio", modules=MODULES)  # drift would be an error
    expected = np.load(GOLDEN / f"{name}.npy")
    # Other processors and versions of torch round otherwise.
    scale = np.abs(expected).max()
    np.testing.assert_allclose(output(model, sounds(name)), expected, rtol=0, atol=1e-4 * scale)


@pytest.mark.parametrize("name", NAMES)
def test_golden_cards(name):
    card = skaudio.inspect(GOLDEN / f"{name}.skaudio")
    assert card["description"] == f"Golden file: {name}."
    assert card["sample_rate"] == 8000
    assert "skaudio.load" in str(card)
