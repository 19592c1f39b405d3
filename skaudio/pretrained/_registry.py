"""The weights of the pretrained networks: finding, downloading and loading them."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from skaudio._files import fetch_file, file_hash, file_state, get_data_home
from skaudio._state import seeded
from skaudio.pretrained._model_table import MODELS, Model, WeightsFile
from skaudio.pretrained._new_head import add_head, has_head
from skaudio.pretrained._pretrained_net import PretrainedNet
from skaudio.pretrained._weights import read_tensors

RANDOM = "random"
# Largest size of a file in bytes. The largest official file has a third of it.
LARGEST_FILE = 1 << 30


def find_model(name: Any) -> Model:
    """Return the entry of a name; the error for an unknown name suggests a similar one."""
    if isinstance(name, str) and name in MODELS:
        return MODELS[name]
    near = difflib.get_close_matches(str(name), MODELS, n=1, cutoff=0.3)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise ValueError(f"model={name!r}: expected one of {', '.join(map(repr, MODELS))}.{hint}")


def find_weights(name: str, weights: Any, model_params: Any, data_home: Any) -> tuple[Path, ...]:
    """Return the files with the weights of a model; download missing files.

    Parameters
    ----------
    name : str
        Name of the model.
    weights : path, sequence of paths or None
        Given files are used as they are. None: the official files in the data home.
    model_params : dict or None
        Parameters of the network; some need further files.
    data_home : path or None
    """
    if weights is not None:
        paths = [weights] if isinstance(weights, (str, os.PathLike)) else list(weights)
        found = tuple(Path(path).expanduser() for path in paths)
        for path in found:
            if not path.is_file():
                raise FileNotFoundError(
                    f"weights={os.fspath(path)!r}: no such file. Expected the path of a file of "
                    f"weights for {name!r}, 'random', or None to find or download the official one."
                )
        return found
    model = find_model(name)
    asked = model_params or {}
    files = [*model.files, *(file for key, file in model.extras.items() if asked.get(key))]
    folder = get_data_home(data_home) / "pretrained"
    return tuple(find_file(name, model, file, folder) for file in files)


def find_file(name: str, model: Model, file: WeightsFile, folder: Path) -> Path:
    """Return the path of an official file in a folder; download it if it is missing."""
    path = folder / file.name
    if not path.is_file():
        stated = file.known_hash or "no reference hash is known"
        by_hand = (
            f"To put it there by hand, download {file.url} elsewhere and save it as {path} "
            f"({stated}), or pass weights=path"
        )
        print(f"Weights of {name}: licence {model.licence}", file=sys.stderr)
        fetch_file(
            file.url,
            path,
            known_hash=file.known_hash,
            size=file.size,
            by_hand=by_hand,
            max_size=LARGEST_FILE,
            hosts=file.hosts,
        )
        return path
    wrong = ""
    kind, _, expected = (file.known_hash or "").partition(":")
    if file.size is not None and path.stat().st_size != file.size:
        wrong = f"{path.stat().st_size} bytes, expected {file.size}"
    elif expected and file_hash(path, kind) != expected:
        wrong = f"the {kind} {file_hash(path, kind)}, expected {expected}"
    if wrong:
        raise ValueError(
            f"{path} has {wrong}. Delete it to have it downloaded from {file.url}, or pass "
            "weights=path to use it as it is."
        )
    return path


def build_net(name: str, model_params: Any) -> PretrainedNet:
    """Build a model's net, with weights from torch's generator."""
    model = find_model(name)
    try:
        return model.net(**{**model.params, **(model_params or {})})
    except TypeError as error:
        raise TypeError(f"model_params={model_params!r}: {error}.") from error


def load_net(name: str, weights: Any, model_params: Any, data_home: Any) -> PretrainedNet:
    """Build the network of a model and load its weights; return a new module in evaluation mode."""
    random = isinstance(weights, str) and weights == RANDOM
    # Building the network draws random weights. The global generator must not change.
    with seeded(0):
        net = build_net(name, model_params)
        if random:
            net.reset()
    if not random:
        paths = find_weights(name, weights, model_params, data_home)
        tensors: dict[str, torch.Tensor] = {}
        for path in paths:
            tensors.update(read_tensors(path, legacy=_is_official))
        if has_head(tensors):
            with seeded(0):
                add_head(net, tensors)
        _set_weights(net, net.convert(tensors), name, paths)
    return net.eval()


def _is_official(path: Path) -> bool:
    """Return whether a file is official: by its hash, or by its name if no hash is known."""
    files = [f for model in MODELS.values() for f in (*model.files, *model.extras.values())]
    for file in files:
        kind, _, expected = (file.known_hash or "").partition(":")
        if file.name == path.name and (not expected or file_hash(path, kind) == expected):
            return True
    return False


def _set_weights(
    net: PretrainedNet, state: Mapping[str, torch.Tensor], name: str, paths: Sequence[Path]
) -> None:
    where = " and ".join(str(path) for path in paths)
    own = net.state_dict()
    # Counters (num_batches_tracked) are not used in evaluation, and some tools do not store them.
    missing = [k for k in own if k not in state and not k.endswith("num_batches_tracked")]
    strange = [k for k in state if k not in own]
    shapes = [k for k in own if k in state and state[k].shape != own[k].shape]
    if shapes and not missing:
        key = shapes[0]
        hint = " Fine-tuned? Pass model_params={'n_classes': ...}." if "class" in key else ""
        raise ValueError(
            f"{where}: {key} has the shape {tuple(state[key].shape)}, expected "
            f"{tuple(own[key].shape)} for {name!r}.{hint}"
        )
    if missing or strange:
        raise ValueError(
            f"{where} does not hold the weights of {name!r}: {len(missing)} of its {len(own)} "
            f"tensors are missing ({', '.join(missing[:2]) or 'none'}), {len(strange)} are unknown "
            f"({', '.join(strange[:2]) or 'none'}). Are they those of another model?"
        )
    net.load_state_dict(dict(state), strict=False)


@lru_cache(maxsize=2)  # loading takes 0.15 s for "mn04_as", 1.5 s for "panns_cnn14"
def shared_net(
    name: str, params: tuple[Any, ...], random: bool, stamps: tuple[Any, ...]
) -> PretrainedNet:
    """Return a network, which must not be changed; it is loaded once per version of its files."""
    weights = RANDOM if random else [path for path, *_ in stamps]
    return load_net(name, weights, dict(params), None)


def weights_source(name: str, weights: Any, model_params: Any, data_home: Any) -> tuple[Any, ...]:
    """Return a key of a network: its name, its parameters and the state of its files."""
    random = isinstance(weights, str) and weights == RANDOM
    find_model(name)
    paths = () if random else find_weights(name, weights, model_params, data_home)
    params = tuple(sorted((model_params or {}).items()))
    return name, params, random, tuple(file_state(path) for path in paths)
