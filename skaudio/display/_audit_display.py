"""AuditDisplay: plot of an audit of a collection of recordings."""

from __future__ import annotations

from typing import Any

import numpy as np

from skaudio.display._palette import class_colors, names_and_codes
from skaudio.display._picture import count_ticks, import_pyplot, plain

# With more classes, colours cannot be distinguished, and all points have one colour.
MOST_CLASSES = 20
# Columns of the table that are plotted.
COLUMNS = ("readable", "duration", "level", "noise_floor", "bandwidth", "problems")
FEWEST_BARS = 4  # a plot has space for this many bars; a single bar would fill it
BARS = {
    "all": "all five",
    "level": "level",
    "noise_floor": "noise floor",
    "duration": "duration",
    "bandwidth": "bandwidth",
    "silent": "silence",
}


class AuditDisplay:
    """Plot of an audit: durations, levels, problems, and shortcuts to the classes.

    Usually created by ``audit_recordings(...).plot()``.

    Parameters
    ----------
    table : DataFrame
        One row per recording: ``readable``, ``duration`` (s), ``level`` and ``noise_floor`` (dBFS),
        ``sample_rate`` and ``bandwidth`` (Hz), ``problems`` and, where known, ``class``; see
        `skaudio.datasets.RecordingsAudit`.
    shortcuts : Series, default=None
        Accuracy of predicting the class from each measurement. None: the last plot shows the
        bandwidths.

    Attributes
    ----------
    axes_ : ndarray of 4 matplotlib Axes
        Axes of the durations, the levels, the problems, and the shortcuts or bandwidths.
    figure_ : matplotlib Figure
    points_ : dict of str to matplotlib PathCollection
        Level and noise floor of the recordings of each class; one entry, "", without classes.

    Examples
    --------
    >>> from skaudio.datasets import audit_recordings, load_spoken_digits
    >>> display = audit_recordings(load_spoken_digits().data[:10]).plot()
    >>> [ax.get_title() for ax in display.axes_]
    ['Durations', 'Levels', 'Problems', 'Bandwidths']
    """

    def __init__(self, table: Any, *, shortcuts: Any = None):
        self.table = table
        self.shortcuts = shortcuts

    def plot(self, axes: Any = None) -> AuditDisplay:
        """Draw the audit.

        Parameters
        ----------
        axes : array of 4 matplotlib Axes, default=None
            Axes or figure to plot on. None: a new figure is created.

        Returns
        -------
        display : AuditDisplay
        """
        plt = import_pyplot()
        self._check_table()
        if axes is None:
            _, axes = plt.subplots(2, 2, figsize=(11, 7), layout="constrained")
        self.axes_ = np.ravel(axes)
        if len(self.axes_) != 4:
            raise ValueError(f"{len(self.axes_)} axes given, expected 4, one for each part.")
        self.figure_ = self.axes_[0].figure
        durations, loudness, problems, last = self.axes_
        readable = self.table[self.table["readable"]]
        durations.hist(readable["duration"], bins=40)
        durations.set(title="Durations", xlabel="Duration (s)", ylabel="Recordings")
        self._plot_levels(loudness, readable)
        self._plot_problems(problems)
        if self.shortcuts is None:
            last.hist(readable["bandwidth"] / 1000, bins=40)
            last.set(title="Bandwidths", xlabel="Bandwidth (kHz)", ylabel="Recordings")
        else:
            self._plot_shortcuts(last)
        count_ticks(*(ax.yaxis for ax in self.axes_ if ax.get_ylabel() == "Recordings"))
        return self

    def _check_table(self) -> None:
        missing = [name for name in COLUMNS if name not in getattr(self.table, "columns", ())]
        if hasattr(self.table, "findings"):
            raise TypeError(
                f"table is a {type(self.table).__name__}, expected its DataFrame: audit.plot() "
                "draws an audit, AuditDisplay(audit.table, shortcuts=audit.shortcuts).plot() too."
            )
        if missing:
            raise ValueError(
                f"table={type(self.table).__name__} lacks the columns {missing}: expected the "
                "table of an audit, audit_recordings(X).table."
            )

    def _plot_levels(self, ax: Any, readable: Any) -> None:
        names, codes = names_and_codes(readable.get("class"), len(readable), "class")
        if len(names) > MOST_CLASSES:
            names, codes = [""], np.zeros(len(readable), int)
        size = 12 if len(readable) < 1000 else 4
        self.points_ = {}
        for i, color in enumerate(class_colors(len(names))):
            own = readable[codes == i]
            self.points_[names[i]] = ax.scatter(
                own["noise_floor"], own["level"], s=size, color=color, alpha=0.6
            )
        if len(names) > 1:
            # The legend is beside the plot, because points can be anywhere.
            ax.legend(
                list(self.points_.values()),
                [plain(name) for name in names],
                fontsize="small",
                loc="center left",
                bbox_to_anchor=(1.01, 0.5),
            )
        ax.set(title="Levels", xlabel="Noise floor (dBFS)", ylabel="Level (dBFS)")

    def _plot_problems(self, ax: Any) -> None:
        words = self.table["problems"].str.split(", ").explode()
        counts = words[words != ""].value_counts()
        if len(counts):
            ax.bar_label(ax.barh(list(counts.index), counts.to_numpy(), color="C3"), padding=3)
            ax.set_ylim(max(len(counts), FEWEST_BARS) - 0.5, -0.5)  # the most frequent at the top
            ax.margins(x=0.12)
            count_ticks(ax.xaxis)
        else:
            ax.text(0.5, 0.5, "none", ha="center", va="center", transform=ax.transAxes)
            ax.set_yticks([])
        ax.set(title="Problems", xlabel=f"Recordings, of {len(self.table)}")

    def _plot_shortcuts(self, ax: Any) -> None:
        shares = [100 * self.shortcuts[name] for name in BARS]
        bars = ax.barh(list(BARS.values()), shares)
        ax.bar_label(bars, fmt="%.0f", padding=3)
        ax.invert_yaxis()
        largest = 100 * self.shortcuts["largest class"]
        ax.axvline(largest, color="black", linestyle="--", label="largest class")
        ax.legend(fontsize="small", loc="lower right")
        ax.set(title="Shortcuts", xlabel="Accuracy of predicting the class (%)", xlim=(0, 105))
