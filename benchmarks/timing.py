"""Side-by-side timing that notices when somebody else uses the machine."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

# A measurement during which others used more than this share of the machine is made again.
FOREIGN = 0.05
TRIES = 4
# Seconds to spend on that in all: a machine that stays busy gives marked figures, not none.
PATIENCE = 120.0


_patience = PATIENCE


@dataclass
class Figure:
    """Seconds of the repeats of one contestant."""

    seconds: list[float] = field(default_factory=list)
    foreign: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def is_clean(self) -> bool:
        return statistics.median(self.foreign) <= FOREIGN

    @property
    def spread(self) -> float:
        """Interquartile range over the median."""
        if len(self.seconds) < 3:
            return 0.0
        low, _, high = statistics.quantiles(self.seconds, n=4)
        return (high - low) / self.median


class Report:
    """Prints rows as they come and keeps them."""

    def __init__(self) -> None:
        self.rows: list[dict] = []

    def head(self, title: str) -> None:
        print(f"\n{title}", flush=True)

    def row(self, title: str, figures: dict[str, Figure], per: int, unit: str = "us") -> None:
        """Times per item, and how many times faster the first contestant is than each."""
        scale = {"us": 1e6, "ms": 1e3}[unit] / per
        ours = next(iter(figures.values())).median
        cells = []
        for name, f in figures.items():
            mark = "" if f.is_clean else "*"
            ratio = "" if f.median == ours else f" ({f.median / ours:.1f}x)"
            cells.append(f"{name} {f.median * scale:.4g}{mark}{ratio}")
        print(f"  {title} [{unit}]: " + ", ".join(cells), flush=True)
        self.rows.append(
            {
                "row": title,
                "unit": unit,
                "figures": {
                    name: {
                        "median": f.median * scale,
                        "ratio": f.median / ours,
                        "spread": f.spread,
                        "contaminated": not f.is_clean,
                    }
                    for name, f in figures.items()
                },
            }
        )

    def markdown(self) -> str:
        """Return the rows as a table for docs/benchmarks.md."""
        lines = ["| | skaudio | against |", "|---|---|---|"]
        for row in self.rows:
            if "value" in row:
                lines.append(f"| {row['row']} | {row['value']:.3g} {row['unit']} | |")
                continue
            (_, ours), *others = row["figures"].items()
            peers = [
                f"{name} {f['median']:.0f}{'*' if f['contaminated'] else ''} ({f['ratio']:.1f}x)"
                for name, f in others
            ]
            mark = "*" if ours["contaminated"] else ""
            cells = f"{ours['median']:.0f}{mark} {row['unit']} | {', '.join(peers)}"
            lines.append(f"| {row['row']} | {cells} |")
        return "\n".join(lines) + "\n"

    def fact(self, title: str, value: float, unit: str = "") -> None:
        print(f"  {title}: {value:.4g} {unit}", flush=True)
        self.rows.append({"row": title, "value": value, "unit": unit})


def compare(contestants: dict[str, Callable[[], object]], repeats: int = 5) -> dict[str, Figure]:
    """Run contestants in turn, ``repeats`` times; a busy machine adds tries.

    Each turn begins with a call that is not timed: what ran before has left the caches, the heap
    and the threads of libraries in its own state, which weighs most on whoever is fastest.
    """
    global _patience
    figures = {name: Figure() for name in contestants}
    for _ in range(repeats):
        for name, run in contestants.items():
            run()
            tries = [measure(run)]
            while tries[-1][1] > FOREIGN and len(tries) < TRIES and _patience > 0:
                tries.append(measure(run))
                _patience -= tries[-1][0]
            seconds, foreign = min(tries, key=lambda attempt: attempt[1])
            figures[name].seconds.append(seconds)
            figures[name].foreign.append(foreign)
    return figures


def measure(run: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds a call takes, and the share of the machine that others used meanwhile."""
    busy, own, start = _busy_seconds(), _own_seconds(), time.perf_counter()
    run()
    seconds = time.perf_counter() - start
    others = (_busy_seconds() - busy) - (_own_seconds() - own)
    # The kernel counts in ticks of 10 ms: of a short call nothing can be said.
    if seconds < 0.05:
        return seconds, 0.0
    return seconds, max(others, 0.0) / (seconds * (os.cpu_count() or 1))


def _busy_seconds() -> float:
    """CPU time of the whole machine; what a hypervisor gave to others counts as busy."""
    try:
        numbers = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    except OSError:  # no Linux
        return 0.0
    user, nice, system, _idle, _wait, irq, softirq, steal = map(int, numbers)
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _own_seconds() -> float:
    """CPU time of this process and its descendants, the living ones included."""
    parents, used = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        pid = int(folder.name)
        parents[pid] = int(fields[1])
        used[pid] = sum(map(int, fields[11:15]))  # its own, and that of children waited for
    total = 0
    for pid in used:
        ancestor = pid
        while ancestor and ancestor != os.getpid():
            ancestor = parents.get(ancestor, 0)
        total += used[pid] if ancestor else 0
    return total / os.sysconf("SC_CLK_TCK")


def machine() -> dict[str, object]:
    """Say what the figures were taken on."""
    names = [platform.processor() or platform.machine()]
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        names = [x.partition(": ")[2] for x in lines if x.startswith("model name")] or names
    return {
        "cpu": names[0],
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
    }
