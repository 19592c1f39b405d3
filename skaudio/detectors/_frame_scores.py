"""Scores of the frames of recordings: short ones in batches, long ones block by block.

A long recording takes memory for one block, plus the scores. Its numbers are those of the whole,
up to rounding: the convolutions see enough frames of the neighbouring blocks, and the recurrent
layers hand their state from block to block, the backward ones from the end of the recording to its
beginning. What one layer returns is kept on disk for the next.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from skaudio._neural import as_frames, encoded_frames, predict_frames, reads_audio
from skaudio._parallel import progress_bar
from skaudio._steps import is_augmentation, steps_of
from skaudio.audio import Recording, check_recordings, seconds_of
from skaudio.encoders import LongEncoding, can_stream
from skaudio.nets import Standardize, StandardizedNet

Tick = Callable[[int], Any]


def frame_scores(estimator: Any, X: Any) -> tuple[list[np.ndarray], list[int]]:
    """Return scores (n_scores, n_frames') of each recording, and how many frames each has.

    Recordings longer than ``block_duration`` are read and scored block by block; the others are
    encoded and scored in batches.
    """
    encoder = _only_encoder(estimator.encoder_) if reads_audio(estimator) else None
    parts = _encode(estimator, encoder, X)
    module, block = estimator.net_.module_, _block_frames(estimator)
    scores: list[Any] = [None] * len(parts)
    counts = [0] * len(parts)
    short = {
        i: part
        for i, part in enumerate(parts)
        if isinstance(part, np.ndarray) and part.shape[1] <= block
    }
    if short:
        batched = predict_frames(module, list(short.values()), estimator.device, _call)
        for i, rows in zip(short, batched, strict=True):
            scores[i], counts[i] = rows, short[i].shape[1]
    for i, part in enumerate(parts):
        if i not in short:
            # Made here, one at a time: each may hold a file as large as its frames.
            frames = (
                frames_in_memory(part)
                if isinstance(part, np.ndarray)
                else frames_on_disk(encoder, part)
            )
            scores[i], counts[i] = _score_long(estimator, frames, block), frames.n_frames
    return scores, counts


def _encode(estimator: Any, encoder: Any, X: Any) -> list[np.ndarray | Recording]:
    """Return the frames of each recording; a long one that can be streamed is left as it is."""
    if not reads_audio(estimator):
        return list(encoded_frames(estimator, X))
    parts: list[Any] = list(check_recordings(estimator, X, reset=False))
    whole = [i for i, part in enumerate(parts) if not _is_long(estimator, encoder, part)]
    if whole:
        some = [parts[i] for i in whole]
        encoded = as_frames(estimator.encoder_.transform(some), some)
        for i, frames in zip(whole, encoded, strict=True):
            parts[i] = frames
    return parts


def _only_encoder(encoder: Any) -> Any:
    """Return the step that makes the frames, if it can stream and no other acts in prediction."""
    steps = [step for step in steps_of(encoder) if not is_augmentation(step)]
    return steps[0] if len(steps) == 1 and can_stream(steps[0]) else None


def _is_long(estimator: Any, encoder: Any, recording: Recording) -> bool:
    """Whether a recording can be streamed, and the encoder takes more of it than a block."""
    seconds = None if encoder is None else seconds_of(recording, encoder.sample_rate)
    if seconds is None:
        return False
    seconds -= encoder.offset
    if encoder.duration is not None:
        seconds = min(seconds, encoder.duration)
    return bool(seconds > estimator.block_duration)


def _block_frames(estimator: Any) -> int:
    frames: int = round(estimator.block_duration / estimator._input_step())
    return max(frames, 1)


def _call(module: Any, x: torch.Tensor, lengths: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    values, counts = module.forward_frames(x, lengths)
    return values, counts


def _score_long(estimator: Any, frames: LongFrames, block: int) -> np.ndarray:
    module = estimator.net_.module_
    first = frames.read(0, 1)
    if first.shape[1] != len(module.standardize.mean):
        # Raises the error that short recordings get.
        predict_frames(module, [first.T], estimator.device, _call)
    n_blocks = -(-frames.n_frames // _whole_strides(module.net, block))
    n_stages = 2 + len(module.net.forwards) + len(module.net.backwards)
    with progress_bar(n_blocks * n_stages, estimator.verbose, "block") as tick:
        return long_scores(module, frames, block=block, device=estimator.device, tick=tick)


@dataclass
class LongFrames:
    """Frames of one recording that are read in pieces.

    Attributes
    ----------
    n_frames : int
    read : callable
        ``read(start, stop)`` returns frames (stop - start, n_features), float32.
    """

    n_frames: int
    read: Callable[[int, int], np.ndarray]


def frames_in_memory(frames: np.ndarray) -> LongFrames:
    """Read from an array (n_features, n_frames)."""
    return LongFrames(
        frames.shape[1], lambda start, stop: np.ascontiguousarray(frames[:, start:stop].T)
    )


def frames_on_disk(encoder: Any, recording: Recording) -> LongFrames:
    """Encode a recording piece by piece into a file, and read from that."""
    encoding = LongEncoding(encoder, recording)
    file = FrameFile(encoding.n_rows)
    for piece in encoding.pieces():
        file.write(file.n_frames, piece.T)
    return LongFrames(
        file.n_frames,
        lambda start, stop: encoding.finish(np.ascontiguousarray(file.read(start, stop).T)).T,
    )


class FrameFile:
    """Rows of float32 in a temporary file that is removed with the object.

    Read and written by calls, not mapped: mapped pages would count as memory of the process.
    """

    def __init__(self, width: int) -> None:
        self.n_frames = 0
        self._width = width
        self._file = tempfile.TemporaryFile()  # noqa: SIM115

    def write(self, start: int, rows: np.ndarray) -> None:
        """Write rows (n, width) from row number ``start`` on."""
        self._file.seek(4 * self._width * start)
        self._file.write(np.ascontiguousarray(rows, dtype=np.float32).tobytes())
        self.n_frames = max(self.n_frames, start + len(rows))

    def read(self, start: int, stop: int) -> np.ndarray:
        self._file.seek(4 * self._width * start)
        content = self._file.read(4 * self._width * (stop - start))
        return np.frombuffer(content, np.float32).reshape(-1, self._width).copy()

    def __del__(self) -> None:
        self._file.close()


@torch.inference_mode()
def long_scores(
    module: StandardizedNet, frames: LongFrames, *, block: int, device: str, tick: Tick
) -> np.ndarray:
    """Return the scores (n_scores, n_frames') that the module gives to a whole recording.

    Parameters
    ----------
    module : StandardizedNet of a CRNN
    frames : LongFrames
    block : int
        Frames to work on at a time.
    device : str
    tick : callable
        Called with 1 after each block of each stage: the convolutions, each direction of each
        recurrent layer, the scores.
    """
    module.eval()
    net: Any = module.net
    block = _whole_strides(net, block)
    inputs = [_run_local(module, frames, block, device, tick)]
    step = block // net.frame_stride
    for i, layer in enumerate(net.forwards):
        outputs = [_run_recurrent(layer, inputs, step, device, tick, backward=False)]
        if len(net.backwards):
            outputs.append(
                _run_recurrent(net.backwards[i], inputs, step, device, tick, backward=True)
            )
        inputs = outputs
    scores = []
    for start, stop in _blocks(inputs[0].n_frames, step):
        scores.append(net.score(_read(inputs, start, stop, device))[0].float().cpu().numpy())
        tick(1)
    return np.concatenate(scores, axis=1)


def _whole_strides(net: Any, block: int) -> int:
    """Return a number of frames near ``block`` that is a whole number of strides."""
    stride = int(net.frame_stride)
    return max(block // stride, 1) * stride


def _blocks(n: int, step: int) -> Iterator[tuple[int, int]]:
    return ((start, min(start + step, n)) for start in range(0, n, step))


def _run_local(
    module: StandardizedNet, frames: LongFrames, block: int, device: str, tick: Tick
) -> FrameFile:
    """Run the standardization and the convolutions, which see ``net.reach`` frames each way."""
    net: Any = module.net
    standardize = module.standardize
    means = _recording_means(standardize, frames, block)
    out = FrameFile(net.local_size)
    for start, stop in _blocks(frames.n_frames, block):
        first, last = max(start - net.reach, 0), min(stop + net.reach, frames.n_frames)
        x = torch.from_numpy(frames.read(first, last) - means).T[None].to(device)
        x = (x - standardize.mean[:, None]) * standardize.scale[:, None]
        local = net.forward_local(x, torch.tensor([x.shape[-1]], device=device))[0][0]
        skip = (start - first) // net.frame_stride
        count = -(-(stop - start) // net.frame_stride)
        out.write(start // net.frame_stride, local[skip : skip + count].float().cpu().numpy())
        tick(1)
    return out


def _recording_means(standardize: Standardize, frames: LongFrames, block: int) -> np.ndarray:
    """Return the mean of each feature over the recording; 0 if it is not to be subtracted."""
    total = np.zeros(len(standardize.mean))
    # Detectors weight all frames equally: their inverse temperature is 0 or None.
    if standardize.inverse_temperature is not None:
        for start, stop in _blocks(frames.n_frames, block):
            total += frames.read(start, stop).sum(axis=0, dtype=np.float64)
    return (total / frames.n_frames).astype(np.float32)


def _run_recurrent(
    layer: Any, inputs: list[FrameFile], step: int, device: str, tick: Tick, *, backward: bool
) -> FrameFile:
    """Run one direction of a recurrent layer, handing its state from block to block."""
    out = FrameFile(layer.hidden_size)
    state = None
    blocks = list(_blocks(inputs[0].n_frames, step))
    for start, stop in reversed(blocks) if backward else blocks:
        x = _read(inputs, start, stop, device)
        y, state = layer(x.flip(1) if backward else x, state)
        y = y.flip(1) if backward else y
        out.write(start, y[0].cpu().numpy())
        tick(1)
    return out


def _read(files: list[FrameFile], start: int, stop: int, device: str) -> torch.Tensor:
    rows = np.concatenate([file.read(start, stop) for file in files], axis=1)
    return torch.from_numpy(rows)[None].to(device)
