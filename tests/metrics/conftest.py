"""sed_eval, the oracle of the event metrics, made importable."""

from __future__ import annotations

import importlib
import sys
import types
import warnings

import pytest


@pytest.fixture(scope="session")
def sed_eval():
    """The module; dcase_util below it imports pkg_resources, of which it needs nothing here."""
    if "pkg_resources" not in sys.modules:
        sys.modules["pkg_resources"] = types.ModuleType("pkg_resources")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return importlib.import_module("sed_eval")
    finally:
        if not hasattr(sys.modules.get("pkg_resources"), "__file__"):
            del sys.modules["pkg_resources"]
