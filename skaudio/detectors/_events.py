"""Events from probabilities over time: frame times, thresholds and filters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from skaudio._steps import frame_maker
from skaudio._validation import check_length, check_parameters
from skaudio.detectors._thresholds import FILTERS, Tuning, check_onsets
from skaudio.events import (
    check_events,
    check_thresholds,
    events_of_clips,
    file_spans,
    frames_to_events,
)


class EventsMixin:
    """Add `predict_events`, `tune_thresholds` and `frame_times` to detectors."""

    frame_stride: int
    frame_duration: float
    threshold: Any
    labels_: np.ndarray
    _frames: Callable[[Any], tuple[list[np.ndarray], list[int]]]

    def frame_times(self, n_frames: Any) -> np.ndarray:
        """Return the time of the centre of each frame of the detector.

        Parameters
        ----------
        n_frames : int or ndarray of shape (..., n_frames)
            Number of frames, or an array of frames, whose last axis is counted.

        Returns
        -------
        times : ndarray of shape (n_frames,)
            Times in seconds from the start of the recording.
        """
        n_frames = check_length("n_frames", n_frames)
        first, step = self._input_times(1)[0], self._input_step()
        centers = self.frame_stride * np.arange(n_frames) + (self.frame_stride - 1) / 2
        times: np.ndarray = first + step * centers
        return times

    def predict_events(self, X: Any) -> pd.DataFrame:
        """Return the events in recordings.

        Parameters
        ----------
        X : sequence of recordings, or of frames where ``encoder=None``

        Returns
        -------
        events : DataFrame
            Events with the columns ``file`` (the path, or the position in X; see
            `skaudio.events.file_names`), ``onset`` and ``offset`` in seconds, ``event_label``, and
            ``score`` (the mean probability). The times in a clip of a file are relative to the
            start of the file.
        """
        check_is_fitted(self)
        self._check_params(self.labels_)
        spans = file_spans(X)
        probabilities, counts = self._frames(X)
        thresholds = getattr(self, "thresholds_", self.threshold)
        tables = []
        for span, values, count in zip(spans, probabilities, counts, strict=True):
            table = frames_to_events(
                values,
                self.frame_times(values),
                self.labels_.tolist(),
                threshold=thresholds,
                frame_duration=self._step(),
                file=span.name,
                **self._filters(),
            )
            end = self._input_times(count)[-1] + self._input_step() / 2
            table["offset"] = table["offset"].clip(upper=end)
            table[["onset", "offset"]] += span.start
            tables.append(table)
        found = [table for table in tables if len(table)]
        return pd.concat(found, ignore_index=True) if found else tables[0]

    def tune_thresholds(
        self, X: Any, events: Any, *, metric: str = "segment", filters: bool = False
    ) -> Self:
        """Choose the threshold of each label with strong labels; the network is not changed.

        Parameters
        ----------
        X : sequence of recordings, or of frames where ``encoder=None``
            Recordings, preferably other ones than in `fit`.
        events : DataFrame
            All events in X; see `skaudio.events.check_events`. ``file`` holds the names that
            `predict_events` returns. For clips of files, only the events within the clips are used.
        metric : {"segment", "event"}, default="segment"
            Score to maximise: the F1 score of segments of one second, or of events. Onsets of
            events may differ by 0.2 s, and offsets by 0.2 s or a fifth of the length of the event,
            whichever is longer.
        filters : bool, default=False
            Whether to also choose ``hysteresis``, ``median_filter``, ``max_gap`` and
            ``min_duration`` of each label. This needs more strong labels than thresholds alone: a
            few dozen per label.

        Returns
        -------
        self : estimator
            The estimator with ``thresholds_`` and ``filters_``. They replace ``threshold`` and,
            with ``filters=True``, the four parameters until the next `fit`.
        """
        check_is_fitted(self)
        self._check_params(self.labels_)
        labels, spans = self.labels_.tolist(), file_spans(X)
        names: list[Any] = [span.name for span in spans]
        events = check_events(events, labels=labels, files=names)
        if any(span.is_clip for span in spans):
            events, names = events_of_clips(events, spans), list(range(len(spans)))
        probabilities, counts = self._frames(X)
        ends = {n: self._input_times(c)[-1] for n, c in zip(names, counts, strict=True)}
        check_onsets(events, ends, tolerance=self._input_step())
        times = [self.frame_times(values) for values in probabilities]
        tuning = Tuning(probabilities, times, names, events, metric, self._step())
        default = check_thresholds(self.threshold, labels)
        given = {name: getattr(self, name) for name in FILTERS}
        self.thresholds_, chosen = tuning.best(labels, default, given, filters)
        self.filters_ = chosen if filters else {}
        return self

    def _check_params(self, labels: Any) -> None:
        check_parameters(self)
        check_thresholds(self.threshold, labels)

    def _filters(self) -> dict[str, Any]:
        return {n: getattr(self, n) for n in FILTERS} | getattr(self, "filters_", {})

    def _input_times(self, n_frames: int) -> np.ndarray:
        maker = frame_maker(getattr(self, "encoder_", None))
        if maker is None:
            return np.multiply(self.frame_duration, np.arange(n_frames))
        times: np.ndarray = maker.frame_times(n_frames)
        return times

    def _input_step(self) -> float:
        first, second = self._input_times(2)
        return float(second - first)

    def _step(self) -> float:
        return float(self._input_step() * self.frame_stride)
