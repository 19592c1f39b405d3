"""Cepstra: the discrete cosine transform of mel spectra, and liftering."""

from __future__ import annotations

import numpy as np


def dct_matrix(
    n_mfcc: int, n_mels: int, dct_type: int = 2, norm: str | None = "ortho", lifter: float = 0
) -> np.ndarray:
    """Return the float32 matrix (n_mfcc, n_mels) from scaled mel spectra to MFCC."""
    from scipy.fft import dct  # slow to import

    matrix: np.ndarray = dct(np.eye(n_mels), type=dct_type, norm=norm, axis=0)[:n_mfcc]
    matrix = (matrix * lifter_weights(n_mfcc, lifter)[:, None]).astype(np.float32)
    matrix.flags.writeable = False
    return matrix


def lifter_weights(n_mfcc: int, lifter: float) -> np.ndarray:
    """Return the sinusoidal lifter ``1 + lifter / 2 * sin(pi (k + 1) / lifter)``; ones for 0."""
    if lifter == 0:
        return np.ones(n_mfcc)
    weights: np.ndarray = np.sin(np.pi * np.arange(1, 1 + n_mfcc) / lifter)
    return 1 + (lifter / 2) * weights


def undo_dct(
    mfcc: np.ndarray, n_mels: int, dct_type: int = 2, norm: str | None = "ortho", lifter: float = 0
) -> np.ndarray:
    """Return the scaled mel spectrum (n_mels, n_frames), with missing coefficients set to 0."""
    from scipy.fft import idct

    weights = lifter_weights(len(mfcc), lifter)[:, None]
    if np.any(np.abs(weights) < np.finfo(np.float32).eps):
        raise ValueError(f"lifter={lifter:g} zeroes a coefficient, which cannot be undone.")
    mel: np.ndarray = idct(mfcc / weights, type=dct_type, norm=norm, axis=0, n=n_mels)
    return mel.astype(np.float32)
