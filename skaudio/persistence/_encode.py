"""Convert an estimator to a tree of JSON, arrays and weights."""

from __future__ import annotations

import hashlib
import io
import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import safetensors.torch
import torch
from sklearn.base import BaseEstimator
from sklearn.model_selection._search import BaseSearchCV
from sklearn.tree._tree import Tree
from sklearn.utils import Bunch

from skaudio._neural import take_net
from skaudio._validation import check_parameters
from skaudio.caching import CachedTransformer
from skaudio.persistence._checks import DERIVED
from skaudio.persistence._classes import PLAIN, estimator_name, function_name

# Parameters that belong to a machine or its user, and the values that are stored instead.
OF_MACHINE: dict[str, Any] = {"memory": None, "n_jobs": None, "data_home": None}
# Parameters that contain names of files, and their other values.
OF_FILES = {
    "noise": ("white", "pink", "brown", "blue", "violet"),
    "weights": ("random",),
    **dict.fromkeys(("impulse_response", "path", "model_id"), ()),
}
NOT_STORED = "(not stored)"
# Attributes that scikit-learn only uses in `fit`.
PRIVATE = ("_metadata_request",)
# Each level needs up to three levels of JSON, whose number is limited on loading.
TOO_DEEP = 60


class TreeWriter:
    """Convert an estimator to the members of a saved model.

    Attributes
    ----------
    members : dict of str to bytes
        Arrays and weights. An array that occurs twice is stored once.
    left_out : list of str
        Sentences about parts that are not stored.
    needs : dict of str to str
        Names of the user's classes and functions, and where each is.
    licences : dict of str to str
        Licences of pretrained weights by model.
    """

    def __init__(self) -> None:
        self.members: dict[str, bytes] = {}
        self.left_out: list[str] = []
        self.needs: dict[str, str] = {}
        self.licences: dict[str, str] = {}
        self._named_by: dict[Any, str] = {}
        self._seen: dict[int, tuple[int, Any]] = {}
        self._users: dict[str, Any] = {}
        self._alive: list[Any] = []
        self._depth = 0

    def encode(self, value: Any, place: str) -> Any:
        """Return a value as JSON; ``place`` is where it is, for messages."""
        self._depth += 1
        try:
            if self._depth > TOO_DEEP:
                raise ValueError(f"{place} is inside more than {TOO_DEEP} other objects.")
            return self._encoded(value, place)
        finally:
            self._depth -= 1

    def _encoded(self, value: Any, place: str) -> Any:
        if value is None or type(value) in (bool, str):
            return value
        if type(value) is int:
            return value if abs(value) < 1 << 63 else {"t": "int", "v": str(value)}
        if type(value) is float:
            return value if math.isfinite(value) else {"t": "float", "v": str(value)}
        if type(value) is complex:
            return {"t": "complex", "v": [self.encode(p, place) for p in (value.real, value.imag)]}
        if isinstance(value, BaseSearchCV):
            return self._best(value, place)
        if isinstance(value, CachedTransformer):
            self._leave(f"{place}: the cache; its transformer is stored in its place")
            return self.encode(value.transformer, place)
        if isinstance(value, BaseEstimator) and not isinstance(value, type):
            return self._estimator(value, place)
        return self._container(value, place)

    def _container(self, value: Any, place: str) -> Any:
        if type(value) is list:
            return [self.encode(item, f"{place}[{i}]") for i, item in enumerate(value)]
        if type(value) in (tuple, set, frozenset):
            items = list(value) if isinstance(value, tuple) else sorted(value, key=repr)
            kind = type(value).__name__
            return {"t": kind, "v": [self.encode(v, f"{place}[{i}]") for i, v in enumerate(items)]}
        if type(value) in (dict, Bunch):
            pairs = [
                [self.encode(key, place), self.encode(item, f"{place}[{key!r}]")]
                for key, item in value.items()
            ]
            return {"t": "bunch" if type(value) is Bunch else "dict", "v": pairs}
        if type(value) is slice:
            parts = [self.encode(v, place) for v in (value.start, value.stop, value.step)]
            return {"t": "slice", "v": parts}
        if isinstance(value, (np.ndarray, np.generic)):
            return self._array(value, place)
        if isinstance(value, Tree):
            return self._tree(value, place)
        if isinstance(value, np.random.RandomState | np.random.Generator):
            self._leave(f"{place}: a generator of random numbers; None is stored")
            return None
        return self._named(value, place)

    def _named(self, value: Any, place: str) -> Any:
        """Return a function, type or class: of the closed list, or of the user by its name."""
        if isinstance(value, torch.nn.Module):
            return self._module(value, place)
        if isinstance(value, np.dtype) and not value.hasobject:
            return {"t": "dtype", "v": value.str}
        if estimator_name(type(value)) in PLAIN:
            return self._estimator(value, place)
        if name := function_name(value):
            return {"t": "function", "v": name}
        name = getattr(value, "__name__", "")
        if callable(value) and isinstance(name, str) and name.isidentifier():
            if self._users.setdefault(name, value) is not value:
                raise ValueError(f"{place}: there are two objects named {name}; rename one.")
            kind = "class" if isinstance(value, type) else "function"
            self.needs.setdefault(name, f"the {kind} given as {place}")
            return {"t": "user", "v": name}
        raise not_storable(value, place)

    def _module(self, module: Any, place: str) -> Any:
        """Return the name of a module's class; its weights are those of the estimator's net."""
        name = type(module).__name__
        if self._users.setdefault(name, module) is not module:
            raise ValueError(f"{place}: there are two modules of a class {name}; rename one.")
        self.needs.setdefault(name, f"an instance of the class of {place}")
        return {"t": "user", "v": name}

    def _best(self, search: Any, place: str) -> Any:
        if not hasattr(search, "best_estimator_"):
            raise ValueError(
                f"{place}: a {type(search).__name__} is saved as its best_estimator_, and has "
                "none: fit it, with refit=True."
            )
        self._leave(f"{place}: the {type(search).__name__}; its best_estimator_ is stored")
        return self.encode(search.best_estimator_, place)

    def _estimator(self, estimator: Any, place: str) -> Any:
        if id(estimator) in self._seen:
            return {"t": "again", "v": self._seen[id(estimator)][0]}
        kind = estimator_name(type(estimator))
        if kind is None:
            raise not_storable(estimator, place)
        if kind.startswith("skaudio."):
            check_parameters(estimator)
        number = len(self._seen)
        self._seen[id(estimator)] = number, estimator
        names = () if kind in PLAIN else tuple(type(estimator)._get_param_names())
        # Empty if the place is the estimator itself.
        prefix = f"{place}." if place != type(estimator).__name__ else ""
        params = {
            name: self.encode(self._portable(estimator, name, prefix), prefix + name)
            for name in names
        }
        left = {*names, *PRIVATE, *DERIVED.get(type(estimator).__name__, ())}
        if names and not kind.startswith("skaudio."):
            # Attributes that scikit-learn's constructors add to the parameters.
            left |= vars(type(estimator)(**{n: getattr(estimator, n) for n in names})).keys()
        neural = hasattr(estimator, "_built_with") and hasattr(estimator, "net_")
        pretrained = hasattr(estimator, "_put_net")
        if neural or pretrained:
            left |= {"net_", "history_", "_built_with"}
        compiled = hasattr(estimator, "_lists")
        if compiled:  # an object of a library, made again from arrays
            left |= {"_lists"}
        state = {
            name: self.encode(value, prefix + name)
            for name, value in vars(estimator).items()
            if name not in left
        }
        found = {"t": "estimator", "class": kind, "n": number, "params": params, "state": state}
        if compiled:
            found["numbers"] = self.encode(estimator._numbers(), f"{prefix}index")
        if neural:
            facts, tensors = take_net(estimator)
            built_with = self.encode(facts.pop("built_with"), f"{prefix}net_")
            history = self.encode(facts.pop("history"), f"{prefix}history_")
            found["net"] = {**facts, "built_with": built_with, "history": history}
            found["weights"] = self._weights(tensors, shared=False)
        elif pretrained:
            found["weights"] = self._weights(estimator._net().state_dict(), shared=True)
            self.licences.update(estimator._licences())
        return found

    def _portable(self, estimator: Any, name: str, prefix: str) -> Any:
        """Return what is stored in place of a parameter that belongs to a machine or a user."""
        value = getattr(estimator, name)
        if name in OF_MACHINE and value is not None:
            self._leave(f"{prefix}{name}: it belongs to a machine; None is stored")
            return OF_MACHINE[name]
        if name in OF_FILES and type(estimator).__module__.startswith("skaudio."):
            return self._without_paths(value, OF_FILES[name], prefix + name)
        return value

    def _without_paths(self, value: Any, words: tuple[str, ...], place: str) -> Any:
        if isinstance(value, os.PathLike) or (isinstance(value, str) and value not in words):
            self._leave(f"{place}: the path of a file; another fit() needs it again")
            return NOT_STORED
        if type(value) in (list, tuple):
            kind = type(value)
            return kind(self._without_paths(v, words, place) for v in value)
        if isinstance(value, Mapping):
            return {
                key: self._without_paths(item, () if key == "path" else words, place)
                for key, item in value.items()
            }
        return value

    def _leave(self, sentence: str) -> None:
        if sentence not in self.left_out:
            self.left_out.append(sentence)

    def _array(self, value: Any, place: str) -> Any:
        array = np.asarray(value)
        if array.dtype.hasobject:
            if array.dtype != object:
                raise not_storable(value, place)
            items = [self.encode(item, f"{place}[{i}]") for i, item in enumerate(array.flat)]
            return {"t": "objects", "shape": list(array.shape), "v": items}
        if isinstance(value, np.generic) and value.dtype.kind in "bif":
            item = self.encode(value.item(), place)
            return {"t": "scalar", "dtype": value.dtype.str, "v": item}
        kind = "scalar array" if isinstance(value, np.generic) else "array"
        stream = io.BytesIO()
        np.lib.format.write_array(stream, array, allow_pickle=False)
        self._alive.append(value)  # keep it alive, so that its id is unique
        return {"t": kind, "v": self._member(id(value), "arrays/{}.npy", stream.getvalue())}

    def _tree(self, tree: Any, place: str) -> Any:
        state = tree.__getstate__()
        facts = {"max_depth": state["max_depth"], "n_features": tree.n_features}
        arrays = {
            "n_classes": self.encode(tree.n_classes, place),
            "nodes": self.encode(state["nodes"], place),
            "values": self.encode(state["values"], place),
        }
        return {"t": "decision tree", **facts, **arrays}

    def _weights(self, tensors: dict[str, Any], *, shared: bool) -> str:
        """Return the name of a member of weights, with ``shared`` the one of the same content."""
        portable = {name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()}
        content = safetensors.torch.save(portable)
        key = hashlib.sha256(content).hexdigest() if shared else f"net {len(self.members)}"
        return self._member(key, "weights/{}.safetensors", content)

    def _member(self, key: Any, name: str, content: bytes) -> str:
        """Return the name of the member with this key, made if there is none."""
        if key not in self._named_by:
            self._named_by[key] = name.format(len(self.members))
            self.members[self._named_by[key]] = content
        return self._named_by[key]


def estimator_tree(estimator: Any) -> tuple[Any, dict[str, bytes], dict[str, str]]:
    """Return an estimator as JSON, its arrays and weights, and the user's code that it needs.

    Raises
    ------
    TypeError
        If a part of it cannot be stored.
    """
    writer = TreeWriter()
    return writer.encode(estimator, type(estimator).__name__), writer.members, writer.needs


def not_storable(value: Any, place: str) -> TypeError:
    """Return the error of an object that no saved model can hold."""
    kind = type(value)
    what = f"a {kind.__module__}.{kind.__qualname__}"
    if getattr(value, "__name__", "") == "<lambda>":
        hint = (
            "Give it a name: def it in a module of yours, and pass it to load, "
            'skaudio.load(path, modules={"name": name})'
        )
    elif place.partition("[")[0].endswith("callbacks"):
        hint = "Only fit() needs callbacks: set_params(callbacks=None) before saving"
    else:
        hint = (
            "It holds estimators of skaudio, those of scikit-learn that the guide lists, arrays, "
            "numbers and text"
        )
    return TypeError(f"{place} is {what}, which skaudio.save cannot store. {hint}.")
