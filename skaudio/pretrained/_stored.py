"""The weights of a pretrained net as tensors of a saved model, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from skaudio._neural import build_for
from skaudio.pretrained._pretrained_transformer import PretrainedTransformer
from skaudio.pretrained._registry import find_model


def is_pretrained(estimator: Any) -> bool:
    """Whether an estimator computes with a pretrained net."""
    return isinstance(estimator, PretrainedTransformer)


def take_pretrained(estimator: PretrainedTransformer) -> dict[str, torch.Tensor]:
    """Return the tensors of the net in use, of ``net_`` or of the files."""
    return dict(estimator._net().state_dict())


def put_pretrained(estimator: PretrainedTransformer, tensors: Mapping[str, torch.Tensor]) -> None:
    """Give an estimator a net with these tensors, which needs no files from now on."""
    model = find_model(estimator.model)
    params = {**model.params, **(estimator.model_params or {})}
    net: Any = build_for(tensors, lambda: model.net(**params))
    net.weights_source = estimator._stored_source()
    estimator.net_ = net


def licence_of(estimator: PretrainedTransformer) -> str:
    """Return the licence of the weights, as far as it is known."""
    if estimator.weights is None:
        return find_model(estimator.model).licence
    random = isinstance(estimator.weights, str) and estimator.weights == "random"
    return "none: random weights" if random else "not known: the weights were given as a file"
