"""Classes and groups of recordings, from the folders and names of their files."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from skaudio.audio import as_recording, find_errors, read_through, reason_of
from skaudio.cli._printing import note
from skaudio.datasets import load_audio_files


class Labelled(NamedTuple):
    """Recordings with their classes and groups."""

    files: list[str]
    classes: np.ndarray
    groups: np.ndarray | None
    skipped: list[tuple[str, str]]
    """Recordings that cannot be read, and why."""


def labelled(options: Any, *, skip: bool = False) -> Labelled:
    """Find the recordings of a folder, their classes and groups.

    Parameters
    ----------
    options : Namespace
        ``folder``, ``target`` and ``groups`` of the command line.
    skip : bool
        Whether to decode all recordings, and leave out those that cannot be read.
    """
    folder = Path(options.folder)
    groups = _where(options.groups)
    data = load_audio_files(folder, target=_where(options.target), groups=groups)
    files, classes, found = data.data, data.target_names[data.target], data.groups
    if groups is None:
        below = [Path(file).relative_to(folder.expanduser().absolute()) for file in files]
        found, where = guess_groups(below, classes)
        if found is not None:
            some = ", ".join(sorted(set(found))[:4])
            note(f"groups: {where} ({some}, ...); if that is wrong, pass --groups")
    errors = {}
    if skip:
        recordings = [as_recording(str(file), i) for i, file in enumerate(files)]
        errors = find_errors(recordings, read_through)
    if len(errors) == len(files):
        raise ValueError(f"no recording can be read: {errors[0]}")
    skipped = [(str(files[i]), reason_of(error)) for i, error in errors.items()]
    kept = np.setdiff1d(np.arange(len(files)), list(errors))
    groups_kept = None if found is None else found[kept]
    return Labelled(files[kept].tolist(), classes[kept], groups_kept, skipped)


def guess_groups(paths: list[Path], y: np.ndarray) -> tuple[np.ndarray | None, str]:
    """Guess the groups from folders or file names; also return where they were found.

    Groups must have recordings of several classes, and classes recordings of several groups. Names
    of groups are not only numbers, because these could count the recordings.

    Parameters
    ----------
    paths : list of Path
        Paths relative to the folder of all recordings.
    y : ndarray of shape (n_recordings,)
        Classes.
    """
    folders = [path.parts[1:-1] for path in paths]
    if folders and len({len(parts) for parts in folders}) == 1:
        for level in range(len(folders[0])):
            names = [parts[level] for parts in folders]
            if _are_groups(names, y):
                return np.array(names), f"the folders of level {level + 1} below the classes"
    parts_of_names = [re.split(r"[^A-Za-z0-9]+", path.stem) for path in paths]
    if parts_of_names and len({len(parts) for parts in parts_of_names}) == 1:
        for place in range(len(parts_of_names[0])):
            names = [parts[place] for parts in parts_of_names]
            if not any(name.isdigit() for name in names) and _are_groups(names, y):
                return np.array(names), f"part {place + 1} of the names of the files"
    return None, ""


def _are_groups(names: list[str], y: np.ndarray) -> bool:
    classes_of = defaultdict(set)
    groups_of = defaultdict(set)
    for name, label in zip(names, y, strict=True):
        classes_of[name].add(label)
        groups_of[label].add(name)
    in_several = min(map(len, classes_of.values())) > 1
    return in_several and min(map(len, groups_of.values())) > 1 and 2 * len(classes_of) < len(names)


def _where(text: str | None) -> Any:
    """Convert an option to the level of a folder, or a regular expression."""
    if text is None:
        return None
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return re.compile(text)
    except re.error as error:
        raise ValueError(
            f"{text!r} is neither a whole number nor a regular expression ({error})"
        ) from error
