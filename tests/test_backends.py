"""Under each of joblib's backends everything ends, and gives the numbers of one after the other."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# Seconds: ten times what it takes on two quiet cores.
LIMIT = 300

BACKENDS = ["threading", "loky", "multiprocessing", "dask threads", "dask processes"]


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
def test_everything_ends_and_is_equal(backend, tmp_path):
    if backend.startswith("dask") and importlib.util.find_spec("distributed") is None:
        pytest.skip("dask.distributed is not installed")
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    program = Path(__file__).with_name("backends.py")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(program), backend, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all equal" in done.stdout
