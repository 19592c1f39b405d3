"""The report of versions: complete, and without anything personal."""

import getpass
import platform
import subprocess
import sys

import sklearn

import skaudio
from skaudio.persistence import show_versions


def test_lists_what_computes(capsys):
    show_versions()
    lines = dict(
        line.strip().split(": ", 1)
        for line in capsys.readouterr().out.splitlines()[1:]
        if ": " in line
    )
    assert lines["skaudio"] == skaudio.__version__
    assert lines["scikit-learn"] == sklearn.__version__
    assert {"python", "platform", "cores", "torch", "librosa", "pytest"} <= set(lines)


def test_names_no_person_and_no_place():
    """In a process of its own, of another home: nothing of it is printed."""
    done = subprocess.run(
        [sys.executable, "-c", "import skaudio; skaudio.show_versions()"],
        env={"HOME": "/nobodys/home", "PATH": "/usr/bin:/bin", "SKAUDIO_DATA": "/nobodys/data"},
        cwd=skaudio.__path__[0] + "/..",
        capture_output=True,
        text=True,
        check=True,
    )
    assert "nobody" not in done.stdout
    assert platform.node() not in done.stdout
    assert f"/{getpass.getuser()}" not in done.stdout
