"""Pickling of modules: tensors become numpy arrays, which have no device."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch import nn

from skaudio._validation import has_device


def portable_copies(modules: dict[str, Any]) -> dict[str, Any]:
    """Return copies of modules to be pickled, whose tensors are loaded on the CPU.

    torch's pickles of tensors contain the device, and cannot be loaded if it is missing. Shared
    modules and tensors stay shared.
    """
    copies: dict[int, Any] = {}

    def copied(value: Any) -> Any:
        if id(value) in copies:
            return copies[id(value)]
        if isinstance(value, nn.Module):
            twin = copies[id(value)] = object.__new__(type(value))
            vars(twin).update({key: copied(item) for key, item in vars(value).items()})
            return twin
        if type(value) in (torch.Tensor, nn.Parameter) and value.layout == torch.strided:
            return copies.setdefault(id(value), _StoredTensor(value))
        if isinstance(value, dict) and type(value).__module__ in ("builtins", "collections"):
            same_kind = value.copy()
            same_kind.update({key: copied(item) for key, item in value.items()})
            return same_kind
        if type(value) in (list, tuple):
            return type(value)(map(copied, value))
        return value

    return {name: copied(module) for name, module in modules.items()}


def present_device(device: Any) -> Any:
    """Return a torch device, or "cpu" if this machine does not have it."""
    return device if has_device(device) else "cpu"


class LoadsAnywhere(BaseEstimator):
    """Base class of neural estimators, whose pickles load on the CPU if their device is missing."""

    device: Any

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if present_device(self.device) == self.device:
            return
        warnings.warn(
            f"This {type(self).__name__} was made for device={self.device!r}, which is not present "
            "here. It works on the CPU now, device='cpu'.",
            stacklevel=2,
        )
        encoder = getattr(self, "encoder_", None)
        if encoder is not None:
            for name, value in encoder.get_params().items():
                if name.split("__")[-1] == "device" and value == self.device:
                    encoder.set_params(**{name: "cpu"})
        self.device = "cpu"


class _StoredTensor:
    """Represents a tensor in a pickle; loading it returns the tensor on the CPU."""

    def __init__(self, tensor: torch.Tensor):
        self._tensor = tensor

    def __reduce__(self) -> Any:
        tensor = self._tensor.detach().cpu()
        numbers = tensor.contiguous().view(-1).view(torch.uint8).numpy()
        strides = tensor.stride() if _is_dense(tensor) else None
        is_parameter = isinstance(self._tensor, nn.Parameter)
        facts = tensor.dtype, tuple(tensor.shape), strides, is_parameter
        return _make_tensor, (numbers, *facts, self._tensor.requires_grad)


def _is_dense(tensor: torch.Tensor) -> bool:
    """Whether the values of a tensor are contiguous in memory, in any order of the axes."""
    expected = 1
    for stride, size in sorted(zip(tensor.stride(), tensor.shape, strict=True)):
        if size != 1 and stride != expected:
            return False
        expected *= size
    return True


def _make_tensor(
    numbers: np.ndarray,
    dtype: torch.dtype,
    shape: tuple[int, ...],
    strides: tuple[int, ...] | None,
    is_parameter: bool,
    requires_grad: bool,
) -> torch.Tensor:
    tensor = torch.empty(shape, dtype=dtype)
    if len(numbers):
        # Copied: the array may be read-only, or mapped from a file.
        tensor.view(-1).view(torch.uint8).copy_(torch.from_numpy(np.array(numbers)))
    if strides is not None:
        tensor = torch.empty_strided(shape, strides, dtype=dtype).copy_(tensor)
    if is_parameter:
        return nn.Parameter(tensor, requires_grad=requires_grad)
    return tensor.requires_grad_(requires_grad)
