"""Scores of the frames of recordings, short ones in batches, long ones piece by piece."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from skaudio._neural import as_frames, encoded_frames, predict_frames, reads_audio
from skaudio._parallel import progress_bar
from skaudio._steps import is_augmentation, steps_of
from skaudio.audio import check_recordings, seconds_of
from skaudio.detectors._frame_files import ArrayFrames, Frames
from skaudio.detectors._streaming_scores import EncodedFrames, long_scores, n_steps
from skaudio.encoders import can_stream


def frame_scores(estimator: Any, X: Any) -> tuple[list[np.ndarray], list[int]]:
    """Return scores (n_scores, n_frames') of each recording, and how many frames each has.

    A recording that lasts longer than ``block_duration`` never is in memory as a whole.
    """
    if not reads_audio(estimator):
        return _of_frames(estimator, encoded_frames(estimator, X))
    recordings = check_recordings(estimator, X, reset=False)
    encoder = only_encoder(estimator.encoder_)
    streams = [encoder is not None and is_long(estimator, encoder, r) for r in recordings]
    short = [r for r, long in zip(recordings, streams, strict=True) if not long]
    frames = as_frames(estimator.encoder_.transform(short)) if short else []
    scores, counts = _of_frames(estimator, frames) if short else ([], [])
    at = iter(zip(scores, counts, strict=True))
    results = [
        _of_long(estimator, EncodedFrames(encoder, recording)) if long else next(at)
        for recording, long in zip(recordings, streams, strict=True)
    ]
    return [r[0] for r in results], [r[1] for r in results]


def only_encoder(encoder: Any) -> Any:
    """Return the step that makes the frames, if it is the only one that acts in prediction."""
    steps = [step for step in steps_of(encoder) if not is_augmentation(step)]
    return steps[0] if len(steps) == 1 and can_stream(steps[0]) else None


def is_long(estimator: Any, encoder: Any, recording: Any) -> bool:
    """Whether a recording is to be read piece by piece, and can be."""
    seconds = seconds_of(recording, encoder.sample_rate)
    if seconds is None:
        return False
    seconds -= encoder.offset
    if encoder.duration is not None:
        seconds = min(seconds, encoder.duration)
    return seconds > estimator.block_duration


def _block_frames(estimator: Any) -> int:
    return max(round(estimator.block_duration / estimator._input_step()), 1)


def _of_frames(estimator: Any, frames: list[np.ndarray]) -> tuple[list[np.ndarray], list[int]]:
    limit = _block_frames(estimator)
    short = [f for f in frames if f.shape[1] <= limit]
    module = estimator.net_.module_
    scores = predict_frames(module, short, estimator.device, _call) if short else []
    at = iter(scores)
    out = [
        next(at) if f.shape[1] <= limit else _of_long(estimator, ArrayFrames(f))[0] for f in frames
    ]
    return out, [f.shape[1] for f in frames]


def _of_long(estimator: Any, frames: Frames) -> tuple[np.ndarray, int]:
    module, block = estimator.net_.module_, _block_frames(estimator)
    if frames.read(0, 1).shape[1] != len(module.standardize.mean):
        # The message of the other path, on a frame of this recording.
        predict_frames(module, [frames.read(0, 1).T], estimator.device, _call)
    n_blocks = n_steps(module.net, frames.n_frames, block)
    with progress_bar(n_blocks, estimator.verbose, "block") as tick:
        scores = long_scores(module, frames, block=block, device=estimator.device, tick=tick)
    return scores, frames.n_frames


def _call(module: Any, x: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return module.forward_frames(x, lengths)
