"""Streams of Pipelines: the stream of each step feeds the next one."""

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
    """Run an estimator, or a Pipeline, on a signal that is still arriving.

    ``estimator.stream(sample_rate)``, for what has that method. scikit-learn's Pipeline has none:
    its steps are connected here. They may be augmentations, which do nothing outside of training,
    a `Waveform`, an encoder, and a neural estimator with ``encoder=None``.

    Parameters
    ----------
    estimator : estimator or Pipeline
        Fitted, if it learns anything.
    sample_rate : float, default=None
        Rate in Hz of the signal. None: the rate of the (first) encoder.

    Returns
    -------
    stream : object
        With ``push(samples)`` and ``finish()``, see `MelSpectrogram.stream`.

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
    """Return what keeps an estimator, or the steps of a Pipeline, from streaming."""
    return [
        obstacle.inside(place)
        for place, step in _streaming_steps(estimator)
        for obstacle in getattr(step, "_stream_obstacles", list)()  # a class of the user has none
    ]


class ChainedStreams:
    """Streams that feed each other.

    Parameters
    ----------
    streams : list
        The first one takes samples; each of the others takes what the one before it returns.
    """

    def __init__(self, streams: list[Any]) -> None:
        self._first, *self._others = streams

    @property
    def sample_rate(self) -> float:
        """Rate in Hz of what is pushed."""
        rate: float = self._first.sample_rate
        return rate

    def push(self, samples: Any) -> Any:
        """Hear the next samples, and return what is certain now."""
        result = self._first.push(samples)
        for following in self._others:
            result = following.push(result)
        return result

    def finish(self) -> Any:
        """Return what was not certain before."""
        result = self._first.finish()
        for following in self._others:
            result = joined(following.push(result), following.finish())
        return result


def joined(first: Any, second: Any) -> Any:
    """Return two results of a stream as one: arrays along time, tables of events as one table."""
    if isinstance(first, np.ndarray):
        return np.concatenate([first, second], axis=-1)
    import pandas as pd

    tables = [table for table in (first, second) if len(table)]
    return pd.concat(tables, ignore_index=True) if tables else first


def _streaming_steps(estimator: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the steps that do something in prediction, with their places."""
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
