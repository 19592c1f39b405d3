"""Inversion: waveforms from complex spectra (exact) or from magnitudes (Griffin-Lim)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from skaudio.dsp._analysis import Framing

if TYPE_CHECKING:  # slow to import, and only needed for inversion
    import torch

# If the sum of the squared windows is below this, a sample cannot be recovered.
TINY = 1e-10


def istft(spectrum: torch.Tensor, framing: Framing, length: int | None = None) -> torch.Tensor:
    """Invert a complex spectrum by weighted overlap-add.

    The result is exact wherever the windows cover the signal.

    Parameters
    ----------
    spectrum : tensor of shape (..., n_bins, n_frames), complex
        What an `Analysis` with ``power=None`` returns.
    framing : Framing
        The framing of that analysis.
    length : int, optional
        Number of samples to return. None: ``hop_length * (n_frames - 1)`` with ``center`` and an
        even ``n_fft``.

    Returns
    -------
    signal : tensor of shape (..., length)

    References
    ----------
    Griffin & Lim 1984, "Signal estimation from modified short-time Fourier transform". The numbers
    are those of ``librosa.istft``.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from skaudio.dsp import Analysis, Framing, istft
    >>> framing = Framing(n_fft=512, win_length=400, hop_length=160)
    >>> signal = np.random.default_rng(0).normal(size=1600).astype("float32")
    >>> spectrum = Analysis(framing, power=None).encode(signal)
    >>> back = istft(torch.from_numpy(spectrum), framing, len(signal)).numpy()
    >>> bool(np.abs(back - signal).max() < 1e-5)
    True
    """
    import torch

    n_frames = spectrum.shape[-1]
    total = framing.n_fft + framing.hop_length * (n_frames - 1)
    window = torch.zeros(framing.n_fft)
    window[framing.lead : framing.lead + framing.win_length] = torch.from_numpy(
        framing.weights.copy()
    )
    frames = torch.fft.irfft(spectrum.transpose(-1, -2), n=framing.n_fft) * window
    signal = _overlap_add(frames, framing.hop_length, total)
    energy = _overlap_add(window.square().expand(n_frames, -1), framing.hop_length, total)
    signal = torch.where(energy > TINY, signal / energy.clamp(min=TINY), signal)
    stop = total - framing.margin if length is None else framing.margin + length
    signal = signal[..., framing.margin : stop]
    missing = 0 if length is None else length - signal.shape[-1]
    return torch.nn.functional.pad(signal, (0, max(missing, 0)))


def _overlap_add(frames: torch.Tensor, hop_length: int, total: int) -> torch.Tensor:
    """Add frames (..., n_frames, n_fft) at their positions."""
    import torch

    n_frames, n_fft = frames.shape[-2:]
    columns = frames.reshape(-1, n_frames, n_fft).transpose(1, 2)
    folded = torch.nn.functional.fold(columns, (1, total), (1, n_fft), stride=(1, hop_length))
    return folded.reshape(*frames.shape[:-2], total)


def check_invertible(framing: Framing) -> None:
    """Refuse windows that leave samples uncovered between one frame and the next.

    Parameters
    ----------
    framing : Framing
        Lengths, hop and window.

    Raises
    ------
    ValueError
        If the squared windows sum to 0 somewhere: a signal cannot be recovered from its spectrum.

    Examples
    --------
    >>> from skaudio.dsp import Framing, check_invertible
    >>> check_invertible(Framing(n_fft=512, win_length=400, hop_length=160))
    >>> check_invertible(Framing(n_fft=512, win_length=400, hop_length=400))
    Traceback (most recent call last):
    ...
    ValueError: hop_length=400 with win_length=400 and window='hann' leaves samples...
    """
    squared = framing.weights.astype(np.float64) ** 2
    coverage = np.zeros(framing.hop_length)
    for start in range(0, framing.win_length, framing.hop_length):
        piece = squared[start : start + framing.hop_length]
        coverage[: len(piece)] += piece
    if coverage.min() <= TINY:
        raise ValueError(
            f"hop_length={framing.hop_length} with win_length={framing.win_length} and window="
            f"{framing.window!r} leaves samples that no frame sees: the signal cannot be "
            "recovered. Expected a hop of at most half the window."
        )


def griffin_lim(
    magnitude: np.ndarray,
    analyse: Callable[[np.ndarray], np.ndarray],
    framing: Framing,
    *,
    n_iter: int,
    seed: int,
    length: int | None = None,
    momentum: float = 0.99,
) -> np.ndarray:
    """Find a waveform with given magnitudes.

    Parameters
    ----------
    magnitude : ndarray of shape (n_bins, n_frames)
        Magnitudes, not their squares.
    analyse : callable
        Turns a waveform (n_times,) into a complex spectrum (n_bins, n_frames), with the same
        framing.
    framing : Framing
        Lengths, hop and window.
    n_iter : int
        Number of iterations.
    seed : int
        Seed of the random initial phases.
    length : int, optional
        Number of samples to return. None: as in `istft`.
    momentum : float, default=0.99
        0 is the original method.

    Returns
    -------
    waveform : ndarray of shape (length,), float32

    References
    ----------
    Griffin & Lim 1984, "Signal estimation from modified short-time Fourier transform"; with
    momentum, Perraudin, Balazs & Sondergaard 2013, "A fast Griffin-Lim algorithm".

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio.dsp import Analysis, Framing, griffin_lim
    >>> framing = Framing(n_fft=512, win_length=400, hop_length=160)
    >>> analysis = Analysis(framing, power=None)
    >>> tone = np.sin(0.2 * np.arange(3200)).astype("float32")
    >>> magnitude = np.abs(analysis.encode(tone))
    >>> found = griffin_lim(magnitude, analysis.encode, framing, n_iter=32, seed=0, length=3200)
    >>> error = np.abs(np.abs(analysis.encode(found)) - magnitude).mean() / magnitude.mean()
    >>> bool(error < 0.2)
    True
    """
    import torch

    target = torch.from_numpy(np.ascontiguousarray(magnitude, dtype=np.float32))
    rng = np.random.default_rng(seed)
    phases = torch.from_numpy(rng.uniform(0, 2 * np.pi, target.shape).astype(np.float32))
    angles = torch.polar(torch.ones_like(phases), phases)
    previous = torch.zeros_like(angles)
    for _ in range(n_iter):
        waveform = istft(target * angles, framing, length)
        rebuilt = torch.from_numpy(analyse(waveform.numpy()))[:, : target.shape[1]]
        missing = target.shape[1] - rebuilt.shape[1]
        rebuilt = torch.nn.functional.pad(rebuilt, (0, missing))
        angles = rebuilt - (momentum / (1 + momentum)) * previous
        angles = angles / (angles.abs() + 1e-16)
        previous = rebuilt
    return istft(target * angles, framing, length).numpy()


def unmix(filtered: np.ndarray, weights: np.ndarray, *, n_iter: int = 50) -> np.ndarray:
    """Return non-negative spectra that explain the outputs of filters.

    Many spectra do. The multiplicative updates begin with each filter's output spread over its
    bins, and end near there, smooth between the filters. An exact non-negative least squares solver
    returns spikes, which are further from any real spectrum.

    Parameters
    ----------
    filtered : ndarray of shape (n_filters, n_frames)
        Outputs of the filters, 0 or more.
    weights : ndarray of shape (n_filters, n_bins)
        Weights of the filters, 0 or more, such as those of `mel_filterbank`.
    n_iter : int, default=50
        Number of updates.

    Returns
    -------
    spectra : ndarray of shape (n_bins, n_frames)

    References
    ----------
    Lee & Seung 2001, "Algorithms for non-negative matrix factorization".

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio.dsp import mel_filterbank, unmix
    >>> weights = mel_filterbank(16000, 512, 40, 0, 8000).weights
    >>> mel = weights @ np.random.default_rng(0).uniform(size=(257, 3)).astype("float32")
    >>> bool(np.abs(weights @ unmix(mel, weights) - mel).max() < 0.01 * mel.max())
    True
    """
    level = float(filtered.max()) or 1.0
    target = filtered / np.float32(level)
    per_filter = np.maximum(weights.sum(axis=1, keepdims=True), TINY)
    per_bin = np.maximum(weights.sum(axis=0), TINY)[:, np.newaxis]
    spectra: np.ndarray = weights.T @ (target / per_filter) / per_bin
    wanted = weights.T @ target
    for _ in range(n_iter):
        spectra *= wanted / np.maximum(weights.T @ (weights @ spectra), 1e-30)
    spectra *= np.float32(level)
    return spectra
