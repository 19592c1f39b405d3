"""Labels of files, from folders, file names, a function or a table."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd


def label_files(source: Any, paths: Sequence[Path], container: Path, *, name: str) -> list[Any]:
    """Return the label of each path; raise an error for a path without a label.

    Parameters
    ----------
    source : int, str, compiled pattern, callable or Series
        A folder level, a regular expression, a function of the absolute path, or labels whose
        index holds paths.
    paths : sequence of Path
        Absolute paths.
    container : Path
        Folder to which the paths in tables and expressions are relative.
    name : str
        Name of the source in messages: "target" or "groups".
    """
    relative = [path.relative_to(container).as_posix() for path in paths]
    if isinstance(source, (int, np.integer)) and not isinstance(source, bool):
        return _from_level(int(source), relative, name)
    if isinstance(source, (str, re.Pattern)):
        return _from_pattern(source, relative, name)
    if isinstance(source, (pd.Series, pd.DataFrame)):
        return _from_table(source, paths, relative, container, name)
    if callable(source):
        return _from_function(source, paths, relative, name)
    raise TypeError(
        f"{name}={source!r}: expected a folder level (0 is the nearest folder), a regular"
        " expression, a function of the path, or a pandas Series whose index holds paths."
    )


def _from_level(level: int, relative: list[str], name: str) -> list[str]:
    labels = []
    for path in relative:
        folders = PurePosixPath(path).parts[:-1]
        # Number 0 is the folder of the recording; -1 is the first folder below the container.
        place = -1 - level
        if not -len(folders) <= place < len(folders):
            depth = f"lies below {len(folders)} folder(s) of the container"
            raise ValueError(f"{name}={level}: no such folder, the recording {path!r} {depth}")
        labels.append(folders[place])
    return labels


def _from_pattern(pattern: str | re.Pattern[str], relative: list[str], name: str) -> list[str]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{name}={pattern!r} is not a regular expression: {error}") from error
    if compiled.groups == 0:
        raise ValueError(
            f"{name}={compiled.pattern!r} has no group: put parentheses around the part that"
            f" names the {'group' if name == 'groups' else 'class'}"
        )
    wanted = "group" if name == "groups" else name
    named = list(compiled.groupindex)
    if len(named) > 1 and wanted not in named:
        raise ValueError(
            f"{name}={compiled.pattern!r} has several named groups {named}: name the one to use"
            f" {wanted!r}"
        )
    key: str | int = wanted if wanted in named else named[0] if named else 1
    matched = []
    for path in relative:
        match = compiled.search(path)
        if match is None or match[key] is None:
            raise ValueError(
                f"{name}={compiled.pattern!r} does not match the recording {path!r}: expected a "
                "pattern that is found in the path below the folder. Check the file name extension."
            )
        matched.append(match[key])
    return matched


def _from_function(
    function: Callable[[Path], Any], paths: Sequence[Path], relative: list[str], name: str
) -> list[Any]:
    labels = [function(path) for path in paths]
    for label, path in zip(labels, relative, strict=True):
        if label is None or label != label:
            raise ValueError(f"{name}: the function returns {label!r} for the recording {path!r}")
    return labels


def _from_table(
    table: Any, paths: Sequence[Path], relative: list[str], container: Path, name: str
) -> list[Any]:
    """Look up each path in the index: relative to the container, absolute, or by name only."""
    if isinstance(table, pd.DataFrame):
        raise TypeError(
            f"{name} is a DataFrame with the columns {list(table.columns)}: expected one column,"
            f" indexed by path, such as table.set_index('path')[{name!r}]."
        )
    keys = [PurePosixPath(str(key).replace("\\", "/")) for key in table.index]
    whole: dict[Path, list[Any]] = {}
    # Tables of data sets often hold file names without folders or extensions.
    names: dict[str, list[Any]] = {}
    for key, value in zip(keys, table, strict=True):
        whole.setdefault(container / key, []).append(value)
        names.setdefault(key.name, []).append(value)
    labels = []
    for path, shown in zip(paths, relative, strict=True):
        found = whole.get(path) or names.get(path.name) or names.get(path.stem, [])
        distinct = list(dict.fromkeys(found))
        if len(distinct) != 1 or pd.isna(distinct[0]):
            what = f"several values {distinct[:5]}" if len(distinct) > 1 else "no value"
            raise ValueError(
                f"{name}: the table has {what} for the recording {shown!r}; its index begins with"
                f" {[str(key) for key in table.index[:3]]}"
            )
        labels.append(distinct[0])
    return labels
