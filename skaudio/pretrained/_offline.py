"""Official weights in a folder, for machines without internet access."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from skaudio._files import file_lock, get_data_home
from skaudio.pretrained._registry import find_file, find_model


def download(names: str | Sequence[str], folder: str | os.PathLike[str]) -> list[Path]:
    """Copy the official weights of pretrained networks into a folder, for use on another machine.

    Files in the data home of this machine are copied; missing files are downloaded. All files are
    checked as when a network is loaded. On the other machine, set ``SKAUDIO_DATA=folder`` or pass
    ``data_home=folder``. ``SKAUDIO_OFFLINE=1`` forbids all downloads.

    Parameters
    ----------
    names : str or sequence of str
        Names of networks, as in `PretrainedEmbedder` and `AudioTagger`.
    folder : str or path-like
        Data home, which is created if necessary. The files are stored in its folder ``pretrained``.

    Returns
    -------
    paths : list of pathlib.Path
        The files, including those that existed before.

    Raises
    ------
    ConnectionError
        If a download fails, or ``SKAUDIO_OFFLINE`` is set and the file is not in the data home.
    ValueError
        If a network of this name does not exist, or a file is not the official one.

    Examples
    --------
    >>> from skaudio.pretrained import download
    >>> download(["mn04_as", "yamnet"], "/media/usb")  # doctest: +SKIP
    """
    names = [names] if isinstance(names, str) else list(names)
    models = {name: find_model(name) for name in names}
    own, target = get_data_home() / "pretrained", get_data_home(folder) / "pretrained"
    paths = []
    for name, model in models.items():
        for file in (*model.files, *model.extras.values()):
            if (own / file.name).is_file() and not (target / file.name).is_file():
                _copy(find_file(name, model, file, own), target / file.name)
            paths.append(find_file(name, model, file, target))
    return paths


def _copy(source: Path, target: Path) -> None:
    """Copy a file so that an interrupted copy leaves no partial file."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.copy")
    with file_lock(target.with_name(f".{target.name}.lock")):
        try:
            shutil.copyfile(source, part)
            os.replace(part, target)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
