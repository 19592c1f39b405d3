"""Convert a tree of JSON back to an estimator: fixed lists of classes, checked values."""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import safetensors.torch
from sklearn.utils import Bunch

from skaudio._neural import build_for, put_net
from skaudio._validation import check_parameters, has_device
from skaudio.persistence._archive import Archive, RefusedError
from skaudio.persistence._checks import finish, make_tree
from skaudio.persistence._classes import PLAIN, find_estimator, find_function
from skaudio.persistence._encode import OF_MACHINE

ATTRIBUTE = re.compile(r"_?[A-Za-z][A-Za-z0-9]*(_[A-Za-z0-9]+)*_?")
DTYPE = re.compile(r"[<>|=][biufcSU][0-9]{1,6}")
NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
MOST_AXES = 8
# Largest number of estimators in a model; each reference counts.
MOST_ESTIMATORS = 1 << 14


class TreeReader:
    """Build the estimator of a saved model.

    Parameters
    ----------
    archive : Archive
    modules : mapping of str to object
        The user's classes and functions by name.
    """

    def __init__(self, archive: Archive, modules: Mapping[str, Any]):
        self._archive = archive
        self._modules = modules
        self._arrays: dict[str, np.ndarray] = {}
        self._nets: dict[str, Any] = {}
        self._made: dict[int, Any] = {}
        self._sizes: dict[int, int] = {}
        self._n_estimators = 0

    def decode(self, item: Any) -> Any:
        """Return the value of an item of the tree.

        Raises
        ------
        RefusedError
            If it is not what `TreeWriter` makes. Damage may also raise other errors.
        """
        if isinstance(item, list):
            return [self.decode(one) for one in item]
        if not isinstance(item, dict):
            return item
        kind = item.get("t")
        make = self._MAKERS.get(kind) if isinstance(kind, str) else None
        if make is None:
            raise RefusedError(f"it holds an object of the unknown kind {kind!r:.60}")
        return make(self, item)

    def _container(self, item: dict[str, Any]) -> Any:
        values = self.decode(_list(item["v"]))
        kinds: dict[str, Callable[..., Any]] = {"tuple": tuple, "set": set, "frozenset": frozenset}
        return kinds[item["t"]](values)

    def _mapping(self, item: dict[str, Any]) -> Any:
        pairs = [(self.decode(key), self.decode(value)) for key, value in _list(item["v"])]
        if item["t"] == "dict":
            return dict(pairs)
        made = Bunch()
        for key, value in pairs:
            dict.__setitem__(made, key, value)
        return made

    def _slice(self, item: dict[str, Any]) -> slice:
        start, stop, step = self.decode(_list(item["v"]))
        return slice(start, stop, step)

    def _number(self, item: dict[str, Any]) -> Any:
        kind, value = item["t"], item["v"]
        if kind == "int":
            return int(value)
        if kind == "float":
            return NOT_FINITE[value]
        if kind == "complex":
            return complex(*self.decode(_list(value)))
        if kind == "dtype":
            return _dtype(value)
        return np.array(self.decode(value), _dtype(item["dtype"]))[()]

    def _array(self, item: dict[str, Any]) -> Any:
        name = item["v"]
        content = self._archive.member(name)
        if name not in self._arrays:
            self._arrays[name] = read_array(name, content)
        array = self._arrays[name]
        return array[()] if item["t"] == "scalar array" and array.ndim == 0 else array

    def _objects(self, item: dict[str, Any]) -> np.ndarray:
        shape, values = tuple(item["shape"]), _list(item["v"])
        plain = all(type(n) is int and n >= 0 for n in shape) and len(shape) <= MOST_AXES
        if not plain or math.prod(shape) != len(values):
            raise RefusedError(f"it holds {len(values)} objects in an array of shape {shape!r:.60}")
        array = np.empty(len(values), object)
        for i, value in enumerate(values):
            array[i] = self.decode(value)
        return array.reshape(shape)

    def _decision_tree(self, item: dict[str, Any]) -> Any:
        state = {name: self.decode(item[name]) for name in ("max_depth", "nodes", "values")}
        return make_tree(item["n_features"], self.decode(item["n_classes"]), state)

    def _function(self, item: dict[str, Any]) -> Any:
        found = find_function(item["v"])
        if found is None:
            raise RefusedError(f"it refers to {item['v']!r:.80}, which is in no list of functions")
        return found

    def _user(self, item: dict[str, Any]) -> Any:
        if item["v"] not in self._modules:
            raise RefusedError(f"it needs {item['v']!r:.60}, which modules= does not hold")
        return self._modules[item["v"]]

    def _again(self, item: dict[str, Any]) -> Any:
        if item["v"] not in self._made:
            raise RefusedError(f"it refers to the estimator {item['v']!r:.20}, which comes later")
        self._count(self._sizes[item["v"]])
        return self._made[item["v"]]

    def _count(self, n: int) -> None:
        self._n_estimators += n
        if self._n_estimators > MOST_ESTIMATORS:
            raise RefusedError(f"it holds more than {MOST_ESTIMATORS} estimators")

    def _estimator(self, item: dict[str, Any]) -> Any:
        before = self._n_estimators
        self._count(1)
        kind = find_estimator(item["class"])
        if kind is None:
            raise RefusedError(
                f"it holds {item['class']!r:.100}, which is in no list of classes. Was it saved by "
                "a newer skaudio?"
            )
        made: Any = self._with_params(kind, item)
        self._set_state(made, item)
        if item["class"].startswith("skaudio."):
            check_parameters(made)
            self._set_net(made, item)
            if "numbers" in item:
                made._from_numbers(self.decode(item["numbers"]))
        else:
            finish(made)
        if type(item["n"]) is not int or item["n"] in self._made:
            raise RefusedError(f"it holds two estimators of the number {item['n']!r:.20}")
        self._made[item["n"]] = made
        self._sizes[item["n"]] = self._n_estimators - before
        return made

    def _with_params(self, kind: Any, item: dict[str, Any]) -> Any:
        known = () if item["class"] in PLAIN else kind._get_param_names()
        strange = sorted(item["params"].keys() - {*known})
        if strange:
            raise RefusedError(
                f"{item['class']} has no parameter {strange[0]!r:.60}. Was it saved by a newer "
                "version of its library?"
            )
        params = {name: self.decode(value) for name, value in item["params"].items()}
        for name, value in OF_MACHINE.items():
            if params.get(name, value) is not value:
                raise RefusedError(f"{name}={params[name]!r:.60}, which no saved model sets")
        device = params.get("device", "cpu")
        if isinstance(device, str) and not has_device(device):
            warnings.warn(
                f"The model was saved for device={device!r:.30}, which is not present here. It "
                "works on the CPU now, device='cpu'.",
                stacklevel=2,
            )
            params["device"] = "cpu"
        if item["class"] in PLAIN:
            return object.__new__(kind)
        return kind(**params)

    def _set_state(self, made: Any, item: dict[str, Any]) -> None:
        kind = type(made)
        for name, value in item["state"].items():
            # Methods, and checks for methods, must not be replaced.
            if not ATTRIBUTE.fullmatch(name) or name in vars(made) or hasattr(kind, name):
                raise RefusedError(f"{kind.__name__} has no learned attribute {name!r:.60}")
            vars(made)[name] = self.decode(value)

    def _set_net(self, made: Any, item: dict[str, Any]) -> None:
        pretrained = hasattr(made, "_put_net")
        if "weights" not in item and not pretrained:
            return
        # A pretrained network without weights would download them.
        name: Any = item.get("weights")
        content = self._archive.member(name)
        if pretrained:
            key = repr(made._stored_source())
            used, net = self._nets.get(name, (key, None))
            if net is None:
                tensors = safetensors.torch.load(content)
                own = getattr(made, "_net_of", None)
                new = partial(made._new_net, tensors)
                made._put_net(own(tensors) if own else build_for(tensors, new))
                self._nets[name] = key, made.net_
            elif used == key:
                made.net_ = net
        elif name not in self._nets and hasattr(made, "net_params"):
            facts = dict(item["net"])
            facts["built_with"] = self.decode(facts["built_with"])
            facts["history"] = self.decode(facts["history"])
            self._nets[name] = None, None
            put_net(made, facts, safetensors.torch.load(content))
        if not hasattr(made, "net_"):
            raise RefusedError(f"{name} is used by two nets, or by {type(made).__name__}")

    _MAKERS: Mapping[str, Callable[[TreeReader, dict[str, Any]], Any]] = {
        **dict.fromkeys(("tuple", "set", "frozenset"), _container),
        **dict.fromkeys(("dict", "bunch"), _mapping),
        **dict.fromkeys(("int", "float", "complex", "dtype", "scalar"), _number),
        **dict.fromkeys(("array", "scalar array"), _array),
        "slice": _slice,
        "objects": _objects,
        "decision tree": _decision_tree,
        "function": _function,
        "user": _user,
        "again": _again,
        "estimator": _estimator,
    }


