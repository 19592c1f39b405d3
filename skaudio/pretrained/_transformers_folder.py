"""Where the files of a model of Hugging Face are: a folder, the data home, the cache, the Hub."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Any

from skaudio._files import FileState, file_state, get_data_home, is_offline
from skaudio.pretrained._transformers_net import (
    CONFIG,
    PREPROCESSOR,
    RANDOM,
    AudioModel,
    load_model,
    require_transformers,
)

WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
# What is downloaded: configurations, and weights as numbers.
PATTERNS = ["config.json", "preprocessor_config.json", "model*.safetensors", "*.index.json"]


def find_folder(model_id: Any, data_home: Any) -> Path:
    """Return the folder of a model, downloading it if it is nowhere else.

    Parameters
    ----------
    model_id : str or path
        A folder, or the name of a model on the Hub: looked for in the folder ``pretrained`` of the
        data home, then in the cache of huggingface_hub, then downloaded.
    data_home : path or None

    Raises
    ------
    FileNotFoundError
        If there is no such folder, or it lacks a configuration.
    ConnectionError
        If a download fails, or is forbidden.
    """
    name = os.fspath(model_id)
    for folder in (Path(name).expanduser(), get_data_home(data_home) / "pretrained" / name):
        if folder.is_dir():
            return checked(folder)
    if isinstance(model_id, os.PathLike) or not is_name(name):
        raise FileNotFoundError(
            f"model_id={name!r}: no such folder. Expected the folder of a model, with {CONFIG}, or "
            "the name of one on the Hugging Face Hub, such as 'owner/name'."
        )
    return checked(Path(from_hub(name)))


def is_name(name: str) -> bool:
    """Whether a text can be the name of a model on the Hub."""
    parts = name.split("/")
    return len(parts) == 2 and all(
        p and p[0] not in ".~" and not set(p) & set("\\: ") for p in parts
    )


def from_hub(name: str) -> str:
    """Return the folder of a model in the cache of huggingface_hub, downloaded if necessary."""
    require_transformers()
    from huggingface_hub import snapshot_download

    kwargs: dict[str, Any] = {"allow_patterns": PATTERNS}
    try:
        return str(snapshot_download(name, local_files_only=True, **kwargs))
    except Exception as error:  # of several kinds, where it is not in the cache
        if is_offline():
            raise ConnectionError(
                f"model_id={name!r} is in no folder, and SKAUDIO_OFFLINE forbids downloads. "
                f"Expected its files in {get_data_home() / 'pretrained' / name}."
            ) from error
    try:
        return str(snapshot_download(name, **kwargs))
    except Exception as error:  # of several kinds: no network, no such model, not allowed
        raise ConnectionError(
            f"model_id={name!r} cannot be downloaded from the Hugging Face Hub "
            f"({str(error).partition(chr(10))[0]:.200}). Its files can also be put into "
            f"{get_data_home() / 'pretrained' / name}, or into a folder that model_id names."
        ) from error


def checked(folder: Path) -> Path:
    """Return a folder that holds the files of a model, or say which it lacks."""
    for file in (CONFIG, PREPROCESSOR):
        if not (folder / file).is_file():
            raise FileNotFoundError(
                f"{folder} has no {file}. Expected the folder of an audio model, as "
                "save_pretrained of a model and of its feature extractor write it."
            )
    return folder


def files_of(folder: Path, weights: Any) -> tuple[FileState, ...]:
    """Return the states of the files that determine a model."""
    found = [folder / CONFIG, folder / PREPROCESSOR]
    if weights != RANDOM:
        found += sorted(path for pattern in WEIGHTS for path in folder.glob(pattern))
    return tuple(file_state(path) for path in found)


@lru_cache(maxsize=2)
def shared_model(folder: str, weights: Any, states: tuple[FileState, ...]) -> AudioModel:
    """Return a model for all, loaded once per process and version of its files."""
    return load_model(folder, weights)
