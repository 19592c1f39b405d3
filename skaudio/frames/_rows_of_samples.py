"""A table of waveforms where frames are expected: it is taken as sequences of one frame each."""

from __future__ import annotations

import warnings

import numpy as np

# Rows of fewer values are features; of so many, hardly anything but waveforms.
LONG, LONGEST = 1000, 8000
# Rows that are looked at.
ROWS = 32


def warn_of_waveforms(table: np.ndarray, advice: str) -> None:
    """Warn if the rows of a table look like waveforms, not like features.

    Waveforms swing about zero, and if they are not noise, neighbours are alike.
    """
    rows = table[:ROWS].astype(np.float64)
    level = rows.std(axis=1)
    swings = np.abs(rows.mean(axis=1)) < 0.2 * level
    centred = rows - rows.mean(axis=1, keepdims=True)
    likeness = (centred[:, 1:] * centred[:, :-1]).mean(axis=1) / np.maximum(level, 1e-30) ** 2
    alike = table.shape[1] >= LONGEST or np.median(likeness) > 0.5
    if swings.mean() > 0.5 and alike:
        warnings.warn(
            f"X has shape {table.shape} and is taken as {len(table)} sequences of one frame, of "
            f"{table.shape[1]} features. Are these waveforms? Then {advice}",
            stacklevel=5,
        )
