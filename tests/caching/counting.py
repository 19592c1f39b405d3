"""A transformer that keeps a record of what it computes; a module, so that other processes have it.

As a script, it sends recordings through a cache: ``counting.py LOG MEMORY PATH...``
"""

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from skaudio.audio import check_recordings
from skaudio.caching import CachedTransformer


class Counting(TransformerMixin, BaseEstimator):
    """Level and length of each recording, times ``scale``."""

    __version__ = "1"

    def __init__(self, log, *, scale=1.0, n_jobs=None):
        self.log = log
        self.scale = scale
        self.n_jobs = n_jobs

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        rows = []
        for recording in check_recordings(None, X, reset=False):
            waveform, _ = recording.read()
            with open(Path(self.log, "computed.txt"), "a") as file:
                file.write(f"{recording.path}\n")
            time.sleep(float(os.environ.get("COUNTING_PAUSE", 0)))
            if recording.path == os.environ.get("COUNTING_DIES_AT", ""):
                os.kill(os.getpid(), signal.SIGKILL)
            rows.append([np.abs(waveform).mean() * self.scale, len(waveform) * self.scale])
        return np.array(rows, np.float32)

    def get_feature_names_out(self, input_features=None):
        return np.array(["level", "length"], dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags


def computed(log):
    """Return the paths of what was computed, in order, each as often as it was."""
    path = Path(log, "computed.txt")
    return path.read_text().split() if path.exists() else []


if __name__ == "__main__":
    from counting import Counting as Importable  # not __main__'s, which is another class

    log, memory, *paths = sys.argv[1:]
    cached = CachedTransformer(Importable(log), memory, batch_size=4)
    print(cached.fit_transform(paths).sum(dtype=np.float64))
