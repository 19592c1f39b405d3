"""Cache keys: everything on which a result depends, of the recording and of the transformer.

Results of transformers that learn or are random also depend on other things. Such transformers
raise an error.
"""

from __future__ import annotations

import enum
import functools
import hashlib
import json
import os
import sys
import types
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils import get_tags

from skaudio._files import file_hash, file_state
from skaudio._steps import is_augmentation, parts_of
from skaudio.audio import READING_ERRORS, Recording, Recordings, raise_all, read_through
from skaudio.caching._module_facts import class_or_code, module_facts
from skaudio.pooling import FrameUnion

# Parameters that do not change results. Results of recordings that cannot be read are not stored,
# so on_error is among them.
IGNORED = frozenset(
    {"n_jobs", "batch_size", "device", "verbose", "memory", "max_bytes", "data_home", "on_error"}
)
# Their tags do not show whether they learn; the tags of their parts do.
COMPOSITES = (Pipeline, FeatureUnion, FrameUnion)
# Version of the format. Increase it when the stored data or the content of keys changes.
FORMAT = 3


def check_stateless(transformer: Any) -> None:
    """Raise an error for a transformer that learns or is random, or that has such a part.

    Raises
    ------
    TypeError
        If it is not a transformer.
    ValueError
        If results depend on `fit` or on random numbers. The message names the part.
    """
    if not hasattr(transformer, "transform") or not hasattr(transformer, "get_params"):
        raise TypeError(
            f"transformer={transformer!r:.100}: expected a transformer of recordings, such as an "
            "encoder, a pretrained embedder, or a Pipeline of such steps."
        )
    if isinstance(transformer, type):
        raise TypeError(
            f"transformer={transformer.__name__} is a class, expected an instance: "
            f"{transformer.__name__}()."
        )
    parts = [("", transformer), *parts_of(transformer, ignored=IGNORED)]
    for place, part in parts:
        if not isinstance(part, BaseEstimator):
            continue
        described = f"transformer: {type(part).__name__}{f' ({place})' if place else ''}"
        if is_augmentation(part):
            raise ValueError(
                f"{described} draws at random in every fit, and a cache would freeze the draw. Put "
                "augmentations into the encoder of a neural estimator."
            )
        if isinstance(part, COMPOSITES):
            continue
        tags = get_tags(part)
        if tags.non_deterministic or "random_state" in part.get_params(deep=False):
            raise ValueError(
                f"{described} depends on chance (random_state), and a cache would freeze it. "
                "Cache the steps before it."
            )
        if tags.requires_fit:
            raise ValueError(
                f"{described} learns from what it is fitted on, so its results differ from fold to "
                "fold. Cache the steps before it: "
                f"make_pipeline(CachedTransformer(...), {type(part).__name__}(...))."
            )


def digest(*parts: bytes | memoryview) -> str:
    """Return a hash of the content of the parts, with 40 hexadecimal digits."""
    made = hashlib.blake2b(digest_size=20)
    for part in parts:
        made.update(part)
    return made.hexdigest()


def recording_key(recording: Recording) -> str:
    """Return the key of a recording: a file by path, size and time of change, others by content.

    Raises
    ------
    ValueError
        If a file is missing; with the same message as encoders.
    """
    source = recording.source
    if isinstance(source, str):
        try:
            facts: list[Any] = ["file", *file_state(source)]
        except OSError:
            recording.read()  # raises an error with the name of the recording and the likely cause
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
    if recording.is_clip:
        facts += [float(recording.start), recording.duration]
    return digest(json.dumps(facts).encode())


def recording_keys(recordings: Recordings, *, skip: bool) -> tuple[list[str], list[int]]:
    """Return the keys of recordings, and their positions; ``skip`` leaves out missing files."""
    keys, known = [], []
    for i, recording in enumerate(recordings):
        try:
            keys.append(recording_key(recording))
        except READING_ERRORS as error:
            if not skip:
                raise_all(recordings, error, read_through)
        else:
            known.append(i)
    return keys, known


def transformer_facts(transformer: Any) -> dict[str, Any]:
    """Describe a transformer by JSON objects: classes, versions, parameters, weights.

    A class is described by its name and its version. A function is described by its compiled code,
    its defaults and its enclosed variables, so an edited function has another key. Functions that
    it calls are not included. Compiled code is used instead of the source text, because other
    processes do not have the source of a notebook cell, and because a module may have been edited
    since it was imported.

    Raises
    ------
    TypeError
        If a class has no version, or the content of a parameter cannot be described.
    """
    return {"format": FORMAT, "transformer": _estimator_facts(transformer, "transformer")}


