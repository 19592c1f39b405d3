"""Prediction with a trained module.

The result of a recording does not depend on the other recordings, bit for bit. Recordings with more
than `LONG_FRAMES` frames are processed one by one in blocks, if the network supports it
(`can_walk`). The others are processed in batches. The number of rows of a batch and, for most
networks, its padded length depend only on the length of the recording.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import nn

from skaudio._neural.batches import pad
from skaudio._neural.block_walk import n_ticks, walk
from skaudio._neural.checks import check_finite, check_n_features
from skaudio._neural.long_frames import (
    BLOCK_FRAMES,
    LONG_FRAMES,
    LongFrames,
    LongRecording,
    can_walk,
)
from skaudio._parallel import progress_bar, working_threads
from skaudio.nets import STEP, StandardizedNet

# All batches of one padded length have the same number of rows, because the rounding of a matrix
# product may depend on its shape; the last batch is filled with empty rows. Batches of short
# sequences have PREDICT_ROWS rows. Fewer long sequences share a length, so their batches are
# smaller: about PREDICT_FRAMES frames (with more, empty rows would cost more than additional
# calls), or LONG_ROWS rows if that is more and at most BATCH_FRAMES frames, which limits memory.
PREDICT_ROWS = 32
PREDICT_FRAMES = 768
LONG_ROWS = 4
BATCH_FRAMES = 1 << 15

# Networks whose rounding does not depend on the padding take batches of mixed lengths, with
# PREDICT_ROWS rows, or MIXED_ROWS rows beyond MIXED_LONG frames.
MIXED_ROWS = 8
MIXED_LONG = 1 << 12

Part = np.ndarray | LongRecording
FrameCall = Callable[[Any, torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]


class RowReader:
    """Read one row per sequence from a network; by default, its output."""

    # Whether sequences of several lengths can share a batch, if the network allows it.
    mixes_lengths = True

    def __init__(self, *, features: bool = False) -> None:
        self._features = features

    def rows(self, module: Any, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return the rows of a padded batch."""
        out: torch.Tensor = (module.forward_features if self._features else module)(x, lengths)
        return out

    def long_row(self, module: Any, frames: Any) -> np.ndarray:
        """Return the row of a long recording."""

        def end(net: Any, blocks: Any, length: torch.Tensor) -> np.ndarray:
            row = (net.embed if self._features else net.classify)(blocks, length)
            return np.asarray(row[0].float().cpu())

        return walk(module, frames, end, block=BLOCK_FRAMES)


@torch.inference_mode()
def predict_rows(module: StandardizedNet, parts: Sequence[Part], reader: Any = None) -> np.ndarray:
    """Apply a trained module to sequences; return one row per sequence, in order.

    Parameters
    ----------
    module : StandardizedNet
    parts : sequence of ndarray or LongRecording
        Output of `prediction_frames`.
    reader : RowReader, optional
        Reader of the rows, or an object with its methods.
    """
    reader = reader or RowReader()
    rows: list[Any] = [None] * len(parts)
    short, long = _by_length(module, parts, LONG_FRAMES)
    with _threads(module):
        batches = _batches(module, parts, short, reader.mixes_lengths)
        for positions, call, x, lengths in batches:
            values = reader.rows(call, x, lengths)[: len(positions)].float().cpu().numpy()
            for position, row in zip(positions, values, strict=True):
                rows[position] = row
        for i in long:
            rows[i] = reader.long_row(module, _opened(module, parts, i))
    out = np.stack(rows)
    check_finite(out, module, parts)
    return out


