"""Classes and groups as colors and markers."""

from __future__ import annotations

import colorsys
from typing import Any

import numpy as np
from sklearn.utils import column_or_1d

# Markers of matplotlib and their names in Bokeh; with more groups they repeat.
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


def names_and_codes(values: Any, n: int) -> tuple[list[str], np.ndarray]:
    """Return the sorted names of the classes or groups, and the code of each of n recordings."""
    if values is None:
        return [""], np.zeros(n, dtype=int)
    found, codes = np.unique(column_or_1d(values), return_inverse=True)
    return [str(value) for value in found], codes


def class_colors(n: int) -> list[str]:
    """Return n colors as #rrggbb, as different from each other as n can be."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    if n <= 20:
        palette = colormaps["tab10" if n <= 10 else "tab20"]
        return [to_hex(palette(i)) for i in range(n)]
    lightness = (0.35, 0.5, 0.65)  # neighbours in hue differ in lightness too
    return [to_hex(colorsys.hls_to_rgb(i / n, lightness[i % 3], 0.75)) for i in range(n)]


def marker(i: int) -> str:
    """Return the marker of group i, by its name in matplotlib; `MARKERS` has the one in Bokeh."""
    return list(MARKERS)[i % len(MARKERS)]
