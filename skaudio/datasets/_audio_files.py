"""A folder of recordings, one sub-folder per class."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sklearn.utils import Bunch

from skaudio.audio import AUDIO_EXTENSIONS
from skaudio.datasets._bunch import make_bunch


def load_audio_files(
    container_path: str | os.PathLike[str],
    *,
    groups: str | re.Pattern[str] | None = None,
    categories: Iterable[str] | None = None,
    allowed_extensions: Iterable[str] | None = None,
    description: str | None = None,
    return_X_y: bool = False,
    as_frame: bool = False,
) -> Any:
    r"""Find recordings on disk, one sub-folder per class.

    .. code-block:: text

        container_path/
            cat/
                1.wav
                more/2.flac
            dog/
                1.wav

    As :func:`sklearn.datasets.load_files`, for sound: the names of the sub-folders are the
    classes. Paths are returned, nothing is decoded. Other than there, class folders may hold
    folders of any depth, the order is sorted rather than shuffled (pass ``shuffle=True`` to the
    cross-validator), and what is no recording is reported rather than taken for one.

    Parameters
    ----------
    container_path : str or path-like
        Folder with one sub-folder per class.
    groups : str or compiled pattern, default=None
        Regular expression searched in each path below the container, written with ``/`` and
        including the class folder ("cat/more/2.flac"). What its named group (if it has
        several: the one named ``group``), or else its first group, matches is the group of
        the recording: its speaker, session or animal.
    categories : iterable of str, default=None
        The classes to load, other sub-folders being ignored; None loads all.
    allowed_extensions : iterable of str, default=None
        File name extensions of recordings, such as ``[".wav"]``; upper and lower case are the
        same. None takes those known for sound (.aac .ac3 .aif .aifc .aiff .amr .ape .au .caf
        .flac .m4a .mka .mp2 .mp3 .mpga .oga .ogg .opus .rf64 .snd .sph .spx .w64 .wav .wave
        .wma .wv) and video (.3gp .avi .flv .m4v .mkv .mov .mp4 .mpeg .mpg .ogv .ts .webm
        .wmv), of which not every decoder reads every one.
    description : str, default=None
        Becomes ``DESCR``.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.
    as_frame : bool, default=False
        Return pandas objects: ``data`` as a one-column DataFrame, ``target`` and ``groups`` as
        Series, and ``frame`` as their table.

    Returns
    -------
    sklearn.utils.Bunch or tuple
        A dictionary with attributes:

        data : ndarray of str, shape (n_recordings,), or DataFrame, shape (n_recordings, 1)
            Absolute paths, sorted by class and then by path below it.
        target : ndarray of int, shape (n_recordings,), or Series
            Index into ``target_names``.
        target_names : ndarray of str, shape (n_classes,)
            Names of the class folders that hold recordings, sorted.
        groups : ndarray of str, shape (n_recordings,), or Series or None
            Groups, if ``groups`` is given.
        feature_names : list of str
            ``["path"]``.
        frame : DataFrame or None
            Columns path, target, label (the name of the class) and, if ``groups`` is given,
            group. Only with ``as_frame=True``.
        skipped : list of str
            Absolute paths, sorted, of the files left out with a warning: those of other
            extensions, and those that lie beside the class folders. Files and folders whose
            name begins with a dot are passed over without mention.
        DESCR : str or None
            ``description``.

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        If ``container_path`` does not exist, or is a file.
    ValueError
        If there are no sub-folders, no recordings, or not all of ``categories``; if ``groups``
        has no group in parentheses, or does not match the path of a recording.

    Warns
    -----
    UserWarning
        About skipped files, and class folders without recordings, which are no classes.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skaudio.datasets import load_audio_files
    >>> with tempfile.TemporaryDirectory() as container:
    ...     for name in ("cat/tom_1.wav", "cat/tom_2.wav", "dog/rex_1.wav"):
    ...         path = Path(container, name)
    ...         path.parent.mkdir(exist_ok=True)
    ...         path.touch()
    ...     pets = load_audio_files(container, groups=r"/([a-z]+)_\d+\.wav$")
    >>> pets.target_names[pets.target].tolist()
    ['cat', 'cat', 'dog']
    >>> pets.groups.tolist()
    ['tom', 'tom', 'rex']
    """
    container = Path(container_path).expanduser().absolute()
    extensions = _check_extensions(allowed_extensions)
    folders = _class_folders(container, categories, extensions)
    paths: list[Path] = []
    target: list[int] = []
    target_names: list[str] = []
    empty: list[str] = []
    # Under `categories` the rest of the container is none of the caller's business.
    skipped = [] if categories is not None else [p for p in _visible(container) if p.is_file()]
    for folder in folders:
        found = list(_files_below(folder))
        recordings = [path for path in found if path.suffix.lower() in extensions]
        skipped += [path for path in found if path.suffix.lower() not in extensions]
        if recordings:
            target += [len(target_names)] * len(recordings)
            target_names.append(folder.name)
            paths += recordings
        else:
            empty.append(folder.name)
    if not paths:
        other = f"; files of other extensions: {_some(skipped, container)}" if skipped else ""
        beside = [path for path in container.iterdir() if path.suffix.lower() in extensions]
        if beside:
            other = f", and {_some(beside, container)} beside them"
        raise ValueError(
            f"container_path={str(container)!r} holds no recordings in its sub-folders (the "
            f"classes){other}"
        )
    if empty and categories is not None:
        raise ValueError(f"categories={empty}: no recordings in these folders of {container}")
    if empty:
        message = f"folders without recordings are not taken as classes: {empty} in {container}"
        warnings.warn(message, stacklevel=2)
    if skipped:
        warnings.warn(
            f"{len(skipped)} file(s) skipped, listed under 'skipped': {_some(skipped, container)}"
            " (not below a class folder, or not of an extension known for recordings: see"
            " allowed_extensions)",
            stacklevel=2,
        )

    columns: dict[str, Any] = {"path": [str(path) for path in paths], "target": target}
    columns["label"] = [target_names[code] for code in target]
    if groups is not None:
        names = [path.relative_to(container).as_posix() for path in paths]
        columns["group"] = _match_groups(groups, names)
    bunch: Bunch = make_bunch(
        columns,
        target="target",
        groups="group" if groups is not None else None,
        target_names=target_names,
        description=description,
        as_frame=as_frame,
        skipped=sorted(str(path) for path in skipped),
    )
    return (bunch.data, bunch.target) if return_X_y else bunch


def _check_extensions(extensions: Iterable[str] | None) -> frozenset[str]:
    if extensions is None:
        return AUDIO_EXTENSIONS
    given = [extensions] if isinstance(extensions, str) else list(extensions)
    for extension in given:
        if not extension.startswith("."):
            raise ValueError(
                f"allowed_extensions={given}: expected a leading dot, as in '.{extension}'"
            )
    return frozenset(extension.lower() for extension in given)


def _class_folders(
    container: Path, categories: Iterable[str] | None, extensions: frozenset[str]
) -> list[Path]:
    if not container.exists():
        raise FileNotFoundError(f"container_path={str(container)!r}: no such folder")
    if not container.is_dir():
        raise NotADirectoryError(
            f"container_path={str(container)!r} is a file: expected a folder with one sub-folder"
            " per class"
        )
    folders = [path for path in _visible(container) if path.is_dir()]
    if not folders:
        loose = [path for path in _visible(container) if path.suffix.lower() in extensions]
        cause = (
            f" but {len(loose)} recording(s): for a class folder, pass the folder above it,"
            f" {str(container.parent)!r}"
            if loose
            else ": it is empty"
            if not any(container.iterdir())
            else ""
        )
        raise ValueError(
            f"container_path={str(container)!r} has no sub-folders, one of which is expected per"
            f" class{cause}"
        )
    if categories is None:
        return folders
    wanted = [categories] if isinstance(categories, str) else list(categories)
    names = [folder.name for folder in folders]
    if missing := [name for name in wanted if name not in names]:
        raise ValueError(f"categories={missing}: no such sub-folders in {container}, only {names}")
    return [folder for folder in folders if folder.name in wanted]


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _files_below(folder: Path, seen: frozenset[Path] = frozenset()) -> Iterator[Path]:
    """Yield the visible files at any depth; a link back to a folder above ends there."""
    seen |= {folder.resolve()}
    for path in _visible(folder):
        if not path.is_dir():
            yield path
        elif path.resolve() not in seen:
            yield from _files_below(path, seen)


def _match_groups(pattern: str | re.Pattern[str], names: list[str]) -> list[str]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"groups={pattern!r} is no regular expression: {error}") from error
    if compiled.groups == 0:
        raise ValueError(
            f"groups={compiled.pattern!r} has no group: put parentheses around the part that"
            " names the group"
        )
    named = list(compiled.groupindex)
    if len(named) > 1 and "group" not in named:
        raise ValueError(
            f"groups={compiled.pattern!r} has several named groups {named}: name the one to use"
            " 'group'"
        )
    key: str | int = "group" if "group" in named else named[0] if named else 1
    matched = []
    for name in names:
        match = compiled.search(name)
        if match is None or match[key] is None:
            raise ValueError(f"groups={compiled.pattern!r} does not match the recording {name!r}")
        matched.append(match[key])
    return matched


def _some(paths: list[Path], container: Path) -> str:
    names = [path.relative_to(container).as_posix() for path in paths[:5]]
    return ", ".join(names) + (", ..." if len(paths) > 5 else "")
