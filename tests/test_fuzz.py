"""Some of the damaged files of ``make fuzz``, which reads thousands of them."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.mark.parametrize(
    "script",
    [
        "fuzz_archives",
        "fuzz_weights",
        pytest.param("fuzz_recordings", marks=pytest.mark.slow),  # in another process
    ],
)
def test_every_damage_is_told_by_name(script, monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    counts = importlib.import_module(script).run(240, seed=1)
    assert sum(sum(found.values()) for found in counts.values()) == 240
    assert {what for found in counts.values() for what in found} <= {"refused", "unpacked", "read"}
    assert all(found["refused"] for found in counts.values())
