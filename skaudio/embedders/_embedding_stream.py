"""Streams of embedders, for a signal that is still arriving."""

from __future__ import annotations

from typing import Any

import torch
from sklearn.utils.validation import check_is_fitted

from skaudio._neural import (
    NeuralStream,
    check_streaming,
    neural_obstacles,
    pools_along,
    row_stream,
)
from skaudio._validation import Obstacle
from skaudio.encoders import connected, obstacles_of
from skaudio.frames import scale_to_unit


class StreamsRows:
    """Add `stream` to an embedder that is a network."""

    def stream(self: Any, sample_rate: float | None = None) -> NeuralStream:
        """Embed a signal that is still arriving, from its start to the current frame.

        Parameters
        ----------
        sample_rate : float, default=None
            Sample rate of the signal in Hz. The signal is resampled to the rate of the encoder.
            None: the signal has the rate of the encoder.

        Returns
        -------
        stream : NeuralStream
            ``push(samples)`` takes any number of samples (or frames ``(n_features, k)`` with
            ``encoder=None``), and returns ``(n_columns, k)``. There is a column for each frame
            that is complete: the embedding of the recording up to this frame. ``finish()`` returns
            the remaining columns. The very last column is the output of `transform` for the whole
            recording, up to 1e-5 of the largest value.

        Raises
        ------
        ValueError
            If the embedding up to a frame depends on later frames. The error names all parameters
            to change.
        """
        check_streaming(self)

        def finish(rows: torch.Tensor) -> torch.Tensor:
            return _scaled(rows, 1) if self.unit_norm else rows

        return row_stream(self, sample_rate, int(self._n_features_out), "classify", finish)

    def _stream_obstacles(self) -> list[Obstacle]:
        return neural_obstacles(self, runs_along=pools_along)


class LayerStreamMixin:
    """Add `stream` to an embedder that reads a layer of a neural estimator."""

    def stream(self: Any, sample_rate: float | None = None) -> Any:
        """Embed a signal that is still arriving, from its start to the current frame.

        Parameters
        ----------
        sample_rate : float, default=None
            Sample rate of the signal in Hz. The signal is resampled to the rate of the encoder.
            None: the signal has the rate of the encoder.

        Returns
        -------
        stream : object
            ``push(samples)`` takes any number of samples (or frames ``(n_features, k)`` if the
            estimator takes frames), and returns ``(n_columns, k)``. There is a column for each
            frame that is complete: the embedding of the recording up to this frame, or the frame of
            the layer with ``frames=True``. ``finish()`` returns the remaining columns. The very
            last column, or all columns together with ``frames=True``, is the output of `transform`
            for the whole recording, up to 1e-5 of the largest value.

        Raises
        ------
        ValueError
            If a column depends on later frames, or ``layer`` is not "embedding". The error names
            all parameters to change.
        """
        check_streaming(self)
        return connected(self._fitted(), sample_rate, self._open_stream)

    def _open_stream(self: Any, net: Any, sample_rate: float | None) -> NeuralStream:
        check_is_fitted(net)
        n_columns = self._n_features_out
        if self.frames:

            def read(frames: torch.Tensor) -> torch.Tensor:
                return _scaled(frames[0], 0) if self.unit_norm else frames[0]

            return NeuralStream(net, sample_rate, n_columns, read)

        def finish(rows: torch.Tensor) -> torch.Tensor:
            return _scaled(rows, 1) if self.unit_norm else rows

        return row_stream(net, sample_rate, n_columns, "embed", finish)

    def _stream_obstacles(self: Any) -> list[Obstacle]:
        fitted = self._fitted() if self.__sklearn_is_fitted__() else None
        inner = self.estimator if fitted is None or self._is_frozen() else fitted
        found = [obstacle.inside("estimator") for obstacle in obstacles_of(inner)]
        if self.layer != "embedding":
            reason = "more than the last frames of the network"
            found.append(Obstacle("layer", self.layer, reason, "embedding"))
        elif fitted is not None and not self.frames and not self._reader().has_embedding:
            reason = "the mean over the whole recording"
            found.append(Obstacle("frames", False, reason, True))
        return found


def _scaled(values: torch.Tensor, axis: int) -> torch.Tensor:
    return torch.from_numpy(scale_to_unit(values.cpu().numpy(), axis=axis))
