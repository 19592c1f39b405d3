"""A temporary folder that is full while training: an error, not the end of the process."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

import pytest

CODE = """
import numpy as np
from sklearn.pipeline import make_pipeline
from skaudio._neural import decoding
from skaudio.augmentation import Noise
from skaudio.classifiers import GRUClassifier
from skaudio.encoders import MFCC

decoding.MEMORY_LIMIT = 1 << 20  # 2 GiB for users
X = np.random.default_rng(0).normal(size=(40, 160000)).astype("f4") * 0.1
GRUClassifier(make_pipeline(Noise(), MFCC()), max_epochs=1).fit(X, np.arange(40) % 2)
"""


@pytest.fixture
def small_disk():
    """A file system of 3 MB; to mount one takes root."""
    folder = tempfile.mkdtemp()
    command = ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", folder]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("no small file system can be mounted here")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.slow
def test_spilled_recordings(small_disk):
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CODE],
        env={**os.environ, "TMPDIR": small_disk},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1, result.returncode  # below 0: ended by a signal
    assert f"do not fit into the temporary folder {small_disk}" in result.stderr
