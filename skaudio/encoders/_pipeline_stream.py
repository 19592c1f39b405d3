"""Streams of Pipelines: the output of each step's stream is the input of the next one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags

from skaudio._steps import is_augmentation
from skaudio._validation import Obstacle, check_streams


def stream(estimator: Any, sample_rate: float | None = None) -> Any:
    """Apply an estimator or a Pipeline to a signal that is still arriving.

    For an estimator with a method ``stream``, the result is that of
    ``estimator.stream(sample_rate)``. scikit-learn's Pipeline has no such method; this function
    connects the streams of its steps. The steps can be augmentations (which do nothing outside of
    training), a `Waveform`, an encoder, and a neural estimator with ``encoder=None``.

    Parameters
    ----------
    estimator : estimator or Pipeline
        The estimator. It must be fitted, unless it learns nothing.
    sample_rate : float, default=None
        Sample rate of the signal in Hz. None: the sample rate of the (first) encoder.

    Returns
    -------
    stream : object
        An object with the methods ``push(samples)`` and ``finish()``; see `MelSpectrogram.stream`.

    Raises
    ------
    ValueError
        If a parameter needs the whole recording. The error names all of them.
    TypeError
        If a step cannot work on a part of a recording, such as `FramePooling`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from skaudio import MelSpectrogram, Noise, stream
    >>> encoder = make_pipeline(Noise(), MelSpectrogram(n_mels=40))
    >>> live = stream(encoder, sample_rate=16000)
    >>> live.push(np.zeros(1600)).shape, live.finish().shape
    ((40, 9), (40, 2))
    """
    learns = any(get_tags(step).requires_fit for _, step in _streaming_steps(estimator))
    check_streams(estimator, obstacles_of(estimator), trained=learns)
    return connected(estimator, sample_rate, lambda step, rate: step.stream(rate))


def connected(
    estimator: Any, sample_rate: float | None, open_last: Callable[[Any, float | None], Any]
) -> Any:
    """Return the stream of an estimator, or of the steps of a Pipeline.

    ``open_last(step, sample_rate)`` returns the stream of the last step.
    """
    steps = list(_streaming_steps(estimator))
    if not steps:
        name = type(estimator).__name__
        raise TypeError(f"{name} has no encoder and no estimator: there is no stream.")
    *before, (_, last) = steps
    streams: list[Any] = []
    for _, step in before:
        streams.append(step.stream(sample_rate))
        sample_rate = getattr(streams[-1], "output_rate", None)
    streams.append(open_last(last, sample_rate))
    return streams[0] if len(streams) == 1 else ChainedStreams(streams)


def obstacles_of(estimator: Any) -> list[Obstacle]:
    """Return the parameters that keep an estimator, or the steps of a Pipeline, from streaming."""
    return [
        obstacle.inside(place)
        for place, step in _streaming_steps(estimator)
        for obstacle in getattr(step, "_stream_obstacles", list)()  # a user's class has none
    ]


class ChainedStreams:
    """Streams in sequence: the output of each one is the input of the next.

    Parameters
    ----------
    streams : list
        The first one takes samples; each of the others takes what the one before it returns.
    """

    def __init__(self, streams: list[Any]) -> None:
        self._first, *self._others = streams

    @property
    def sample_rate(self) -> float:
        """Sample rate in Hz of the pushed signal."""
        rate: float = self._first.sample_rate
        return rate

    def push(self, samples: Any) -> Any:
        """Take the next samples, and return the results that are complete."""
        result = self._first.push(samples)
        for following in self._others:
            result = following.push(result)
        return result

    def finish(self) -> Any:
        """Return the remaining results."""
        result = self._first.finish()
        for following in self._others:
            result = joined(following.push(result), following.finish())
        return result


def joined(first: Any, second: Any) -> Any:
    """Concatenate two results of a stream: arrays along time, or tables of events."""
    if isinstance(first, np.ndarray):
        return np.concatenate([first, second], axis=-1)
    import pandas as pd

    tables = [table for table in (first, second) if len(table)]
    return pd.concat(tables, ignore_index=True) if tables else first


def _streaming_steps(estimator: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the steps that act in prediction, with their names."""
    if isinstance(estimator, FrozenEstimator):
        yield from _streaming_steps(estimator.estimator, _join(place, "estimator"))
    elif isinstance(estimator, Pipeline):
        found = [
            inner
            for name, step in estimator.steps
            if step is not None and step != "passthrough"
            for inner in _streaming_steps(step, _join(place, name))
        ]
        yield from found
    elif not is_augmentation(estimator):
        if not hasattr(estimator, "stream"):
            where = f"{place}={type(estimator).__name__}" if place else type(estimator).__name__
            raise TypeError(
                f"{where} has no stream: it needs whole recordings, or more than their frames. "
                "Expected augmentations, Waveform, an encoder or a pretrained network, and a "
                "neural estimator."
            )
        yield place, estimator


def _join(place: str, name: str) -> str:
    return f"{place}__{name}" if place else name
