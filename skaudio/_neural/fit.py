"""Training a torch module over recordings, with skorch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit, StratifiedShuffleSplit
from sklearn.utils import gen_batches
from torch import nn

from skaudio._neural.batches import (
    Source,
    TrainingBatches,
    TrainingSet,
    ValidationBatches,
    reads_audio,
)
from skaudio._neural.work import working_threads
from skaudio._state import seeded
from skaudio.nets import LOUDNESS_WEIGHT, Standardize, StandardizedNet, recording_mean


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
        Make the batches of training and of the held-out part. Called with a `TrainingSet` and
        ``batch_size``, they return an iterable with a length, which is iterated once per epoch.
    loudness_weight : float
        Of loud frames in a recording's own mean, see `standardization`. 0 where recordings hold
        several events: the mean must then not follow the loudest one.
    """
    again = is_warm(estimator)
    first_epoch = estimator.n_iter_ if again else 0
    index, validation = hold_out(estimator, len(targets), stratify, groups, seed)
    training = TrainingSet(source, targets, index, seed, first_epoch)
    held_out = None if validation is None else TrainingSet(source, targets, validation, seed)
    with seeded(seed, estimator.device):
        if again:
            module = estimator.net_.module_
        else:
            standardize = standardization(estimator, source, index, loudness_weight)
            new = build(len(standardize.mean))
            module = StandardizedNet(standardize, new, reduced=uses_bfloat16(estimator, new))
        n_steps = len(batches(training, estimator.batch_size)) * estimator.max_epochs
        net = make_net(
            estimator,
            module,
            n_steps,
            held_out,
            criterion=criterion,
            iterator_train=batches,
            iterator_valid=validation_batches,
        )
        with training_threads(estimator, module, source, index):
            net.fit(training, y=None)
        # The data is not part of the model: a pickled net must not carry it.
        net.set_params(train_split=None)
    net.module_.eval()
    estimator.net_ = net
    estimator.history_ = net.history
    estimator.n_iter_ = first_epoch + len(net.history)


def training_threads(
    estimator: Any, module: nn.Module, source: Source, index: np.ndarray
) -> AbstractContextManager[Any]:
    """Limit torch's threads by the work of a batch of recordings of median length."""
    median = index[np.argsort(source.lengths[index], kind="stable")[len(index) // 2]]
    n_frames = source.clean_frames(np.array([median]))[0].shape[1]
    return working_threads(module, estimator.batch_size, n_frames)


def is_warm(estimator: Any) -> bool:
    """Whether `fit` goes on from the weights of the previous one."""
    return estimator.warm_start and hasattr(estimator, "net_")


def hold_out(
    estimator: Any, n: int, stratify: Any, groups: Any, seed: int
) -> tuple[np.ndarray, np.ndarray | None]:
    """Split positions into training and, with ``early_stopping``, validation.

    Whole groups are held out where groups are given; else classes keep their shares.
    """
    if not estimator.early_stopping:
        return np.arange(n), None
    fraction = estimator.validation_fraction
    sizes = {"n_splits": 1, "test_size": fraction, "random_state": seed % (1 << 32)}
    if groups is not None:
        splitter: Any = GroupShuffleSplit(**sizes)
    elif stratify is not None and np.unique(stratify, return_counts=True)[1].min() > 1:
        splitter = StratifiedShuffleSplit(**sizes)
    else:
        splitter = ShuffleSplit(**sizes)
    training, validation = next(splitter.split(np.zeros(n), stratify, groups))
    return training, validation


def uses_bfloat16(estimator: Any, net: nn.Module) -> bool:
    """Decide ``precision``: "auto" takes bfloat16 where it was measured to be faster.

    On CPUs with instructions for it that is convolution, by a third; recurrent layers lose.
    """
    if estimator.precision != "auto":
        return bool(estimator.precision == "bfloat16")
    if torch.device(estimator.device).type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    kinds = {type(module) for module in net.modules()}
    convolves = any(issubclass(kind, nn.modules.conv._ConvNd) for kind in kinds)
    recurs = any(issubclass(kind, nn.RNNBase) for kind in kinds)
    on_cpu = torch.device(estimator.device).type == "cpu"
    return on_cpu and convolves and not recurs and torch.cpu._is_avx512_bf16_supported()


def standardization(
    estimator: Any, source: Source, index: np.ndarray, loudness_weight: float = LOUDNESS_WEIGHT
) -> Standardize:
    """Learn the standardisation of frames on the training recordings, without augmentation.

    Where a recording's own mean is subtracted, a frame that is one standard deviation louder counts
    ``exp(loudness_weight)`` times as much in it.
    """
    standardize = estimator.standardize
    if standardize == "auto":
        standardize = "both" if reads_audio(estimator) else "global"
    # Every walk over the clean frames encodes them anew: only those whose result is used.
    inverse_temperature = 0.0 if standardize in ("recording", "both") else None
    if inverse_temperature is not None and loudness_weight:
        _, deviation = _statistics(f.mean(axis=0, keepdims=True) for f in _clean(source, index))
        inverse_temperature = loudness_weight / float(deviation[0]) if deviation[0] > 1e-6 else 0.0
    if standardize in ("global", "both"):
        mean, std = _statistics(_centre(f, inverse_temperature) for f in _clean(source, index))
    else:
        n_features = len(source.clean_frames(index[:1])[0])
        mean, std = np.zeros(n_features), np.ones(n_features)
    as_tensor = [torch.from_numpy(v.astype(np.float32)) for v in (mean, std)]
    return Standardize(*as_tensor, inverse_temperature=inverse_temperature)


def _clean(source: Source, index: np.ndarray) -> Iterator[np.ndarray]:
    for part in gen_batches(len(index), 256):
        yield from source.clean_frames(index[part])


def _centre(frames: np.ndarray, inverse_temperature: float | None) -> np.ndarray:
    if inverse_temperature is None:
        return frames
    x = torch.from_numpy(frames)[None]
    mask = torch.ones(1, frames.shape[1], dtype=torch.bool)
    return (x - recording_mean(x, mask, inverse_temperature))[0].numpy()


def _statistics(sequences: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of each feature over all frames."""
    total: Any = 0.0
    squares: Any = 0.0
    count = 0
    for sequence in sequences:
        frames = sequence.astype(np.float64)
        total = total + frames.sum(axis=1)
        squares = squares + np.square(frames).sum(axis=1)
        count += frames.shape[1]
    mean = total / count
    return mean, np.sqrt(np.maximum(squares / count - mean**2, 0.0))


def make_net(
    estimator: Any, module: nn.Module, n_steps: int, held_out: TrainingSet | None, **params: Any
) -> Any:
    """Return the skorch net that trains a module for a number of batches.

    AdamW, a one-cycle schedule, gradients clipped to norm 1; with ``early_stopping`` the epoch with
    the lowest loss on ``held_out`` is restored. ``net_params`` and ``callbacks`` of the estimator
    replace any of it.
    """
    from skorch import NeuralNet
    from skorch.callbacks import EarlyStopping, GradientNormClipping, LRScheduler
    from skorch.helper import predefined_split

    schedule = LRScheduler(
        torch.optim.lr_scheduler.OneCycleLR,
        max_lr=estimator.lr,
        total_steps=n_steps + 1,  # skorch steps once more after the last batch
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
        callbacks.append(("early_stopping", stop))
    if estimator.verbose:
        from skaudio._neural.epoch_bar import EpochBar

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
    return NeuralNet(module, **{**defaults, **params, **(estimator.net_params or {})})


def _silent(*args: Any) -> None:
    """Take skorch's messages and show none: the progress bar and the history tell the same."""
