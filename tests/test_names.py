"""The public names of all packages, from `skaudio` itself."""

from __future__ import annotations

import importlib
import json
import pickle
import pkgutil
import re
import subprocess
import sys
import types
from pathlib import Path

import pytest

import skaudio

ROOT = Path(__file__).parents[1]
PACKAGES = sorted(
    module.name for module in pkgutil.iter_modules(skaudio.__path__) if module.name[0] != "_"
)

# What encoding on the CPU does without: slow to import, or optional.
HEAVY = ["torch", "skorch", "librosa", "matplotlib", "scipy.signal", "av", "tqdm"]
ENCODE = """
import json, sys
import sklearn.base
by_sklearn = set(sys.modules)  # pandas, for example, if it is installed
from skaudio.encoders import MFCC, STFT, MelSpectrogram, Spectrogram, Waveform
import skaudio.audio, skaudio.dsp, skaudio.frames, skaudio.pooling
imported = set(sys.modules) - by_sklearn
import numpy as np
for encoder in (Waveform(), STFT(), Spectrogram(), MelSpectrogram(), MFCC()):
    encoder.fit_transform([np.ones(8000, np.float32)])
print(json.dumps([sorted(imported), sorted(set(sys.modules) - by_sklearn)]))
"""


def run(code):
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.splitlines()[-1])


def test_table_has_the_names_of_every_package():
    table = {package: sorted(names.split()) for package, names in skaudio._NAMES.items()}
    packages = {name: importlib.import_module(f"skaudio.{name}") for name in PACKAGES}
    assert table == {name: sorted(package.__all__) for name, package in packages.items()}


def listed_in(reference):
    """List what an API reference has in its tables, with the package that each table is about."""
    package, names = "", []
    for line in reference.splitlines():
        if line.startswith(".. currentmodule:: "):
            package = line.split()[-1]
        elif re.fullmatch(r" {3}\w+", line):
            names.append(f"{package}.{line.strip()}")
    return names


def test_reference_has_every_class_and_function_once():
    """Constants, in capitals, are described by what takes them."""
    public = {
        f"skaudio.{package}.{name}"
        for package, names in skaudio._NAMES.items()
        for name in names.split()
        if callable(getattr(skaudio, name))
    }
    listed = listed_in((ROOT / "docs" / "api.rst").read_text("utf-8"))
    assert {name for name in listed if listed.count(name) > 1} == set()
    assert public - set(listed) == set(), "public, but not in docs/api.rst"
    assert set(listed) - public == set(), "in docs/api.rst, but not public"


def test_reads_the_tables_of_a_reference():
    table = ".. currentmodule:: skaudio.audio\n\n.. autosummary::\n   :toctree: generated\n\n"
    assert listed_in(table + "   AudioBatch\n\nAnd text\n") == ["skaudio.audio.AudioBatch"]


def test_no_two_names_are_the_same():
    names = [*PACKAGES, *(name for names in skaudio._NAMES.values() for name in names.split())]
    assert {name for name in names if names.count(name) > 1} == set()


def test_type_checkers_see_every_package():
    lines = Path(skaudio.__file__).with_suffix(".pyi").read_text().splitlines()
    for package in PACKAGES:
        assert f"from skaudio import {package} as {package}" in lines
        assert f"from skaudio.{package} import *" in lines


def test_names_are_those_of_the_packages():
    from skaudio import MFCC, GRUClassifier, load_spoken_digits

    assert MFCC is skaudio.encoders.MFCC
    assert GRUClassifier is skaudio.classifiers.GRUClassifier
    assert load_spoken_digits is skaudio.datasets.load_spoken_digits


def test_completion_lists_them():
    assert {"MFCC", "GRUClassifier", "encoders", "__version__"} <= set(dir(skaudio))


def test_unknown_name():
    with pytest.raises(AttributeError, match=r"no attribute 'Mfcc'\. Did you mean MFCC\?"):
        skaudio.Mfcc  # noqa: B018
    with pytest.raises(AttributeError, match=r"no attribute 'quite_another_thing'\.$"):
        skaudio.quite_another_thing  # noqa: B018
    with pytest.raises(ImportError, match=r"cannot import name 'MFFC' .* Did you mean MFCC\?"):
        from skaudio import MFFC  # noqa: F401
    assert not hasattr(skaudio, "MFFC")


@pytest.mark.parametrize("line", ["skaudio.MFFC", "from skaudio import MFFC"])
def test_a_misspelt_name_gets_one_hint(line):
    """Python has hints of its own: none for ``from``, and one more for an attribute."""
    result = subprocess.run(
        [sys.executable, "-c", f"import skaudio\n{line}"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    last = result.stderr.splitlines()[-1]
    assert last.endswith("Did you mean MFCC?")
    assert last.count("Did you mean") == 1


def test_star_import_binds_no_packages():
    """`display` is what notebooks show objects with."""
    namespace: dict = {}
    exec("from skaudio import *", namespace)
    assert {"MFCC", "AuditDisplay"} <= set(namespace)
    assert not {name for name, item in namespace.items() if isinstance(item, types.ModuleType)}
    assert "display" in dir(skaudio)


def test_pickle():
    assert pickle.loads(pickle.dumps(skaudio.MFCC)) is skaudio.encoders.MFCC
    encoder = pickle.loads(pickle.dumps(skaudio.MFCC(n_mfcc=7)))
    assert encoder.n_mfcc == 7


def test_import_of_the_package_alone_loads_nothing():
    code = "import json, sys, skaudio; dir(skaudio); print(json.dumps(sorted(sys.modules)))"
    loaded = run(code)
    assert not {"numpy", "sklearn", "scipy", "torch", "skaudio.encoders"} & set(loaded)


def test_encoding_loads_no_heavy_library():
    imported, used = map(set, run(ENCODE))
    assert not imported & {*HEAVY, "numba"}
    assert not used & set(HEAVY)
    assert "pandas" not in used  # scikit-learn itself may have loaded it, before
