"""Training a torch module over recordings: the one file that talks to skorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from skaudio._neural.batches import TrainingBatches, TrainingSet, ValidationBatches
from skaudio._neural.predict import uses_bfloat16
from skaudio._neural.prepare import hold_out, standardization
from skaudio._neural.sources import Source
from skaudio._state import seeded
from skaudio.nets import LOUDNESS_WEIGHT, StandardizedNet


def fit_net(
    estimator: Any,
    source: Source,
    targets: np.ndarray,
    *,
    build: Callable[[int], nn.Module],
    criterion: nn.Module,
    seed: int,
    groups: Any = None,
    stratify: Any = None,
    batches: Any = TrainingBatches,
    validation_batches: Any = ValidationBatches,
    loudness_weight: float = LOUDNESS_WEIGHT,
) -> None:
    """Train a new module, or the estimator's own again with ``warm_start``.

    Parameters
    ----------
    estimator : estimator
        Has the parameters of training that every neural estimator spells out; gets ``net_``,
        ``history_`` and ``n_iter_``.
    source : Source
        What `make_source` returned.
    targets : ndarray of shape (n_recordings, ...)
    build : callable
        Makes the module from the number of features per frame.
    criterion : torch module
        Loss of the module's output and the targets.
    seed : int
    groups, stratify : array-like of shape (n_recordings,), optional
        What ``early_stopping`` keeps together, and whose shares it keeps.
    batches, validation_batches : callable
        Make the batches of training and of the held-out part: called with a `TrainingSet` and
        ``batch_size``, they return what has a length and is iterated once per epoch.
    loudness_weight : float
        Of frames in a recording's own mean, see `standardization`. Loud ones are the sound, where a
        recording is one sound; they are events, where it holds several things.
    """
    again = is_warm(estimator)
    held_out = hold_out(estimator, len(targets), stratify, groups, seed)
    with seeded(seed, estimator.device):
        if again:
            module = estimator.net_.module_
        else:
            standardize = standardization(estimator, source, held_out[0], loudness_weight)
            net = build(len(standardize.mean))
            module = StandardizedNet(standardize, net, reduced=uses_bfloat16(estimator, net))
        trained = estimator.n_iter_ if again else 0
        estimator.net_ = train(
            estimator,
            module,
            source,
            targets,
            criterion=criterion,
            seed=seed,
            held_out=held_out,
            first_epoch=trained,
            batches=batches,
            validation_batches=validation_batches,
        )
    estimator.history_ = estimator.net_.history
    estimator.n_iter_ = len(estimator.history_) + trained


def is_warm(estimator: Any) -> bool:
    """Whether `fit` goes on from the weights of the previous one."""
    return estimator.warm_start and hasattr(estimator, "net_")


def train(
    estimator: Any,
    module: nn.Module,
    source: Source,
    targets: np.ndarray,
    *,
    criterion: nn.Module,
    seed: int,
    held_out: tuple[np.ndarray, np.ndarray | None],
    first_epoch: int = 0,
    batches: Any = TrainingBatches,
    validation_batches: Any = ValidationBatches,
) -> Any:
    """Train a module and return the skorch net that holds it.

    AdamW, a one-cycle schedule over ``max_epochs``, gradients clipped to norm 1; with
    ``early_stopping`` the epoch with the lowest validation loss is restored. ``net_params`` and
    ``callbacks`` of the estimator replace any of it.
    """
    from skorch import NeuralNet
    from skorch.callbacks import EarlyStopping, GradientNormClipping, LRScheduler
    from skorch.helper import predefined_split

    index, validation = held_out
    training = TrainingSet(source, targets, index, seed, first_epoch)
    n_steps = len(batches(training, estimator.batch_size)) * estimator.max_epochs
    callbacks: list[Any] = [
        (
            "schedule",
            LRScheduler(
                torch.optim.lr_scheduler.OneCycleLR,
                max_lr=estimator.lr,
                total_steps=n_steps + 1,  # skorch steps once more after the last batch
                step_every="batch",
            ),
        ),
        ("gradient_clip", GradientNormClipping(1.0)),
    ]
    if validation is not None:
        patience = estimator.n_iter_no_change
        stop = EarlyStopping(
            "valid_loss", patience=patience, load_best=True, sink=_silent, threshold=0
        )
        callbacks.append(("early_stopping", stop))
    if estimator.verbose:
        callbacks.append(("progress", _progress_bar(estimator.max_epochs)))
    params = {
        "optimizer": torch.optim.AdamW,
        "optimizer__weight_decay": 0.01,
        "lr": estimator.lr,
        "max_epochs": estimator.max_epochs,
        "batch_size": estimator.batch_size,
        "device": estimator.device,
        "criterion": criterion,
        "iterator_train": batches,
        "iterator_valid": validation_batches,
        "train_split": None
        if validation is None
        else predefined_split(TrainingSet(source, targets, validation, seed)),
        "callbacks": callbacks + list(estimator.callbacks or []),
        "verbose": 0,
        **(estimator.net_params or {}),
    }
    net = NeuralNet(module, **params)
    net.fit(training, y=None)
    # The data is not part of the model: a pickled net must not carry it.
    net.set_params(train_split=None)
    net.module_.eval()
    return net


def _silent(*args: Any) -> None:
    """Where skorch's messages go; the progress bar and history tell the same."""


def _progress_bar(total: int) -> Any:
    from skorch.callbacks import Callback
    from tqdm.auto import tqdm

    class EpochBar(Callback):
        """A bar over epochs that shows the losses."""

        def on_train_begin(self, net, **kwargs):
            self.bar_ = tqdm(total=total, unit="epoch")

        def on_epoch_end(self, net, **kwargs):
            row = net.history[-1]
            shown = {k: f"{row[k]:.3f}" for k in ("train_loss", "valid_loss") if k in row}
            self.bar_.set_postfix(shown, refresh=False)
            self.bar_.update()

        def on_train_end(self, net, **kwargs):
            self.bar_.close()
            del self.bar_

    return EpochBar()
