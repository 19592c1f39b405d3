"""The output of a layer as frames: its time axis, and the duration of a time step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import torch

from skaudio.pretrained._pretrained_net import PretrainedNet

# Numbers of input frames for trial runs: multiples of the strides of all networks.
SHORT, LONG = 256, 512


class LayerTime(NamedTuple):
    """The time axis in the output of a layer, and the number of input frames per time step."""

    axis: int
    stride: int


# Maps a network to a dictionary from names of layers to `LayerTime`.
_known: WeakKeyDictionary[PretrainedNet, dict[Any, LayerTime]] = WeakKeyDictionary()


def time_of_layer(
    net: PretrainedNet, name: Any, run: Callable[[torch.Tensor], torch.Tensor]
) -> LayerTime:
    """Find the time axis by two trial runs: it is the axis that is longer for a longer input.

    ``run`` returns the output of the layer for spectrograms.
    """
    known = _known.setdefault(net, {})
    name = name if isinstance(name, str) or name is None else name[0]
    if name not in known:
        one_length = net.fixed and net.fills
        lengths = [] if one_length or name is None else _shapes(net, run)
        changed = [i for i, (a, b) in enumerate(zip(*lengths, strict=False)) if a != b]
        if len(changed) != 1 or changed[0] == 0:
            raise ValueError(
                f"resolution='layer' with layer={name!r}: there is no output that follows the "
                "length of the recording. Expected a layer before the global average, of a network "
                "that takes chunks of any length, such as layer='features.12' of 'mn04_as'."
            )
        short, long = (shape[changed[0]] for shape in lengths)
        known[name] = LayerTime(changed[0], round((LONG - SHORT) / (long - short)))
    return known[name]


def _shapes(net: PretrainedNet, run: Callable[[torch.Tensor], torch.Tensor]) -> list[torch.Size]:
    framing = net.front_end.analysis.framing
    silence = np.zeros((1, LONG * framing.hop_length + framing.n_fft), np.float32)
    spectrum = net.front_end(silence)
    with torch.inference_mode():
        return [run(spectrum[..., :n]).shape for n in (SHORT, LONG)]


def as_frames(output: torch.Tensor, axis: int) -> torch.Tensor:
    """Return (n_chunks, n_features, n_frames): channels and frequency bands are features."""
    return output.movedim(axis, -1).flatten(1, -2)