@torch.inference_mode()
def predict_frames(
    module: StandardizedNet,
    parts: Sequence[Part],
    call: FrameCall,
    *,
    long_call: Callable[..., np.ndarray] | None = None,
    block: int | None = None,
    verbose: int = 0,
) -> list[np.ndarray]:
    """Apply a trained module to sequences; return the frames of each sequence.

    ``call(module, x, lengths)`` returns (n_sequences, n_outputs, n_frames) and their lengths. The
    result is one float32 array (n_outputs, n_frames) per sequence, in order. For sequences longer
    than `LONG_FRAMES` (or ``block``), ``long_call(module, frames, block=, tick=)`` returns this
    array; the default is the output of ``forward_frames``.
    """
    out: list[Any] = [None] * len(parts)
    short, long = _by_length(module, parts, block or LONG_FRAMES)
    with _threads(module):
        for positions, _, x, lengths in _batches(module, parts, short, False):
            values, counts = call(module, x, lengths)
            rows = values.float().cpu().numpy()
            for position, row, count in zip(positions, rows, counts.tolist(), strict=False):
                out[position] = np.ascontiguousarray(row[:, :count])
    block = block or BLOCK_FRAMES
    for i in long:
        frames = _opened(module, parts, i)
        with (
            _threads(module),
            progress_bar(n_ticks(module.net, frames.n_frames, block), verbose, "block") as tick,
        ):
            out[i] = (long_call or walk_frames)(module, frames, block=block, tick=tick)
    check_finite(out, module, parts)
    return out


