"""Streams of neural estimators, for a signal that is still arriving.

`NetStream` applies a network to frames as they arrive. Convolutions wait for the later frames on
which they depend; recurrent layers keep their state.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted

from skaudio._neural.batches import reads_audio
from skaudio._neural.checks import check_finite, check_n_features
from skaudio._neural.long_frames import BLOCK_FRAMES, can_walk
from skaudio._neural.running_pooling import RunningPooling
from skaudio._parallel import torch_threads
from skaudio._validation import Obstacle, check_streams
from skaudio.encoders import obstacles_of, stream
from skaudio.frames import check_frames
from skaudio.nets import GRU, StandardizedNet


def neural_obstacles(estimator: Any, *, runs_along: Callable[[Any], bool]) -> list[Obstacle]:
    """Return the parameters of a neural estimator and its encoder that prevent streaming.

    Before `fit`, they are found by their values; after it, from the network.

    Parameters
    ----------
    estimator : neural estimator
    runs_along : callable
        Function that returns whether the layers after the last frames of a network can stream.
    """
    found = []
    if reads_audio(estimator):
        encoder = getattr(estimator, "encoder_", estimator.encoder)
        found += [obstacle.inside("encoder") for obstacle in obstacles_of(encoder)]
    module: Any = estimator.net_.module_ if hasattr(estimator, "net_") else None
    if _subtracts_mean(estimator, module):
        reason = "the mean over the whole recording"
        found.append(Obstacle("standardize", estimator.standardize, reason, "global"))
    if _is_whole(estimator, module, runs_along):
        own = getattr(estimator, "module", None) or type(module.net)
        reason = "the whole recording: it is not made of parts that work on a piece of it"
        found.append(Obstacle("module", own, reason, "gru" if isinstance(own, str) else GRU))
        found.append(_one_way(estimator, "those of a network that looks back only"))
    elif _reads_backwards(estimator, module):
        reason = "the end of the recording, where its backward layers begin"
        if hasattr(estimator, "bidirectional"):
            found.append(Obstacle("bidirectional", estimator.bidirectional, reason, False))
        else:
            found.append(_one_way(estimator, reason))
    return found


def _one_way(estimator: Any, reason: str) -> Obstacle:
    params = estimator.module_params
    kept = params if _reads_backwards(estimator, None) else None
    return Obstacle("module_params", params, reason, {**(kept or {}), "bidirectional": False})


def _is_whole(estimator: Any, module: Any, runs_along: Callable[[Any], bool]) -> bool:
    """Whether the network needs the whole recording; before `fit`, whether its class says so."""
    if module is not None:
        return not (can_walk(module.net) and runs_along(module.net))
    own = getattr(estimator, "module", None)
    return isinstance(own, type) and not hasattr(own, "forward_local")


def _subtracts_mean(estimator: Any, module: Any) -> bool:
    if module is not None:
        return module.standardize.inverse_temperature is not None
    kind = estimator.standardize
    return kind in ("recording", "both") or (kind == "auto" and reads_audio(estimator))


def _reads_backwards(estimator: Any, module: Any) -> bool:
    if module is not None:
        return len(getattr(module.net, "backwards", ())) > 0
    if not hasattr(estimator, "bidirectional"):
        params = getattr(estimator, "module_params", None) or {}
        is_gru = getattr(estimator, "module", None) in ("gru", GRU)
        return is_gru and bool(params.get("bidirectional", True))
    return bool(estimator.bidirectional and estimator.n_layers)


def check_streaming(estimator: Any) -> None:
    """Raise an error if an estimator cannot stream with its parameters, or is not fitted."""
    check_streams(estimator, estimator._stream_obstacles(), trained=True)
    check_is_fitted(estimator)


class NeuralStream:
    """Stream of a neural estimator, for a signal or frames that are still arriving.

    Parameters
    ----------
    estimator : neural estimator
        Fitted estimator that can stream; see `check_streaming`.
    sample_rate : float or None
    n_outputs : int
    read : callable
        Function from the next frames (1, width, k) of the network to an array (n_outputs, k).
    """

    def __init__(
        self,
        estimator: Any,
        sample_rate: float | None,
        n_outputs: int,
        read: Callable[[torch.Tensor], torch.Tensor],
    ) -> None:
        if reads_audio(estimator):
            self._frames = stream(estimator.encoder_, sample_rate)
        elif sample_rate is not None:
            raise ValueError(
                f"sample_rate={sample_rate!r}: {type(estimator).__name__} has encoder=None, and "
                "its stream takes frames (n_features, k). Expected None."
            )
        else:
            self._frames = FrameFeed(estimator)
        self.net = NetStream(estimator.net_.module_)
        self._n_outputs = n_outputs
        self._read = read

    @property
    def sample_rate(self) -> float | None:
        """Sample rate in Hz of the pushed signal; None if frames are pushed."""
        rate: float | None = self._frames.sample_rate
        return rate

    def push(self, samples: Any) -> np.ndarray:
        """Take the next samples, and return the results that are complete, (n_outputs, k)."""
        return self._run(self._frames.push(samples), final=False)

    def finish(self) -> np.ndarray:
        """Return the remaining results, an array (n_outputs, k)."""
        return self._run(self._frames.finish(), final=True)

    @torch.inference_mode()
    def _run(self, frames: np.ndarray, final: bool) -> np.ndarray:
        out = [np.empty((self._n_outputs, 0), np.float32)]
        with torch_threads(1):
            for piece in self.net.run(frames, final):
                out.append(self._read(piece).float().cpu().numpy())
        check_finite(out, self.net.module, [frames] * len(out))
        return np.concatenate(out, axis=1)


class FrameFeed:
    """Check pushed frames, for an estimator without an encoder."""

    sample_rate = None

    def __init__(self, estimator: Any) -> None:
        self._estimator = estimator
        self._n_features = len(estimator.net_.module_.standardize.mean)
        self._finished = False

    def push(self, frames: Any) -> np.ndarray:
        if self._finished:
            raise ValueError(
                "The stream has finished, and takes no more frames. Expected a new one: call "
                "stream() again for another recording."
            )
        array = np.asarray(frames)
        if not array.size:
            return np.empty((self._n_features, 0), np.float32)
        if array.ndim != 2:
            raise ValueError(f"A push has shape {array.shape}, expected frames (n_features, k).")
        return check_frames(None, [array], reset=False)[0][0]

    def finish(self) -> np.ndarray:
        if self._finished:
            raise ValueError("finish() was called before: the stream has finished.")
        self._finished = True
        return np.empty((self._n_features, 0), np.float32)


class NetStream:
    """Compute the last frames of a network from its input frames as they arrive.

    Parameters
    ----------
    module : StandardizedNet of a network that `can_walk`, without backward layers

    Attributes
    ----------
    module : StandardizedNet
    n_frames : int
        Number of input frames received so far.
    """

    def __init__(self, module: StandardizedNet) -> None:
        self.module = module.eval()
        net: Any = module.net
        self._stride, self._reach = int(net.frame_stride), int(net.reach)
        self._held = np.empty((len(module.standardize.mean), 0), np.float32)
        self._first = 0  # number of the first frame in memory
        self._done = 0  # number of frames that the convolutions have processed
        self._states: list[Any] = [None] * len(getattr(net, "forwards", ()))
        self.n_frames = 0

    def run(self, frames: np.ndarray, final: bool) -> list[torch.Tensor]:
        """Return the next frames of the output in pieces (1, width, k), possibly none."""
        check_n_features(self.module, len(frames))
        pieces = []
        # Long pushes are processed in blocks, which limits memory. An empty last push still runs
        # once, for the frames that waited for later ones.
        for start in range(0, max(frames.shape[1], 1), BLOCK_FRAMES):
            piece = frames[:, start : start + BLOCK_FRAMES]
            self._held = np.concatenate([self._held, piece], axis=1)
            self.n_frames += piece.shape[1]
            ends = final and start + BLOCK_FRAMES >= frames.shape[1]
            if (local := self._local(ends)) is not None:
                pieces.append(self._finished(self._recurrent(local)))
        return pieces

    def _local(self, final: bool) -> torch.Tensor | None:
        """Return the frames (1, k, width) of the convolutions that are complete."""
        net: Any = self.module.net
        stop = self.n_frames
        if not final:
            # A frame is complete when `reach` later frames are there. Pooling needs whole strides.
            stop = max((self.n_frames - self._reach) // self._stride * self._stride, 0)
        if stop <= self._done:
            return None
        last = min(stop + self._reach, self.n_frames)
        standardize = self.module.standardize
        x = torch.from_numpy(self._held[:, : last - self._first])[None].to(standardize.mean.device)
        x = (x - standardize.mean[:, None]) * standardize.scale[:, None]
        local = net.forward_local(x, torch.tensor([x.shape[-1]], device=x.device))[0]
        # The first frames are only context of the new ones: their output was returned before.
        skip = (self._done - self._first) // self._stride
        count = -(-(stop - self._done) // self._stride)
        self._done = stop
        # The next frames depend on the last `reach` of these.
        keep = max(stop - self._reach, 0)
        self._held, self._first = self._held[:, keep - self._first :], keep
        out: torch.Tensor = local[:, skip : skip + count].float()
        return out

    def _recurrent(self, x: torch.Tensor) -> torch.Tensor:
        net: Any = self.module.net
        norms = getattr(net, "layer_norms", ())
        for i, state in enumerate(self._states):
            y, self._states[i] = net.forwards[i](x, state)
            x = norms[i](x + y) if len(norms) else y
        return x

    def _finished(self, x: torch.Tensor) -> torch.Tensor:
        """Return the output of ``forward_frames``."""
        net: Any = self.module.net
        out: torch.Tensor = net.score(x) if hasattr(net, "score") else x.transpose(1, 2)
        return out


def row_stream(
    estimator: Any,
    sample_rate: float | None,
    n_outputs: int,
    method: str,
    finish: Callable[[torch.Tensor], torch.Tensor],
) -> NeuralStream:
    """Return a stream of rows (n_outputs, k), each for the recording up to one frame.

    ``method`` is a method of the network, "classify" or "embed"; ``finish`` is applied to its
    output (k, n_outputs).
    """
    pooling = RunningPooling(estimator.net_.module_.net)
    return NeuralStream(
        estimator, sample_rate, n_outputs, lambda frames: finish(pooling.rows(frames, method)).T
    )
