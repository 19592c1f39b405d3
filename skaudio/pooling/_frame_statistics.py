"""Statistics along time for recordings of equal length; the last axis is time.

The functions treat each feature of each recording separately, so the values of a recording do not
depend on its batch.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# Number of frames over which a delta is computed; librosa's default.
DELTA_WIDTH = 9
# Suffixes of feature names: none, first-order and second-order deltas.
DELTA_ENDINGS = ("", "_delta", "_delta2")


def deltas(frames: np.ndarray, order: int = 1) -> np.ndarray:
    """Return local derivatives along time, as ``librosa.feature.delta(mode="nearest")``.

    A polynomial of degree ``order`` is fitted to the nine frames around each frame; the result is
    its derivative. The first and last frames are repeated beyond the ends.
    """
    from scipy.signal import savgol_filter  # slow to import

    slopes: np.ndarray = savgol_filter(
        frames, DELTA_WIDTH, polyorder=order, deriv=order, axis=-1, mode="nearest"
    )
    return slopes


def spread(frames: np.ndarray) -> np.ndarray:
    """Return the standard deviation along time, exactly 0 where only rounding errors vary."""
    rounding = 4 * np.finfo(np.float32).eps * np.abs(frames).max(axis=-1)
    std = frames.std(axis=-1)
    return np.where(std > rounding, std, 0.0)


def standardize(frames: np.ndarray) -> np.ndarray:
    """Return features of mean 0 and variance 1 along time; 0 where a feature does not vary."""
    std = spread(frames)[..., np.newaxis]
    centered = frames - frames.mean(axis=-1, keepdims=True)
    scaled: np.ndarray = np.divide(centered, std, out=np.zeros_like(frames), where=std > 0)
    return scaled


def parts(places: np.ndarray, n_segments: int, overlap: float) -> list[slice]:
    """Cut frames into consecutive parts, which are never empty.

    ``places`` are ascending positions of the frames, from 0 to 1. Each part is extended into its
    neighbours by ``overlap``, a fraction of its length.
    """
    count = np.arange(n_segments)
    # The margin allows for rounding errors: a position equal to a border belongs to the part
    # before.
    starts = np.searchsorted(places, (count - overlap) / n_segments + 1e-9)
    stops = np.searchsorted(places, (count + 1 + overlap) / n_segments + 1e-9)
    starts = np.minimum(starts, len(places) - 1)
    stops = np.maximum(stops, starts + 1)
    return [slice(a, b) for a, b in zip(starts.tolist(), stops.tolist(), strict=True)]


def places_in_time(n_frames: int) -> np.ndarray:
    """Return the end of each frame, as a fraction of the recording."""
    return np.arange(1, n_frames + 1) / n_frames


def places_by_change(frames: np.ndarray) -> np.ndarray:
    """Return the position of each frame along the path of the features, from 0 to 1.

    The length of the path is the total change of the frames (..., n_features, n_frames). If nothing
    changes, positions are evenly spaced.
    """
    steps = np.sqrt(np.square(deltas(frames)).sum(axis=-2))
    steps = np.where(steps.max(axis=-1, keepdims=True) > 0, steps, 1.0)
    way = steps.cumsum(axis=-1)
    places: np.ndarray = (way - steps / 2) / way[..., -1:]
    return places


def summarize(frames: np.ndarray, stats: Sequence[str]) -> np.ndarray:
    """Return statistics (..., n_stats, n_features) of frames (..., n_features, n_frames)."""
    percents = [percent(stat) for stat in stats]
    wanted = [p for p in percents if p is not None]
    quantiles = iter(np.percentile(frames, wanted, axis=-1)) if wanted else iter(())
    columns = []
    for stat, p in zip(stats, percents, strict=True):
        if p is not None:
            columns.append(next(quantiles))
        elif stat == "std":
            columns.append(spread(frames))
        else:
            columns.append(getattr(frames, stat)(axis=-1))
    return np.stack(columns, axis=-2)


def is_statistic(name: object) -> bool:
    """Whether `summarize` knows a statistic of this name."""
    if not isinstance(name, str):
        return False
    p = percent(name)
    return name in ("mean", "std", "min", "max") or (p is not None and p <= 100)


def percent(stat: str) -> float | None:
    """Return the percentage of a percentile from its name ("p10": 10), or None for other names."""
    if stat == "median":
        return 50.0
    digits = stat.removeprefix("p")
    return float(digits) if digits != stat and digits.replace(".", "", 1).isdecimal() else None
