"""Cepstra: the discrete cosine transform of mel spectra, and liftering."""

from __future__ import annotations

import numpy as np


def dct_matrix(
    n_mfcc: int, n_mels: int, dct_type: int = 2, norm: str | None = "ortho", lifter: float = 0
) -> np.ndarray:
    """Return the matrix that turns mel spectra on a logarithmic scale into cepstral coefficients.

    Parameters
    ----------
    n_mels : int
        Number of mel bands, the columns.
    n_mfcc : int
        Number of coefficients, the rows.
    dct_type : {1, 2, 3}, default=2
        Type of the discrete cosine transform, as in scipy.
    norm : {"ortho", None}, default="ortho"
        Normalisation of the transform, as in scipy.
    lifter : float, default=0
        Coefficient k is multiplied by ``1 + lifter / 2 * sin(pi (k + 1) / lifter)``. 0: no
        liftering.

    Returns
    -------
    matrix : ndarray of shape (n_mfcc, n_mels), float32, read-only

    References
    ----------
    Davis & Mermelstein 1980, "Comparison of parametric representations for monosyllabic word
    recognition". Lifter: Juang, Rabiner & Wilpon 1987, "On the use of bandpass liftering in speech
    recognition". The numbers are those of ``librosa.feature.mfcc``.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio.dsp import dct_matrix
    >>> matrix = dct_matrix(13, 40)
    >>> matrix.shape, bool(np.allclose(matrix @ matrix.T, np.eye(13), atol=1e-6))
    ((13, 40), True)
    """
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
    """Return the mel spectra of cepstral coefficients; coefficients that are missing count as 0.

    Parameters
    ----------
    mfcc : ndarray of shape (n_mfcc, n_frames)
        Cepstral coefficients.
    n_mels : int
        Number of mel bands.
    dct_type, norm, lifter
        Those of `dct_matrix`.

    Returns
    -------
    mel : ndarray of shape (n_mels, n_frames), float32
        On the scale of which the coefficients are the transform: dB, or a logarithm.

    Raises
    ------
    ValueError
        If the lifter multiplies a coefficient by 0.

    References
    ----------
    The inverse of the transform in `dct_matrix`, as in ``librosa.feature.inverse.mfcc_to_mel``.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio.dsp import dct_matrix, undo_dct
    >>> mel = np.random.default_rng(0).normal(size=(40, 5))
    >>> bool(np.allclose(undo_dct(dct_matrix(40, 40) @ mel, 40), mel, atol=1e-5))
    True
    """
    from scipy.fft import idct

    weights = lifter_weights(len(mfcc), lifter)[:, None]
    if np.any(np.abs(weights) < np.finfo(np.float32).eps):
        raise ValueError(f"lifter={lifter:g} zeroes a coefficient, which cannot be undone.")
    mel: np.ndarray = idct(mfcc / weights, type=dct_type, norm=norm, axis=0, n=n_mels)
    return mel.astype(np.float32)
