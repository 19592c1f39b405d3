"""The events of one label in probabilities that arrive in pieces."""

from __future__ import annotations

import numpy as np

from skaudio.events._frame_events import ROUNDING, smooth


class RunningEvents:
    """Events of one label, by the same steps as `frames_to_events`, each when it is certain.

    An event is certain when what follows can neither extend it nor join another one to it: after
    half of the median filter and ``max_gap`` without the label. Memory does not grow.

    Parameters
    ----------
    high, low : float
        An event is a run at or above ``low`` that reaches ``high``.
    median_filter, min_duration, max_gap : float
        In frames.
    """

    def __init__(
        self, high: float, low: float, *, median_filter: float, min_duration: float, max_gap: float
    ) -> None:
        self._high, self._low = high, low
        self._median_filter = median_filter
        self._half = max(round((median_filter - 1) / 2), 0)  # frames to either side, as in `smooth`
        self._least, self._gap = min_duration - ROUNDING, max_gap + ROUNDING
        self._window = np.empty(0)  # frames not smoothed yet, and those before them that it takes
        self._t = 0  # the next frame
        self._sum = 0.0  # of the probabilities before it
        self._run: tuple[int, float] | None = None  # where a run began, and the sum before it
        self._reached = False  # whether it reached the higher threshold
        # An event that another run may extend: start, stop, and the sums before both.
        self._event: tuple[int, int, float, float] | None = None

    def push(self, values: np.ndarray, *, final: bool = False) -> list[tuple[int, int, float]]:
        """Return (start, stop, mean probability) of the events that are certain now, in frames.

        Parameters
        ----------
        values : ndarray of shape (k,)
            The probabilities of the next frames.
        final : bool
            No frames follow.
        """
        found: list[tuple[int, int, float]] = []
        for smoothed, value in self._smoothed(values, final):
            self._step(smoothed, value, found)
        if final:
            self._close(found)
            self._emit(found)
        return found

    def _smoothed(self, values: np.ndarray, final: bool) -> list[tuple[float, float]]:
        """Return the frames that can be smoothed now: running median, probability."""
        half = self._half
        if len(values) and not len(self._window):
            values = np.concatenate([np.repeat(values[:1], half), values])
        window = np.concatenate([self._window, values]).astype(values.dtype)
        if final and len(window):
            window = np.concatenate([window, np.repeat(window[-1:], half)])
        count = len(window) - 2 * half
        if count <= 0:
            self._window = window
            return []
        medians = smooth(window, self._median_filter)[half : half + count]
        probabilities = window[half : half + count]
        self._window = window[count:]
        return list(zip(medians.tolist(), probabilities.tolist(), strict=True))

    def _step(self, smoothed: float, value: float, found: list[tuple[int, int, float]]) -> None:
        """Take one frame."""
        if smoothed >= self._low:
            if self._run is None:
                self._run, self._reached = (self._t, self._sum), False
            self._reached = self._reached or smoothed >= self._high
        else:
            self._close(found)
        self._sum += value
        self._t += 1
        next_start = self._t if self._run is None else self._run[0]
        if self._event is not None and next_start - self._event[1] > self._gap:
            self._emit(found)

    def _close(self, found: list[tuple[int, int, float]]) -> None:
        """End the run before the next frame."""
        if self._run is not None and self._reached:
            start, before = self._run
            if self._event is not None and start - self._event[1] > self._gap:
                self._emit(found)
            if self._event is not None:
                start, before = self._event[0], self._event[2]
            self._event = start, self._t, before, self._sum
        self._run = None

    def _emit(self, found: list[tuple[int, int, float]]) -> None:
        if self._event is not None and self._event[1] - self._event[0] >= self._least:
            start, stop, before, until = self._event
            found.append((start, stop, (until - before) / (stop - start)))
        self._event = None
