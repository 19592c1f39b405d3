"""Warn about a table of waveforms where frames are expected."""

from __future__ import annotations

import warnings

import numpy as np

# Rows with fewer values than LONG are taken as features. Rows with LONGEST values are almost always
# waveforms.
LONG, LONGEST = 1000, 8000
# Number of rows to check.
ROWS = 32


def warn_of_waveforms(table: np.ndarray, advice: str) -> None:
    """Warn if the rows of a table look like waveforms, not like features.

    Such a table is valid: it means sequences of one frame each. Waveforms have a mean near zero
    and, unless they are noise, similar neighbouring values.
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
