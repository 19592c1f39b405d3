"""Deterministic filling of nets, official weights where they are."""

from __future__ import annotations

import importlib.util

import pytest


def _filling(folder, name):
    spec = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def detfill(reference_home):
    """Return the module that fills a net's weights by their names and shapes."""
    return _filling(reference_home, "detfill")


@pytest.fixture(scope="session")
def detfill_v2(reference_home):
    """Return the same with rules for more networks."""
    return _filling(reference_home, "detfill_v2")


@pytest.fixture(scope="session")
def mn04(data_home):
    """Return the path of the official weights of mn04_as."""
    path = data_home / "pretrained" / "mn04_as_mAP_432.pt"
    if not path.is_file():
        pytest.skip(f"no {path}")
    return path
