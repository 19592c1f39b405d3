"""Stream of FrameUnion: frames of several encoders, of a signal that is still arriving."""

from __future__ import annotations

from typing import Any

import numpy as np

from skaudio._validation import Obstacle, check_streams
from skaudio.encoders import obstacles_of, stream


class UnionStreamMixin:
    """Add `stream` to FrameUnion."""

    def stream(self: Any, sample_rate: float | None = None) -> UnionStream:
        """Encode a signal that is still arriving with each transformer; concatenate the frames.

        Parameters
        ----------
        sample_rate : float, default=None
            Sample rate of the signal in Hz. The signal is resampled to the rate of each encoder.
            None: the signal has the rate of the encoders.

        Returns
        -------
        stream : UnionStream
            ``push(samples)`` and ``finish()`` return the frames ``(n_features, k)`` that are
            complete in all encoders. All frames together are equal to the output of `transform` for
            the whole signal.

        Raises
        ------
        ValueError
            If a frame depends on the whole recording, or on frames after it (``deltas``). The error
            names all parameters to change.
        """
        named = self._named()
        check_streams(self, self._stream_obstacles())
        return UnionStream([(name, stream(one, sample_rate)) for name, one in named])

    def _stream_obstacles(self: Any) -> list[Obstacle]:
        found = [o.inside(name) for name, one in self._named() for o in obstacles_of(one)]
        if self.deltas:
            found.append(Obstacle("deltas", self.deltas, "the frames after each frame", 0))
        return found


class UnionStream:
    """Several streams of frames, whose features are concatenated.

    Parameters
    ----------
    streams : list of (str, stream)
    """

    def __init__(self, streams: list[tuple[str, Any]]) -> None:
        self._names = [name for name, _ in streams]
        self._streams = [one for _, one in streams]
        self._waiting: list[np.ndarray | None] = [None] * len(streams)

    @property
    def sample_rate(self) -> float:
        """Sample rate in Hz of the pushed signal."""
        rate: float = self._streams[0].sample_rate
        return rate

    def push(self, samples: Any) -> np.ndarray:
        """Take the next samples, and return the frames that are complete in all encoders."""
        return self._stacked([one.push(samples) for one in self._streams])

    def finish(self) -> np.ndarray:
        """Return the remaining frames."""
        out = self._stacked([one.finish() for one in self._streams])
        for name, rest in zip(self._names, self._waiting, strict=True):
            if rest is not None and rest.shape[1]:
                raise ValueError(
                    f"The stream has {rest.shape[1]} more frames from {name!r} than from another "
                    "encoder, expected as many. Give them the same hop in seconds (hop_length / "
                    "sample_rate), the same center, and with center=False the same n_fft."
                )
        return out

    def _stacked(self, frames: list[np.ndarray]) -> np.ndarray:
        """Return the frames that are complete in all encoders, and keep the others."""
        known = [
            new if old is None else np.concatenate([old, new], axis=1)
            for old, new in zip(self._waiting, frames, strict=True)
        ]
        count = min(one.shape[1] for one in known)
        self._waiting = [one[:, count:] for one in known]
        return np.concatenate([one[:, :count] for one in known])
