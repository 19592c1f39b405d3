"""Training an estimator on pairs: drawn anew in each epoch, or as given."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_y

from skaudio._neural import (
    Classes,
    FrameSource,
    Source,
    TrainingBatches,
    ValidationBatches,
    checked_frames,
    fit_net,
    fitting,
    make_source,
    reads_audio,
)
from skaudio._validation import check_same_lengths, check_target
from skaudio.audio import check_recordings
from skaudio.embedders._pair_verification import check_pair_labels, verification_score
from skaudio.embedders._pairs import (
    DrawnPairBatches,
    DrawnPairValidation,
    PairSource,
    check_drawable,
)
from skaudio.nets import ContrastiveLoss, PairLoss, pair_distance


def fit_drawn_pairs(estimator: Any, X: Any, y: Any, groups: Any) -> None:
    """Train on pairs that are drawn anew in each epoch, from classes y."""
    check_target(estimator, y, groups, advice="Pairs without class labels go to fit_pairs.")
    y = _check_y(y, multi_output=False, estimator=estimator)
    check_classification_targets(y)
    names, codes = np.unique(y, return_inverse=True)
    with fitting(estimator) as seed:
        check_drawable(codes, "y")
        source = make_source(estimator, X, y, seed, groups=groups)
        _fit(
            estimator,
            source,
            codes,
            seed=seed,
            classes=Classes.of_codes(names.tolist(), codes),
            groups=groups,
            batches=partial(DrawnPairBatches, n_pairs=estimator.n_pairs),
            validation_batches=partial(DrawnPairValidation, n_pairs=estimator.n_pairs),
        )


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
            seed=seed,
            classes=Classes(["pairs of two classes", "pairs of one"], same[:, None] == [0, 1]),
            groups=groups,
            batches=TrainingBatches,
            validation_batches=ValidationBatches,
        )


def _fit(estimator: Any, source: Source, targets: np.ndarray, **how: Any) -> None:
    loss = ContrastiveLoss(
        margin=estimator.margin, hinge=estimator.hinge, distance=estimator.distance
    )
    fit_net(
        estimator,
        source,
        targets,
        build=estimator._build,
        criterion=PairLoss(loss, unit_norm=estimator.unit_norm),
        score=partial(_score_of_pairs, distance=estimator.distance),
        **how,
    )
    estimator._n_features_out = estimator.embedding_size
    estimator.threshold_ = estimator.margin / 2


def _score_of_pairs(outputs: list[np.ndarray], targets: list[np.ndarray], distance: str) -> float:
    """Return one minus the equal error rate over the pairs of batches, left halves first."""
    halves = (torch.from_numpy(rows).chunk(2) for rows in outputs)
    distances = np.concatenate([pair_distance(a, b, distance).numpy() for a, b in halves])
    same = np.concatenate([codes[:, 0] == codes[:, 1] for codes in targets])
    return verification_score(same, distances)


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
    # Once more: `make_source` has forgotten the width of a table.
    check_recordings(estimator, left, reset=True)
    return source
