"""Read the output of a layer by its name, independent of padding."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from skaudio._neural import BLOCK_FRAMES, RowReader, walk
from skaudio.nets import recording_copy

# The network is run with both numbers of frames, to find the time axis of the layer's output.
TRIALS = (64, 96)


class LayerReader:
    """Run a trained network and return the output of one of its layers.

    Parameters
    ----------
    module : StandardizedNet
    layer : str
        "embedding", which is the input of the head, or the name of a layer in
        ``module.net.named_modules()``. If a layer is run several times, its last output is read.

    Attributes
    ----------
    has_frames : bool
        Whether the output of the layer has a time axis.
    has_embedding : bool
        Whether the layer is the embedding that the network defines itself.
    """

    def __init__(self, module: Any, layer: str) -> None:
        self._module = module.eval()
        self._layer = layer
        self._inner = find_layer(module.net, layer)
        self._counts: dict[int, int] = {}
        self._time_axis: int | None = None
        if self._inner is None:
            self.has_frames = hasattr(module.net, "forward_frames")
        else:
            self._time_axis = self._find_time()
            self.has_frames = self._time_axis is not None
        self.has_embedding = self._inner is None and hasattr(module.net, "forward_features")
        # The frames of an inner layer are averaged by this class, over whole padded batches.
        self.mixes_lengths = self.has_embedding

    def rows(self, module: Any, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return a row per sequence, which is the mean of its frames if the layer has frames."""
        if self.has_embedding:
            features: torch.Tensor = module.forward_features(x, lengths)
            return features
        if not self.has_frames:
            return self._read(x, lengths).flatten(1)
        frames, counts = self.frames(module, x, lengths)
        inside = torch.arange(frames.shape[-1], device=counts.device) < counts[:, None]
        return frames.masked_fill(~inside[:, None], 0.0).sum(-1) / counts[:, None]

    def frames(
        self, module: Any, x: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return frames (n_sequences, n_features, n_frames), and the number of frames of each."""
        if self._inner is None:
            frames, counts = module.forward_frames(x, lengths)
            return frames, counts
        assert self._time_axis is not None
        frames = self._read(x, lengths).movedim(self._time_axis, -1).flatten(1, -2)
        own = [self._count(int(n), x) for n in lengths]
        return frames, torch.tensor(own, device=frames.device)

    def long_row(self, module: Any, frames: Any) -> np.ndarray:
        """Return the row of a long recording, which is processed in blocks."""
        if self.has_embedding:
            return RowReader(features=True).long_row(module, frames)
        return self._walk(frames, block=BLOCK_FRAMES, mean=True).row()

    def long_frames(self, module: Any, frames: Any, **how: Any) -> np.ndarray:
        """Return the frames (n_features, n_frames) of a long recording, processed in blocks."""
        return self._walk(frames, **how).frames()

    def _walk(self, frames: Any, **how: Any) -> Gathered:
        gathered = Gathered(mean=how.pop("mean", False))
        if self._inner is None:

            def take(net: Any, blocks: Any, length: torch.Tensor) -> None:
                for block in blocks:
                    gathered.add(block[0].float().cpu().numpy())

            walk(self._module, frames, take, **how)
            return gathered
        outputs: list[Any] = []
        like = self._module.standardize.mean[:, None]

        def seen(stage: str, inside: tuple[int, int] | None) -> None:
            if not outputs:
                return
            gathered.begin(stage)
            out = tensor_of(outputs[-1])[0]
            outputs.clear()
            if self._time_axis is None:
                gathered.only = out.flatten().cpu().numpy()
                return
            values = out.movedim(self._time_axis - 1, -1).flatten(0, -2)
            if inside is not None:  # the block overlaps its neighbours
                skip, count = (self._count(n, like) if n else 0 for n in inside)
                values = values[:, skip : skip + count]
            gathered.add(values.cpu().numpy())

        def finish(net: Any, blocks: Any, length: torch.Tensor) -> None:
            net.classify(blocks, length)

        module = recording_copy(self._module, self._inner, outputs.append)
        walk(module, frames, finish, seen=seen, **how)
        return gathered

    @torch.inference_mode()
    def n_features(self, *, frames: bool) -> int:
        """Return the number of features of a row, or of a frame."""
        trial = self._trial(TRIALS[0])
        if frames:
            return self.frames(self._module, *trial)[0].shape[1]
        return self.rows(self._module, *trial).shape[1]

    def _read(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Run the network and return the output of the layer in this call."""
        assert self._inner is not None
        outputs: list[Any] = []
        recording_copy(self._module, self._inner, outputs.append)(x, lengths)
        if not outputs:
            raise ValueError(
                f"layer={self._layer!r} is not run when the network is: expected one that is."
            )
        return tensor_of(outputs[-1])

    @torch.inference_mode()
    def _find_time(self) -> int | None:
        """Return the axis whose length grows with the number of frames, or None."""
        shapes = [self._read(*self._trial(n)).shape for n in TRIALS]
        grows = [i for i, sizes in enumerate(zip(*shapes, strict=True)) if sizes[0] != sizes[1]]
        if len(grows) > 1 or 0 in grows or shapes[0][0] != 1:
            raise ValueError(
                f"layer={self._layer!r} puts out shape {tuple(shapes[0])} for one sequence of "
                f"{TRIALS[0]} frames, {tuple(shapes[1])} for one of {TRIALS[1]}: expected the "
                "sequences along the first axis, and one axis of time at most."
            )
        return grows[0] if grows else None

    def _count(self, n_frames: int, like: torch.Tensor) -> int:
        """Return how many frames the layer returns for a sequence without padding."""
        if n_frames not in self._counts:
            alone = like.new_zeros((1, like.shape[1], n_frames))
            lengths = torch.tensor([n_frames], device=like.device)
            assert self._time_axis is not None
            self._counts[n_frames] = self._read(alone, lengths).shape[self._time_axis]
        return self._counts[n_frames]

    def _trial(self, n_frames: int) -> tuple[torch.Tensor, torch.Tensor]:
        mean = self._module.standardize.mean
        x = mean.new_zeros((1, len(mean), n_frames))
        return x, torch.tensor([n_frames], device=mean.device)


def tensor_of(output: Any) -> torch.Tensor:
    """Return the output of a layer as one tensor; recurrent layers also return their states."""
    values: torch.Tensor = (output[0] if isinstance(output, tuple) else output).float()
    return values


class Gathered:
    """The outputs of a layer for the blocks of a recording.

    Parameters
    ----------
    mean : bool
        Whether to keep only the sum of the frames.
    """

    def __init__(self, *, mean: bool) -> None:
        self.only: np.ndarray | None = None
        self._mean = mean
        self._stage = ""
        self._start()

    def _start(self) -> None:
        self._pieces: list[np.ndarray] = []
        self._sum: Any = 0.0
        self._count = 0

    def begin(self, stage: str) -> None:
        """Start a stage of the network; drop the outputs of earlier stages."""
        if stage != self._stage:
            self._stage = stage
            self._start()

    def add(self, frames: np.ndarray) -> None:
        """Add frames (n_features, n_frames)."""
        if self._mean:
            self._sum = self._sum + frames.sum(axis=1, dtype=np.float64)
            self._count += frames.shape[1]
        else:
            self._pieces.append(frames)

    def row(self) -> np.ndarray:
        if self.only is not None:
            return self.only
        mean: np.ndarray = (self._sum / self._count).astype(np.float32)
        return mean

    def frames(self) -> np.ndarray:
        return np.concatenate(self._pieces, axis=1)


def find_layer(net: nn.Module, layer: str) -> nn.Module | None:
    """Return a layer of a network, or None for an "embedding" that the network defines itself."""
    if layer == "embedding" and (
        hasattr(net, "forward_features") or hasattr(net, "forward_frames")
    ):
        return None
    names: dict[str, nn.Module] = {name: module for name, module in net.named_modules() if name}
    if layer not in names:
        missing = ""
        if layer == "embedding":
            missing = f", and {type(net).__name__} has no forward_features to define the embedding"
        raise ValueError(
            f"layer={layer!r} is not a layer of {type(net).__name__}{missing}: expected one of "
            f"{', '.join(map(repr, names))}."
        )
    return names[layer]
