"""A CRNN over a recording of any length, in memory that does not grow with it.

No seams: the convolutions get as many frames of the neighbouring blocks as they see; the recurrent
layers hand their state from block to block, the backward ones from the end of the recording to its
beginning. What lies between two layers is on disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from skaudio.audio import Recording
from skaudio.detectors._frame_files import FrameFile, Frames
from skaudio.encoders import LongEncoding
from skaudio.nets import Standardize, StandardizedNet

Tick = Callable[[int], Any]


class EncodedFrames:
    """The frames of a long recording, encoded piece by piece."""

    def __init__(self, encoder: Any, recording: Recording):
        self._encoding = LongEncoding(encoder, recording)
        self._file = FrameFile(self._encoding.n_rows)
        for piece in self._encoding.pieces():
            self._file.write(self._file.n_frames, piece.T)
        self.n_frames = self._file.n_frames

    def read(self, start: int, stop: int) -> np.ndarray:
        return self._encoding.finish(np.ascontiguousarray(self._file.read(start, stop).T)).T


def n_steps(net: Any, n_frames: int, block: int) -> int:
    """Return how often `long_scores` calls ``tick``."""
    n_blocks = -(-n_frames // whole_strides(net, block))
    return n_blocks * (2 + len(net.forwards) + len(net.backwards))


def whole_strides(net: Any, block: int) -> int:
    """Return a number of frames near ``block`` that is a whole number of strides."""
    return max(block // net.frame_stride, 1) * net.frame_stride


@torch.inference_mode()
def long_scores(
    module: StandardizedNet, frames: Frames, *, block: int, device: str, tick: Tick
) -> np.ndarray:
    """Return the scores (n_scores, n_frames') that the module gives to a whole recording.

    Parameters
    ----------
    module : StandardizedNet of a CRNN
    frames : Frames
    block : int
        Frames to work on at a time.
    device : str
    tick : callable
        Called with 1 after each block of each stage.
    """
    module.eval()
    net, block = module.net, whole_strides(module.net, block)
    parts = [_local(module, frames, block, device, tick)]
    step = block // net.frame_stride
    for i, layer in enumerate(net.forwards):
        ahead = _recur(layer, parts, step, device, tick, backward=False)
        behind = []
        if len(net.backwards):
            behind = [_recur(net.backwards[i], parts, step, device, tick, backward=True)]
        parts = [ahead, *behind]
    scores = []
    for start, stop in _blocks(parts[0].n_frames, step):
        scores.append(net.score(_read(parts, start, stop, device))[0].float().cpu().numpy())
        tick(1)
    return np.concatenate(scores, axis=1)


def _blocks(n: int, step: int) -> Iterator[tuple[int, int]]:
    return ((start, min(start + step, n)) for start in range(0, n, step))


def _local(
    module: StandardizedNet, frames: Frames, block: int, device: str, tick: Tick
) -> FrameFile:
    """Run what sees a few frames to either side."""
    net, standardize = module.net, module.standardize
    own = _own_mean(standardize, frames, block)
    out = FrameFile(net.local_size)
    for start, stop in _blocks(frames.n_frames, block):
        first, last = max(start - net.reach, 0), min(stop + net.reach, frames.n_frames)
        x = torch.from_numpy(frames.read(first, last) - own).T[None].to(device)
        x = (x - standardize.mean[:, None]) * standardize.scale[:, None]
        local = net.forward_local(x, torch.tensor([x.shape[-1]], device=device))[0][0]
        skip = (start - first) // net.frame_stride
        count = -(-(stop - start) // net.frame_stride)
        out.write(start // net.frame_stride, local[skip : skip + count].float().cpu().numpy())
        tick(1)
    return out


def _own_mean(standardize: Standardize, frames: Frames, block: int) -> np.ndarray:
    """Return what the per-recording standardisation takes away, of the whole recording."""
    total = np.zeros(len(standardize.mean))
    if standardize.inverse_temperature is not None:  # a detector's is 0: all frames count the same
        for start, stop in _blocks(frames.n_frames, block):
            total += frames.read(start, stop).sum(axis=0, dtype=np.float64)
    return (total / frames.n_frames).astype(np.float32)


def _recur(
    layer: Any, parts: list[FrameFile], step: int, device: str, tick: Tick, *, backward: bool
) -> FrameFile:
    """Run one direction of a recurrent layer, its state handed on from block to block."""
    out = FrameFile(layer.hidden_size)
    state = None
    blocks = list(_blocks(parts[0].n_frames, step))
    for start, stop in reversed(blocks) if backward else blocks:
        x = _read(parts, start, stop, device)
        y, state = layer(x.flip(1) if backward else x, state)
        y = y.flip(1) if backward else y
        out.write(start, y[0].cpu().numpy())
        tick(1)
    return out


def _read(parts: list[FrameFile], start: int, stop: int, device: str) -> torch.Tensor:
    rows = np.concatenate([part.read(start, stop) for part in parts], axis=1)
    return torch.from_numpy(rows)[None].to(device)
