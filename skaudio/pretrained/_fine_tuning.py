"""Training a pretrained net with a new head: the head first, or all at once."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from torch import nn

from skaudio._neural import (
    ClassLoss,
    LabelLoss,
    Labels,
    check_class_weights,
    fit_net,
    is_warm,
    label_weights,
    uses_bfloat16,
)
from skaudio.audio import Recordings
from skaudio.nets import Standardize
from skaudio.pretrained._chunk_source import (
    ChunkBatches,
    ChunkValidationBatches,
    augmented,
    encoded_once,
    of_rows,
)
from skaudio.pretrained._chunking import chunking_of
from skaudio.pretrained._extraction import POOLS, Extraction, in_order
from skaudio.pretrained._fine_tuning_net import FineTuningNet
from skaudio.pretrained._inference import inference_net
from skaudio.pretrained._lr_factors import HEAD, lr_factors, n_frozen
from skaudio.pretrained._pretrained_net import PretrainedNet
from skaudio.pretrained._registry import load_net

# Standard deviations of embeddings are taken to be at least this share of the median one.
LEAST_DEVIATION = 0.1


class FineTuning:
    """One fit of a `FineTunedClassifier`, which gets ``net_``, ``history_`` and ``n_iter_``.

    Parameters
    ----------
    estimator : FineTunedClassifier
    recordings : Recordings
    labels : Labels
    groups : array-like or None
    seed : int
    """

    def __init__(
        self, estimator: Any, recordings: Recordings, labels: Labels, groups: Any, seed: int
    ):
        self._estimator = estimator
        self._recordings = recordings
        self._seed = seed
        several = labels.is_multilabel
        self._common: dict[str, Any] = {
            "targets": labels.targets if several else labels.targets.argmax(axis=1),
            "criterion": _loss(estimator, labels),
            "score": _subset_accuracy if several else _accuracy,
            "seed": seed,
            "classes": labels.classes(),
            "groups": groups,
            "batches": ChunkBatches,
            "validation_batches": ChunkValidationBatches,
        }

    def run(self) -> None:
        """Train a new net, or a copy of the estimator's own with ``warm_start``."""
        estimator = self._estimator
        if is_warm(estimator):
            net = copy.deepcopy(estimator.net_.module_)
            self._train(net.trunk, self._rates(net.trunk), lambda index: net)
            return
        trunk = load_net(
            estimator.model, estimator.weights, estimator.model_params, estimator.data_home
        )
        rates = self._rates(trunk)
        rows = embed(estimator, trunk, self._recordings)

        def new(index: np.ndarray) -> FineTuningNet:
            return build(estimator, trunk, standardization(rows[index]))

        of_head = {name: factor for name, factor in rates.items() if name in HEAD}
        if not (estimator.unfreeze == "staged" and 0 < len(of_head) < len(rates)):
            self._train(trunk, rates, new, rows)
            return
        head = copy.copy(estimator)
        head.max_epochs = estimator.head_epochs
        source = of_rows(rows, self._recordings)
        self._fit(head, source, new, of_head, len(trunk.stages()))
        net = head.net_.module_
        self._train(net.trunk, rates, lambda index: net)
        _put_before(head.net_.history, estimator)

    def _rates(self, trunk: PretrainedNet) -> dict[str, float]:
        return lr_factors(trunk, self._estimator.unfreeze, self._estimator.lr_multipliers)

    def _train(
        self,
        trunk: PretrainedNet,
        rates: dict[str, float],
        make: Callable[[np.ndarray], FineTuningNet],
        rows: np.ndarray | None = None,
    ) -> None:
        """Train with inputs of which as much as possible is computed once."""
        estimator, recordings = self._estimator, self._recordings
        shape: tuple[int, ...] = ()
        source: Any
        if estimator.augmentation is not None:
            first, augmentation = 0, clone(estimator.augmentation)
            work = extraction(estimator, trunk)
            source = augmented(work, recordings, augmentation, self._seed)
        elif (first := n_frozen(trunk, rates)) == len(trunk.stages()):
            rows = embed(estimator, trunk, recordings) if rows is None else rows
            source = of_rows(rows, recordings)
        else:
            source, shape = encoded_once(extraction(estimator, trunk), recordings, first)
        self._fit(estimator, source, make, rates, first, shape)

    def _fit(
        self,
        estimator: Any,
        source: Any,
        make: Callable[[np.ndarray], FineTuningNet],
        rates: dict[str, float],
        first: int,
        shape: tuple[int, ...] = (),
    ) -> None:
        def module(index: np.ndarray) -> FineTuningNet:
            net = make(index)
            net.train_only(rates)
            net.first, net.shape = first, shape
            net.reduced = uses_bfloat16(estimator, net.trunk)
            net.freeze_batch_norm = estimator.freeze_batch_norm
            return net

        fit_net(estimator, source, module=module, **self._common)


