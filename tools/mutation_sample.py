"""Change the code in one place at a time, and see whether the tests notice: a seeded sample.

    python tools/mutation_sample.py FOLDER [--n 300] [--seed 0] [--seconds 540]

mutmut makes the mutants. As many are drawn from each package; of each file, as many as its share
of the lines. Each runs the fast tests of its package that execute the changed function, first those
of the changed line, up to the first failure or about ten seconds. FOLDER keeps a copy of the code,
what each test executes, and the results: the next call goes on where this one stopped, also after
the code or the tests have changed (a mutant is tried again if its file has, or the tests have and
it survived). Prints the mutants that survived.
"""

from __future__ import annotations

import argparse
import difflib
import functools
import hashlib
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
# Package under skaudio/ -> its tests.
PACKAGES = {
    "audio": ["tests/audio", "tests/test_streams.py"],
    "caching": ["tests/caching"],
    "_files": [
        *("tests/test_downloads.py", "tests/test_full_disk.py", "tests/datasets/test_fsdd.py"),
        "tests/caching/test_store.py",
    ],
    "events": ["tests/events"],
    "metrics": ["tests/metrics", "tests/test_metrics.py"],
}
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


def draw(n: int, seed: int) -> list[tuple[str, str, int]]:
    """Return packages, files and numbers of mutants: as many of each package, by turns."""
    drawn = []
    for i, package in enumerate(PACKAGES):
        everything = [
            (package, str(path.relative_to(ROOT)), k)
            for path in sorted((ROOT / "skaudio" / package).glob("*.py"))
            for k in range(len(mutants_of(path)))
        ]
        share = n // len(PACKAGES) + (i < n % len(PACKAGES))
        drawn.append(random.Random(f"{seed}/{package}").sample(everything, share))
    return [mutant for turn in itertools.zip_longest(*drawn) for mutant in turn if mutant]


def measure(package: str, tree: Path, folder: Path) -> None:
    """Run the tests of a package on the code as it is: what each executes, and for how long."""
    arguments = [*FAST, "--cov=skaudio", "--cov-context=test", "--cov-report=", *PACKAGES[package]]
    times = folder / f"{package}.json"
    code = (
        f"import json, sys, pytest; sys.path[:0] = [{str(ROOT / 'tools')!r}]\n"
        "from mutation_sample import Times\n"
        f"times = Times(); status = pytest.main({arguments!r}, [times])\n"
        f"status or open({str(times)!r}, 'w').write(json.dumps(times.seconds))\n"
        "sys.exit(status)"
    )
    coverage = {"PYTHONPATH": str(tree), "COVERAGE_FILE": str(folder / f"{package}.coverage")}
    command = [sys.executable, "-c", code]
    subprocess.run(command, cwd=tree, env={**os.environ, **coverage}, check=True)


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
            traceback.print_exc()
            sys.stderr.flush()
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
    until = time.monotonic() + arguments.seconds
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    os.chdir(ROOT)  # where mutmut finds its settings
    folder = arguments.folder.absolute()
    tree, stamp = folder / "tree", folder / "state.txt"
    state = hash_of(ROOT / "skaudio", ROOT / "tests")
    if not stamp.exists() or stamp.read_text() != state:
        shutil.rmtree(tree, ignore_errors=True)
        for old in (*folder.glob("*.json"), *folder.glob("*.coverage")):
            if old.name != "results.json":
                old.unlink()
    for name in ("skaudio", "tests"):  # at each start: one that was killed left a mutant
        shutil.copytree(ROOT / name, tree / name, dirs_exist_ok=True)
    shutil.copy(ROOT / "pyproject.toml", tree)
    stamp.write_text(state)
    for package in PACKAGES:
        if not (folder / f"{package}.json").exists():
            measure(package, tree, folder)
    sample = draw(arguments.n, arguments.seed)
    report(run(sample, folder, until))


def run(sample: list[tuple[str, str, int]], folder: Path, until: float) -> dict[str, Any]:
    """Try the mutants that have not been tried, as long as there is time; return all results."""
    import coverage

    # Not hypothesis: pytest wants to import its plugins itself.
    for library in ("pandas", "sklearn.pipeline", "soundfile", "torch", "pytest"):
        __import__(library)
    tree, results_file = folder / "tree", folder / "results.json"
    results = json.loads(results_file.read_text()) if results_file.exists() else {}
    times, data, tests = {}, {}, {}
    for package, paths in PACKAGES.items():
        times[package] = json.loads((folder / f"{package}.json").read_text())
        data[package] = coverage.CoverageData(str(folder / f"{package}.coverage"))
        data[package].read()
        tests[package] = hash_of(*[ROOT / path for path in paths])
        some = sorted(times[package], key=times[package].get)[:5]
        if killed(tree, some, folder / "log.txt") != "survived":
            raise RuntimeError(f"tests fail without a change: see {folder / 'log.txt'}")
    for package, name, k in sample:
        path, key = tree / name, f"{name} {k}"
        mutant, version = mutants_of(ROOT / name)[k], hash_of(ROOT / name)
        old = results.get(key, {})
        is_tried = old.get("version") == version
        if is_tried and (old["how"] != "survived" or old["tests"] == tests[package]):
            continue
        if time.monotonic() > until:
            print("There is more to do: call again.")
            break
        code, mutated = path.read_text(), mutant["make"]()
        contexts = data[package].contexts_by_lineno(str(path))
        chosen = tests_of(mutant, contexts, times[package])
        try:
            path.write_text(mutated)
            how = killed(tree, chosen, folder / "log.txt") if chosen else "survived"
        finally:
            path.write_text(code)
        diff = difflib.unified_diff(code.splitlines(), mutated.splitlines(), name, name, "", "", 1)
        results[key] = {
            "how": how,
            "version": version,
            "tests": tests[package],
            "n_tests": len(chosen),
            "diff": "\n".join(line.rstrip() for line in diff),
        }
        results_file.write_text(json.dumps(results, indent=1))
    names = [f"{name} {k}" for _, name, k in sample]
    return {name: results[name] for name in names if name in results}


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
