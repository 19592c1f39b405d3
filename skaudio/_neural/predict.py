"""Running a trained module over recordings.

Each sequence is padded to a length that depends on nothing but its own, in batches of one size. Its
result is therefore bit-equal whatever else is predicted with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from sklearn.utils import gen_batches
from torch import nn

from skaudio._neural.batches import pad
from skaudio._neural.checks import check_finite
from skaudio.nets import StandardizedNet

# Sequences padded to one length come in batches of one number of rows, because a matrix product may
# round by its shape; empty rows fill up the last batch. Short sequences come in PREDICT_ROWS rows,
# longer ones, of which fewer share a length, in fewer: about PREDICT_FRAMES frames, or LONG_ROWS
# rows if that is more and these are at most LONG_FRAMES frames, for the sake of memory.
PREDICT_ROWS = 32
PREDICT_FRAMES = 1 << 11
LONG_ROWS = 8
LONG_FRAMES = 1 << 15


@torch.inference_mode()
def predict_rows(
    module: StandardizedNet,
    frames: Sequence[np.ndarray],
    device: str,
    call: Callable[[nn.Module, torch.Tensor, torch.Tensor], torch.Tensor] | None = None,
) -> np.ndarray:
    """Map a trained module over sequences; one row each, in their order."""
    out: np.ndarray | None = None
    for positions, x, lengths in _batches(module, frames, device):
        rows = module(x, lengths) if call is None else call(module, x, lengths)
        rows = rows[: len(positions)].float().cpu().numpy()
        if out is None:
            out = np.empty((len(frames), *rows.shape[1:]), np.float32)
        out[positions] = rows
    assert out is not None
    check_finite(out, module, frames)
    return out


@torch.inference_mode()
def predict_frames(
    module: StandardizedNet,
    frames: Sequence[np.ndarray],
    device: str,
    call: Callable[[nn.Module, torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]],
) -> list[np.ndarray]:
    """Map a trained module over sequences, frame by frame.

    ``call(module, x, lengths)`` returns (n_sequences, n_outputs, n_frames) and their lengths; the
    result is one float32 array (n_outputs, n_frames) per sequence, in their order.
    """
    out: list[Any] = [None] * len(frames)
    for positions, x, lengths in _batches(module, frames, device):
        values, counts = call(module, x, lengths)
        rows = values.float().cpu().numpy()
        for position, row, count in zip(positions, rows, counts.tolist(), strict=False):
            out[position] = np.ascontiguousarray(row[:, :count])
    check_finite(out, module, frames)
    return out


def _batches(
    module: StandardizedNet, frames: Sequence[np.ndarray], device: str
) -> Iterator[tuple[np.ndarray, torch.Tensor, torch.Tensor]]:
    module.eval()
    expected = len(module.standardize.mean)
    if len(frames[0]) != expected:
        raise ValueError(
            f"X has {len(frames[0])} features per frame, expected the {expected} of fit. Were the "
            "recordings encoded differently?"
        )
    for positions, x, lengths in prediction_batches(frames):
        yield positions, x.to(device), lengths.to(device)


def padded_length(n_frames: int) -> int:
    """Return the length a sequence is padded to for prediction: at most an eighth more, or 8."""
    step = max(8, 1 << max(n_frames.bit_length() - 4, 0))
    return -(-n_frames // step) * step


def prediction_rows(n_frames: int) -> int:
    """Return how many sequences padded to this length go into one batch."""
    at_least = max(min(LONG_FRAMES // n_frames, LONG_ROWS), 1)
    return min(max(PREDICT_FRAMES // n_frames, at_least), PREDICT_ROWS)


def prediction_batches(
    frames: Sequence[np.ndarray],
) -> Iterator[tuple[np.ndarray, torch.Tensor, torch.Tensor]]:
    """Yield (positions, x, lengths) of batches whose shapes depend on each sequence alone."""
    lengths = np.array([padded_length(f.shape[1]) for f in frames])
    for n_frames in np.unique(lengths):
        bucket = np.flatnonzero(lengths == n_frames)
        n_rows = prediction_rows(int(n_frames))
        for part in gen_batches(len(bucket), n_rows):
            positions = bucket[part]
            x, counts = pad([frames[i] for i in positions], int(n_frames), n_rows)
            yield positions, x, counts
