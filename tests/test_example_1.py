"""Example 1 as a script: on a few of the bundled recordings, with and without speakers."""

import runpy
import shutil
import sys
from pathlib import Path

import joblib
import pytest
from sklearn.model_selection import GridSearchCV

from skaudio.datasets import load_spoken_digits

matplotlib = pytest.importorskip("matplotlib")
pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "plot_1_spoken_digits.py"
VOICES = ["alba", "brook", "clive", "dana"]


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the example as a script in this process; return its variables and what it printed."""

    def run(*arguments):
        matplotlib.use("Agg")
        monkeypatch.setattr(sys, "argv", [str(EXAMPLE), *map(str, arguments)])
        with joblib.parallel_config(backend="sequential"):  # workers take seconds to start
            variables = runpy.run_path(str(EXAMPLE), run_name="__main__")
        matplotlib.pyplot.close("all")
        return variables, capsys.readouterr().out

    return run


@pytest.fixture
def folder(tmp_path):
    """Three words of four voices, a folder per word."""
    table = load_spoken_digits(as_frame=True).frame
    table = table[table.voice.isin(VOICES) & table.digit.isin([1, 2, 6]) & (table["take"] < 2)]
    for row in table.itertuples():
        target = tmp_path / "digits" / f"word {row.digit}" / Path(row.path).name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(row.path, target)
    return tmp_path / "digits"


@pytest.fixture
def searches(monkeypatch):
    """What each search of the example is fitted on: its speakers, and those of its inner folds."""
    seen = []
    fit = GridSearchCV.fit

    def spy(search, X, y=None, **params):
        folds = search.cv.split(X, y, groups=params.get("groups"))
        seen.append((params.get("groups"), list(folds)))
        return fit(search, X, y, **params)

    monkeypatch.setattr(GridSearchCV, "fit", spy)
    return seen


def test_by_speaker(run, folder, tmp_path, searches):
    output = tmp_path / "pictures"
    speaker = r"/\d_([a-z]+)_"
    variables, printed = run(
        "--data", folder, "--groups", speaker, "--output", output, "-b", "html"
    )
    table = variables["table"]
    assert table.index.tolist() == [*VOICES, "mean"]
    assert table.columns.tolist() == ["mean and std", "searched", "searched, trimmed"]
    assert float(table.loc["mean", "searched"].split()[0]) > 0.8
    assert printed.splitlines()[-1].split()[0] == "mean"
    for name in ("spectrogram", "confusion", "worst"):
        assert (output / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    # No search has seen the speaker it is scored on, nor has an inner fold.
    assert [set(VOICES) - set(groups) for groups, _ in searches] == [{v} for v in VOICES] * 2
    for groups, folds in searches:
        assert len(folds) == 3
        assert all(set(groups[train]).isdisjoint(groups[test]) for train, test in folds)


def test_speakers_unknown_and_two_classes(run, folder, tmp_path, searches):
    shutil.rmtree(folder / "word 6")
    variables, printed = run("--data", folder, "--output", tmp_path)
    assert "Speakers unknown" in printed
    assert variables["table"].index.tolist() == ["word 1", "word 2", "mean"]
    assert all(groups is None for groups, _ in searches)
