"""Change the code in one place at a time, and see whether the tests notice: a seeded sample.

    python tools/mutation_sample.py FOLDER [--n 300] [--seed 0] [--seconds 540]

mutmut makes the mutants. As many are drawn from each package; of each file, as many as its share
of the lines. Each runs the fast tests of these packages that execute the changed function, those of
the changed line first, up to the first failure or about ten seconds. FOLDER keeps a copy of the
code, what each test executes, and the results: the next call goes on where this one stopped, also
after the code or the tests have changed (a mutant is tried again if its file has, or the tests have
and it survived). Prints the mutants that survived.
"""

from __future__ import annotations

import argparse
import difflib
import functools
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
# Package under skaudio/ -> its tests.
PACKAGES = {
    "audio": ["tests/audio"],
    "caching": ["tests/caching"],
    "_files": ["tests/test_downloads.py", "tests/test_full_disk.py"],
    "events": ["tests/events"],
    "metrics": ["tests/metrics", "tests/test_metrics.py"],
}
TESTS = [path for paths in PACKAGES.values() for path in paths]
FAST = ["-q", "-m", "not slow and not exhaustive", "-p", "no:cacheprovider"]
BUDGET = 10.0  # seconds of tests for a mutant


class Times:
    """Plugin of pytest: how long each test takes."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.seconds[report.nodeid] += report.duration


class Chosen:
    """Plugin of pytest: run these tests, in this order."""

    def __init__(self, names: list[str]) -> None:
        self.order = {name: i for i, name in enumerate(names)}

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items[:] = [item for item in items if item.nodeid in self.order]
        items.sort(key=lambda item: self.order[item.nodeid])


@functools.cache
def mutants_of(path: Path) -> list[dict[str, Any]]:
    """Return the mutants of a file: the whole changed code, and the lines of the function."""
    from libcst.metadata import MetadataWrapper, PositionProvider
    from mutmut.mutation.file_mutation import create_mutations, deep_replace

    code = path.read_text()
    module, mutations, _, _ = create_mutations(str(path), code)
    places = MetadataWrapper(module, unsafe_skip_copy=True).resolve(PositionProvider)
    found = []
    for mutation in mutations:
        function = mutation.contained_by_top_level_function
        if type(function).__name__ != "FunctionDef" or mutation.original_node not in places:
            continue
        span, whole = places[mutation.original_node], places[function]
        made = (module, mutation.original_node, mutation.mutated_node)
        found.append(
            {
                "make": lambda made=made: deep_replace(*made).code,
                "line": (span.start.line, span.end.line),
                "function": (whole.start.line, whole.end.line),
            }
        )
    return found


def draw(n: int, seed: int) -> list[tuple[str, int]]:
    """Return files and numbers of mutants: as many of each package, if it has them."""
    drawn = []
    for i, package in enumerate(PACKAGES):
        everything = [
            (str(path.relative_to(ROOT)), k)
            for path in sorted((ROOT / "skaudio" / package).glob("*.py"))
            for k in range(len(mutants_of(path)))
        ]
        share = n // len(PACKAGES) + (i < n % len(PACKAGES))
        chance = random.Random(f"{seed}/{package}")
        drawn += sorted(chance.sample(everything, min(share, len(everything))))
    return drawn


def measure(tree: Path, folder: Path) -> None:
    """Run the tests once on the code as it is: what each executes, and for how long."""
    code = (
        "import json, sys, pytest; sys.path[:0] = [{tools!r}]; import mutation_sample as m\n"
        "times = m.Times()\n"
        "rc = pytest.main([*m.FAST, '--cov=skaudio', '--cov-context=test', '--cov-report=', "
        "*m.TESTS], [times])\n"
        "open({times!r}, 'w').write(json.dumps(times.seconds))\n"
        "sys.exit(rc)"
    ).format(tools=str(ROOT / "tools"), times=str(folder / "times.json"))
    environment = {
        **os.environ,
        "PYTHONPATH": str(tree),
        "COVERAGE_FILE": str(folder / "coverage"),
    }
    subprocess.run([sys.executable, "-c", code], cwd=tree, env=environment, check=True)


def tests_of(mutant: dict[str, Any], contexts: dict[int, list[str]], times: Any) -> list[str]:
    """Return the tests that execute the function, those of the line first, quick ones first."""

    def executing(first: int, last: int) -> set[str]:
        lines = range(first, last + 1)
        found = {context for line in lines for context in contexts.get(line, ())}
        return {context.rpartition("|")[0] for context in found} & set(times)

    first = executing(*mutant["line"])
    names = sorted(first, key=times.get)
    names += sorted(executing(*mutant["function"]) - first, key=times.get)
    total, chosen = 0.0, []
    for name in names:
        if total + times[name] < BUDGET:
            total += times[name]
            chosen.append(name)
    return chosen


def killed(tree: Path, names: list[str], log: Path) -> str:
    """Run tests in a process of their own, which has the libraries already; say how it ended."""
    child = os.fork()
    if not child:
        os.setsid()
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.chdir(tree)
        os.environ["PYTHONPATH"] = str(tree)
        sys.path.insert(0, str(tree))
        import pytest

        files = list(dict.fromkeys(name.partition("::")[0] for name in names))
        try:
            os._exit(int(pytest.main([*FAST, "-x", *files], [Chosen(names)])))
        except BaseException:
            os._exit(1)
    deadline = time.monotonic() + 90 + 3 * BUDGET
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return "survived" if status == 0 else "killed"
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "killed (hangs)"


def hash_of(*paths: Path) -> str:
    """Return a hash of the Python files under some paths."""
    files = [f for p in paths for f in (sorted(p.rglob("*.py")) if p.is_dir() else [p])]
    return hashlib.sha256(b"\0".join(f.read_bytes() for f in files)).hexdigest()[:16]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--n", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=540, help="stop after so long")
    arguments = parser.parse_args()
    began = time.monotonic()
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    os.chdir(ROOT)  # where mutmut finds its settings
    folder = arguments.folder.absolute()
    tree = folder / "tree"
    tests = hash_of(*[ROOT / path for path in TESTS])
    state = f"{hash_of(ROOT / 'skaudio')} {tests}"
    stamp = folder / "state.txt"
    if not stamp.exists() or stamp.read_text() != state:
        shutil.rmtree(tree, ignore_errors=True)
        for name in ("skaudio", "tests"):
            shutil.copytree(ROOT / name, tree / name)
        shutil.copy(ROOT / "pyproject.toml", tree)
        measure(tree, folder)
        stamp.write_text(state)
    results_file = folder / "results.json"
    results = json.loads(results_file.read_text()) if results_file.exists() else {}
    times = json.loads((folder / "times.json").read_text())
    sample = draw(arguments.n, arguments.seed)
    run(sample, tree, tests, times, results, results_file, began + arguments.seconds)
    report({key: results[key] for key in map("{0[0]} {0[1]}".format, sample) if key in results})


def run(
    sample: list[tuple[str, int]],
    tree: Path,
    tests: str,
    times: dict[str, float],
    results: dict[str, Any],
    results_file: Path,
    until: float,
) -> None:
    """Try the mutants of the sample that have not been tried, as long as there is time."""
    import coverage

    data = coverage.CoverageData(str(results_file.with_name("coverage")))
    data.read()
    for library in ("pandas", "sklearn.pipeline", "soundfile", "torch", "hypothesis", "pytest"):
        __import__(library)
    for name, k in sample:
        path, key = tree / name, f"{name} {k}"
        mutants, version = mutants_of(ROOT / name), hash_of(ROOT / name)
        old = results.get(key, {})
        same = old.get("version") == version
        if same and (old["how"] != "survived" or old["tests"] == tests):
            continue
        if time.monotonic() > until:
            print("There is more to do: call again.")
            return
        code, mutated = path.read_text(), mutants[k]["make"]()
        chosen = tests_of(mutants[k], data.contexts_by_lineno(str(path)), times)
        try:
            path.write_text(mutated)
            log = results_file.with_name("log.txt")
            how = killed(tree, chosen, log) if chosen else "survived"
        finally:
            path.write_text(code)
        diff = difflib.unified_diff(code.splitlines(), mutated.splitlines(), name, name, "", "", 1)
        results[key] = {
            "how": how,
            "version": version,
            "tests": tests,
            "n_tests": len(chosen),
            "diff": "\n".join(line.rstrip() for line in diff),
        }
        results_file.write_text(json.dumps(results, indent=1))


def report(results: dict[str, Any]) -> None:
    """Print how many survived in each package, and which."""
    counts: dict[str, Counter[str]] = {}
    for key, result in results.items():
        counts.setdefault(key.split("/")[1], Counter())[result["how"]] += 1
        if result["how"] == "survived":
            print(f"\n{key}: {result['n_tests']} tests\n{result['diff']}")
    for package, found in counts.items():
        share = found["survived"] / found.total()
        print(f"{package:10} {found.total():4} mutants, {share:6.1%} survived, {dict(found)}")
    everything = sum(counts.values(), Counter())
    if everything:
        share = everything["survived"] / everything.total()
        print(f"{'all':10} {everything.total():4} mutants, {share:6.1%} survived")


if __name__ == "__main__":
    main()
