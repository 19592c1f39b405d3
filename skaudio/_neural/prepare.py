"""What comes before training: encoder, source of frames, standardisation, held-out part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from sklearn.model_selection import GroupShuffleSplit, ShuffleSplit, StratifiedShuffleSplit
from sklearn.utils import gen_batches

from skaudio._neural.predict import encoded_frames, reads_audio
from skaudio._neural.sources import AudioSource, FrameSource, Source, as_frames, decode_all
from skaudio._steps import steps_of
from skaudio.audio import check_recordings
from skaudio.augmentation import TrainingPath
from skaudio.nets import LOUDNESS_WEIGHT, Standardize, recording_mean

STANDARDIZE = ("auto", "global", "recording", "both", None)


def fit_encoder(estimator: Any, X: Any, y: Any) -> Any:
    """Return the estimator's encoder, on its device, fitted if it learns anything."""
    encoder = clone(estimator.encoder)
    if torch.device(estimator.device).type == "cuda":
        places = [name for name in encoder.get_params() if name.split("__")[-1] == "device"]
        encoder.set_params(**dict.fromkeys(places, estimator.device))
    if any(step.__sklearn_tags__().requires_fit for step in steps_of(encoder)):
        encoder.fit(X, y)
    return encoder


def _sample_rate(encoder: Any) -> float:
    for step in steps_of(encoder):
        # Augmentations have the parameter too; None there means the recordings' own.
        rate = getattr(step, "sample_rate", None)
        if rate is not None:
            return rate
    raise ValueError(
        f"encoder={encoder!r} has no step with a sample_rate: expected an encoder of skaudio "
        "(MFCC, MelSpectrogram...), or a Pipeline that ends in one."
    )


def make_source(estimator: Any, X: Any, y: Any, seed: int) -> Source:
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
    audio = decode_all(recordings, _sample_rate(estimator.encoder_))
    return AudioSource(audio, path, estimator.encoder_, seed)


def standardization(
    estimator: Any, source: Source, index: np.ndarray, loudness_weight: float = LOUDNESS_WEIGHT
) -> Standardize:
    """Learn the standardisation of frames on the training recordings, without augmentation.

    In a recording's own mean, where it is taken away, a frame that is one standard deviation louder
    counts ``exp(loudness_weight)`` times as much.
    """
    standardize = estimator.standardize
    if standardize not in STANDARDIZE:
        choices = ", ".join(map(repr, STANDARDIZE))
        raise ValueError(f"standardize={standardize!r}: expected one of {choices}.")
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
