"""What is installed and loaded: known licences, lowest versions, no network, an untouched home."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# Licences that a library under BSD may depend on. That of soxr, LGPL, allows use as a library.
FREE = re.compile(
    r"\b(0?BSD|MIT|Apache|ISC|PSF|Python Software|MPL|LGPL|Lesser General|CNRI|Unlicense|zlib)\b",
    re.IGNORECASE,
)


@pytest.fixture(scope="module")
def tool():
    path = ROOT / "tools" / "lowest_versions.py"
    spec = importlib.util.spec_from_file_location("lowest_versions", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def required(name, seen):
    """Add the names of what a distribution requires, and of what that requires."""
    for line in importlib.metadata.requires(name) or ():
        requirement, _, marker = line.partition(";")
        other = re.match(r"[\w.-]+", requirement).group().lower().replace("_", "-")
        if "extra ==" in marker or other in seen:
            continue
        try:
            importlib.metadata.distribution(other)
        except importlib.metadata.PackageNotFoundError:
            continue  # of another platform or version of Python
        seen.add(other)
        required(other, seen)


def test_licences_of_what_is_installed_with_skaudio():
    names = set()
    required("skaudio", names)
    assert {"numpy", "torch", "librosa", "numba", "soxr"} <= names
    unclear = {}
    for name in sorted(names):
        if name.startswith(("nvidia-", "cuda-")):  # which torch of PyPI brings, if any
            continue
        facts = importlib.metadata.metadata(name)
        stated = [facts.get("License-Expression"), (facts.get("License") or "")[:200]]
        stated += [c for c in facts.get_all("Classifier") or () if c.startswith("License")]
        text = " ".join(filter(None, stated))
        if not FREE.search(text) or re.search(r"(?<!L)\bGPL|\bAGPL", text):
            unclear[name] = text
    assert unclear == {}


def test_lowest_versions(tool):
    project = {
        "dependencies": ["numpy>=2.0", "torch>=2.10,<3"],
        "optional-dependencies": {"a": ["skaudio[b]", "av>=14"], "b": ["ruff>=1"]},
    }
    assert tool.lowest_versions(project) == {"numpy": "2.0", "torch": "2.10", "av": "14"}
    with pytest.raises(ValueError, match="'numpy' of pyproject"):
        tool.lowest_versions({"dependencies": ["numpy"], "optional-dependencies": {}})


PROGRAM = """
import os, socket, sys

def refuse(*args, **kwargs):
    raise AssertionError("the network was touched")

socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
written = []

def watch(event, arguments):
    if event == "open" and isinstance(arguments[0], str):
        mode = arguments[1] or ""
        if any(letter in mode for letter in "wax+") and not arguments[0].endswith(".pyc"):
            written.append(arguments[0])
    if event in ("os.mkdir", "os.rename", "os.remove"):
        written.append(str(arguments[0]))

sys.addaudithook(watch)
import skaudio

for name in skaudio._NAMES:
    getattr(skaudio, name)
for name in skaudio.__all__:
    getattr(skaudio, name)
allowed = ("__pycache__", os.environ["TMPDIR"])
written = [name for name in written if name != os.devnull and not any(a in name for a in allowed)]
assert not written, written
"""


def test_import_touches_neither_network_nor_home(tmp_path):
    """With a home of its own, so that caches of other tests do not hide a write."""
    home = tmp_path / "home"
    home.mkdir()
    environment = {"HOME": str(home), "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    environment["TMPDIR"] = str(tmp_path / "temporary")  # in which scipy tries a folder and goes
    (tmp_path / "temporary").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert list(tmp_path.rglob("*/*")) == []
