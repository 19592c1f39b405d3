"""Amplification of recordings to a level, which some networks need."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


def gain_to(level: float, pieces: Iterable[np.ndarray]) -> np.float32:
    """Return the factor, at least 1, that amplifies a signal in pieces to a mean level.

    The level is in dB relative to full scale. Silence is not amplified.
    """
    energy, n_samples = 0.0, 0
    for piece in pieces:
        energy += float(np.square(piece, dtype=np.float64).sum())
        n_samples += len(piece)
    if energy == 0.0:
        return np.float32(1.0)
    return np.float32(max(10 ** (level / 20) / (energy / n_samples) ** 0.5, 1.0))
