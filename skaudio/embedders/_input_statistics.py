"""Whitened statistics of the input beside the output of a siamese network."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.utils import gen_batches

from skaudio import nets
from skaudio._neural import RowReader, Source, predict_rows
from skaudio.embedders._wccn import covariance_within, whitening

# Shrinkage of the covariance within classes.
SHRINKAGE = 0.3
# Features are standardised: statistics that vary less than this are constant up to rounding.
LEAST_DEVIATION = 0.01
# Number of recordings whose frames are in memory at a time.
BLOCK = 256


def has_statistics(estimator: Any) -> bool:
    """Whether the rows hold statistics of the input, too."""
    pooling = (estimator.module_params or {}).get("pooling", "mean_std")
    possible = (
        isinstance(estimator.module, str)
        and estimator.module == "tdnn"
        and pooling == "mean_std"
        and estimator.unit_norm
    )
    if estimator.statistics is True and not possible:
        raise ValueError(
            "statistics=True: expected module='tdnn' with the pooling 'mean_std', and "
            f"unit_norm=True, found module={estimator.module!r}, pooling={pooling!r}, "
            f"unit_norm={estimator.unit_norm!r}."
        )
    return possible and bool(estimator.statistics)


def whiten_statistics(estimator: Any, source: Source, index: np.ndarray, codes: np.ndarray) -> None:
    """Learn the map of the statistics of the input from the recordings ``index`` of a source."""
    module = estimator.net_.module_
    if not isinstance(module.net, nets.StatisticsTDNN):
        estimator._n_features_out = estimator.embedding_size
        return
    layer = module.net.whitening
    reader = RowReader(features=True)
    parts = [
        predict_rows(module, source.clean_frames(index[block]), reader)[:, -layer.in_features :]
        for block in gen_batches(len(index), BLOCK)
    ]
    rows = np.concatenate(parts).astype(float)
    mean, deviation = rows.mean(axis=0), rows.std(axis=0)
    scale = 1 / np.maximum(deviation, LEAST_DEVIATION)
    covariance = covariance_within((rows - mean) * scale, codes)[0]
    if np.trace(covariance) > 0:
        matrix = scale[:, None] * whitening(covariance, SHRINKAGE)
    else:  # the recordings of each class are equal
        matrix = np.diag(scale)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(matrix.T))
        layer.bias.copy_(torch.from_numpy(-mean @ matrix))
    estimator._n_features_out = estimator.embedding_size + layer.out_features
