"""Training of a torch module on recordings, with skorch."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
import torch
from sklearn.utils import check_random_state, gen_batches
from torch import nn

from skaudio._neural.batches import (
    Source,
    TrainingBatches,
    TrainingSet,
    ValidationBatches,
    reads_audio,
)
from skaudio._neural.checks import (
    advice,
    built_with,
    check_n_features,
    check_same_net,
    divergence,
    is_warm,
    not_finite,
    refuse_single_frames,
)
from skaudio._neural.held_out import Classes, hold_out
from skaudio._parallel import working_threads
from skaudio._state import seeded
from skaudio._steps import frame_maker
from skaudio._validation import check_parameters
from skaudio.nets import LOUDNESS_WEIGHT, Standardize, StandardizedNet, recording_mean

# A feature is constant if its standard deviation is below this fraction of the largest one; its
# variation is rounding.
ROUNDING = 1e-6
# With a logarithmic scale, standard deviations are at least this fraction of the median one. Bands
# above the bandwidth of the training recordings hardly vary, so they would be scaled up, and
# dominate the input for recordings with sound in these bands.
LEAST_DEVIATION = 0.1


@contextmanager
def all_or_nothing(estimator: Any) -> Iterator[None]:
    """Restore the fitted state of an estimator if the body fails or is interrupted."""
    before = vars(estimator).copy()
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


@contextmanager
def fitting(estimator: Any) -> Iterator[int]:
    """Check the parameters and yield the seed of a `fit`; use `all_or_nothing`."""
    with all_or_nothing(estimator):
        check_parameters(estimator)
        if estimator.net_params:
            from skaudio._neural.training_net import check_net_params  # imports skorch

            check_net_params(estimator)
        if is_warm(estimator):
            check_same_net(estimator)
        yield int(check_random_state(estimator.random_state).randint(2**31 - 1))


class WatchedSource:
    """A source that remembers the last requested recordings."""

    def __init__(self, source: Source):
        self._source = source
        self.lengths = source.lengths
        self.last = np.empty(0, np.int64)

    def frames(self, index: np.ndarray, epoch: int) -> list[np.ndarray]:
        self.last = index
        return self._source.frames(index, epoch)

    def clean_frames(self, index: np.ndarray) -> list[np.ndarray]:
        self.last = index
        return self._source.clean_frames(index)

    def names(self, index: np.ndarray) -> list[str]:
        return self._source.names(index)


def fit_net(
    estimator: Any,
    source: Source,
    targets: np.ndarray,
    *,
    build: Callable[[int], nn.Module] | None = None,
    module: Callable[[np.ndarray], nn.Module] | None = None,
    criterion: nn.Module,
    score: Callable[[list[np.ndarray], list[np.ndarray]], float],
    seed: int,
    classes: Classes,
    groups: Any = None,
    batches: Any = TrainingBatches,
    validation_batches: Any = ValidationBatches,
    loudness_weight: float = LOUDNESS_WEIGHT,
) -> None:
    """Train a new module, or with ``warm_start`` a copy of the current one.

    Parameters
    ----------
    estimator : estimator
        Neural estimator; its ``net_``, ``history_`` and ``n_iter_`` are set.
    source : Source
    targets : ndarray of shape (n_recordings, ...)
    build : callable
        Function from the number of features per frame to a new module.
    module : callable
        In place of ``build``: function from the positions of the training part to a new module.
    criterion : torch module
        Loss of the output of the module and the targets.
    score : callable
        ``score(outputs, targets)`` for the part that was held out: lists with an array per batch.
    seed : int
    classes : Classes
        Classes of the recordings, whose proportions ``early_stopping`` preserves.
    groups : array-like of shape (n_recordings,), optional
        Groups of the recordings. ``early_stopping`` holds out whole groups.
    batches, validation_batches : callable
        Functions of a `TrainingSet` and ``batch_size`` that return the batches of training and of
        the part that was held out: an iterable with a length, which is iterated once per epoch.
    loudness_weight : float
        Weight of loud frames in the mean of a recording; see `standardization`. It is 0 for
        detectors: the mean must not follow the loudest of several events.
    """
    again = is_warm(estimator)
    first_epoch = estimator.n_iter_ if again else 0
    watched = WatchedSource(source)
    index, validation = np.arange(len(targets)), None
    if estimator.early_stopping:
        index, validation = hold_out(estimator.validation_fraction, classes, groups, seed)
    training = TrainingSet(watched, targets, index, seed, first_epoch)
    held_out = None if validation is None else TrainingSet(watched, targets, validation, seed)
    from skaudio._neural.training_net import make_net  # imports skorch

    with seeded(seed, estimator.device):
        if module is not None:
            trained: Any = module(index)
        elif again:
            trained = copy.deepcopy(estimator.net_.module_)
            n_features = len(source.clean_frames(index[:1])[0])
            check_n_features(trained, n_features, warm_start=True)
            trained.reduced = uses_bfloat16(estimator, trained.net)
        else:
            assert build is not None
            standardize = standardization(estimator, source, index, loudness_weight)
            new = build(len(standardize.mean))
            trained = StandardizedNet(standardize, new, reduced=uses_bfloat16(estimator, new))
        n_steps = len(batches(training, estimator.batch_size)) * estimator.max_epochs
        net = make_net(
            estimator,
            trained,
            n_steps,
            held_out,
            score,
            criterion=criterion,
            iterator_train=batches,
            iterator_valid=validation_batches,
        )
        with training_threads(estimator, trained, source, index):
            train(estimator, net, training, watched)
    net.module_.eval()
    estimator.net_ = net
    estimator.history_ = net.history
    estimator.n_iter_ = first_epoch + len(net.history)
    estimator._built_with = built_with(estimator)


def training_threads(
    estimator: Any, module: nn.Module, source: Source, index: np.ndarray
) -> AbstractContextManager[Any]:
    """Limit torch's threads according to the work of a batch of recordings of median length."""
    median = index[np.argsort(source.lengths[index], kind="stable")[len(index) // 2]]
    n_frames = source.clean_frames(np.array([median]))[0].shape[1]
    return working_threads(module, estimator.batch_size, n_frames)


def train(estimator: Any, net: Any, training: TrainingSet, watched: WatchedSource) -> None:
    """Train a network; raise an error if its loss or its weights become NaN or infinite."""
    from skaudio._neural.training_net import NotFiniteError

    net.initialize()
    constant = set(not_finite(net.module_))  # constants such as a mask of minus infinity
    try:
        net.partial_fit(training, y=None)
    except NotFiniteError as error:
        names = watched.names(watched.last)
        message = divergence(error, net.module_, names, estimator, len(net.history))
        raise ValueError(message) from None
    finally:
        net.drop_leftovers()
    lost = [name for name in not_finite(net.module_) if name not in constant]
    if lost:
        raise ValueError(
            f"Training diverged: after epoch {len(net.history)} the weights of the network are not "
            f"finite ({lost[0]}). {advice(estimator)}"
        )


def uses_bfloat16(estimator: Any, net: nn.Module) -> bool:
    """Whether to use bfloat16: with "auto", if it was faster in measurements.

    On CPUs with bfloat16 instructions, convolutions are faster by a third; recurrent layers are
    slower.
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
    """Compute the standardisation of frames from the training recordings of the first epoch.

    Augmented frames are used. Without augmentation, some bands hardly vary, such as those above the
    bandwidth of the recordings. They would be scaled up because of their small standard deviation,
    and would dominate the input as soon as an augmentation moves sound into them.

    If the mean of each recording is subtracted, a frame that is one standard deviation louder has
    ``exp(loudness_weight)`` times the weight in this mean.
    """
    standardize = estimator.standardize
    if standardize == "auto":
        standardize = "both" if reads_audio(estimator) else "global"
    n_frames = (f.shape[1] for part in (index[:1], index) for f in _first_epoch(source, part))
    if standardize in ("recording", "both") and all(n == 1 for n in n_frames):
        if estimator.standardize != "auto":
            refuse_single_frames(standardize)
        standardize = "global"
    # Each pass over the frames may encode them again, so unnecessary passes are skipped.
    inverse_temperature = 0.0 if standardize in ("recording", "both") else None
    if inverse_temperature is not None and loudness_weight:
        _, deviation = _statistics(
            f.mean(axis=0, keepdims=True) for f in _first_epoch(source, index)
        )
        inverse_temperature = loudness_weight / float(deviation[0]) if deviation[0] > 1e-6 else 0.0
    if standardize in ("global", "both"):
        mean, std = _statistics(
            _centre(f, inverse_temperature) for f in _first_epoch(source, index)
        )
        std = _not_too_small(std, estimator)
    else:
        n_features = len(source.clean_frames(index[:1])[0])
        mean, std = np.zeros(n_features), np.ones(n_features)
    as_tensor = [torch.from_numpy(v.astype(np.float32)) for v in (mean, std)]
    return Standardize(*as_tensor, inverse_temperature=inverse_temperature)


def _not_too_small(std: np.ndarray, estimator: Any) -> np.ndarray:
    """Limit standard deviations from below, so that rounding and bands without sound stay small."""
    std = np.where(std > ROUNDING * std.max(), std, std.max())
    maker = frame_maker(estimator.encoder_) if reads_audio(estimator) else None
    in_one_unit = getattr(maker, "scale", None) in ("db", "log")
    return np.maximum(std, LEAST_DEVIATION * np.median(std)) if in_one_unit else std


def _first_epoch(source: Source, index: np.ndarray) -> Iterator[np.ndarray]:
    for part in gen_batches(len(index), 256):
        yield from source.frames(index[part], 0)


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
