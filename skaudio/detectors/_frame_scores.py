"""Scores of the frames of recordings: short recordings in batches, long ones in blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from skaudio._neural import predict_frames, prediction_frames


def frame_scores(estimator: Any, X: Any) -> tuple[list[np.ndarray], list[int]]:
    """Return scores (n_scores, n_frames') of each recording, and its number of frames.

    Recordings longer than ``block_duration`` are read and scored in blocks. The others are encoded
    and scored in batches of recordings.
    """
    parts = prediction_frames(estimator, X, seconds=estimator.block_duration)
    block = max(round(estimator.block_duration / estimator._input_step()), 1)
    scores = predict_frames(
        estimator.net_.module_,
        parts,
        _call,
        block=block,
        verbose=estimator.verbose,
    )
    counts = [p.shape[1] if isinstance(p, np.ndarray) else p.n_frames for p in parts]
    return scores, counts


def _call(module: Any, x: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    values, counts = module.forward_frames(x, lengths)
    return values, counts
