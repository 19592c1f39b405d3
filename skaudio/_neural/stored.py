"""Conversion of the trained network of an estimator to plain data and tensors, and back."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.modules import module as hooks

from skaudio._neural.portable import present_device
from skaudio._state import seeded
from skaudio.nets import Standardize, StandardizedNet

# While a network is built, more modules, parameters and buffers are registered than there are
# tensors: layers without weights, and parts that are replaced.
TIMES, SOME = 8, 64


def take_net(estimator: Any) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """Return the data and the tensors from which the network of an estimator can be restored.

    Returns
    -------
    facts : dict
        Data without tensors. ``history`` contains the records of epochs, not those of batches.
    tensors : dict of str to Tensor
    """
    module = estimator.net_.module_
    facts = {
        "built_with": dict(estimator._built_with),
        "reduced": module.reduced,
        "frozen": [name for name, p in module.named_parameters() if not p.requires_grad],
        "history": [{**row, "batches": []} for row in estimator.net_.history],
    }
    return facts, dict(module.state_dict())


def put_net(estimator: Any, facts: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> None:
    """Restore the network of an estimator from the result of `take_net`.

    Raises
    ------
    ValueError
        If the data do not fit the tensors. Nothing large is built.
    """
    built_with = dict(facts["built_with"])
    strange = built_with.keys() - {*estimator._module_parameters, "standardize"}
    mean = tensors.get("standardize.mean")
    if strange or mean is None or mean.ndim != 1:
        raise ValueError(f"its network has other parts ({sorted(strange)})")
    as_built = copy.copy(estimator)
    vars(as_built).update(built_with)
    temperature = 0.0 if "standardize.inverse_temperature" in tensors else None

    def build() -> nn.Module:
        zeros = torch.zeros(len(mean))
        standardize = Standardize(zeros, zeros, inverse_temperature=temperature)
        # An estimator may make the whole, of which the standardisation is a part.
        if hasattr(as_built, "_build_around"):
            whole: nn.Module = as_built._build_around(standardize)
            return whole
        net = as_built._build(len(mean))
        return StandardizedNet(standardize, net, reduced=bool(facts["reduced"]))

    module = build_for(tensors, build)
    for name in facts["frozen"]:
        module.get_parameter(name).requires_grad_(False)
    estimator._built_with = built_with
    estimator.net_ = _trained(estimator, module, facts["history"])
    estimator.history_ = estimator.net_.history


def build_for(tensors: Mapping[str, torch.Tensor], build: Callable[[], nn.Module]) -> nn.Module:
    """Return the module that ``build`` makes with these tensors, in evaluation mode.

    It is first built without memory, to compare names, shapes and types.

    Raises
    ------
    ValueError
        If the tensors do not fit the module.
    """
    with _bounded(len(tensors), sum(t.numel() for t in tensors.values())), torch.device("meta"):
        expected = build().state_dict()
    wrong = [name for name in {*expected, *tensors} if not _is_like(expected, tensors, name)]
    if wrong:
        name = min(wrong)
        has = tuple(tensors[name].shape) if name in tensors else "missing"
        wants = tuple(expected[name].shape) if name in expected else "no such tensor"
        raise ValueError(f"the parameters do not fit the weights: {name} is {has}, not {wants}")
    # Building the network draws random weights. The global generator must not change.
    with seeded(0):
        module = build()
    module.load_state_dict(dict(tensors))
    return module.eval()


def _is_like(expected: Mapping[str, Any], tensors: Mapping[str, Any], name: str) -> bool:
    if name not in expected or name not in tensors:
        return False
    a, b = expected[name], tensors[name]
    return bool(a.shape == b.shape and a.dtype == b.dtype)


@contextmanager
def _bounded(n_tensors: int, n_numbers: int) -> Iterator[None]:
    """Raise an error if the calling thread builds a module much larger than its weights."""
    thread = threading.get_ident()
    left = {"parts": TIMES * n_tensors + SOME, "numbers": TIMES * n_numbers + SOME}

    def count(module: nn.Module, name: str, part: Any) -> None:
        if threading.get_ident() != thread:
            return
        left["parts"] -= 1
        left["numbers"] -= part.numel() if isinstance(part, torch.Tensor) else 0
        if min(left.values()) < 0:
            raise ValueError(
                "the parameters describe a much larger network than the weights are for"
            )

    handles = [
        hooks.register_module_parameter_registration_hook(count),
        hooks.register_module_buffer_registration_hook(count),
        hooks.register_module_module_registration_hook(count),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _trained(estimator: Any, module: nn.Module, history: list[dict[str, Any]]) -> Any:
    """Return the skorch net of a module in the state after training."""
    from skorch.history import History

    from skaudio._neural.training_net import TrainingNet

    device = present_device(estimator.device)
    net = TrainingNet(module, nn.CrossEntropyLoss, train_split=None, verbose=0, device=device)
    net.set_params(lr=estimator.lr, max_epochs=estimator.max_epochs)
    net.initialize()
    net.drop_leftovers()
    net.history_ = History()
    net.history_.extend(history)
    net.module_.eval()
    return net