def _threads(module: StandardizedNet) -> AbstractContextManager[Any]:
    """Limit torch's threads by the network only: results must not depend on other recordings."""
    return working_threads(module, PREDICT_ROWS, PREDICT_FRAMES // PREDICT_ROWS)


def walk_frames(module: StandardizedNet, frames: Any, **how: Any) -> np.ndarray:
    """Return the output of ``forward_frames`` for one long recording."""

    def end(net: Any, blocks: Any, length: torch.Tensor) -> np.ndarray:
        return np.concatenate([block[0].float().cpu().numpy() for block in blocks], axis=1)

    return walk(module, frames, end, **how)


def _by_length(
    module: StandardizedNet, parts: Sequence[Part], limit: int
) -> tuple[list[int], list[int]]:
    """Return the positions of sequences for batches, and of long sequences for `walk`."""
    module.eval()
    walks = can_walk(module.net)
    is_long = [
        isinstance(part, LongRecording) or (walks and part.shape[1] > limit) for part in parts
    ]
    where = range(len(parts))
    return [i for i in where if not is_long[i]], [i for i in where if is_long[i]]


def _opened(module: StandardizedNet, parts: Any, i: int) -> Any:
    is_array = isinstance(parts[i], np.ndarray)
    frames: Any = LongFrames(parts[i]) if is_array else parts.open(i)
    check_n_features(module, frames.read(0, 1).shape[1])
    return frames


def _batches(
    module: StandardizedNet, parts: Sequence[Any], where: list[int], mix: bool
) -> Iterator[tuple[np.ndarray, Any, torch.Tensor, torch.Tensor]]:
    """Yield batches of some sequences: their positions, the module to call, x, lengths."""
    if not where:
        return
    check_n_features(module, len(parts[where[0]]))
    index, device = np.array(where), module.standardize.mean.device
    counts = np.array([parts[i].shape[1] for i in where])
    # A subclass of a network may add layers that round differently.
    if not (mix and getattr(module.net, "any_padding", False) and can_walk(module.net)):
        for positions, n_frames, n_rows in _equal_shapes(index, counts):
            x, lengths = pad([parts[i] for i in positions], n_frames, n_rows)
            yield positions, module, x.to(device), lengths.to(device)
        return
    # The rounding of a mean over a sequence depends on the padding, so means are subtracted before
    # padding.
    alone = module.standardize.inverse_temperature is not None
    call = _without_standardization(module) if alone else module
    for positions, n_frames, n_rows in _mixed_lengths(module, index, counts):
        items = [_standardized(module, parts[i]) if alone else parts[i] for i in positions]
        x, lengths = pad(items, n_frames, n_rows)
        yield positions, call, x.to(device), lengths.to(device)


def _without_standardization(module: StandardizedNet) -> StandardizedNet:
    twin = copy.copy(module)
    twin._modules = {**module._modules, "standardize": Unchanged()}
    return twin


class Unchanged(nn.Module):
    """Replaces the standardisation of sequences that are already standardised."""

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        return x


def _standardized(module: StandardizedNet, frames: np.ndarray) -> np.ndarray:
    like = module.standardize.mean
    x = torch.from_numpy(np.ascontiguousarray(frames))[None].to(like.device)
    lengths = torch.tensor([x.shape[-1]], device=like.device)
    return np.asarray(module.standardize(x, lengths)[0].cpu())


def padded_length(n_frames: int) -> int:
    """Return the padded length of a sequence in prediction: at most an eighth longer, or 8."""
    step = max(8, 1 << max(n_frames.bit_length() - 4, 0))
    return -(-n_frames // step) * step


def prediction_rows(n_frames: int) -> int:
    """Return the number of sequences of this padded length per batch."""
    at_least = max(min(BATCH_FRAMES // n_frames, LONG_ROWS), 1)
    return min(max(PREDICT_FRAMES // n_frames, at_least), PREDICT_ROWS)


def _equal_shapes(index: np.ndarray, counts: np.ndarray) -> Iterator[tuple[np.ndarray, int, int]]:
    """Yield (positions, n_frames, n_rows) of batches whose shape depends only on the length."""
    lengths = np.array([padded_length(int(n)) for n in counts], dtype=np.int64)
    for n_frames in map(int, np.unique(lengths)):
        bucket = index[lengths == n_frames]
        n_rows = prediction_rows(n_frames)
        for start in range(0, len(bucket), n_rows):
            yield bucket[start : start + n_rows], n_frames, n_rows


def _mixed_lengths(
    module: StandardizedNet, index: np.ndarray, counts: np.ndarray
) -> Iterator[tuple[np.ndarray, int, int]]:
    """Yield (positions, n_frames, n_rows) of batches of similar lengths, in steps of frames.

    The longest sequences are first, so that the incomplete batch is the shortest one.
    """
    few = rows_round_alike(module)
    order = np.argsort(-counts, kind="stable")
    for tier, n_rows in ((counts <= MIXED_LONG, PREDICT_ROWS), (counts > MIXED_LONG, MIXED_ROWS)):
        chosen = order[tier[order]]
        for start in range(0, len(chosen), n_rows):
            part = chosen[start : start + n_rows]
            n_frames = -(-int(counts[part].max()) // STEP) * STEP
            yield index[part], n_frames, -(-len(part) // MIXED_ROWS) * MIXED_ROWS if few else n_rows


# Maps a network to a dictionary from (number of torch threads, device) to the result of
# `rows_round_alike`.
_alike: WeakKeyDictionary[nn.Module, dict[Any, bool]] = WeakKeyDictionary()


@torch.inference_mode()
def rows_round_alike(module: StandardizedNet) -> bool:
    """Whether rows have the same bits in batches of 8, 16 and 24 rows as in one of 32.

    If so, batches need no empty rows, and a GRU predicts a single recording three times as fast. It
    depends on the library for matrix products, not on values. One trial per network is sufficient,
    because with ``any_padding`` all calls have the shapes of one step of frames. It is repeated for
    another number of threads or another device.
    """
    known = _alike.setdefault(module.net, {})
    like = module.standardize.mean
    key = torch.get_num_threads(), like.device
    if key not in known:
        rng = np.random.default_rng(0)
        numbers = rng.standard_normal((PREDICT_ROWS, len(like), 2 * STEP), np.float32)
        x = torch.from_numpy(numbers).to(like.device)
        lengths = torch.full((PREDICT_ROWS,), 2 * STEP, device=like.device)
        expected = module.net(x, lengths)
        known[key] = all(
            torch.equal(module.net(x[:n], lengths[:n]), expected[:n])
            for n in range(MIXED_ROWS, PREDICT_ROWS, MIXED_ROWS)
        )
    return known[key]
