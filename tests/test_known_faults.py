"""Faults that are known and not mended yet: each test says what should happen, and fails today.

A test that passes is reported as a failure (strict xfail): its fault is mended then, and the test
moves to those of the package that it concerns.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

KNOWN = pytest.mark.xfail(strict=True)


@KNOWN
def test_a_cache_in_folds_on_a_dask_worker_ends():
    """Locks that are held while waiting for work that needs the same threads: it never returns."""
    pytest.importorskip("dask.distributed")
    code = """
import tempfile
import joblib
from dask.distributed import Client, LocalCluster
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skaudio.caching import CachedTransformer
from skaudio.datasets import load_spoken_digits
from skaudio.encoders import MFCC
from skaudio.pooling import FramePooling

if __name__ == "__main__":
    digits = load_spoken_digits()
    features = CachedTransformer(make_pipeline(MFCC(), FramePooling()), tempfile.mkdtemp())
    model = make_pipeline(features, StandardScaler(), LogisticRegression())
    cluster = LocalCluster(
        n_workers=1, threads_per_worker=3, processes=False, dashboard_address=None
    )
    with cluster, Client(cluster), joblib.parallel_config("dask"):
        cross_val_score(model, digits.data[:60], digits.target[:60], cv=4, n_jobs=-1)
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], timeout=60, check=True)