def user_names(item: Any) -> Iterator[str]:
    """Yield the names of the user's classes and functions in a tree."""
    if isinstance(item, dict):
        if item.get("t") == "user" and isinstance(item.get("v"), str):
            yield item["v"]
        item = list(item.values())
    if isinstance(item, list):
        for one in item:
            yield from user_names(one)


def read_array(name: str, content: bytes) -> np.ndarray:
    """Return the array in the bytes of an .npy file.

    Raises
    ------
    RefusedError
        If the file contains objects, or if its size differs from its header.
    """
    stream = io.BytesIO(content)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise RefusedError(f"{name} has another version of the format, expected 1.0")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype.hasobject or math.prod(shape) * dtype.itemsize != len(content) - stream.tell():
        raise RefusedError(f"{name} holds objects, or announces an array of another size")
    if any(n < 0 for n in shape) or len(shape) > MOST_AXES or not dtype.itemsize:
        raise RefusedError(f"{name} announces an array of shape {shape!r:.60}")
    flat = np.frombuffer(content, dtype, offset=stream.tell())
    return flat.reshape(shape, order="F" if fortran else "C").copy(order="K")


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise RefusedError("it holds an object of another form than its kind has")
    return value


def _dtype(value: Any) -> np.dtype:
    if not isinstance(value, str) or not DTYPE.fullmatch(value):
        raise RefusedError(f"it holds the unknown type {value!r:.30}")
    return np.dtype(value)
