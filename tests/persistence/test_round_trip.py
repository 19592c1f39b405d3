"""Every public estimator, composites, and scikit-learn's: saved, and loaded in a fresh process.

    python -m tests.persistence.test_round_trip

prints a table of sizes and times.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

import skaudio

from ..cases import clips
from ..walk import ESTIMATORS
from .models import COMPOSITES, fitted, results, save_all, scikit_learn_names

ROOT = Path(__file__).parents[2]


def in_fresh_process(folder):
    """Load and compare all models of a folder in one new process; return seconds by name."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.persistence.models", str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {name: float(seconds) for name, seconds in map(str.split, done.stdout.splitlines())}


@pytest.mark.slow
def test_every_model_in_a_fresh_process(tmp_path):
    names = [*ESTIMATORS, *COMPOSITES]
    save_all(names, tmp_path)
    assert in_fresh_process(tmp_path).keys() == {*names}


@pytest.mark.parametrize("name", scikit_learn_names())
def test_scikit_learn(name, tmp_path):
    model, X = fitted(name)
    again = skaudio.load(skaudio.save(model, tmp_path / "model.skaudio"))
    assert type(again) is type(model)
    for method, expected in results(model, X).items():
        for a, b in zip(results(again, X)[method], expected, strict=True):
            np.testing.assert_array_equal(a, b)
    assert repr(again) == repr(model)


def test_a_search_is_its_best_estimator(tmp_path):
    search, _ = fitted("search")
    path = skaudio.save(search, tmp_path / "model.skaudio")
    again = skaudio.load(path)
    assert repr(again) == repr(search.best_estimator_)
    assert any("best_estimator_ is stored" in line for line in skaudio.inspect(path)["not_stored"])


def test_trained_further(tmp_path):
    """A loaded net goes on from its weights, as the one that was saved would."""
    X, y = clips()
    net = fitted("GRUClassifier")[0]
    again = skaudio.load(skaudio.save(net, tmp_path / "model.skaudio"))
    both = [m.set_params(warm_start=True).fit(X, y) for m in (again, net)]
    assert both[0].n_iter_ == both[1].n_iter_ == 4
    np.testing.assert_array_equal(*(m.decision_function(X) for m in both))
    fitted.cache_clear()


def print_table():
    with tempfile.TemporaryDirectory() as folder:
        table = save_all([*ESTIMATORS, *COMPOSITES], folder)
        loading = in_fresh_process(folder)
    print(f"{'model':20} {'bytes':>8} {'weights':>8} {'save (ms)':>10} {'load (ms)':>10}")
    for name, size, weights, saving in table:
        times = f"{1e3 * saving:10.1f} {1e3 * loading[name]:10.1f}"
        print(f"{name:20} {size:8} {weights:8} {times}")


if __name__ == "__main__":
    print_table()
