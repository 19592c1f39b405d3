"""Read files of weights (torch, npz, HDF5, safetensors) without running code in them."""

from __future__ import annotations

import contextlib
import pickle
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from skaudio._state import building, muted
from skaudio.pretrained._safetensors import is_safetensors, read_safetensors

# Pickle protocol of torch.save.
TORCH_PROTOCOL = 2

HDF5 = b"\x89HDF\r\n\x1a\n"
# First bytes of files of torch: a zip archive since version 1.6, a pickle before.
ZIP, PICKLE = b"PK\x03\x04", b"\x80"
# A file may unpack to SOME bytes plus TIMES its size. Weights are hardly compressible, so more is
# suspicious.
SOME, TIMES = 64 << 20, 8


def read_tensors(path: Path, *, legacy: Callable[[Path], bool] | None = None) -> dict[str, Any]:
    """Return the tensors in a file by name: npz, HDF5, safetensors, or written by ``torch.save``.

    No code in the file is run: a pickle that contains more than tensors is refused.

    Parameters
    ----------
    path : Path
    legacy : callable, default=None
        Function of the path of a file written by torch before version 1.6; returns whether to read
        it. None: such files are refused.

    Raises
    ------
    ValueError
        If the file is damaged, if it claims to contain more data than its size allows, or if it is
        not a state dict of finite tensors. The message names the file.
    OSError
        If the file does not exist or cannot be read.
    """
    with path.open("rb") as file:
        magic = file.read(2 * len(HDF5))
    if magic.startswith(HDF5):
        tensors = _read_hdf5(path)
    elif is_safetensors(magic, path.stat().st_size):
        tensors = read_safetensors(path)
    elif _is_npz(path):
        tensors = _read_npz(path)
    elif not magic.startswith(ZIP) and not (legacy and legacy(path)):
        _refuse_legacy(path, magic)
    else:
        tensors = _read_torch(path)
    _check_size(path, sum(tensor.numel() * tensor.element_size() for tensor in tensors.values()))
    for name, tensor in tensors.items():
        _check_tensor(path, name, tensor)
    return tensors


def _refuse_legacy(path: Path, magic: bytes) -> None:
    if not magic.startswith(PICKLE):
        raise ValueError(
            f"{path} cannot be read as weights (it begins with {magic[:8]!r}): expected .pt or "
            ".pth with a state dict, .npz, .h5 or .safetensors. Was its download interrupted?"
        )
    raise ValueError(
        f"{path} was refused: it is a pickle, as torch wrote it before version 1.6, and no "
        "official file. If you know where it is from, convert it once: torch.save(torch.load(path, "
        "weights_only=True), new_path). Loading a pickle in another way could run anything."
    )


def _check_size(path: Path, n_bytes: int) -> None:
    most = SOME + TIMES * path.stat().st_size
    if n_bytes > most:
        raise ValueError(
            f"{path} announces {n_bytes} bytes of weights, and has {path.stat().st_size}: refused, "
            f"because more than {most} were expected of no file of this size."
        )


def _check_tensor(path: Path, name: str, tensor: torch.Tensor) -> None:
    """Raise an error for a tensor that is not an array of finite numbers."""
    plain = tensor.layout == torch.strided and tensor.device.type == "cpu"
    if not plain or tensor.is_nested or tensor.is_quantized or tensor.is_complex():
        kind = str(tensor.dtype if tensor.layout == torch.strided else tensor.layout)
        raise ValueError(
            f"{path}: {name} is of a kind that no network here has ({kind}, {tensor.device}), "
            "expected plain numbers on the CPU."
        )
    # torch.isfinite does not support floats of 8 bits.
    values = tensor.float() if tensor.element_size() == 1 else tensor
    if tensor.is_floating_point() and not torch.isfinite(values).all():
        raise ValueError(
            f"{path}: {name} holds NaN or infinity, expected finite weights. Did the training "
            "that made the file diverge, or is the file damaged?"
        )


def _check_zip(path: Path) -> None:
    """Raise an error for a zip archive that would unpack to too many bytes for its size."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            _check_size(path, sum(entry.file_size for entry in archive.infolist()))


def _is_npz(path: Path) -> bool:
    try:
        if not zipfile.is_zipfile(path):
            return False
        with zipfile.ZipFile(path) as archive:
            return all(name.endswith(".npy") for name in archive.namelist())
    except Exception:  # damaged: the error is raised on reading
        return False


def _protocol(path: Path) -> int:
    """Return the protocol of the first pickle in a file of torch, or -1 if there is none."""
    with contextlib.ExitStack() as stack:
        file: Any = stack.enter_context(path.open("rb"))
        if zipfile.is_zipfile(file):
            archive = stack.enter_context(zipfile.ZipFile(file))
            names = [name for name in archive.namelist() if name.endswith("/data.pkl")]
            if not names:
                return -1
            file = stack.enter_context(archive.open(names[0]))
        else:
            file.seek(0)
        head = file.read(2)
    return int(head[1]) if len(head) == 2 and head[:1] == pickle.PROTO else -1


def _read_torch(path: Path) -> dict[str, torch.Tensor]:
    try:
        _check_zip(path)
        # torch warns about pickle protocols other than its own, before it reads or refuses a file.
        quiet = contextlib.nullcontext() if _protocol(path) == TORCH_PROTOCOL else muted()
        with building(NUMBERS), quiet:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        reason = str(error).partition("Unsupported ")[2].partition("\n")[0].partition(" was ")[0]
        raise ValueError(
            f"{path} was refused: it is not a file of weights, or a pickle that holds more than "
            f"numbers{f' ({reason})' if reason else ''}, and loading it could run anything. "
            "Expected .pt or .pth with a state dict, .npz or .h5."
        ) from error
    except Exception as error:  # damage makes torch raise errors of any kind
        raise ValueError(
            f"{path} cannot be read as weights ({str(error).partition(chr(10))[0]}): expected .pt "
            "or .pth with a state dict, .npz or .h5. Was its download interrupted?"
        ) from error
    # PANNs and many training loops store the weights in a dictionary with other items.
    for key in ("model", "state_dict", "model_state"):
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


# Functions that build numpy arrays and numbers, which some official files contain besides the
# weights; under their names in numpy 1 and 2.
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
        _check_zip(path)
        with np.load(path, allow_pickle=False) as arrays:
            return {n: torch.from_numpy(a) for n, a in arrays.items() if a.dtype.kind in "fiu"}
    except Exception as error:  # damage makes zipfile, zlib and numpy raise errors of any kind
        raise ValueError(f"{path} cannot be read as .npz ({error}).") from error


def _read_hdf5(path: Path) -> dict[str, torch.Tensor]:
    try:
        import h5py
    except ImportError as error:
        raise ImportError(
            f'{path} is an HDF5 file, which needs h5py: pip install "skaudio[hdf5]"'
        ) from error
    tensors: dict[str, torch.Tensor] = {}
    announced = 0

    def take(name: str, item: Any) -> None:
        nonlocal announced
        if isinstance(item, h5py.Dataset) and item.dtype.kind in "fiu":
            announced += item.nbytes
            _check_size(path, announced)
            tensors[name] = torch.from_numpy(np.asarray(item[()]))

    try:
        with h5py.File(path, "r") as file:
            file.visititems(take)
    except Exception as error:  # damage makes h5py raise errors of any kind
        raise ValueError(f"{path} cannot be read as HDF5 ({error}).") from error
    return tensors
