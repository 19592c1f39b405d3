"""The skorch net of the estimators. It imports skorch, so it is imported only in `fit`."""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import Callback, EarlyStopping, GradientNormClipping, LRScheduler
from skorch.helper import predefined_split
from torch import nn
from tqdm.auto import tqdm

from skaudio._neural.batches import TrainingSet
from skaudio._neural.portable import portable_copies, present_device

# Values that skorch records for each batch; only the mean of the epoch is kept.
OF_BATCHES = ("train_loss", "train_batch_size", "valid_loss", "valid_batch_size")
# Attributes that only `fit` needs, and the values that replace them afterwards.
LEFTOVERS = ("optimizer_", "criterion_")
EMPTY = {"callbacks": None, "callbacks_": (), "train_split": None}
PLAIN = (bool, int, float, str, type(None), np.generic)


class NotFiniteError(Exception):
    """The loss of a batch is NaN or infinite; `train` raises an error for users from it.

    Parameters
    ----------
    loss : float
    x : tensor of shape (n_sequences, n_features, n_frames)
    lengths : tensor of shape (n_sequences,)
    training : bool
        False for a batch of the part held out.
    """

    def __init__(self, loss: float, x: torch.Tensor, lengths: torch.Tensor, training: bool):
        super().__init__(loss)
        self.loss = loss
        self.x = x
        self.lengths = lengths
        self.training = training


class TrainingNet(NeuralNet):  # type: ignore[misc]
    """A skorch net that raises errors for Ctrl-C and divergence; small after training.

    skorch ends a training without an error after any KeyboardInterrupt; here, only after the one
    that `EarlyStopping` raises. A pickled net stores its tensors as numpy arrays, which need no
    device. They are loaded onto the device of the net, or onto the CPU if it is missing.
    """

    callbacks_: Sequence[tuple[str, Any]]
    criterion: Any
    device: Any

    def partial_fit(
        self, X: Any, y: Any = None, classes: Any = None, **fit_params: Any
    ) -> TrainingNet:
        self.notify("on_train_begin", X=X, y=y)
        try:
            self.fit_loop(X, y, **fit_params)
        except KeyboardInterrupt:
            if not any(_has_stopped(callback) for _, callback in self.callbacks_):
                raise
        self.notify("on_train_end", X=X, y=y)
        return self

    def on_batch_end(
        self, net: Any, batch: Any = None, training: bool = False, **kwargs: Any
    ) -> None:
        loss = self.history[-1]["batches"][-1]["train_loss" if training else "valid_loss"]
        if not math.isfinite(loss):
            raise NotFiniteError(loss, **batch[0], training=training)

    def get_params_for_optimizer(self, prefix: str, named_parameters: Any) -> tuple[Any, Any]:
        """Give a module with ``lr_factors`` one group of parameters for each factor of ``lr``.

        The highest factor comes first; parameters without a factor are not trained.
        """
        factors = getattr(self.module_, "lr_factors", None)
        named = list(named_parameters)
        args, kwargs = super().get_params_for_optimizer(prefix, named)
        if factors is None:
            return args, kwargs
        groups = [
            {
                "params": [p for name, p in named if factors.get(name) == factor],
                "lr": kwargs["lr"] * factor,
            }
            for factor in distinct(factors)
        ]
        return (groups,), kwargs

    def drop_leftovers(self) -> None:
        """Keep the module and the history; remove objects that only training needs."""
        for _, callback in self.callbacks_:
            if isinstance(callback, EpochBar):
                callback.close()
            state = vars(callback)
            for name in [n for n, value in state.items() if n.endswith("_")]:
                if not isinstance(state[name], PLAIN):
                    del state[name]
        state = self._without_leftovers()
        self.__dict__.clear()
        self.__dict__.update(state)
        for row in self.history:
            for key, value in row.items():
                row[key] = value.item() if isinstance(value, np.generic) else value
            own = [{k: b[k] for k in b if k not in OF_BATCHES} for b in row["batches"]]
            row["batches"] = own if any(own) else []

    def _without_leftovers(self) -> dict[str, Any]:
        state = {key: value for key, value in vars(self).items() if key not in LEFTOVERS}
        kind = self.criterion if isinstance(self.criterion, type) else type(self.criterion)
        return {**state, **EMPTY, "criterion": kind}

    def __getstate__(self) -> dict[str, Any]:
        state = self._without_leftovers()  # callbacks may pickle a net during training
        return {**state, **portable_copies({key: state[key] for key in ("module", "module_")})}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.device = present_device(self.device)
        if self.device is not None:
            self.module_.to(self.device)


def distinct(factors: Mapping[str, float]) -> list[float]:
    """Return the factors of the learning rate, one for each group of parameters."""
    return sorted(set(factors.values()), reverse=True)


def _has_stopped(callback: Any) -> bool:
    return isinstance(callback, EarlyStopping) and callback.misses_ == callback.patience


