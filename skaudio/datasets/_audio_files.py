"""load_audio_files: list recordings in a folder, with their classes and groups."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd
from sklearn.utils import Bunch

from skaudio._validation import check_choice
from skaudio.datasets._bunch import make_bunch
from skaudio.datasets._file_finding import (
    check_container,
    check_extensions,
    files_below,
    find_in_class_folders,
    find_unreadable,
    recordings_of,
    some,
    warn_of_skipped,
)
from skaudio.datasets._file_labels import label_files

LabelSource: TypeAlias = int | str | re.Pattern[str] | Callable[[Path], Any] | pd.Series


def load_audio_files(
    container_path: str | os.PathLike[str],
    *,
    target: LabelSource | None = None,
    groups: LabelSource | None = None,
    categories: Iterable[str] | None = None,
    allowed_extensions: Iterable[str] | None = None,
    on_error: str = "raise",
    description: str | None = None,
    return_X_y: bool = False,
    as_frame: bool = False,
) -> Any:
    r"""List the recordings in a folder, with a class and a group for each.

    By default there is one sub-folder per class:

    .. code-block:: text

        container_path/
            cat/
                1.wav
                more/2.flac
            dog/
                1.wav

    As in :func:`sklearn.datasets.load_files`, the names of the sub-folders are the classes. Paths
    are returned; nothing is decoded. Unlike with `load_files`, class folders can contain folders of
    any depth, recordings are sorted instead of shuffled (pass ``shuffle=True`` to the
    cross-validator), and other files are left out with a warning.

    Parameters
    ----------
    container_path : str or path-like
        Folder with one sub-folder per class.
    target : int, str, compiled pattern, callable or Series, default=None
        Source of the class of a recording. None: the name of the folder directly below the
        container.

        - An int is the level of a folder. Levels 0, 1, ... count from the recording upwards: 0 is
          the folder of the recording. Levels -1, -2, ... count from the container downwards: -1 is
          the folder directly below it.
        - A regular expression is searched in the path below the container, which is written with
          ``/`` ("cat/more/2.flac"). The label is the match of its named group (of the one named
          ``target``, if there are several), or of its first group.
        - A callable takes the absolute path as a `pathlib.Path` and returns the label.
        - A pandas Series, such as a column of a table of metadata, holds labels. Its index holds
          absolute paths, paths below the container, or file names with or without extension:
          ``pd.read_csv("meta.csv", index_col="filename")["category"]``.
    groups : int, str, compiled pattern, callable or Series, default=None
        Source of the group of a recording, such as its speaker or session, in the same forms as
        ``target``. If a regular expression has several named groups, the one named ``group`` is
        used. None: no groups.
    categories : iterable of str, default=None
        The classes to load. Other sub-folders or labels are ignored. None: all classes.
    allowed_extensions : iterable of str, default=None
        File name extensions of recordings, such as ``[".wav"]``, ignoring case. None: all
        extensions that the installed libraries can decode: .8svx .aif .aifc .aiff .au .avr .caf
        .flac .mp2 .mp3 .mpga .oga .ogg .opus .rf64 .snd .sph .voc .w64 .wav .wave and, with the
        extra ``ffmpeg``, .3gp .aac .ac3 .amr .ape .avi .eac3 .flv .m4a .m4v .mka .mkv .mov .mp4
        .mpeg .mpg .spx .tta .webm .wma .wmv .wv.
    on_error : {"raise", "skip"}, default="raise"
        "raise": files are not opened; damaged files raise an error when they are decoded later.
        "skip": every file is decoded, and files that cannot be read completely are left out with
        one warning.
    description : str, default=None
        Description of the data set, returned as ``DESCR``.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a Bunch.
    as_frame : bool, default=False
        Whether to return pandas objects: ``data`` as a one-column DataFrame, ``target`` and
        ``groups`` as Series, and ``frame`` as their table.

    Returns
    -------
    sklearn.utils.Bunch or tuple
        A dictionary with attributes:

        data : ndarray of str, shape (n_recordings,), or DataFrame, shape (n_recordings, 1)
            Absolute paths, sorted by class and then by path below it.
        target : ndarray of int, shape (n_recordings,), or Series
            Index into ``target_names``.
        target_names : ndarray of str, shape (n_classes,)
            Labels of the classes that have recordings, sorted.
        groups : ndarray of str, shape (n_recordings,), or Series or None
            Groups, if ``groups`` is given.
        feature_names : list of str
            ``["path"]``.
        frame : DataFrame or None
            Columns path, target, label (the name of the class) and, if ``groups`` is given,
            group. Only with ``as_frame=True``.
        skipped : list of str
            Absolute paths, sorted, of the files that were left out with a warning: files with other
            extensions, files beside the class folders, and files that cannot be read with
            ``on_error="skip"``. Files and folders whose names begin with a dot are ignored
            silently.
        DESCR : str or None
            ``description``.

    Raises
    ------
    FileNotFoundError, NotADirectoryError
        If ``container_path`` does not exist, or is a file.
    ValueError
        If there are no sub-folders (without ``target``), no recordings, or no recordings of one of
        ``categories``; or if ``target`` or ``groups`` has no label for a recording.

    Warns
    -----
    UserWarning
        About skipped files, about class folders without recordings (which are not classes), and
        about class folders that look like splits, such as "train" and "test".

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

    All files are in one folder, and their names contain the labels:

    >>> with tempfile.TemporaryDirectory() as container:
    ...     for name in ("7_george_0.wav", "7_lucas_0.wav", "8_lucas_0.wav"):
    ...         Path(container, name).touch()
    ...     digits = load_audio_files(container, target=r"(\d)_", groups=r"_([a-z]+)_")
    >>> digits.target_names[digits.target].tolist(), digits.groups.tolist()
    (['7', '7', '8'], ['george', 'lucas', 'lucas'])
    """
    check_choice("on_error", on_error, ("raise", "skip"))
    container = check_container(container_path)
    extensions = check_extensions(allowed_extensions)
    wanted = [categories] if isinstance(categories, str) else categories
    wanted = None if wanted is None else list(wanted)
    if target is None:
        paths, skipped = find_in_class_folders(container, wanted, extensions)
        labels = [path.relative_to(container).parts[0] for path in paths]
    else:
        paths, skipped = recordings_of(files_below(container), extensions)
        if not paths:
            other = f"; files of other extensions: {some(skipped, container)}" if skipped else ""
            raise ValueError(f"container_path={str(container)!r} holds no recordings{other}")
        labels = label_files(target, paths, container, name="target")
        order = sorted(range(len(paths)), key=labels.__getitem__)  # numeric labels in numeric order
        paths, labels = [paths[i] for i in order], [str(labels[i]) for i in order]
        if wanted is not None:
            if missing := [name for name in wanted if name not in labels]:
                found = list(dict.fromkeys(labels))
                raise ValueError(f"categories={missing}: no recordings of these, only {found}")
            kept = [i for i, label in enumerate(labels) if label in wanted]
            paths, labels = [paths[i] for i in kept], [labels[i] for i in kept]
    if skipped:
        warn_of_skipped(skipped, container)
    if on_error == "skip":
        unreadable = find_unreadable(paths)
        kept = sorted(set(range(len(paths))) - set(unreadable))
        skipped += [paths[i] for i in unreadable]
        paths, labels = [paths[i] for i in kept], [labels[i] for i in kept]

    target_names = list(dict.fromkeys(labels))
    codes = {name: code for code, name in enumerate(target_names)}
    columns: dict[str, Any] = {"path": [str(path) for path in paths]}
    columns["target"] = [codes[label] for label in labels]
    columns["label"] = labels
    if groups is not None:
        columns["group"] = [str(g) for g in label_files(groups, paths, container, name="groups")]
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
