"""Training and running a torch module over recordings: the one file that talks to skorch.

An estimator asks for three things: `prepare` turns X into a source of frames, `train` fits a module
on it and returns the skorch net, `run` maps a trained module over frames.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit, StratifiedShuffleSplit
from torch import nn

from skaudio._batches import (
    AudioSource,
    FrameSource,
    Source,
    TrainingBatches,
    TrainingSet,
    ValidationBatches,
    as_frames,
    decode_once,
    prediction_batches,
)
from skaudio.audio import check_recordings
from skaudio.augmentation import TrainingPath
from skaudio.frames import check_frames
from skaudio.nets import Standardize, StandardizedNet

# torch's random state belongs to the process: one training at a time may hold it.
_RANDOM_STATE = threading.RLock()

STANDARDIZE = ("auto", "global", "recording", "both", None)


@contextlib.contextmanager
def seeded(seed: int, device: str) -> Iterator[None]:
    """Run with torch's generators seeded, and leave them as they were."""
    kind = torch.device(device)
    with _RANDOM_STATE, torch.random.fork_rng([kind] if kind.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def reads_audio(estimator: Any) -> bool:
    """Whether an estimator takes recordings rather than frames."""
    return estimator.encoder is not None


def fit_encoder(estimator: Any, X: Any, y: Any) -> Any:
    """Return the estimator's encoder, on its device, fitted if it learns anything."""
    encoder = clone(estimator.encoder)
    if torch.device(estimator.device).type == "cuda":
        places = [name for name in encoder.get_params() if name.split("__")[-1] == "device"]
        encoder.set_params(**dict.fromkeys(places, estimator.device))
    if any(step.__sklearn_tags__().requires_fit for step in TrainingPath(encoder).steps):
        encoder.fit(X, y)
    return encoder


def _sample_rate(encoder: Any) -> float:
    for step in TrainingPath(encoder).steps:
        # Augmentations have the parameter too; None there means the recordings' own.
        rate = getattr(step, "sample_rate", None)
        if rate is not None:
            return rate
    raise ValueError(
        f"encoder={encoder!r} has no step with a sample_rate: expected an encoder of skaudio "
        "(MFCC, MelSpectrogram...), or a Pipeline that ends in one."
    )


def prepare(estimator: Any, X: Any, y: Any, seed: int) -> Source:
    """Return where training finds its frames; sets the estimator's ``encoder_``.

    Everything is decoded here, so that a recording that cannot be is reported before the first
    epoch. Without anything random in the encoder, frames are computed once.
    """
    if not reads_audio(estimator):
        return FrameSource(encoded_frames(estimator, X, reset=True))
    recordings = check_recordings(estimator, X, reset=True)
    estimator.encoder_ = fit_encoder(estimator, X, y)
    path = TrainingPath(estimator.encoder_)
    if not path.is_random:
        return FrameSource(as_frames(estimator.encoder_.transform(list(recordings))))
    audio = decode_once(recordings, _sample_rate(estimator.encoder_))
    return AudioSource(audio, path, estimator.encoder_, seed)


def encoded_frames(estimator: Any, X: Any, *, reset: bool = False) -> list[np.ndarray]:
    """Return the frames of X on the clean path, for prediction."""
    if reads_audio(estimator):
        recordings = check_recordings(estimator, X, reset=reset)
        return as_frames(estimator.encoder_.transform(list(recordings)))
    cause = f"pass encoder= to {type(estimator).__name__} for recordings (encoder=MFCC())."
    return check_frames(estimator, X, reset=reset, advice=cause)[0]


def standardization(estimator: Any, source: Source, index: np.ndarray) -> Standardize:
    """Learn the standardisation of frames on the training recordings, without augmentation."""
    how = estimator.standardize
    if how not in STANDARDIZE:
        choices = ", ".join(map(repr, STANDARDIZE))
        raise ValueError(f"standardize={how!r}: expected one of {choices}.")
    if how == "auto":
        how = "both" if reads_audio(estimator) else "global"
    per_recording = how in ("recording", "both")
    total: Any = 0.0
    squares: Any = 0.0
    count = 0
    for start in range(0, len(index), 256):
        for item in source.clean_frames(index[start : start + 256]):
            frames = item.astype(np.float64)
            if per_recording:
                frames -= frames.mean(axis=1, keepdims=True)
            total = total + frames.sum(axis=1)
            squares = squares + np.square(frames).sum(axis=1)
            count += frames.shape[1]
    mean = total / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 0.0))
    if how not in ("global", "both"):
        mean, std = np.zeros_like(mean), np.ones_like(std)
    as_tensor = [torch.from_numpy(np.asarray(v, dtype=np.float32)) for v in (mean, std)]
    return Standardize(*as_tensor, per_recording=per_recording)


def hold_out(
    estimator: Any, n: int, stratify: Any, groups: Any, seed: int
) -> tuple[np.ndarray, np.ndarray | None]:
    """Split positions into training and, with ``early_stopping``, validation.

    Whole groups are held out where groups are given; else classes keep their shares.
    """
    if not estimator.early_stopping:
        return np.arange(n), None
    fraction = estimator.validation_fraction
    if not 0 < fraction < 1:
        raise ValueError(f"validation_fraction={fraction!r}: expected a number between 0 and 1.")
    sizes = {"n_splits": 1, "test_size": fraction, "random_state": seed % (1 << 32)}
    if groups is not None:
        splitter: Any = GroupShuffleSplit(**sizes)
    elif stratify is not None and np.unique(stratify, return_counts=True)[1].min() > 1:
        splitter = StratifiedShuffleSplit(**sizes)
    else:
        splitter = ShuffleSplit(**sizes)
    return next(splitter.split(np.zeros(n), stratify, groups))


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
    n_steps = len(TrainingBatches(training, estimator.batch_size)) * estimator.max_epochs
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
        "iterator_train": TrainingBatches,
        "iterator_valid": ValidationBatches,
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


def uses_bfloat16(estimator: Any) -> bool:
    """Decide ``precision``: "auto" takes bfloat16 where the hardware multiplies matrices in it."""
    if estimator.precision not in ("auto", "float32", "bfloat16"):
        raise ValueError(
            f"precision={estimator.precision!r}: expected 'auto', 'float32' or 'bfloat16'."
        )
    if estimator.precision != "auto":
        return estimator.precision == "bfloat16"
    if torch.device(estimator.device).type == "cuda":
        return torch.cuda.is_bf16_supported()
    return torch.device(estimator.device).type == "cpu" and torch.cpu._is_amx_tile_supported()


@torch.inference_mode()
def run(
    module: StandardizedNet,
    frames: Sequence[np.ndarray],
    device: str,
    call: Callable[[nn.Module, torch.Tensor, torch.Tensor], torch.Tensor] | None = None,
) -> np.ndarray:
    """Map a trained module over sequences; one row each, in their order."""
    module.eval()
    expected = len(module.standardize.mean)
    if len(frames[0]) != expected:
        raise ValueError(
            f"X has {len(frames[0])} features per frame, expected the {expected} of fit. Were the "
            "recordings encoded differently?"
        )
    out: np.ndarray | None = None
    for positions, x, lengths in prediction_batches(frames):
        x, lengths = x.to(device), lengths.to(device)
        rows = module(x, lengths) if call is None else call(module, x, lengths)
        rows = rows[: len(positions)].float().cpu().numpy()
        if out is None:
            out = np.empty((len(frames), *rows.shape[1:]), np.float32)
        out[positions] = rows
    assert out is not None
    return out
