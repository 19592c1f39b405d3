"""Output of commands: tables, CSV, JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from skaudio._validation import printable
from skaudio.events import delimited


def show(table: pd.DataFrame, form: str, *, index: bool = False) -> None:
    """Print a table to stdout in one of the forms "table", "csv" and "json"."""
    if index:
        table = table.rename_axis(table.index.name or "").reset_index()
    if form == "csv":
        sys.stdout.write(delimited(table, ","))
    elif form == "json":
        show_json(records(table))
    elif len(table):
        texts = {name: [_text(value) for value in table[name]] for name in table}
        print(_aligned(texts, {name: _is_number(table[name]) for name in table}))
    else:
        print("nothing found")


def show_json(value: Any) -> None:
    """Print a value as JSON; NaN becomes null."""
    print(json.dumps(value, ensure_ascii=False, indent=1, default=str))


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table as dictionaries of Python types."""
    columns = {name: [_plain(value) for value in table[name]] for name in table}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def note(text: str) -> None:
    """Print a line to stderr, separate from the results."""
    print(text, file=sys.stderr)


def one_line(error: object) -> str:
    """Return a message without line breaks."""
    return "; ".join(line.strip() for line in str(error).splitlines() if line.strip())


def list_failures(failures: Sequence[tuple[str, str]], n: int) -> None:
    """Print which of n recordings could not be read, and why."""
    if failures:
        note(f"{len(failures)} of {n} recordings could not be read:")
        for file, reason in failures:
            note(f"  {printable(file)}: {reason}")


def _plain(value: Any) -> Any:
    if value is None or value is pd.NA or (isinstance(value, float) and not np.isfinite(value)):
        return None
    return value.item() if isinstance(value, np.generic) else value


def _text(value: Any) -> str:
    if _plain(value) is None:
        return ""
    if isinstance(value, float):
        return f"{value:.0f}" if abs(value) >= 1e4 else f"{value:.4g}"
    return printable(value)


def _is_number(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def _aligned(texts: dict[str, list[str]], right: dict[str, bool]) -> str:
    """Return the lines of a table, with numbers aligned to the right."""
    columns = [[printable(name), *values] for name, values in texts.items()]
    widths = [max(map(len, column)) for column in columns]
    aligns = [">" if right[name] else "<" for name in texts]
    rows = zip(*columns, strict=True)
    return "\n".join(
        "  ".join(
            f"{cell:{align}{width}}" for cell, align, width in zip(row, aligns, widths, strict=True)
        ).rstrip()
        for row in rows
    )
