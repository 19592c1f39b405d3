"""Find the recordings in a folder."""

from __future__ import annotations

import importlib.util
import os
import re
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

from skaudio.audio import (
    AUDIO_EXTENSIONS,
    FFMPEG_EXTENSIONS,
    LIBSNDFILE_EXTENSIONS,
    as_recording,
    find_errors,
    listed,
    read_through,
)

# Folders with these names are probably not classes.
NO_CLASSES = re.compile(
    r"train(ing)?|test(ing)?|val(id(ation)?)?|dev|eval(uation)?|(fold|split|part|set)[-_ ]?\d+"
    r"|audio|data|wavs?|recordings?|sounds?|clips?",
    re.IGNORECASE,
)


def check_extensions(extensions: Iterable[str] | None) -> frozenset[str]:
    if extensions is None:
        has_ffmpeg = importlib.util.find_spec("av") is not None
        return AUDIO_EXTENSIONS if has_ffmpeg else LIBSNDFILE_EXTENSIONS
    given = [extensions] if isinstance(extensions, str) else list(extensions)
    for extension in given:
        if not extension.startswith("."):
            raise ValueError(
                f"allowed_extensions={given}: expected a leading dot, as in '.{extension}'"
            )
    return frozenset(extension.lower() for extension in given)


def check_container(container_path: str | os.PathLike[str]) -> Path:
    container = Path(container_path).expanduser().absolute()
    if not container.exists():
        raise FileNotFoundError(f"container_path={str(container)!r}: no such folder")
    if not container.is_dir():
        raise NotADirectoryError(
            f"container_path={str(container)!r} is a file: expected a folder with one sub-folder"
            " per class"
        )
    return container


def find_in_class_folders(
    container: Path, categories: list[str] | None, extensions: frozenset[str]
) -> tuple[list[Path], list[Path]]:
    """Return the recordings below the class folders, and the other files."""
    paths: list[Path] = []
    empty: list[str] = []
    # With `categories`, other files in the container are not reported.
    skipped = [] if categories is not None else [p for p in _visible(container) if p.is_file()]
    folders = _class_folders(container, categories, extensions)
    for folder in folders:
        recordings, others = recordings_of(files_below(folder), extensions)
        paths += recordings
        skipped += others
        if not recordings:
            empty.append(folder.name)
    if not paths:
        other = f"; files of other extensions: {some(skipped, container)}" if skipped else ""
        beside = [path for path in container.iterdir() if path.suffix.lower() in extensions]
        if beside:
            other = f", and {some(beside, container)} beside them"
        raise ValueError(
            f"container_path={str(container)!r} holds no recordings in its sub-folders (the "
            f"classes){other}"
        )
    if empty and categories is not None:
        raise ValueError(f"categories={empty}: no recordings in these folders of {container}")
    if empty:
        message = f"folders without recordings are not taken as classes: {empty} in {container}"
        warnings.warn(message, stacklevel=3)
    if categories is None:
        _warn_if_too_high(paths, container)
    return paths, skipped


def _warn_if_too_high(paths: list[Path], container: Path) -> None:
    """Warn if the classes seem to be one level below the class folders."""
    parts = [path.relative_to(container).parts for path in paths]
    if any(len(names) < 3 for names in parts):
        return
    folders = list(dict.fromkeys(names[0] for names in parts))
    below = list(dict.fromkeys(names[1] for names in parts))
    only_one = len(folders) == 1 and len(below) > 1
    if only_one or all(NO_CLASSES.fullmatch(folder) for folder in folders):
        warnings.warn(
            f"{str(container)!r}: the folders {folders[:5]} are taken as the classes, and all"
            f" recordings lie further below, in {below[:5]}. If those are the classes, pass"
            f" target=-2, or container_path={str(container / folders[0])!r}",
            stacklevel=4,
        )


def _class_folders(
    container: Path, categories: list[str] | None, extensions: frozenset[str]
) -> list[Path]:
    folders = [path for path in _visible(container) if path.is_dir()]
    if not folders:
        loose = [path for path in _visible(container) if path.suffix.lower() in extensions]
        cause = (
            f", but {len(loose)} recording(s). If it is the folder of one class, pass the folder"
            f" above it, {str(container.parent)!r}. If the file names hold the labels, pass a"
            r" regular expression, such as target=r'^(\w+?)_'"
            if loose
            else ": it is empty"
            if not any(container.iterdir())
            else ""
        )
        raise ValueError(
            f"container_path={str(container)!r}: expected one sub-folder per class, there are no"
            f" sub-folders{cause}"
        )
    if categories is None:
        return folders
    names = [folder.name for folder in folders]
    if missing := [name for name in categories if name not in names]:
        raise ValueError(f"categories={missing}: no such sub-folders in {container}, only {names}")
    return [folder for folder in folders if folder.name in categories]


def recordings_of(
    files: Iterable[Path], extensions: frozenset[str]
) -> tuple[list[Path], list[Path]]:
    recordings: list[Path] = []
    others: list[Path] = []
    for path in files:
        (recordings if path.suffix.lower() in extensions else others).append(path)
    return recordings, others


def recordings_below(folder: Path) -> list[Path]:
    """Return the recordings in a folder, at any depth."""
    return recordings_of(files_below(folder), check_extensions(None))[0]


def warn_of_skipped(skipped: list[Path], container: Path) -> None:
    needs = ""
    if any(path.suffix.lower() in FFMPEG_EXTENSIONS for path in skipped):
        needs = '; m4a, video and the like need pip install "skaudio[ffmpeg]"'
    warnings.warn(
        f"{len(skipped)} file(s) skipped, listed under 'skipped': {some(skipped, container)}"
        " (not below a class folder, or not of an extension known for recordings: see"
        f" allowed_extensions{needs})",
        stacklevel=3,
    )


def find_unreadable(paths: list[Path]) -> list[int]:
    """Return which files cannot be decoded, and warn of them; refuse to skip all."""
    recordings = [as_recording(str(path), i) for i, path in enumerate(paths)]
    errors = find_errors(recordings, read_through)
    if not errors:
        return []
    message = listed(list(map(str, errors.values())), len(paths))
    if len(errors) == len(paths):
        raise ValueError(message)
    warnings.warn(f"{message}\nThey are skipped, and listed under 'skipped'.", stacklevel=3)
    return list(errors)


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def files_below(folder: Path, seen: frozenset[Path] = frozenset()) -> Iterator[Path]:
    """Yield the visible files at any depth; a link back to a folder above ends there."""
    seen |= {folder.resolve()}
    for path in _visible(folder):
        if not path.is_dir():
            yield path
        elif path.resolve() not in seen:
            yield from files_below(path, seen)


def some(paths: list[Path], container: Path) -> str:
    names = [path.relative_to(container).as_posix() for path in paths[:5]]
    return ", ".join(names) + (", ..." if len(paths) > 5 else "")
