"""What a result depends on: the recording, and whatever of a transformer changes numbers."""

from __future__ import annotations

import enum
import functools
import hashlib
import inspect
import json
import os
import sys
import types
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator

from skaudio._files import file_hash, file_state
from skaudio.audio import Recording

# How the work is done, which does not change what comes out; a cache inside adds nothing either.
IGNORED = frozenset(
    {"n_jobs", "batch_size", "device", "verbose", "memory", "max_bytes", "data_home"}
)
# Changes whenever what is stored, or what keys are made of, changes its meaning.
FORMAT = 1


def digest(*parts: bytes | memoryview) -> str:
    """Return 40 hexadecimal digits of what the parts hold."""
    made = hashlib.blake2b(digest_size=20)
    for part in parts:
        made.update(part)
    return made.hexdigest()


def recording_key(recording: Recording) -> str:
    """Identify a recording: a file by path, size and time of change, anything else by content.

    Raises
    ------
    ValueError
        If a file is missing; as any encoder would.
    """
    source = recording.source
    if isinstance(source, str):
        try:
            facts: list[Any] = ["file", *file_state(source)]
        except OSError:
            recording.read()  # says it by the recording's name, with the likely cause
            raise
    elif isinstance(source, bytes):
        facts = ["bytes", digest(source)]
    elif isinstance(source, np.ndarray):
        facts = ["array", *_array_facts(source)]
    else:
        decoded = source.get_all_samples()
        facts = ["array", *_array_facts(np.asarray(decoded.data)), float(decoded.sample_rate)]
    facts += [
        None if x is None else float(x) for x in (recording.sample_rate, recording.warp_factor)
    ]
    return digest(json.dumps(facts).encode())


def transformer_facts(transformer: Any) -> dict[str, Any]:
    """Describe a transformer, as what JSON can hold: kinds, versions, parameters, weights.

    Raises
    ------
    TypeError
        If a parameter is of a kind whose content cannot be told.
    """
    return {"format": FORMAT, "transformer": _estimator_facts(transformer)}


def _estimator_facts(estimator: Any) -> dict[str, Any]:
    kind = type(estimator)
    parameters = estimator.get_params(deep=False)
    facts: dict[str, Any] = {**_class_facts(kind), "parameters": {}}
    for name, value in sorted(parameters.items()):
        if name not in IGNORED:
            facts["parameters"][name] = _describe(value, f"{kind.__name__}.{name}")
    if hasattr(estimator, "_cache_facts"):  # what parameters name but do not hold, such as weights
        facts["content"] = _describe(estimator._cache_facts(), kind.__name__)
    return facts


def _class_facts(kind: type) -> dict[str, Any]:
    """Name a class, and its version: that of its package, or else of its code."""
    facts: dict[str, Any] = {"class": f"{kind.__module__}.{kind.__qualname__}"}
    version = _version_of(kind.__module__)
    if version is not None:
        return {**facts, "version": version}
    own = [base for base in kind.__mro__ if _version_of(base.__module__) is None]
    code = [_code_of_class(base) for base in own]
    return {**facts, "code": digest(json.dumps(code).encode())}


def _code_of_class(kind: type) -> list[tuple[str, str]]:
    """Return what is written in a class, by name: another process may have it in another order."""
    code = []
    for name, item in sorted(vars(kind).items()):
        if isinstance(item, property):
            item = item.fget
        function = inspect.unwrap(getattr(item, "__func__", item))  # scikit-learn wraps transform
        if hasattr(function, "__code__"):
            code.append((name, _code_facts(function.__code__)))
        elif not name.startswith("__") and isinstance(item, (bool, int, float, str, tuple)):
            code.append((name, _constant(item)))
    return code


def _version_of(module: str) -> str | None:
    if module in ("builtins", "abc", "typing"):
        return sys.version.partition(" ")[0]
    return getattr(sys.modules.get(module.partition(".")[0]), "__version__", None)


def _describe(value: Any, where: str) -> Any:
    """Return a value as what JSON can hold, equal only for values that are equal."""
    if isinstance(value, BaseEstimator):
        return _estimator_facts(value)
    if isinstance(value, enum.Enum):
        return str(value)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, (str, os.PathLike)):
        return {"file": file_hash(value)} if os.path.isfile(value) else str(value)
    if isinstance(value, (np.ndarray, np.generic)):
        return {"array": _array_facts(np.asarray(value))}
    if isinstance(value, torch.Tensor):
        return {"array": _array_facts(value.detach().cpu().numpy())}
    if isinstance(value, Mapping):
        items = sorted(value.items(), key=lambda item: str(item[0]))
        return {"mapping": [[str(k), _describe(v, f"{where}[{k!r}]")] for k, v in items]}
    if isinstance(value, (list, tuple)):
        return [_describe(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, (set, frozenset)):
        return {"set": sorted(json.dumps(_describe(item, where)) for item in value)}
    if isinstance(value, (bytes, np.dtype, torch.dtype, range, slice, complex)):
        return repr(value)
    return _describe_callable(value, where)


def _describe_callable(value: Any, where: str) -> Any:
    if isinstance(value, type):
        return _class_facts(value)
    if isinstance(value, functools.partial):
        parts = [value.func, list(value.args), dict(value.keywords)]
        return {"partial": _describe(parts, where)}
    if isinstance(value, types.MethodType):
        return {"method": value.__name__, "of": _describe(value.__self__, where)}
    if isinstance(value, types.FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        bound = [value.__defaults__, value.__kwdefaults__, cells]
        return {
            "function": f"{value.__module__}.{value.__qualname__}",
            "code": digest(_code_facts(value.__code__).encode()),
            "bound": _describe(bound, where),
            "version": _version_of(value.__module__),
        }
    name = getattr(value, "__name__", None)
    module = getattr(value, "__module__", None) or "numpy"  # its ufuncs state none
    if name is not None and getattr(sys.modules.get(module), name, None) is value:
        return {"function": f"{module}.{name}", "version": _version_of(module)}
    raise TypeError(
        f"{where} is a {type(value).__name__}, of which cannot be told whether it is the same in "
        "another process: a cached transformer takes numbers, texts, paths, arrays, functions, "
        "transformers, and lists and mappings of these."
    )


def _code_facts(code: types.CodeType) -> str:
    """Return what a function does, without the lines it stands in."""
    constants = [
        _code_facts(item) if isinstance(item, types.CodeType) else _constant(item)
        for item in code.co_consts
    ]
    return f"{code.co_code.hex()}{constants}{code.co_names}{code.co_varnames}"


def _constant(value: Any) -> str:
    # The order of a set of texts differs between processes.
    return repr(sorted(map(repr, value)) if isinstance(value, frozenset) else value)


def _array_facts(array: np.ndarray) -> list[Any]:
    if array.dtype.kind == "O":
        array = np.asarray(array.tolist())
    content = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    return [array.dtype.str, list(array.shape), digest(content.data)]
