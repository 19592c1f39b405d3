"""What the result of a torch module depends on: its structure, its code and its weights."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

from torch import nn

# What every module has; `training` does not count, as transformers compute in evaluation mode.
PLAIN = frozenset(vars(nn.Module()))


def module_facts(
    module: nn.Module,
    where: str,
    describe: Callable[[Any, str], Any],
    class_facts: Callable[[type, str], dict[str, Any]],
) -> dict[str, Any]:
    """Describe a module, as what JSON can hold.

    Every module inside is described by its class and its attributes. A class with a version is
    described by its name and version, as other classes are; one without, such as a class in a
    notebook, by the code of its methods.

    Parameters
    ----------
    module : Module
    where : str
        What to call it in messages.
    describe, class_facts : callable
        How other values, and classes, are described.
    """
    parts = {}
    for name, part in module.named_modules():
        place = f"{where}.{name}" if name else where
        attributes = {
            key: describe(value, f"{place}.{key}")
            for key, value in sorted(vars(part).items())
            if key not in PLAIN and not key.startswith("_forward")
        }
        parts[name] = [class_or_code(type(part), place, class_facts), attributes]
    tensors = {key: describe(value, where) for key, value in module.state_dict().items()}
    return {"module": parts, "tensors": tensors}


def class_or_code(
    kind: type, where: str, class_facts: Callable[[type, str], dict[str, Any]]
) -> Any:
    """Describe the class of a module by its version, or by the code of its methods."""
    try:
        return class_facts(kind, where)
    except TypeError:
        bases = [base for base in kind.__mro__ if issubclass(base, nn.Module)]
    found = []
    for base in bases[: bases.index(nn.Module)]:
        functions = {
            name: _function_facts(item)
            for name, item in sorted(vars(base).items())
            if isinstance(item, types.FunctionType)
        }
        found.append([base.__qualname__, functions])
    return found


def _function_facts(function: types.FunctionType) -> list[Any]:
    # Without what the function encloses: ``super()`` encloses the class itself.
    code = function.__code__
    return [code.co_code.hex(), repr(_constants(code)), list(code.co_names)]


def _constants(code: types.CodeType) -> list[Any]:
    return [
        [c.co_code.hex(), _constants(c)] if isinstance(c, types.CodeType) else repr(c)
        for c in code.co_consts
    ]
