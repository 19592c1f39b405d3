"""Apply a network to a long recording in blocks, with the result of one pass up to rounding.

Only one block is in memory at a time. Convolutions also get the frames of neighbouring blocks on
which they depend. Recurrent layers pass their state from block to block, and backward layers from
the end of the recording to its start. The output of a recurrent layer is stored in a temporary file
for the next layer. Poolings over time process the blocks in sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any, Protocol, TypeVar

import numpy as np
import torch

from skaudio._neural.long_frames import FrameFile
from skaudio._parallel import no_progress
from skaudio.nets import Standardize, StandardizedNet

Result = TypeVar("Result")
# (net, blocks of (1, n_outputs, n_frames), their number of frames) -> result.
End = Callable[[Any, Iterable[torch.Tensor], torch.Tensor], Result]
# Called with the name of the stage after each block; in the first stage also with the number of
# frames of the block that belong to the block before it, and the number of its own frames.
Seen = Callable[[str, "tuple[int, int] | None"], Any]


class ReadableFrames(Protocol):
    """Frames of a recording that are read in pieces."""

    n_frames: int

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return frames (stop - start, n_features)."""


def n_ticks(net: Any, n_frames: int, block: int) -> int:
    """Return the number of times that `walk` calls ``tick``."""
    n_stages = 2 + sum(len(_layers(net, n)) for n in ("forwards", "backwards", "layer_norms"))
    return n_stages * -(-n_frames // _whole_strides(net, block))


@torch.inference_mode()
def walk(
    module: StandardizedNet,
    frames: ReadableFrames,
    end: End[Result],
    *,
    block: int,
    tick: Callable[[int], Any] = no_progress,
    seen: Seen | None = None,
) -> Result:
    """Apply a network to a long recording in blocks.

    Parameters
    ----------
    module : StandardizedNet of a network that `can_walk`
    frames : ReadableFrames
    end : callable
        Function that computes the result from the last frames, an iterator over blocks.
    block : int
        Number of frames per block.
    tick : callable
        Called with 1 after each block of each stage. The stages are the convolutions, each
        direction of each recurrent layer, its residual connection (if any), and the end.
    seen : callable, optional
        Called after each block, see `Seen`; used to collect the recorded outputs of a layer.
    """
    net: Any = module.net
    device = module.standardize.mean.device
    seen = seen or _ignore
    block = _whole_strides(net, block)
    step = block // net.frame_stride
    local = _run_local(module, frames, block, tick, seen)
    forwards, backwards = _layers(net, "forwards"), _layers(net, "backwards")
    norms = _layers(net, "layer_norms")
    n_frames = -(-frames.n_frames // net.frame_stride)
    if not len(forwards):
        blocks: Iterator[torch.Tensor] = local
    else:
        # Backward layers need the whole output of the layer before them, so it goes to a file.
        inputs = [_on_disk(local)]
        for i, layer in enumerate(forwards):
            # Dropout is applied with the forward direction, which reads frames in order.
            before = [net.dropout] if i or hasattr(net, "score") else []
            directions = [(layer, False)]
            if len(backwards):
                directions.append((backwards[i], True))
            outputs = []
            for one, backward in directions:
                stage = f"recurrent {i} {backward}"
                told = partial(seen, stage, None)
                read = [] if backward else before
                outputs.append(
                    _run_recurrent(one, inputs, step, device, read, backward, tick, told)
                )
            if len(norms):
                told = partial(seen, f"sum {i}", None)
                outputs = [_sum(norms[i], inputs, outputs, step, device, tick, told)]
            inputs = outputs
        blocks = (_read(inputs, *bounds, device) for bounds in _blocks(n_frames, step))
    result = end(net, _finished(net, blocks, tick, seen), torch.tensor([n_frames], device=device))
    seen("result", None)
    return result


def _ignore(stage: str, inside: tuple[int, int] | None) -> None:
    """Do nothing: the default of ``seen``."""


def _layers(net: Any, name: str) -> Any:
    return getattr(net, name, ())


def _whole_strides(net: Any, block: int) -> int:
    """Return a number of frames near ``block`` that is a multiple of the stride."""
    stride = int(net.frame_stride)
    return max(block // stride, 1) * stride


def _blocks(n: int, step: int) -> Iterator[tuple[int, int]]:
    return ((start, min(start + step, n)) for start in range(0, n, step))


def _finished(
    net: Any, blocks: Iterable[torch.Tensor], tick: Callable[[int], Any], seen: Seen
) -> Iterator[torch.Tensor]:
    """Yield the output of ``forward_frames`` from blocks (1, n_frames, width)."""
    finish = getattr(net, "score", lambda x: x.transpose(1, 2))
    for block in blocks:
        yield finish(block)
        seen("end", None)
        tick(1)


def _run_local(
    module: StandardizedNet,
    frames: ReadableFrames,
    block: int,
    tick: Callable[[int], Any],
    seen: Seen,
) -> Iterator[torch.Tensor]:
    """Apply the standardisation and the convolutions, which read ``net.reach`` frames each way."""
    net: Any = module.net
    standardize = module.standardize
    device = standardize.mean.device
    means = recording_means(standardize, frames, block)
    for start, stop in _blocks(frames.n_frames, block):
        # Neighbouring frames, so that the borders of blocks do not change the result.
        first, last = max(start - net.reach, 0), min(stop + net.reach, frames.n_frames)
        x = torch.from_numpy(frames.read(first, last) - means).T[None].to(device)
        x = (x - standardize.mean[:, None]) * standardize.scale[:, None]
        local = net.forward_local(x, torch.tensor([x.shape[-1]], device=device))[0]
        skip = (start - first) // net.frame_stride
        count = -(-(stop - start) // net.frame_stride)
        seen("local", (start - first, stop - start))
        yield local[:, skip : skip + count].float()
        tick(1)


def recording_means(standardize: Standardize, frames: ReadableFrames, block: int) -> np.ndarray:
    """Return the mean of each feature over the recording, as `skaudio.nets.recording_mean` does.

    The result is 0 if the mean is not subtracted.
    """
    n_features = len(standardize.mean)
    if standardize.inverse_temperature is None:
        return np.zeros(n_features, np.float32)
    inverse_temperature = float(standardize.inverse_temperature)
    highest, total, weight = -np.inf, np.zeros(n_features), 0.0
    for start, stop in _blocks(frames.n_frames, block):
        rows = frames.read(start, stop).astype(np.float64)
        level = inverse_temperature * rows.mean(axis=1)
        top = max(highest, float(level.max()))
        weights = np.exp(level - top)
        fade = np.exp(highest - top)
        total, weight = total * fade + weights @ rows, weight * fade + weights.sum()
        highest = top
    return (total / weight).astype(np.float32)


def _on_disk(blocks: Iterable[torch.Tensor]) -> FrameFile:
    """Write blocks (1, n_frames, width) to a file."""
    file = None
    for block in blocks:
        file = file or FrameFile(block.shape[-1])
        file.write(file.n_frames, block[0].cpu().numpy())
    assert file is not None
    return file


def _run_recurrent(
    layer: Any,
    inputs: list[FrameFile],
    step: int,
    device: torch.device,
    before: list[Any],
    backward: bool,
    tick: Callable[[int], Any],
    told: Callable[[], Any],
) -> FrameFile:
    """Apply one direction of a recurrent layer, passing its state from block to block."""
    out = FrameFile(layer.hidden_size)
    state = None
    blocks = list(_blocks(inputs[0].n_frames, step))
    for start, stop in reversed(blocks) if backward else blocks:
        x = _read(inputs, start, stop, device)
        for part in before:  # the identity in evaluation, but its output may be recorded
            x = part(x)
        y, state = layer(x.flip(1) if backward else x, state)
        y = y.flip(1) if backward else y
        out.write(start, y[0].cpu().numpy())
        told()
        tick(1)
    return out


def _sum(
    norm: Any,
    inputs: list[FrameFile],
    outputs: list[FrameFile],
    step: int,
    device: torch.device,
    tick: Callable[[int], Any],
    told: Callable[[], Any],
) -> FrameFile:
    """Add the output of a recurrent layer to its input, and normalise the sum."""

    def blocks() -> Iterator[torch.Tensor]:
        for bounds in _blocks(inputs[0].n_frames, step):
            yield norm(_read(inputs, *bounds, device) + _read(outputs, *bounds, device))
            told()
            tick(1)

    return _on_disk(blocks())


def _read(files: list[FrameFile], start: int, stop: int, device: torch.device) -> torch.Tensor:
    rows = np.concatenate([file.read(start, stop) for file in files], axis=1)
    return torch.from_numpy(rows)[None].to(device)
