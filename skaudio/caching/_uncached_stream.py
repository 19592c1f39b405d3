"""Streams of cached transformers, for a signal that is still arriving."""

from __future__ import annotations

from typing import Any

from skaudio._validation import Obstacle, check_streams
from skaudio.encoders import obstacles_of, stream


class UncachedStreamMixin:
    """Add `stream` to a cached transformer."""

    transformer: Any

    def stream(self, sample_rate: float | None = None) -> Any:
        """Return the transformer's stream for a signal that is still arriving; nothing is cached.

        Parameters
        ----------
        sample_rate : float, default=None
            Sample rate of the signal in Hz. None: the sample rate of the transformer.

        Returns
        -------
        stream : object
            An object with the methods ``push(samples)`` and ``finish()``; see
            `skaudio.encoders.stream`.
        """
        check_streams(self, self._stream_obstacles())
        return stream(self.transformer, sample_rate)

    def _stream_obstacles(self) -> list[Obstacle]:
        return [obstacle.inside("transformer") for obstacle in obstacles_of(self.transformer)]
