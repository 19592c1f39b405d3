"""Running a trained module over recordings, in batches that do not show in the results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from skaudio._neural.batches import prediction_batches
from skaudio._neural.sources import as_frames
from skaudio.audio import check_recordings
from skaudio.frames import check_frames
from skaudio.nets import StandardizedNet


def reads_audio(estimator: Any) -> bool:
    """Whether an estimator takes recordings rather than frames."""
    return estimator.encoder is not None


def encoded_frames(estimator: Any, X: Any, *, reset: bool = False) -> list[np.ndarray]:
    """Return the frames of X on the clean path, for prediction."""
    if reads_audio(estimator):
        recordings = check_recordings(estimator, X, reset=reset)
        return as_frames(estimator.encoder_.transform(list(recordings)))
    cause = f"pass encoder= to {type(estimator).__name__} for recordings (encoder=MFCC())."
    return check_frames(estimator, X, reset=reset, advice=cause)[0]


def uses_bfloat16(estimator: Any, net: nn.Module) -> bool:
    """Decide ``precision``: "auto" takes bfloat16 where it was measured to be faster.

    On CPUs with instructions for it that is convolution, by a third; recurrent layers lose.
    """
    if estimator.precision not in ("auto", "float32", "bfloat16"):
        raise ValueError(
            f"precision={estimator.precision!r}: expected 'auto', 'float32' or 'bfloat16'."
        )
    if estimator.precision != "auto":
        return estimator.precision == "bfloat16"
    if torch.device(estimator.device).type == "cuda":
        return torch.cuda.is_bf16_supported()
    kinds = {type(module) for module in net.modules()}
    convolves = any(issubclass(kind, nn.modules.conv._ConvNd) for kind in kinds)
    recurs = any(issubclass(kind, nn.RNNBase) for kind in kinds)
    on_cpu = torch.device(estimator.device).type == "cpu"
    return on_cpu and convolves and not recurs and torch.cpu._is_avx512_bf16_supported()


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
