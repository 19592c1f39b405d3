"""Build the sdist and the wheel, install the wheel into a bare environment, and use it there.

    python tools/smoke_test.py [--keep FOLDER]

The bare environment has the wheel and its dependencies: no extra, no file of the clone. The
bundled recordings, a Pipeline, a neural classifier, a saved model and the command line are tried
there. It runs on Linux, macOS and Windows.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

PROGRAM = """
import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

import skaudio
from skaudio import LeNetClassifier, MelSpectrogram, MFCC, FramePooling
from skaudio.datasets import load_spoken_digits

# Spawned processes of joblib import this file again: what it does is behind this line.
if __name__ == "__main__":
    digits = load_spoken_digits()
    statistics = make_pipeline(MFCC(n_jobs=2), FramePooling(), SVC())
    assert statistics.fit(digits.data, digits.target).score(digits.data, digits.target) > 0.5
    net = LeNetClassifier(MelSpectrogram(n_mels=40), max_epochs=1, random_state=0)
    net.fit(digits.data[::4], digits.target[::4])
    skaudio.save(net, "net ü.skaudio")
    loaded = skaudio.load("net ü.skaudio")
    X = digits.data[:5]
    assert np.array_equal(loaded.predict_proba(X), net.predict_proba(X))
    skaudio.show_versions()
    print(X[0])
"""


def run(*command: str | Path, **options: object) -> str:
    """Run a command, without what would lead to the clone, and return what it prints."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    environment["PYTHONUTF8"] = "1"
    done = subprocess.run(
        list(map(str, command)), env=environment, capture_output=True, text=True, **options
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def make_environment(folder: Path) -> Path:
    """Create a virtual environment and return its folder of programs."""
    run(sys.executable, "-m", "venv", folder)
    return folder / ("Scripts" if os.name == "nt" else "bin")


def build(folder: Path) -> Path:
    """Build both distributions: the wheel from the sdist, as it would be built elsewhere."""
    programs = make_environment(folder / "build-env")
    run(programs / "python", "-m", "pip", "install", "--quiet", "build")
    run(programs / "python", "-m", "build", "--outdir", folder / "dist", ROOT)
    (wheel,) = (folder / "dist").glob("*.whl")
    assert list((folder / "dist").glob("*.tar.gz"))
    return wheel


def check_contents(wheel: Path) -> None:
    """Stop if the wheel lacks what the package reads, or has what belongs to the clone."""
    names = zipfile.ZipFile(wheel).namelist()
    assert any(name.startswith("skaudio/datasets/") and name.endswith(".flac") for name in names)
    assert "skaudio/display/feature_space.html" in names
    strangers = {name.split("/")[0] for name in names}
    assert all(name.startswith("skaudio") for name in strangers), strangers


def try_wheel(wheel: Path, folder: Path) -> None:
    """Install the wheel into an environment of its own, and use it in an empty folder."""
    programs = make_environment(folder / "bare")
    run(
        programs / "python",
        "-m",
        "pip",
        "install",
        "--quiet",
        "-c",
        ROOT / "constraints.txt",
        wheel,
    )
    place = folder / "place with spaces"
    place.mkdir()
    (place / "program.py").write_text(PROGRAM, encoding="utf-8")
    printed = run(programs / "python", "program.py", cwd=place)
    print(printed)
    recording = printed.splitlines()[-1]
    command = programs / "skaudio"
    print(run(command, "info", recording, cwd=place))
    print(run(command, "predict", "net ü.skaudio", recording, cwd=place))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=Path, help="a folder to work in, which is kept")
    arguments = parser.parse_args()
    if arguments.keep:
        arguments.keep.mkdir(parents=True)
        wheel = build(arguments.keep)
        check_contents(wheel)
        try_wheel(wheel, arguments.keep)
        return
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        wheel = build(Path(folder))
        check_contents(wheel)
        try_wheel(wheel, Path(folder))


if __name__ == "__main__":
    main()