def build(estimator: Any, trunk: PretrainedNet, standardize: Standardize) -> FineTuningNet:
    """Return a net with a new head for the labels of an estimator."""
    return FineTuningNet(
        trunk,
        standardize,
        len(estimator.labels_),
        pooling=estimator.pooling,
        dropout=estimator.dropout,
    )


def standardization(rows: np.ndarray) -> Standardize:
    """Return the standardisation of embeddings that is learned on those of the training part."""
    std = rows.std(axis=0, dtype=np.float64)
    std = np.maximum(std, LEAST_DEVIATION * np.median(std))
    mean = rows.mean(axis=0, dtype=np.float64)
    return Standardize(*(torch.from_numpy(v.astype(np.float32)) for v in (mean, std)))


def extraction(estimator: Any, trunk: PretrainedNet) -> Extraction:
    """Return what maps a net over the chunks of recordings: by default, to embeddings."""
    device = next(trunk.parameters()).device
    if device.type == "cpu":  # a net that was trained is on its device
        device = torch.device(estimator.device)
    fast = inference_net(trunk, str(device), torch.float32)
    chunking = chunking_of(trunk, estimator.chunk_duration, estimator.chunk_hop)
    return Extraction(fast, chunking, lambda net, x: net(x).embedding)


def embed(estimator: Any, trunk: PretrainedNet, recordings: Recordings) -> np.ndarray:
    """Return the pooled embedding of each recording, (n_recordings, n_features)."""
    pool = POOLS[estimator.pooling]
    rows = [
        pool(in_order(chunks, 0), axis=1) for chunks, _ in extraction(estimator, trunk)(recordings)
    ]
    return np.stack(rows)


def _loss(estimator: Any, labels: Labels) -> nn.Module:
    weights = label_weights(labels, estimator.class_weight)
    check_class_weights(estimator, weights.numpy())
    smoothing = estimator.label_smoothing
    if labels.is_multilabel:
        return LabelLoss(weights, label_smoothing=smoothing)
    weighted = estimator.class_weight is not None
    return ClassLoss(weight=weights[:, 1] if weighted else None, label_smoothing=smoothing)


def _accuracy(outputs: list[np.ndarray], targets: list[np.ndarray]) -> float:
    return float(np.mean(np.concatenate(outputs).argmax(axis=1) == np.concatenate(targets)))


def _subset_accuracy(outputs: list[np.ndarray], targets: list[np.ndarray]) -> float:
    """Return the share of recordings all of whose labels are right."""
    right = (np.concatenate(outputs) > 0) == (np.concatenate(targets) > 0.5)
    return float(np.mean(right.all(axis=1)))


def _put_before(history: Any, estimator: Any) -> None:
    """Put the epochs of a training before those of the estimator."""
    own = estimator.net_.history
    for row in own:
        row["epoch"] += len(history)
    own[:0] = list(history)
    estimator.n_iter_ = len(own)
