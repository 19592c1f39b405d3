"""Training of a siamese embedder: on batches of classes, on drawn pairs, or on given pairs.

The recordings that a loss compares are in one batch, which passes through the network once.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_y
from torch import nn

from skaudio import nets
from skaudio._neural import (
    MODULE_CLASS,
    Classes,
    FrameSource,
    Source,
    checked_frames,
    fit_net,
    fitting,
    make_source,
    reads_audio,
)
from skaudio._state import seeded
from skaudio._validation import (
    POSITIVE,
    check_same_lengths,
    check_target,
    choice,
    count,
    flag,
    number,
    sequence,
)
from skaudio.audio import check_recordings
from skaudio.embedders._class_batches import ClassBatches, ClassValidation
from skaudio.embedders._copies import with_copies
from skaudio.embedders._input_statistics import has_statistics, whiten_statistics
from skaudio.embedders._pair_verification import check_pair_labels, verification_score
from skaudio.embedders._pairs import (
    DrawnPairBatches,
    DrawnPairValidation,
    GivenPairBatches,
    GivenPairValidation,
    PairSource,
    check_drawable,
)
from skaudio.nets import (
    AllPairsLoss,
    AngularMarginLoss,
    ContrastiveLoss,
    PairLoss,
    SupervisedContrastiveLoss,
    pair_distance,
)

MODULES = {
    "tdnn": nets.TDNN,
    "lenet": nets.LeNet,
    "gru": nets.GRU,
    "statistics": nets.StatisticsPooling,
}
# Margins with margin=None: a distance, and an angle in radians.
MARGIN, ANGULAR_MARGIN = 1.0, 0.2
# Speeds with speeds="auto", from Ko et al. 2015, "Audio augmentation for speech recognition".
SPEEDS = (0.9, 1.1)
CONSTRAINTS: dict[str, Any] = {
    "loss": choice("supervised_contrastive", "angular_margin", "all_pairs", "pairs"),
    "module": choice(*MODULES) | MODULE_CLASS,
    "speeds": sequence("sequence of float", "numbers from 0.1 to 10", number(0.1, 10))
    | choice("auto", None),
    "temperature": POSITIVE,
    "n_per_class": count(2),
    "hinge": choice("squared", "linear"),
    "margin": POSITIVE | choice(None),
    "distance": choice("euclidean", "cosine"),
    "n_pairs": count() | choice(None),
    "statistics": flag() | choice("auto"),
}


def fit_classes(estimator: Any, X: Any, y: Any, groups: Any) -> None:
    """Train on recordings X of classes y."""
    check_target(estimator, y, groups, advice="Pairs without class labels go to fit_pairs.")
    y = _check_y(y, multi_output=False, estimator=estimator)
    check_classification_targets(y)
    names, codes = np.unique(y, return_inverse=True)
    with fitting(estimator) as seed:
        speeds = _speeds_of(estimator)
        check_drawable(codes, "y")
        source = make_source(estimator, X, y, seed, groups=groups)
        if speeds:
            recordings = check_recordings(estimator, X, reset=True)
            source = with_copies(source, recordings, estimator.encoder_, speeds, seed)
        if estimator.loss == "pairs":
            kinds: Any = (DrawnPairBatches, DrawnPairValidation)
            how = {"n_pairs": estimator.n_pairs}
        else:
            kinds = (ClassBatches, ClassValidation)
            how = {"n_per_class": estimator.n_per_class}
        with seeded(seed):  # the angular margin has weights
            loss = _make_loss(estimator, len(names) * (1 + len(speeds)))
        _fit(
            estimator,
            source,
            codes,
            criterion=loss,
            seed=seed,
            classes=Classes.of_codes(names.tolist(), codes),
            groups=groups,
            batches=partial(kinds[0], n_copies=len(speeds), **how),
            validation_batches=partial(kinds[1], **how),
        )
        whiten_statistics(estimator, source, np.arange(len(codes)), codes)


def _speeds_of(estimator: Any) -> tuple[float, ...]:
    """Return the speeds of the copies of each recording."""
    speeds = estimator.speeds
    if isinstance(speeds, str):  # "auto"
        return SPEEDS if reads_audio(estimator) else ()
    if speeds is not None and len(speeds) and not reads_audio(estimator):
        raise ValueError(
            f"speeds={speeds!r}: X holds frames, which cannot be played at another speed. Pass "
            "encoder= and recordings, or speeds=None."
        )
    return tuple(map(float, speeds or ()))


def _make_loss(estimator: Any, n_classes: int) -> nn.Module:
    """Return the loss of embeddings (n_recordings, embedding_size) and their classes."""
    if estimator.loss == "supervised_contrastive":
        return SupervisedContrastiveLoss(temperature=estimator.temperature)
    if estimator.loss == "angular_margin":
        margin = ANGULAR_MARGIN if estimator.margin is None else estimator.margin
        return _OfFirstColumns(
            AngularMarginLoss(estimator.embedding_size, n_classes, margin=margin),
            estimator.embedding_size,
        )
    kind = PairLoss if estimator.loss == "pairs" else AllPairsLoss
    return kind(_contrastive(estimator), unit_norm=estimator.unit_norm)


class _OfFirstColumns(nn.Module):
    """The loss of what is trained: in evaluation, `StatisticsTDNN` has columns beside it."""

    def __init__(self, loss: nn.Module, n_columns: int) -> None:
        super().__init__()
        self.loss = loss
        self.n_columns = n_columns

    def forward(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        loss: torch.Tensor = self.loss(outputs[:, : self.n_columns], targets)
        return loss


def _contrastive(estimator: Any) -> ContrastiveLoss:
    margin = MARGIN if estimator.margin is None else estimator.margin
    return ContrastiveLoss(margin=margin, hinge=estimator.hinge, distance=estimator.distance)


def fit_given_pairs(estimator: Any, left: Any, right: Any, same: Any, groups: Any) -> None:
    """Train on the same pairs in each epoch."""
    same = check_pair_labels(left, right, same)
    check_target(estimator, same, groups)
    check_same_lengths(same=same, groups=groups)
    if same.all() or not same.any():
        kind = "two classes (False)" if same.all() else "one class (True)"
        raise ValueError(f"same holds no pair of {kind}: expected pairs of both kinds.")
    n_pairs = len(same)
    with fitting(estimator) as seed:
        halves = _source_of_halves(estimator, left, right, seed)
        _fit(
            estimator,
            PairSource(halves, np.arange(n_pairs), n_pairs + np.arange(n_pairs)),
            # `PairLoss` compares the two columns: they are equal where a pair is of one class.
            np.column_stack([np.zeros(n_pairs, np.int64), ~same]),
            criterion=PairLoss(_contrastive(estimator), unit_norm=estimator.unit_norm),
            seed=seed,
            classes=Classes(["pairs of two classes", "pairs of one"], same[:, None] == [0, 1]),
            groups=groups,
            batches=GivenPairBatches,
            validation_batches=GivenPairValidation,
        )
        # The recordings of a pair of one class are a class.
        pairs = np.flatnonzero(same)
        both = np.concatenate([pairs, n_pairs + pairs])
        whiten_statistics(estimator, halves, both, np.tile(np.arange(len(pairs)), 2))


def _fit(estimator: Any, source: Source, targets: np.ndarray, **how: Any) -> None:
    fit_net(
        estimator,
        source,
        targets,
        build=estimator._build,
        score=partial(
            _score_of_batches, distance=estimator.distance, unit_norm=estimator.unit_norm
        ),
        **how,
    )
    estimator.threshold_ = 0.5


def build_net(estimator: Any, n_features: int) -> nn.Module:
    """Return a new network for frames of ``n_features`` features."""
    module = estimator.module
    kind = MODULES[module] if isinstance(module, str) else module
    if has_statistics(estimator):
        kind = nets.StatisticsTDNN
    net: nn.Module = kind(n_features, estimator.embedding_size, **(estimator.module_params or {}))
    return net


def _score_of_batches(
    outputs: list[np.ndarray], targets: list[np.ndarray], distance: str, unit_norm: bool
) -> float:
    """Return one minus the equal error rate over the pairs of batches."""
    distances, same = [], []
    for rows, codes in zip(map(torch.from_numpy, outputs), targets, strict=True):
        if unit_norm:
            rows = nn.functional.normalize(rows, dim=1)
        if codes.ndim == 2:  # pairs, all the left halves first
            left, right = rows.chunk(2)
            same.append(codes[:, 0] == codes[:, 1])
        else:
            i, j = np.triu_indices(len(codes), 1)
            left, right = rows[i], rows[j]
            same.append(codes[i] == codes[j])
        distances.append(pair_distance(left, right, distance).numpy())
    return verification_score(np.concatenate(same), np.concatenate(distances))


def _source_of_halves(estimator: Any, left: Any, right: Any, seed: int) -> Source:
    """Return the recordings of ``left``, then those of ``right``, as one source."""
    if not reads_audio(estimator):
        frames = checked_frames(estimator, left, reset=True) + checked_frames(estimator, right)
        names = [f"{side} recording {i}" for side in ("left", "right") for i in range(len(left))]
        return FrameSource(frames, names)
    halves = [
        check_recordings(estimator, left, reset=True),
        check_recordings(estimator, right, reset=False),
    ]
    named = [
        replace(recording, name=f"{side} {recording.name}")
        for side, half in zip(("left", "right"), halves, strict=True)
        for recording in half
    ]
    source: Source = make_source(estimator, named, None, seed)
    # Once more, because `make_source` has reset the number of columns.
    check_recordings(estimator, left, reset=True)
    return source
