"""Under each of joblib's backends everything ends, and gives the numbers of one after the other."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# Seconds: more than ten times what it takes on two quiet cores.
LIMIT = 900

# The one that forks comes first, while there are no threads but torch's.
BACKENDS = ["multiprocessing", "threading", "loky"]
OF_DASK = ["dask threads", "dask processes"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "backends", [BACKENDS, pytest.param(OF_DASK, marks=pytest.mark.exhaustive)], ids=", ".join
)
def test_everything_ends_and_is_equal(backends, tmp_path):
    """In one process, which starts once and works out once what is expected."""
    if backends == OF_DASK and importlib.util.find_spec("distributed") is None:
        pytest.skip("dask.distributed is not installed")
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    program = Path(__file__).with_name("backends.py")
    output = tmp_path / "output"
    with output.open("w") as file:
        try:
            code = subprocess.run(
                [sys.executable, "-W", "ignore", str(program), str(tmp_path), *backends],
                env={**os.environ, "PYTHONPATH": path},
                stdout=file,
                stderr=subprocess.STDOUT,
                check=False,
                timeout=LIMIT,
            ).returncode
        except subprocess.TimeoutExpired:
            code = "hangs"
    said = output.read_text()
    assert code == 0, said
    for backend in backends:
        assert f"{backend}: all equal" in said
