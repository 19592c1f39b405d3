"""Weights: find or download the files, read them without running anything in them, load them."""

from __future__ import annotations

import hashlib
import os
import pickle
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import nn

from skaudio._files import fetch_file, file_hash, file_state, get_data_home
from skaudio._state import seeded
from skaudio.pretrained._inference import fingerprint
from skaudio.pretrained._pretrained_net import PretrainedNet
from skaudio.pretrained._registry import Model, WeightsFile, find_model

RANDOM = "random"
HDF5 = b"\x89HDF\r\n\x1a\n"

_hashes: WeakKeyDictionary[nn.Module, tuple[tuple, str]] = WeakKeyDictionary()


def find_weights(name: str, weights: Any, model_params: Any, data_home: Any) -> tuple[Path, ...]:
    """Return the files that hold a model's weights, downloading what is missing.

    Parameters
    ----------
    name : str
        Of the model.
    weights : path, sequence of paths or None
        Named files are taken as they are; None looks into the data home.
    model_params : dict or None
        Parameters of the net that may ask for more files.
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
    return tuple(_find(name, model, file, folder) for file in files)


def _find(name: str, model: Model, file: WeightsFile, folder: Path) -> Path:
    path = folder / file.name
    if not path.is_file():
        stated = file.known_hash or "no reference hash is known"
        by_hand = (
            f"To put it there by hand, download {file.url} elsewhere and save it as {path} "
            f"({stated}), or pass weights=path"
        )
        print(f"Weights of {name}: licence {model.licence}")
        fetch_file(file.url, path, known_hash=file.known_hash, size=file.size, by_hand=by_hand)
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


def load_net(name: str, weights: Any, model_params: Any, data_home: Any) -> PretrainedNet:
    """Build a model's net and load its weights; a new module each time, in evaluation mode."""
    model = find_model(name)
    params = {**model.params, **(model_params or {})}
    random = isinstance(weights, str) and weights == RANDOM
    # Building draws random weights: the global generator is left as it was.
    with seeded(0):
        try:
            net = model.net(**params)
        except TypeError as error:
            raise TypeError(f"model_params={model_params!r}: {error}.") from error
        if random:
            net.reset()
    if not random:
        paths = find_weights(name, weights, model_params, data_home)
        tensors: dict[str, torch.Tensor] = {}
        for path in paths:
            tensors.update(read_tensors(path))
        _load(net, net.convert(tensors), name, paths)
    return net.eval()


@lru_cache(maxsize=2)
def shared_net(name: str, params: tuple, random: bool, stamps: tuple) -> PretrainedNet:
    """Return a net that is not to be changed, loaded once per process and version of its files."""
    weights = RANDOM if random else [path for path, *_ in stamps]
    return load_net(name, weights, dict(params), None)


def origin(name: str, weights: Any, model_params: Any, data_home: Any) -> tuple:
    """Return what determines a net: its name, parameters, and the state of its files."""
    random = isinstance(weights, str) and weights == RANDOM
    find_model(name)
    paths = () if random else find_weights(name, weights, model_params, data_home)
    params = tuple(sorted((model_params or {}).items()))
    return name, params, random, tuple(file_state(path) for path in paths)


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Return the tensors in a file by name: npz, HDF5, or what ``torch.save`` makes.

    Nothing in the file is run: a pickle that holds more than tensors is refused.
    """
    with path.open("rb") as file:
        magic = file.read(len(HDF5))
    if magic == HDF5:
        return _read_hdf5(path)
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if all(name.endswith(".npy") for name in archive.namelist()):
                return _read_npz(path)
    try:
        with torch.serialization.safe_globals(NUMBERS), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickle's version, before it is refused
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        reason = str(error).partition("Unsupported ")[2].partition("\n")[0].partition(" was ")[0]
        raise ValueError(
            f"{path} was refused: it is no file of weights, or a pickle that holds more than "
            f"numbers{f' ({reason})' if reason else ''}, and loading it could run anything. "
            "Expected .pt or .pth with a state dict, .npz or .h5."
        ) from error
    except (RuntimeError, EOFError, KeyError, ValueError, OSError) as error:
        raise ValueError(
            f"{path} cannot be read as weights ({str(error).partition(chr(10))[0]}): expected .pt "
            "or .pth with a state dict, .npz or .h5. Was its download interrupted?"
        ) from error
    # PANNs and many training loops keep the weights beside other things.
    for key in ("model", "state_dict"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping):
        raise ValueError(
            f"{path} holds a {type(content).__name__}, expected a state dict (names to tensors)."
        )
    return {
        str(name): torch.as_tensor(value)
        for name, value in content.items()
        if isinstance(value, (torch.Tensor, np.ndarray))
    }


# Arrays and numbers of numpy, which some official files keep beside the weights: what makes them,
# under the names of numpy 1 and 2.
_MAKERS = {"_reconstruct": np.zeros(0).__reduce__()[0], "scalar": np.float64(0).__reduce__()[0]}
NUMBERS: list[Any] = [
    *(
        (make, f"numpy.{core}.multiarray.{name}")
        for name, make in _MAKERS.items()
        for core in ("core", "_core")
    ),
    np.ndarray,
    np.dtype,
    *(type(np.dtype(kind)) for kind in ("f4", "f8", "i4", "i8", "u1", "?")),
]


def _read_npz(path: Path) -> dict[str, torch.Tensor]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {n: torch.from_numpy(a) for n, a in arrays.items() if a.dtype.kind in "fiu"}
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} cannot be read as .npz ({error}).") from error


def _read_hdf5(path: Path) -> dict[str, torch.Tensor]:
    try:
        import h5py
    except ImportError as error:
        raise ImportError(
            f'{path} is an HDF5 file, which needs h5py: pip install "skaudio[hdf5]"'
        ) from error
    tensors = {}

    def take(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            tensors[name] = torch.from_numpy(np.asarray(item[()]))

    try:
        with h5py.File(path, "r") as file:
            file.visititems(take)
    except OSError as error:
        raise ValueError(f"{path} cannot be read as HDF5 ({error}).") from error
    return tensors


def _load(
    net: PretrainedNet, state: Mapping[str, torch.Tensor], name: str, paths: Sequence[Path]
) -> None:
    where = " and ".join(str(path) for path in paths)
    own = net.state_dict()
    # Counters that evaluation does not use; files written by other tools leave them out.
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


def state_hash(net: nn.Module) -> str:
    """Return the sha256 of a net's weights; computed anew only if they have changed."""
    state = fingerprint(net)
    known = _hashes.get(net)
    if known is None or known[0] != state:
        made = hashlib.sha256()
        for key, value in net.state_dict().items():
            array = value.detach().cpu().numpy()
            made.update(f"{key} {array.dtype.str} {array.shape}\n".encode())
            made.update(np.ascontiguousarray(array).tobytes())
        _hashes[net] = known = state, made.hexdigest()
    return known[1]
