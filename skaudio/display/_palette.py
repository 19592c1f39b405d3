"""Colors of classes and markers of groups."""

from __future__ import annotations

import colorsys
import warnings
from typing import Any

import numpy as np
from sklearn.utils import column_or_1d

from skaudio._validation import check_labels, printable
from skaudio.display._picture import plain

# Markers of matplotlib and their names in Bokeh. With more groups, they are repeated.
MARKERS = {
    "o": "circle",
    "^": "triangle",
    "s": "square",
    "D": "diamond",
    "v": "inverted_triangle",
    "P": "plus",
    "X": "x",
    "*": "star",
    "h": "hex",
}


# Number of classes per column of the legend.
LEGEND_ROWS = 25


def names_and_codes(values: Any, n: int, name: str) -> tuple[list[str], np.ndarray]:
    """Return the sorted names of the classes or groups, and the code of each of n recordings."""
    if values is None:
        return [""], np.zeros(n, dtype=int)
    check_labels(values, name)
    found, codes = np.unique(column_or_1d(values), return_inverse=True)
    return [printable(value) for value in found], codes


def class_colors(n: int) -> list[str]:
    """Return n colors as #rrggbb that differ as much as possible."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    if n <= 20:
        palette = colormaps["tab10" if n <= 10 else "tab20"]
        return [to_hex(palette(i)) for i in range(n)]
    lightness = (0.35, 0.5, 0.65)  # colors with similar hue differ in lightness
    return [to_hex(colorsys.hls_to_rgb(i / n, lightness[i % 3], 0.75)) for i in range(n)]


def marker(i: int) -> str:
    """Return matplotlib's marker of group i; `MARKERS` maps it to Bokeh's."""
    return list(MARKERS)[i % len(MARKERS)]


def add_legends(ax: Any, classes: list[str], colors: np.ndarray, groups: list[str]) -> None:
    """Add the legend of markers above the axes, and the legend of colors beside them."""
    from matplotlib.lines import Line2D

    def entry(label: str, **look: Any) -> Line2D:
        return Line2D([], [], linestyle="", label=plain(label), **look)

    place = {"borderaxespad": 0.0, "frameon": False, "fontsize": "small"}
    if len(groups) > len(MARKERS):
        warnings.warn(
            f"{len(groups)} groups share {len(MARKERS)} markers, so several groups look alike: "
            "draw fewer groups, or pass the groups as y, for which there are more colors.",
            stacklevel=4,
        )
    if len(groups) > 1:
        entries = [entry(g, marker=marker(i), color="0.4") for i, g in enumerate(groups)]
        above = {"loc": "lower left", "bbox_to_anchor": (0, 1.01)}
        legend = ax.legend(handles=entries, ncols=min(len(groups), 6), **above, **place)
        ax.add_artist(legend)  # without this, the second legend would replace it
        legend.set_clip_on(False)
    if len(classes) > 1:
        entries = [entry(c, marker="o", color=k) for c, k in zip(classes, colors, strict=True)]
        beside = {"loc": "upper left", "bbox_to_anchor": (1.02, 1)}
        columns = 1 + (len(classes) - 1) // LEGEND_ROWS
        ax.legend(handles=entries, ncols=columns, **beside, **place)
