"""Which parameters of a pretrained net are trained, and at which share of the learning rate."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from torch import nn

from skaudio.pretrained._pretrained_net import PretrainedNet

# What ``lr_multipliers=None`` stands for.
DEFAULT = {"*": 0.1, "head": 1.0}
HEAD = ("head.weight", "head.bias")


def lr_factors(trunk: PretrainedNet, unfreeze: Any, multipliers: Any) -> dict[str, float]:
    """Return the factor of the learning rate for each parameter that is trained.

    Parameters
    ----------
    trunk : PretrainedNet
    unfreeze : {"head", "all", "staged"} or int
    multipliers : dict of str to float, or None
        Later patterns take precedence over earlier ones.

    Returns
    -------
    factors : dict of str to float
        Those above 0. Names are those of the trunk's parameters, and of "head".
    """
    stages = [
        [p for module in stage.modules for p in module.parameters()] for stage in trunk.stages()
    ]
    layers = [stage for stage in stages if stage]
    n_trained = {"head": 0, "all": len(layers), "staged": len(layers)}.get(unfreeze, unfreeze)
    if n_trained > len(layers):
        raise ValueError(
            f"unfreeze={unfreeze!r}: expected at most {len(layers)}, the number of layers of "
            f"{type(trunk).__name__}, or 'all'."
        )
    unfrozen = {id(p) for layer in layers[len(layers) - n_trained :] for p in layer}
    in_use = {id(p) for layer in layers for p in layer}
    names = [name for name, p in trunk.named_parameters() if id(p) in in_use]
    trained = [name for name, p in trunk.named_parameters() if id(p) in unfrozen]
    given = DEFAULT if multipliers is None else multipliers
    factors = dict.fromkeys((*trained, *HEAD), 1.0)
    for pattern, factor in given.items():
        found = [name for name in (*names, *HEAD) if matches(name, pattern)]
        if not found:
            raise _unknown(pattern, trunk, names)
        factors.update({name: float(factor) for name in found if name in factors})
    factors = {name: factor for name, factor in factors.items() if factor > 0}
    if not factors:
        raise ValueError(
            f"lr_multipliers={multipliers!r:.200} with unfreeze={unfreeze!r} freezes all that "
            "could be trained: expected a multiplier above 0 for a part of the net, or for 'head'."
        )
    return factors


def n_frozen(trunk: PretrainedNet, factors: Mapping[str, float]) -> int:
    """Return how many stages of a net come before the first one that is trained."""
    trained = {id(p) for name, p in trunk.named_parameters() if name in factors}
    stages = trunk.stages()
    for i, stage in enumerate(stages):
        if any(id(p) in trained for module in stage.modules for p in module.parameters()):
            return i
    return len(stages)


def matches(name: str, pattern: str) -> bool:
    """Whether a pattern is that of a parameter, or of a module that it is in."""
    return any(fnmatchcase(place, pattern) for place in _places(name))


def _places(name: str) -> Iterator[str]:
    parts = name.split(".")
    for i in range(1, len(parts) + 1):
        yield ".".join(parts[:i])


def _unknown(pattern: str, trunk: nn.Module, names: list[str]) -> Exception:
    places = {place: None for name in (*names, *HEAD) for place in _places(name)}
    near = difflib.get_close_matches(pattern, places, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    modules = {name.rpartition(".")[0]: None for name in names}
    shown = ", ".join(map(repr, list(modules)[:2]))
    return ValueError(
        f"lr_multipliers={pattern!r}: expected the name of a parameter or module of "
        f"{type(trunk).__name__} ({shown}...), or 'head', or a pattern of names such as "
        f"'features.1*'.{hint}"
    )


def check_multipliers(name: str, value: Any) -> None:
    """Raise an error for what is no dict of names to factors."""
    if value is None:
        return
    good = isinstance(value, Mapping) and all(
        isinstance(key, str)
        and isinstance(factor, (int, float))
        and not isinstance(factor, bool)
        and 0 <= factor < float("inf")
        for key, factor in value.items()
    )
    if good:
        return
    kind = ValueError if isinstance(value, Mapping) else TypeError
    raise kind(
        f"{name}={value!r:.200}: expected a dict of names, or patterns of names, to factors of 0 "
        "or more, or None."
    )
