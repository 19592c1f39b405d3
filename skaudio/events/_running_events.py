"""Events of one label from probabilities that arrive in pieces."""

from __future__ import annotations

import numpy as np

from skaudio.events._frame_events import ROUNDING, smooth


class RunningEvents:
    """Find the events of one label by the steps of `frames_to_events`, as soon as they are final.

    An event is final when later frames can neither extend it nor merge it with another event: after
    half of the median filter plus ``max_gap`` without the label. Memory use does not grow.

    Parameters
    ----------
    high, low : float
        Thresholds: an event is a run of frames at or above ``low`` that reaches ``high``.
    median_filter, min_duration, max_gap : float
        Filter parameters in numbers of frames.
    """

    def __init__(
        self, high: float, low: float, *, median_filter: float, min_duration: float, max_gap: float
    ) -> None:
        self._high, self._low = high, low
        self._median_filter = median_filter
        self._half = max(round((median_filter - 1) / 2), 0)  # frames on each side, as in `smooth`
        self._least, self._gap = min_duration - ROUNDING, max_gap + ROUNDING
        self._window = np.empty(0)  # frames not smoothed yet, and earlier ones needed
        self._t = 0  # the next frame
        self._sum = 0.0  # sum of the probabilities before frame _t
        self._run: tuple[int, float] | None = None  # start of the run, and the sum before it
        self._reached = False  # whether the current run has reached `high`
        # An event that the next run may extend: start, stop, and the sums before both.
        self._event: tuple[int, int, float, float] | None = None

    def push(self, values: np.ndarray, *, final: bool = False) -> list[tuple[int, int, float]]:
        """Return (start, stop, mean probability) of the events that are final, in frames.

        Parameters
        ----------
        values : ndarray of shape (k,)
            Probabilities of the next frames.
        final : bool
            Whether these are the last frames.
        """
        found: list[tuple[int, int, float]] = []
        for smoothed, value in self._smoothed(values, final):
            self._step(smoothed, value, found)
        if final:
            self._close(found)
            self._emit(found)
        return found

    def _smoothed(self, values: np.ndarray, final: bool) -> list[tuple[float, float]]:
        """Return the frames that can be smoothed: pairs of median and probability."""
        half = self._half
        # The ends are repeated, as in `smooth`, so that the first and last frames have a median.
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
        """Process one frame."""
        if smoothed >= self._low:
            if self._run is None:
                self._run, self._reached = (self._t, self._sum), False
            self._reached = self._reached or smoothed >= self._high
        else:
            self._close(found)
        self._sum += value
        self._t += 1
        # An event is final when the gap to the current run, or to the next frame, is too long.
        next_start = self._t if self._run is None else self._run[0]
        if self._event is not None and next_start - self._event[1] > self._gap:
            self._emit(found)

    def _close(self, found: list[tuple[int, int, float]]) -> None:
        """End the current run before the next frame."""
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
