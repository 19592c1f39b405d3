"""Print the lowest version of each dependency that pyproject.toml allows, as constraints of pip.

    python tools/lowest_versions.py > lowest.txt
    pip install -c lowest.txt -e ".[test]"

``make test-lowest`` runs the tests with them. Linters and type checkers are left out: their
versions do not matter to users.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"
TOOLS = {"mypy", "ruff", "skaudio"}
# What the dependencies bring, and its first version with which the lowest of them give warnings.
BEFORE = {"pyparsing": "3.3"}  # deprecates functions that matplotlib 3.10 calls


def lowest_versions(project: dict) -> dict[str, str]:
    """Return package -> lowest version, of a project's dependencies and extras."""
    extras = project["optional-dependencies"]
    stated = [*project["dependencies"], *(line for name in extras for line in extras[name])]
    versions = {}
    for line in stated:
        name = re.match(r"[A-Za-z0-9_-]+", line).group()
        if name in TOOLS:
            continue
        bound = re.search(r">=([\d.]+)", line)
        if bound is None:
            raise ValueError(f"{line!r} of pyproject.toml states no lowest version")
        versions[name] = bound.group(1)
    return versions


if __name__ == "__main__":
    project = tomllib.loads(PYPROJECT.read_text("utf-8"))["project"]
    for name, version in sorted(lowest_versions(project).items()):
        print(f"{name}=={version}")
    for name, version in sorted(BEFORE.items()):
        print(f"{name}<{version}")