def _estimator_facts(estimator: Any, where: str) -> dict[str, Any]:
    kind = type(estimator)
    parameters = estimator.get_params(deep=False)
    facts: dict[str, Any] = {**_class_facts(kind, where), "parameters": {}}
    for name, value in sorted(parameters.items()):
        if name not in IGNORED:
            facts["parameters"][name] = _describe(value, f"{kind.__name__}.{name}")
    if hasattr(estimator, "_cache_facts"):  # content that parameters only name, such as weights
        facts["content"] = _describe(estimator._cache_facts(), kind.__name__)
    return facts


def _class_facts(kind: type, where: str) -> dict[str, Any]:
    """Return the name and version of a class: its own ``__version__``, or its package's."""
    name = f"{kind.__module__}.{kind.__qualname__}"
    version = vars(kind).get("__version__") or _version_of(kind.__module__)
    if version is None:
        raise TypeError(
            f"{where}: the class {name} has no version, so that results from before and after a "
            "change of it could not be told apart. Write __version__ = '1' into the class, or into "
            "the __init__ of its package, and raise it whenever the results change."
        )
    return {"class": name, "version": str(version)}


def _version_of(module: str | None) -> str | None:
    """Return the version of the package that a module belongs to, or None if it has none."""
    package = (module or "").partition(".")[0]
    if package in sys.stdlib_module_names:
        return sys.version.partition(" ")[0]
    return getattr(sys.modules.get(package), "__version__", None)


def _describe(value: Any, where: str) -> Any:
    """Convert a value to JSON objects, which are equal only for equal values."""
    if isinstance(value, BaseEstimator):
        return _estimator_facts(value, where)
    if isinstance(value, enum.Enum):
        kind = f"{type(value).__module__}.{type(value).__qualname__}"
        return {"enum": [kind, value.name, _describe(value.value, where)]}
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, (str, os.PathLike)):
        if not os.path.isfile(value):
            return str(value)
        # A word can have another meaning, and be the name of an existing file by chance.
        word = isinstance(value, str) and not os.path.isabs(value)
        return {"file": [value if word else "", file_hash(value)]}
    if isinstance(value, (np.ndarray, np.generic)):
        array = np.asarray(value)
        if array.dtype.kind == "O":
            return {"objects": [list(array.shape), _describe(array.ravel().tolist(), where)]}
        return {"array": _array_facts(array)}
    if isinstance(value, torch.nn.Module):
        return module_facts(value, where, _describe, _class_facts)
    if isinstance(value, torch.Tensor):
        return {"array": _array_facts(value.detach().cpu().numpy())}
    if isinstance(value, Mapping):
        items = [[_describe(k, where), _describe(v, f"{where}[{k!r}]")] for k, v in value.items()]
        return {"mapping": sorted(items, key=lambda item: json.dumps(item[0]))}
    if isinstance(value, (list, tuple)):
        items = [_describe(item, f"{where}[{i}]") for i, item in enumerate(value)]
        return items if isinstance(value, list) else {"tuple": items}
    if isinstance(value, (set, frozenset)):
        return {"set": sorted(json.dumps(_describe(item, where)) for item in value)}
    if isinstance(value, (bytes, np.dtype, torch.dtype, range, slice, complex)):
        return {type(value).__name__: repr(value)}
    return _describe_callable(value, where)


def _describe_callable(value: Any, where: str) -> Any:
    if isinstance(value, type) and issubclass(value, torch.nn.Module):
        return class_or_code(value, where, _class_facts)
    if isinstance(value, type):
        return _class_facts(value, where)
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
            "version": _version_of(value.__module__),
            "code": digest(json.dumps(_code_facts(value.__code__)).encode()),
            "bound": _describe(bound, where),
        }
    name = getattr(value, "__name__", None)
    module = getattr(value, "__module__", None) or "numpy"  # ufuncs of numpy have no module
    version = _version_of(module)
    if version and name and getattr(sys.modules.get(module), name, None) is value:
        return {"function": f"{module}.{name}", "version": version}
    raise TypeError(
        f"{where} is a {type(value).__name__}, whose content cannot be compared between processes: "
        "a cached transformer takes numbers, texts, paths, arrays, functions, transformers, and "
        "lists and mappings of these."
    )


def _code_facts(code: types.CodeType) -> list[Any]:
    """List the content of compiled code, without its file name and line numbers."""
    constants: list[Any] = []
    for value in code.co_consts:
        if isinstance(value, types.CodeType):
            constants.append(_code_facts(value))
        elif isinstance(value, frozenset):  # its order differs between processes
            constants.append(sorted(map(repr, value)))
        else:
            constants.append(repr(value))
    instructions = [code.co_code.hex(), code.co_exceptiontable.hex()]
    return [*instructions, constants, code.co_names, code.co_varnames]


def _array_facts(array: np.ndarray) -> list[Any]:
    content = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    return [str(array.dtype.descr), list(array.shape), digest(content.data)]
