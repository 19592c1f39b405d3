"""Streams of detectors: events in a signal that is still arriving."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from skaudio._neural import NeuralStream, check_streaming, neural_obstacles
from skaudio._validation import Obstacle
from skaudio.events import RunningEvents, check_thresholds

COLUMNS = ("file", "onset", "offset", "event_label", "score")


class EventStreamMixin:
    """Add `stream` to detectors."""

    def stream(self: Any, sample_rate: float | None = None) -> EventStream:
        """Find events in a signal that is still arriving.

        Parameters
        ----------
        sample_rate : float, default=None
            Sample rate of the signal in Hz. The signal is resampled to the rate of the encoder.
            None: the signal has the rate of the encoder.

        Returns
        -------
        stream : EventStream
            ``push(samples)`` takes any number of samples (or frames ``(n_features, k)`` with
            ``encoder=None``), and returns the events that are complete, as a table like that of
            `predict_events`; the table may be empty. ``finish()`` returns the remaining events. The
            attribute ``probabilities`` holds the probabilities ``(n_labels, k)`` of the frames that
            became complete in the last call. All events and probabilities together are those of
            `predict_events` and `predict_frames` for the whole signal, with probabilities up to
            1e-5.

        Raises
        ------
        ValueError
            If a frame depends on the whole recording, because of ``bidirectional``, ``standardize``
            or parameters of the encoder. The error names all parameters to change.

        Notes
        -----
        An event is returned some time after its end: half of ``median_filter`` plus ``max_gap``,
        plus the frames after these on which the convolutions depend. Memory use does not grow with
        time. The estimator is not changed, and several streams can run at the same time.

        Examples
        --------
        >>> import numpy as np
        >>> from skaudio.datasets import load_spoken_digits
        >>> from skaudio.detectors import EventDetector
        >>> from skaudio.encoders import MelSpectrogram
        >>> X, y = load_spoken_digits(return_X_y=True)
        >>> detector = EventDetector(
        ...     MelSpectrogram(),
        ...     channels=(4, 8),
        ...     frame_stride=2,
        ...     bidirectional=False,
        ...     max_epochs=2,
        ...     random_state=0,
        ... )
        >>> stream = detector.fit(X[y < 2], y[y < 2]).stream()
        >>> events = stream.push(np.zeros(8000))
        >>> events.columns.tolist(), stream.probabilities.shape
        (['file', 'onset', 'offset', 'event_label', 'score'], (2, 22))
        """
        check_streaming(self)
        return EventStream(self, sample_rate)

    def _stream_obstacles(self: Any) -> list[Obstacle]:
        return neural_obstacles(self, runs_along=lambda net: hasattr(net, "score"))


class EventStream:
    """Stream of a detector.

    Attributes
    ----------
    probabilities : ndarray of shape (n_labels, k)
        Probabilities of the frames that became complete in the last call.
    """

    def __init__(self, detector: Any, sample_rate: float | None) -> None:
        self._labels: list[Any] = detector.labels_.tolist()
        n_labels = len(self._labels)
        pooling = detector.net_.module_.net.pooling
        self._scores = NeuralStream(
            detector, sample_rate, n_labels, lambda x: pooling.frame_probabilities(x)[0]
        )
        self.probabilities = np.empty((n_labels, 0), np.float32)
        self._step = detector._step()
        self._first = float(detector.frame_times(1)[0])
        # The last of n input frames ends at ``_input_end + n * _input_step``.
        self._input_step = detector._input_step()
        self._input_end = float(detector._input_times(1)[0]) - self._input_step / 2
        self._running = self._running_events(detector)
        self._none = _table([])  # creating a table takes longer than a push

    def _running_events(self, detector: Any) -> list[RunningEvents]:
        labels = self._labels
        thresholds = getattr(detector, "thresholds_", detector.threshold)
        high = check_thresholds(thresholds, labels).tolist()
        filters = {
            name: np.broadcast_to(np.asarray(value, float), len(labels)).tolist()
            for name, value in detector._filters().items()
        }
        low = [h * share for h, share in zip(high, filters.pop("hysteresis"), strict=True)]
        return [
            RunningEvents(
                high[i], low[i], **{name: own[i] / self._step for name, own in filters.items()}
            )
            for i in range(len(labels))
        ]

    @property
    def sample_rate(self) -> float | None:
        """Sample rate in Hz of the pushed signal; None if frames are pushed."""
        return self._scores.sample_rate

    def push(self, samples: Any) -> pd.DataFrame:
        """Take the next samples, and return the events that are complete."""
        return self._events(self._scores.push(samples), final=False)

    def finish(self) -> pd.DataFrame:
        """Return the remaining events."""
        return self._events(self._scores.finish(), final=True)

    def _events(self, probabilities: np.ndarray, final: bool) -> pd.DataFrame:
        self.probabilities = probabilities
        end = self._input_end + self._input_step * self._scores.net.n_frames
        rows: list[Any] = []
        for label, values, running in zip(self._labels, probabilities, self._running, strict=True):
            for start, stop, score in running.push(values, final=final):
                onset = max(self._first + self._step * (start - 0.5), 0.0)
                offset = self._first + self._step * (stop - 0.5)
                # The last frame of the detector can extend beyond the end of the signal.
                rows.append((0, onset, min(offset, end) if final else offset, label, score))
        rows.sort(key=lambda row: row[1:3])
        return _table(rows) if rows else self._none.copy()


def _table(rows: list[Any]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=list(COLUMNS), dtype=object).infer_objects()
    return table.astype({"onset": float, "offset": float, "score": float})
