"""What the recipes reach, each row beside a simple choice on the same recordings.

    python benchmarks/recipes.py words-fsdd [--seeds 0 1 2] [--set max_epochs=10] [--results FILE]
    python benchmarks/recipes.py --show

Without a name, all rows are measured. Results are appended to a file, a line per group and seed,
and those found there are not measured again: an interrupted run goes on where it was. ``--show``
prints the table of the guide from the file. ``--set`` changes parameters of the recipe, for trying;
results of such runs are kept apart.

SKAUDIO_DATA names the folder of the recordings: ``fsdd``, ``esc10``, ``cats_dogs``, and
``arabic_digits/{digit}/{speaker}_{take}.flac``.
"""

from __future__ import annotations

import argparse
import ast
import json
import time
from pathlib import Path

import pandas as pd
import torch
from recipes_rows import ROWS

RESULTS = Path("benchmarks/recipes.jsonl")


def measure(name, seed, changes, results):
    """Measure the groups of a row that are not in the file, and append them to it."""
    row = ROWS[name]
    data = row.load()
    for group in row.groups(data):
        key = {"row": name, "group": str(group), "seed": seed, "set": " ".join(changes)}
        if any(key.items() <= line.items() for line in read(results)):
            continue
        start = time.process_time()
        found = row.measure(data, group, seed, parse_changes(changes))
        found = {name: round(float(value), 4) for name, value in found.items()}
        line = json.dumps({**key, **found, "total s": round(time.process_time() - start, 1)})
        print(line, flush=True)
        with results.open("a") as file:
            file.write(line + "\n")


def table(lines):
    """A line per measure: means, with standard errors over groups, or over seeds of one group."""
    shown = []
    lines = sorted(lines, key=lambda line: (list(ROWS).index(line["row"]), line["set"]))
    for (name, changes), rows in pd.DataFrame(lines).groupby(["row", "set"], sort=False):
        over = "group" if rows["group"].nunique() > 1 else "seed"
        for i, (measure, end) in enumerate(ROWS[name].measures.items()):
            cells = {"row": "" if i else f"``{name}`` {changes}".strip(), "measure": measure}
            for column in ("recipe", "naive"):
                means = rows.groupby(over)[column + end].mean()
                error = f" ± {means.sem():.3f}" if len(means) > 1 else ""
                cells[column] = f"{means.mean():.3f}{error}"
            cells["fit"] = "" if i else f"{rows['seconds'].mean():.0f} s"
            cells["fits"] = "" if i else f"{rows['group'].nunique()} x {rows['seed'].nunique()}"
            shown.append(cells)
    return shown


def show(lines):
    """Print the table as reStructuredText."""
    cells = table(lines)
    head = {name: name for name in cells[0]}
    widths = [max(len(line[name]) for line in (head, *cells)) for name in head]
    rule = "  ".join("=" * width for width in widths)
    text = ["  ".join(map(str.ljust, line.values(), widths)).rstrip() for line in (head, *cells)]
    # A cell of the first column that is empty would continue the line before: `..` is a new one.
    rest = [".." + line[2:] if line.startswith("  ") else line for line in text[1:]]
    print("\n".join([rule, text[0], rule, *rest, rule]))


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def parse_changes(texts):
    """Turn ``name=value`` into a dict of parameters."""
    parts = (text.partition("=") for text in texts)
    return {name: literal(value) for name, _, value in parts}


def literal(text):
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(ROWS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--show", action="store_true")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(ROWS)
    if unknown:
        parser.error(f"no row {', '.join(sorted(unknown))}: expected {', '.join(ROWS)}")
    torch.set_num_threads(1)  # times are of one thread
    names = arguments.names or list(ROWS)
    if not arguments.show:
        for name in names:
            for seed in arguments.seeds:
                measure(name, seed, arguments.set, arguments.results)
    show([line for line in read(arguments.results) if line["row"] in names])


if __name__ == "__main__":
    main()
