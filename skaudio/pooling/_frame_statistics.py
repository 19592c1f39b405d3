"""Statistics along time, for many recordings of one length at once; the last axis is time.

Every function treats each feature of each recording by itself, so that a recording's numbers do not
depend on the batch it is in.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# Frames that a delta is fitted to, librosa's default.
DELTA_WIDTH = 9
# Of the names of features: themselves, first-order and second-order deltas.
DELTA_ENDINGS = ("", "_delta", "_delta2")


def deltas(frames: np.ndarray, order: int = 1) -> np.ndarray:
    """Return local derivatives along time, as ``librosa.feature.delta(mode="nearest")``.

    The derivative of the polynomial of degree ``order`` fitted to nine frames around each frame;
    the first and last frames are repeated outwards.
    """
    from scipy.signal import savgol_filter  # slow to import

    slopes: np.ndarray = savgol_filter(
        frames, DELTA_WIDTH, polyorder=order, deriv=order, axis=-1, mode="nearest"
    )
    return slopes


def spread(frames: np.ndarray) -> np.ndarray:
    """Return the standard deviation along time, exactly 0 where nothing but rounding varies."""
    rounding = 4 * np.finfo(np.float32).eps * np.abs(frames).max(axis=-1)
    std = frames.std(axis=-1)
    return np.where(std > rounding, std, 0.0)


def standardize(frames: np.ndarray) -> np.ndarray:
    """Return features of mean 0 and variance 1 along time; 0 where a feature does not vary."""
    std = spread(frames)[..., np.newaxis]
    centered = frames - frames.mean(axis=-1, keepdims=True)
    scaled: np.ndarray = np.divide(centered, std, out=np.zeros_like(frames), where=std > 0)
    return scaled


def parts(n_frames: int, n_segments: int) -> list[slice]:
    """Cut frames into consecutive parts, equal to within a frame and never empty."""
    starts = [i * n_frames // n_segments for i in range(n_segments + 1)]
    return [slice(a, max(b, a + 1)) for a, b in zip(starts, starts[1:], strict=False)]


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
    """Return the percentage a percentile's name stands for ("p10": 10), None for other names."""
    if stat == "median":
        return 50.0
    digits = stat.removeprefix("p")
    return float(digits) if digits != stat and digits.replace(".", "", 1).isdecimal() else None
