"""EventsDisplay: a spectrogram, probabilities over time, and bars for the events."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skaudio._steps import frame_maker, transform_plainly
from skaudio._validation import check_range
from skaudio.display._axes import spectrogram_params
from skaudio.display._palette import class_colors
from skaudio.display._picture import import_pyplot, one_recording, plain
from skaudio.display._spectrogram_display import SpectrogramDisplay
from skaudio.events import check_events, events_of_clips, file_spans, match_names

BAR = 0.38  # height of a bar; the distance between labels is 1


class EventsDisplay:
    """Plot of the events in one recording.

    From top to bottom: the spectrogram, the probability of each label over time, and bars for the
    predicted events of each label, with the true events beside them if they are given.

    Parameters
    ----------
    events : DataFrame
        Predicted events of one recording; see `skaudio.events.check_events`.
    labels : sequence
        Labels in order from top to bottom. Each label has its own color.
    events_true : DataFrame, default=None
        The true events.
    probabilities : array of shape (n_labels, n_frames), default=None
        Probabilities of the labels over time. None: only bars are drawn.
    frame_times : array of shape (n_frames,), default=None
        Times of the probabilities, in seconds.
    thresholds : array of shape (n_labels,), default=None
        Thresholds of the labels, drawn as dashed lines.
    spectrogram : SpectrogramDisplay, default=None
        The spectrogram on top.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes
        Axes of the spectrogram, the probabilities and the bars, if they are drawn.
    figure_ : matplotlib Figure
    bars_ : dict of label to matplotlib collection
        Bars of the predicted events.
    bars_true_ : dict of label to matplotlib collection
        Bars of the true events.
    lines_ : list of matplotlib Line2D
        The probabilities, a line per label.

    Examples
    --------
    >>> from skaudio.display import EventsDisplay
    >>> dog = [{"file": 0, "onset": 0.5, "offset": 2.0, "event_label": "dog"}]
    >>> display = EventsDisplay(dog, labels=["cat", "dog"]).plot()
    >>> [tick.get_text() for tick in display.axes_[-1].get_yticklabels()]
    ['cat', 'dog']
    """

    def __init__(
        self,
        events: Any,
        *,
        labels: Any,
        events_true: Any = None,
        probabilities: Any = None,
        frame_times: Any = None,
        thresholds: Any = None,
        spectrogram: Any = None,
    ) -> None:
        self.events = events
        self.labels = labels
        self.events_true = events_true
        self.probabilities = probabilities
        self.frame_times = frame_times
        self.thresholds = thresholds
        self.spectrogram = spectrogram

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        events_true: Any = None,
        index: int = 0,
        time_range: Any = None,
        axes: Any = None,
    ) -> Self:
        """Detect the events of a recording and draw them.

        Parameters
        ----------
        estimator : EventDetector
            Fitted, with an encoder.
        X : sequence of recordings, or one path, 1-D waveform or mapping
        events_true : DataFrame, default=None
            Strong labels of this recording, or of several; those with its ``file`` are used.
        index : int, default=0
            Position of the recording in X.
        time_range : (float, float), default=None
            Part to plot, in seconds from the start of the recording. None: the whole recording.
        axes : array of 3 matplotlib Axes, default=None
            Axes or figure to plot on. None: a new figure is created.

        Returns
        -------
        display : EventsDisplay
        """
        import_pyplot()  # first, because it may be missing
        check_is_fitted(estimator)
        if getattr(estimator, "encoder_", None) is None:
            raise TypeError(
                f"{type(estimator).__name__}(encoder=None) has no spectrogram to draw: expected a "
                "detector with an encoder, or EventsDisplay(events, labels=...).plot()."
            )
        one = one_recording(X, index)
        single = isinstance(one, list) and one[0] is X  # X is a single recording
        span = file_spans(one)[0] if single else file_spans(X)[index]
        events = estimator.predict_events(one)
        events[["onset", "offset"]] -= span.start
        if events_true is not None:
            table = check_events(events_true, labels=list(estimator.labels_))
            table = match_names(table, "file", [span.name])
            events_true = table[table["file"] == span.name]
            if span.is_clip:
                events_true = events_of_clips(events_true, [span])
        probabilities = estimator.predict_frames(one)[0]
        encoder = frame_maker(estimator.encoder_)
        frames = np.asarray(transform_plainly(estimator.encoder_, one)[0])
        thresholds = getattr(estimator, "thresholds_", None)
        display = cls(
            events,
            labels=list(estimator.labels_),
            events_true=events_true,
            probabilities=probabilities,
            frame_times=estimator.frame_times(probabilities),
            thresholds=thresholds,
            spectrogram=SpectrogramDisplay(
                frames, times=encoder.frame_times(frames), **spectrogram_params(encoder)
            ),
        )
        return display.plot(axes, time_range=time_range)

    def plot(self, axes: Any = None, *, time_range: Any = None) -> Self:
        """Draw the events.

        Parameters
        ----------
        axes : array of matplotlib Axes, default=None
            Axes for the plotted parts, from top to bottom. None: a new figure is created.
        time_range : (float, float), default=None
            Part to plot, in seconds. None: everything. New axes share their time axis, so
            `axes_[0].set_xlim` zooms all of them afterwards.

        Returns
        -------
        display : EventsDisplay
        """
        plt = import_pyplot()
        parts = [self.spectrogram is not None, self.probabilities is not None, True]
        n_parts = sum(parts)
        if axes is None:
            heights = np.array([3.0, 2.0, 0.6 + 0.45 * len(self.labels)])[parts]
            _, axes = plt.subplots(
                n_parts,
                1,
                sharex=True,
                squeeze=False,
                figsize=(8, float(heights.sum()) + 0.6),
                height_ratios=heights,
                layout="constrained",
            )
        self.axes_ = np.ravel(axes)
        if len(self.axes_) != n_parts:
            raise ValueError(
                f"{len(self.axes_)} axes given, expected {n_parts}, one for each part."
            )
        self.figure_ = self.axes_[0].figure
        remaining = list(self.axes_)
        colors = dict(zip(self.labels, class_colors(len(self.labels)), strict=True))
        if self.spectrogram is not None:
            ax = remaining.pop(0)
            self.spectrogram.plot(ax, colorbar=False)
            ax.set_xlabel("")
        self.lines_: list[Any] = []
        if self.probabilities is not None:
            self._plot_probabilities(remaining.pop(0), colors)
        self._plot_bars(remaining[0], colors)
        if time_range is not None:
            start, end = check_range("time_range", time_range, unit=" of seconds")
            if start == end:
                raise ValueError(f"time_range={time_range!r}: expected (start, end), start < end.")
            for ax in self.axes_:
                ax.set_xlim(start, end)
        return self

    def _plot_probabilities(self, ax: Any, colors: dict[Any, str]) -> None:
        if self.frame_times is None:
            raise ValueError("probabilities is given, frame_times is not: expected both.")
        for i, label in enumerate(self.labels):
            (line,) = ax.plot(
                self.frame_times, self.probabilities[i], color=colors[label], label=plain(label)
            )
            self.lines_.append(line)
            if self.thresholds is not None:
                ax.axhline(self.thresholds[i], color=colors[label], linestyle="--", linewidth=0.7)
        ax.set(ylabel="Probability", ylim=(-0.03, 1.03))
        ax.margins(x=0)
        # Handles are passed, because matplotlib skips lines whose label begins with an underscore.
        columns = min(len(self.labels), 4)
        ax.legend(handles=self.lines_, loc="upper right", fontsize="small", ncols=columns)

    def _plot_bars(self, ax: Any, colors: dict[Any, str]) -> None:
        paired = self.events_true is not None
        found = check_events(self.events, labels=list(self.labels))
        self.bars_ = self._bars(ax, found, colors, 0.0 if paired else -BAR / 2, alpha=1.0)
        self.bars_true_ = {}
        if paired:
            true = check_events(self.events_true, labels=list(self.labels))
            self.bars_true_ = self._bars(ax, true, colors, -BAR, alpha=0.4, hatch="///")
            from matplotlib.patches import Patch

            handles = [
                Patch(facecolor="grey", alpha=0.4, hatch="///", label="true"),
                Patch(facecolor="grey", label="found"),
            ]
            ax.legend(handles=handles, loc="upper right", fontsize="small", ncols=2)
        ax.set_yticks(range(len(self.labels)), labels=[plain(label) for label in self.labels])
        ax.set(xlabel="Time (s)", ylim=(len(self.labels) - 0.4, -0.6))
        if self.probabilities is None and len(found):
            ax.set_xlim(left=0)

    def _bars(
        self, ax: Any, events: Any, colors: dict[Any, str], below: float, **style: Any
    ) -> dict[Any, Any]:
        bars = {}
        for row, label in enumerate(self.labels):
            own = events[events["event_label"] == label]
            spans = list(zip(own["onset"], own["offset"] - own["onset"], strict=True))
            if spans:
                bars[label] = ax.broken_barh(
                    spans, (row + below, BAR), facecolors=colors[label], **style
                )
        return bars
