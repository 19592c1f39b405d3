"""Findings of an audit: sentences from its table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from skaudio._validation import counted, printable
from skaudio.datasets._audit_shortcuts import FEATURES

# Thresholds of problems, as fractions of the samples and of full scale. A single peak at full scale
# is not clipping, and converters with 8 bits have an offset of up to 1/128.
CLIPPED = 0.001
DC_OFFSET = 0.02
# A lossy format at 44.1 kHz has a bandwidth of 16 kHz, which is 0.73 of half the sample rate.
NARROW = 0.6
# A class is louder or quieter if its median differs from that of all classes by this much, and by
# twice the spread within classes.
LOUDER = 6.0  # dB
SPREADS = 2.0
MIN_PER_CLASS = 5
# The accuracy of a shortcut must be this much above the fraction of the largest class, and above it
# by three standard errors (by chance, this happens once in 700 times).
ADVANTAGE = 0.15
STANDARD_ERRORS = 3.0
SHOWN = 3  # number of recordings that a message names


@dataclass(frozen=True)
class Finding:
    """A possible problem of a collection.

    Attributes
    ----------
    kind : str
        Kind of the problem in one or two words, such as "clipped".
    message : str
        Description in one sentence.
    recordings : ndarray of int
        Positions of the affected recordings in X.
    """

    kind: str
    message: str
    recordings: np.ndarray = field(default_factory=lambda: np.empty(0, int), repr=False)

    def __str__(self) -> str:
        return printable(f"{self.kind}: {self.message}")


def problems_of(table: pd.DataFrame) -> list[str]:
    """Return the problems of each recording, separated by commas."""
    narrow = table["bandwidth"] < NARROW * table["sample_rate"] / 2
    problems = {
        "unreadable": ~table["readable"],
        "silent": table["silent"] == 1,
        "clipped": table["clipped"] >= CLIPPED,
        "dc offset": table["dc_offset"] >= DC_OFFSET,
        "narrow band": narrow & (table["silent"] < 1),
        "identical": table["identical_to"].notna(),
        "near-duplicate": table["near_duplicate_of"].notna(),
    }
    words = np.array(list(problems))
    marks = pd.DataFrame(problems).to_numpy(bool)
    return [", ".join(words[row]) for row in marks]


def find(
    table: pd.DataFrame, pairs: pd.DataFrame, shortcuts: pd.Series | None = None
) -> list[Finding]:
    """Return the findings from a table with ``problems`` and the table of duplicates."""
    findings = [*_damaged(table), *_mixed(table), *_problems(table), *_duplicates(table, pairs)]
    if "class" in table and "group" in table:
        findings += _confounded(table)
    if "class" in table:
        findings += _louder(table)
    if shortcuts is not None:
        findings += _shortcut(table, shortcuts)
    return findings


def _names(table: pd.DataFrame, positions: Iterable[int]) -> str:
    positions = list(positions)
    paths = table["path"].tolist()
    names = [
        f"recording {i}" + (f" ({'/'.join(Path(paths[i]).parts[-2:])})" if paths[i] else "")
        for i in positions[:SHOWN]
    ]
    return ", ".join(names) + (", ..." if len(positions) > SHOWN else "")


def _of(n: int, table: pd.DataFrame) -> str:
    return f"{n} of {counted(len(table), 'recording')}"


def _damaged(table: pd.DataFrame) -> Iterator[Finding]:
    (rows,) = np.nonzero(~table["readable"].to_numpy())
    if len(rows):
        reasons = [f"{_names(table, [i])}: {table['reason'].iloc[i]}" for i in rows[:SHOWN]]
        more = f" ... and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
        message = f"{_of(len(rows), table)} cannot be read: {' '.join(reasons)}{more}"
        yield Finding("unreadable", message, rows)


def _mixed(table: pd.DataFrame) -> Iterator[Finding]:
    for column, what, unit in (
        ("sample_rate", "sample rates", " Hz"),
        ("channels", "numbers of channels", ""),
        ("codec", "codecs", ""),
    ):
        counts = table[column].dropna().value_counts()
        if len(counts) < 2:
            continue
        listed = ", ".join(f"{_plain(value)}{unit} ({n})" for value, n in counts.head(5).items())
        message = f"{len(counts)} {what}: {listed}{', ...' if len(counts) > 5 else ''}"
        if "class" in table:
            known = table[table[column].notna()]
            accuracy = known.groupby(column)["class"].agg(lambda c: c.value_counts().iloc[0]).sum()
            accuracy /= len(known)
            largest = known["class"].value_counts(normalize=True).iloc[0]
            if _gives_away(accuracy, largest, len(known)):
                message += (
                    f"; {accuracy:.0%} of the classes can be predicted from this alone"
                    f" ({largest:.0%} by always predicting the largest class)"
                )
        others = table[column].notna() & (table[column] != counts.index[0])
        yield Finding(f"mixed {what}", message, np.flatnonzero(others))


def _plain(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _problems(table: pd.DataFrame) -> Iterator[Finding]:
    explained = {
        "silent": "nothing above -60 dBFS",
        "clipped": f"at least {CLIPPED:.1%} of the samples are in flat runs at the largest value",
        "dc offset": f"the mean of the samples is at least {DC_OFFSET:g} of full scale",
        "narrow band": (
            f"the spectrum ends abruptly below {NARROW:.0%} of half the sample rate:"
            " they were recorded or stored at a lower rate"
        ),
    }
    problems = table["problems"].str.split(", ")
    for word, explanation in explained.items():
        (rows,) = np.nonzero([word in words for words in problems])
        if not len(rows):
            continue
        if word == "narrow band":
            one = table.iloc[rows[0]]
            explanation += (
                f" (the first ends at {one['bandwidth']:.0f} of {one['sample_rate'] / 2:g} Hz)"
            )
        message = f"{_of(len(rows), table)}: {explanation}: {_names(table, rows)}"
        yield Finding(word, message, rows)


def _duplicates(table: pd.DataFrame, pairs: pd.DataFrame) -> Iterator[Finding]:
    across_classes = (pairs["same_class"] == False).fillna(False)  # noqa: E712
    across_groups = (pairs["same_group"] == False).fillna(False)  # noqa: E712
    for kind, chosen, consequence in (
        (
            "duplicates across classes",
            across_classes,
            "the same sound has different labels, so at least one is wrong",
        ),
        (
            "duplicates across groups",
            across_groups,
            "a leak: a model is tested on what it was trained on, in spite of groups",
        ),
        (
            "duplicates",
            ~across_classes & ~across_groups,
            "they count more than once, and leak if the data are split at random",
        ),
    ):
        some = pairs[chosen.astype(bool)]
        if len(some):
            n_identical = int((some["kind"] == "identical").sum())
            rows = np.unique(some[["first", "second"]].to_numpy())
            shown = [f"{_names(table, pair)}" for pair in some[["first", "second"]].to_numpy()[:2]]
            listed = "; ".join(name.replace(", recording", " and recording") for name in shown)
            message = (
                f"{len(some)} pair(s), {n_identical} of them identical: {consequence}: {listed}"
                f"{'; ...' if len(some) > 2 else ''}"
            )
            yield Finding(kind, message, rows)


def _confounded(table: pd.DataFrame) -> Iterator[Finding]:
    """Find classes with recordings of one group only, and groups with one class only."""
    n_groups = table.groupby("class")["group"].nunique()
    if table["group"].nunique() > 1 and (n_groups == 1).any():
        classes = n_groups.index[n_groups == 1]
        rows = np.flatnonzero(table["class"].isin(classes))
        message = (
            f"{len(classes)} of {len(n_groups)} classes are in one group each, so they cannot be"
            f" trained on one group and tested on another: {_values(classes)}"
        )
        yield Finding("classes with one group", message, rows)
    by_group = table.groupby("group")["class"].agg(["nunique", "size"])
    by_group = by_group[by_group["size"] > 1]  # a single recording always has one class
    single = by_group.index[by_group["nunique"] == 1]
    if len(n_groups) > 1 and len(single):
        rows = np.flatnonzero(table["group"].isin(single))
        message = (
            f"{len(single)} of {len(by_group)} groups of two recordings or more hold one class."
            f" A model may learn the group instead of the class; split by group: {_values(single)}"
        )
        yield Finding("groups with one class", message, rows)


def _values(values: Any) -> str:
    return ", ".join(map(str, values[:5])) + (", ..." if len(values) > 5 else "")


def _louder(table: pd.DataFrame) -> Iterator[Finding]:
    sounding = table[table["readable"] & (table["silent"] < 1)]
    levels = sounding.groupby("class")["level"]
    sizes = levels.size()
    levels = levels.quantile([0.25, 0.5, 0.75]).unstack()[sizes >= MIN_PER_CLASS]
    if len(levels) < 2:
        return
    spread = float(np.median(levels[0.75] - levels[0.25])) / 1.35  # as a standard deviation
    # With two classes, the louder one is reported.
    usual = float(levels[0.5].median() if len(levels) > 2 else levels[0.5].min())
    for name, level in levels[0.5].items():
        above = level - usual
        if abs(above) >= max(LOUDER, SPREADS * spread):
            message = (
                f"class {name!s} is {abs(above):.0f} dB {'louder' if above > 0 else 'quieter'}"
                f" than the others (medians; within a class, levels vary by {spread:.0f} dB)"
            )
            yield Finding("class level", message, np.flatnonzero(table["class"] == name))


def _gives_away(accuracy: float, largest: float, n: int) -> bool:
    error = np.sqrt(largest * (1 - largest) / n)
    return bool(accuracy - largest >= max(ADVANTAGE, STANDARD_ERRORS * error))


def _shortcut(table: pd.DataFrame, accuracies: pd.Series) -> Iterator[Finding]:
    largest = accuracies["largest class"]
    best = accuracies[list(FEATURES)].idxmax()
    found = max(accuracies["all"], accuracies[best])
    if not _gives_away(found, largest, int(table["readable"].sum())):
        return
    split = "in groups not trained on" if "group" in table else "cross-validated"
    message = (
        f"{accuracies['all']:.0%} of the classes can be predicted from level, noise floor,"
        f" duration, bandwidth and silence alone, {accuracies[best]:.0%} from the {FEATURES[best]}"
        f" ({split}; always predicting the largest class: {largest:.0%}): the classes were recorded"
        " differently, or differ in this by nature"
    )
    yield Finding("shortcut", message)
