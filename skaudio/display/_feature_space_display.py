"""FeatureSpaceDisplay: recordings as points in two dimensions."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np

from skaudio._files import write_whole
from skaudio._steps import frame_maker, transform_plainly
from skaudio._validation import check_same_lengths
from skaudio.display._palette import add_legends, class_colors, marker, names_and_codes
from skaudio.display._picture import import_pyplot, plain
from skaudio.display._projection import check_rows, project


class FeatureSpaceDisplay:
    """Plot recordings as points in two dimensions: similar recordings are near each other.

    Colors show classes, markers show groups. Use `from_estimator` or `from_embeddings` to create
    it. `to_html` writes a page on which a click on a point plays the recording.

    Parameters
    ----------
    coordinates : ndarray of shape (n_recordings, 2)
    axis_labels : sequence of two str, default=("Feature 1", "Feature 2")
    y : array-like of shape (n_recordings,), default=None
        Class of each recording, shown by its color.
    groups : array-like of shape (n_recordings,), default=None
        Group of each recording, shown by its marker.
    recordings : sequence of n_recordings recordings, default=None
        Recordings that `to_html` plays.
    sample_rate : float, default=None
        Sample rate of bare arrays in Hz.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    points_ : list of matplotlib PathCollection
        Points of each group.

    See Also
    --------
    sklearn.manifold.TSNE : Its notes describe which distances are meaningful.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from skaudio.datasets import load_spoken_digits
    >>> from skaudio.display import FeatureSpaceDisplay
    >>> from skaudio.encoders import MFCC
    >>> from skaudio.pooling import FramePooling
    >>> digits = load_spoken_digits()
    >>> y = digits.target_names[digits.target]
    >>> features = make_pipeline(MFCC(), FramePooling())
    >>> display = FeatureSpaceDisplay.from_estimator(features, digits.data, y)
    >>> display.ax_.get_xlabel()
    'Principal component 1 (35 %)'
    >>> display.to_html("digits.html")  # doctest: +SKIP
    """

    def __init__(
        self,
        coordinates: Any,
        *,
        axis_labels: Any = ("Feature 1", "Feature 2"),
        y: Any = None,
        groups: Any = None,
        recordings: Any = None,
        sample_rate: float | None = None,
    ) -> None:
        self.coordinates = coordinates
        self.axis_labels = axis_labels
        self.y = y
        self.groups = groups
        self.recordings = recordings
        self.sample_rate = sample_rate

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any = None,
        *,
        groups: Any = None,
        method: Any = "pca",
        random_state: Any = None,
        ax: Any = None,
        scatter_kw: Any = None,
    ) -> Self:
        """Compute the features of recordings, reduce them to two dimensions and draw them.

        Parameters
        ----------
        estimator : transformer
            Transformer from recordings to rows: an embedder, or a Pipeline that ends in a pooling.
            For a Pipeline that ends in a classifier, pass the part before it, ``model[:-1]``.
        X : sequence of n recordings
        y : array-like of shape (n,), default=None
            Class of each recording, shown by its color.
        groups : array-like of shape (n,), default=None
            Group of each recording, shown by its marker.
        method : {"pca", "tsne", "umap"}, transformer or None, default="pca"
            Reduction to two dimensions: principal components, t-SNE, UMAP (needs the extra
            ``umap``), or a transformer. None: there are two features, which are plotted directly.
        random_state : int, RandomState instance or None, default=None
            Seed of the method.
        ax : matplotlib Axes, default=None
            Axes or figure to plot on. None: a new figure is created.
        scatter_kw : dict, default=None
            Passed on to `matplotlib.axes.Axes.scatter`.

        Returns
        -------
        display : FeatureSpaceDisplay
        """
        import_pyplot()  # first, because it may be missing
        if not hasattr(estimator, "transform"):
            raise TypeError(
                f"{type(estimator).__name__} has no transform, expected a transformer from "
                "recordings to rows: pass the part of a Pipeline before the classifier, model[:-1]."
            )
        maker = frame_maker(estimator) or estimator
        return cls.from_embeddings(
            transform_plainly(estimator, X),
            y,
            groups=groups,
            recordings=X,
            sample_rate=getattr(maker, "sample_rate", None),
            method=method,
            random_state=random_state,
            ax=ax,
            scatter_kw=scatter_kw,
        )

    @classmethod
    def from_embeddings(
        cls,
        embeddings: Any,
        y: Any = None,
        *,
        groups: Any = None,
        recordings: Any = None,
        sample_rate: float | None = None,
        method: Any = "pca",
        random_state: Any = None,
        ax: Any = None,
        scatter_kw: Any = None,
    ) -> Self:
        """Reduce computed features to two dimensions and draw them.

        Parameters
        ----------
        embeddings : array-like of shape (n, n_features)
            One row per recording.
        y : array-like of shape (n,), default=None
            Class of each recording, shown by its color.
        groups : array-like of shape (n,), default=None
            Group of each recording, shown by its marker.
        recordings : sequence of n recordings, default=None
            Recordings that `to_html` plays.
        sample_rate : float, default=None
            Sample rate of bare arrays in Hz.
        method : {"pca", "tsne", "umap"}, transformer or None, default="pca"
            Reduction to two dimensions: principal components, t-SNE, UMAP (needs the extra
            ``umap``), or a transformer. None: there are two features, which are plotted directly.
        random_state : int, RandomState instance or None, default=None
            Seed of the method.
        ax : matplotlib Axes, default=None
            Axes or figure to plot on. None: a new figure is created.
        scatter_kw : dict, default=None
            Passed on to `matplotlib.axes.Axes.scatter`.

        Returns
        -------
        display : FeatureSpaceDisplay
        """
        import_pyplot()
        rows = check_rows(embeddings)
        check_same_lengths(embeddings=rows, y=y, groups=groups, recordings=recordings)
        coordinates, labels = project(rows, method, random_state)
        display = cls(
            coordinates,
            axis_labels=labels,
            y=y,
            groups=groups,
            recordings=recordings,
            sample_rate=sample_rate,
        )
        return display.plot(ax, scatter_kw=scatter_kw)

    def plot(self, ax: Any = None, *, legend: bool = True, scatter_kw: Any = None) -> Self:
        """Draw the points.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes or figure to plot on. None: a new figure is created.
        legend : bool, default=True
            Whether to draw legends of the colors and markers.
        scatter_kw : dict, default=None
            Passed on to `matplotlib.axes.Axes.scatter`.

        Returns
        -------
        display : FeatureSpaceDisplay
        """
        plt = import_pyplot()
        if ax is None:
            _, ax = plt.subplots(figsize=(7.5, 5), layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        classes, codes = names_and_codes(self.y, len(self.coordinates), "y")
        groups, members = names_and_codes(self.groups, len(self.coordinates), "groups")
        colors = np.array([plt.matplotlib.colors.to_rgba(c) for c in class_colors(len(classes))])
        style = {"s": 25, "linewidths": 0.4, "edgecolors": "white", **(scatter_kw or {})}
        self.points_ = []
        for i, _ in enumerate(groups):
            mine = members == i
            x, height = np.asarray(self.coordinates)[mine].T
            look = {"c": colors[codes[mine]], "marker": marker(i), **style}
            self.points_.append(ax.scatter(x, height, **look))
        ax.set(xlabel=plain(self.axis_labels[0]), ylabel=plain(self.axis_labels[1]))
        if legend:
            add_legends(ax, classes, colors, groups)
        return self

    def to_html(
        self,
        path: Any = None,
        *,
        title: str = "Feature space",
        duration: float = 5.0,
        sample_rate: float | None = None,
        verbose: int = 0,
    ) -> Any:
        """Write an interactive HTML page on which a click on a point plays the recording.

        The page is a single file, which contains the pictures, the sounds and the library Bokeh
        (writing it needs the extra ``interactive``). Hovering over a point shows the name, class,
        group and spectrogram of the recording. A click on a class in the legend hides its points.

        Parameters
        ----------
        path : str or path-like, default=None
            File to write. None returns the page.
        title : str, default="Feature space"
            Heading of the page.
        duration : float, default=5.0
            Length of the part of each recording that is shown and played, in seconds from its
            start. Sounds are mono MP3 at 16 kHz. The bit rate is between 64 and 16 kbit/s and
            decreases with the number of recordings, so that 2000 recordings of 5 s result in a page
            of 34 MB.
        sample_rate : float, default=None
            Sample rate of bare arrays in Hz. None: that of the estimator.
        verbose : int, default=0
            Show a progress bar over the recordings.

        Returns
        -------
        page : str, or None if there is a path
        """
        from skaudio.display._html_page import make_page

        if self.recordings is None:
            raise ValueError(
                "No recordings to listen to: expected recordings= in from_embeddings, or a display "
                "made by from_estimator."
            )
        page = make_page(
            self,
            title,
            duration=duration,
            sample_rate=sample_rate or self.sample_rate,
            verbose=verbose,
        )
        if path is None:
            return page
        write_whole(Path(path), page.encode())
        return None
