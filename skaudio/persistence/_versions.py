"""Versions of libraries, for saved models and for error reports."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import sys

import numpy as np
import sklearn
import torch

import skaudio
from skaudio._parallel import n_threads

# Libraries that affect the results of a model.
COMPUTING = {"skaudio": skaudio, "scikit-learn": sklearn, "torch": torch, "numpy": np}


def versions() -> dict[str, str]:
    """Return the versions of the libraries that affect results."""
    return {name: str(module.__version__) for name, module in COMPUTING.items()}


def show_versions() -> None:
    """Print the versions of skaudio and its dependencies, and the system, for error reports.

    Nothing personal is printed: no paths, and no names of users or machines.

    See Also
    --------
    sklearn.show_versions : Also lists the loaded threading libraries.

    Examples
    --------
    >>> from skaudio import show_versions
    >>> show_versions()
    System
          python: ...
    """
    system = {
        "python": sys.version.replace("\n", " "),
        "platform": platform.platform(),
        "processor": platform.machine(),
        "cores": f"{os.cpu_count()}, threads used: {n_threads()}",
        "cuda": _accelerator(),
    }
    groups = {"System": system, "Packages": {"skaudio": skaudio.__version__, **_packages()}}
    for title, lines in groups.items():
        print(title)
        width = max(map(len, lines)) + 4
        for name, value in lines.items():
            print(f"{name:>{width}}: {value}")


def _accelerator() -> str:
    if not torch.cuda.is_available():
        return "not available"
    return f"{torch.version.cuda}, {torch.cuda.get_device_name()}"


def _packages() -> dict[str, str]:
    """Return the versions of the dependencies, and of installed dependencies of extras."""
    found = {}
    # numba, which compiles the encoders, comes with librosa.
    for line in [*(importlib.metadata.requires("skaudio") or ()), "numba"]:
        name = re.match(r"[\w.-]+", line).group()  # type: ignore[union-attr]
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            if "extra ==" not in line:
                found[name] = "not installed"
    found.pop("skaudio", None)  # extras refer to each other by this name
    return found