class ValidationScore(Callback):
    """Record ``valid_score`` of each epoch: the result of ``score`` for the part that was held out.

    Parameters
    ----------
    score : callable
        ``score(outputs, targets)`` returns a number; both are lists of arrays, one per batch.
    """

    def __init__(self, score: Callable[[list[np.ndarray], list[np.ndarray]], float]):
        self.score = score

    def on_epoch_begin(self, net: Any, *args: Any, **kwargs: Any) -> None:
        self.outputs_: list[np.ndarray] = []
        self.targets_: list[np.ndarray] = []

    def on_batch_end(
        self, net: Any, batch: Any = None, training: bool = False, **kwargs: Any
    ) -> None:
        if not training:
            self.outputs_.append(kwargs["y_pred"].detach().float().cpu().numpy())
            self.targets_.append(batch[1].numpy())

    def on_epoch_end(self, net: Any, *args: Any, **kwargs: Any) -> None:
        net.history.record("valid_score", self.score(self.outputs_, self.targets_))


class EpochBar(Callback):
    """Show a progress bar over epochs, with the losses of the last epoch."""

    def on_train_begin(self, net: Any, *args: Any, **kwargs: Any) -> None:
        self.bar_ = tqdm(total=net.max_epochs, unit="epoch")

    def on_epoch_end(self, net: Any, *args: Any, **kwargs: Any) -> None:
        row = net.history[-1]
        shown = ("train_loss", "valid_loss", "valid_score")
        self.bar_.set_postfix({k: f"{row[k]:.3f}" for k in shown if k in row}, refresh=False)
        self.bar_.update()

    def on_train_end(self, net: Any, *args: Any, **kwargs: Any) -> None:
        self.close()

    def close(self) -> None:
        """Close the bar in its current state."""
        if hasattr(self, "bar_"):
            self.bar_.close()


def make_net(
    estimator: Any,
    module: nn.Module,
    n_steps: int,
    held_out: TrainingSet | None,
    score: Callable[[list[np.ndarray], list[np.ndarray]], float],
    **params: Any,
) -> Any:
    """Return the skorch net that trains a module.

    It uses AdamW, a one-cycle schedule, and gradients clipped to norm 1. With ``early_stopping``,
    the weights of the epoch with the lowest loss on ``held_out`` are restored. ``net_params`` and
    ``callbacks`` of the estimator can replace all of these.
    """
    factors = getattr(module, "lr_factors", None)
    schedule = LRScheduler(
        torch.optim.lr_scheduler.OneCycleLR,
        max_lr=estimator.lr if factors is None else [estimator.lr * f for f in distinct(factors)],
        total_steps=n_steps + 1,  # skorch takes one more step after the last batch
        step_every="batch",
    )
    callbacks: list[Any] = [
        ("schedule", schedule),
        ("gradient_clip", GradientNormClipping(1.0)),
    ]
    if held_out is not None:
        patience = estimator.n_iter_no_change
        stop = EarlyStopping(
            "valid_loss", patience=patience, load_best=True, sink=_silent, threshold=0
        )
        callbacks += [("valid_score", ValidationScore(score)), ("early_stopping", stop)]
    if estimator.verbose:
        callbacks.append(("progress", EpochBar()))
    defaults = {
        "optimizer": torch.optim.AdamW,
        "optimizer__weight_decay": 0.01,
        "lr": estimator.lr,
        "max_epochs": estimator.max_epochs,
        "batch_size": estimator.batch_size,
        "device": estimator.device,
        "train_split": None if held_out is None else predefined_split(held_out),
        "callbacks": callbacks + list(estimator.callbacks or []),
        "verbose": 0,
    }
    given = {
        # A copy, because the criterion is moved to the device, and the original belongs to the
        # user.
        name: copy.deepcopy(value) if isinstance(value, nn.Module) else value
        for name, value in (estimator.net_params or {}).items()
    }
    return TrainingNet(module, **{**defaults, **params, **given})


def _silent(*args: Any) -> None:
    """Discard skorch's messages; the progress bar and the history contain the same."""


def check_net_params(estimator: Any) -> None:
    """Raise an error for a key of ``net_params`` that no part of the net has."""
    given = estimator.net_params or {}
    parts = {
        "optimizer": given.get("optimizer", torch.optim.AdamW),
        "criterion": given.get("criterion"),
        "iterator_train": given.get("iterator_train"),
        "iterator_valid": given.get("iterator_valid"),
    }
    own = [name for name in inspect.signature(NeuralNet.__init__).parameters if name != "self"]
    known = [name for name in own if name not in ("module", "kwargs")]
    for key in given:
        name, _, inner = key.partition("__")
        if name not in known:
            raise ValueError(
                f"net_params={key!r}: skorch.NeuralNet has no such parameter.{_hint(name, known)}"
            )
        part = parts.get(name)
        if not inner or not isinstance(part, type) or inner == "param_groups":
            continue
        parameters = inspect.signature(part).parameters
        if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            continue
        if inner.partition("__")[0] not in parameters and not inner.startswith("param_groups"):
            raise ValueError(
                f"net_params={key!r}: {part.__name__} has no parameter {inner!r}."
                f"{_hint(inner, list(parameters))}"
            )


def _hint(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, 1)
    return f" Did you mean {near[0]!r}?" if near else f" Expected one of {', '.join(known)}."
