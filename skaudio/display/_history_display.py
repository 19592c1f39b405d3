"""HistoryDisplay: learning curves of a training."""

from __future__ import annotations

import numbers
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skaudio._steps import last_step
from skaudio.display._picture import count_ticks, import_pyplot

# Parts of the training data: prefixes of the names of their metrics, and names in the legend.
PARTS = {"train_": "training", "valid_": "held out"}
# Entries of a history that are not metrics.
OTHERS = {"epoch", "dur", "batches", "train_batch_count", "valid_batch_count"}


class HistoryDisplay:
    """Plot the learning curves of a training: the loss and other metrics after each epoch.

    There is one plot for each metric, with a line for the training data and one for the part that
    ``early_stopping`` holds out. A dotted line marks the epoch with the lowest loss of the part
    held out, whose weights the estimator keeps. Use `from_estimator` to create it.

    Parameters
    ----------
    history : sequence of mappings
        ``history_`` of a neural estimator: one mapping per epoch, of names to numbers. Metrics
        whose names begin with ``train_`` and ``valid_`` share a plot.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes
        Axes of each metric.
    figure_ : matplotlib Figure
    lines_ : dict of str to matplotlib Line2D
        Line of each metric, by its name in the history.

    See Also
    --------
    sklearn.model_selection.LearningCurveDisplay : Scores by number of training samples.

    Examples
    --------
    >>> from skaudio.classifiers import GRUClassifier
    >>> from skaudio.datasets import load_spoken_digits
    >>> from skaudio.display import HistoryDisplay
    >>> from skaudio.encoders import MFCC
    >>> X, y = load_spoken_digits(return_X_y=True)
    >>> gru = GRUClassifier(
    ...     MFCC(), hidden_size=8, max_epochs=3, early_stopping=True, random_state=0
    ... )
    >>> display = HistoryDisplay.from_estimator(gru.fit(X[y < 2], y[y < 2]))
    >>> sorted(display.lines_)
    ['train_loss', 'valid_loss', 'valid_score']
    """

    def __init__(self, history: Any) -> None:
        self.history = history

    @classmethod
    def from_estimator(cls, estimator: Any, *, axes: Any = None) -> Self:
        """Plot the learning curves of an estimator.

        Parameters
        ----------
        estimator : neural estimator
            Fitted estimator, or a Pipeline that ends in one, a `NetEmbedder` or a search.
        axes : array of matplotlib Axes, default=None
            Axes for each metric. None: a new figure is created.

        Returns
        -------
        display : HistoryDisplay
        """
        net = _trained(estimator)
        if net is None:
            check_is_fitted(estimator)
            raise TypeError(
                f"{type(estimator).__name__} has no history_: expected an estimator that trains a "
                "network, such as GRUClassifier, or a Pipeline or search of one."
            )
        return cls(net.history_).plot(axes)

    def plot(self, axes: Any = None) -> Self:
        """Draw the curves.

        Parameters
        ----------
        axes : array of matplotlib Axes, default=None
            Axes for each metric. None: a new figure is created.

        Returns
        -------
        display : HistoryDisplay
        """
        plt = import_pyplot()
        rows = [dict(row) for row in self.history]
        curves: dict[str, list[str]] = {}
        for name in _measures(rows):
            curves.setdefault(_without_part(name), []).append(name)
        if not curves:
            raise ValueError(
                "history holds no measure of any epoch: expected mappings such as "
                "{'epoch': 1, 'train_loss': 0.7}. Was the estimator fitted?"
            )
        n = len(curves)
        if axes is None:
            size = (5.5 * min(n, 3), 3.6 * -(-n // 3))
            figure = plt.figure(figsize=size, layout="constrained")
            axes = [figure.add_subplot(-(-n // 3), min(n, 3), i + 1) for i in range(n)]
        self.axes_ = np.ravel(axes)
        if len(self.axes_) != n:
            raise ValueError(
                f"{len(self.axes_)} axes given, expected {n}, one for each measure: "
                f"{', '.join(curves)}."
            )
        self.figure_ = self.axes_[0].figure
        epochs = [row.get("epoch", i) for i, row in enumerate(rows, 1)]
        best = [
            epoch for epoch, row in zip(epochs, rows, strict=True) if row.get("valid_loss_best")
        ]
        self.lines_ = {}
        for ax, (measure, names) in zip(self.axes_, curves.items(), strict=True):
            for name in names:
                values = [row.get(name, np.nan) for row in rows]
                # A line of a single epoch would be invisible without a marker.
                look = {"marker": "o" if len(rows) == 1 else "", "label": _part(name)}
                color = {"train_": "C0", "valid_": "C1"}.get(name[:6])  # same in all plots
                (self.lines_[name],) = ax.plot(epochs, values, color=color, **look)
            if best:
                ax.axvline(best[-1], color="0.4", linestyle=":", label=f"epoch {best[-1]}, kept")
            ax.set(xlabel="Epoch", ylabel=measure.replace("_", " ").capitalize())
            count_ticks(ax.xaxis)
            ax.legend(fontsize="small")
        return self


def _trained(estimator: Any) -> Any:
    """Return the estimator with a history, or None."""
    inner = last_step(estimator)
    if hasattr(inner, "history_"):
        return inner
    for name in ("best_estimator_", "estimator_"):
        if hasattr(inner, name):
            return _trained(getattr(inner, name))
    return None


def _measures(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the names of the metrics, first those of the training data."""
    names = {name: None for row in rows for name in row if name not in OTHERS}
    for name in sorted(names, key=lambda name: not name.startswith("train_")):
        values = [row[name] for row in rows if name in row]
        if all(isinstance(v, numbers.Real) and not isinstance(v, (bool, np.bool_)) for v in values):
            yield name


def _without_part(name: str) -> str:
    for beginning in PARTS:
        name = name.removeprefix(beginning)
    return name


def _part(name: str) -> str:
    return next((part for start, part in PARTS.items() if name.startswith(start)), name)
