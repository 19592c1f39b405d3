"""Where the real recordings are, if they are here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture
def data_home() -> Path:
    """The folder named by SKAUDIO_DATA; the test is skipped if there is none."""
    if not os.environ.get("SKAUDIO_DATA"):
        pytest.skip("SKAUDIO_DATA names no folder of real recordings")
    return Path(os.environ["SKAUDIO_DATA"])
