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
    """Invert a complex spectrum (..., n_bins, n_frames) by weighted overlap-add.

    The result is exact where windows cover the signal. Without ``length`` the result has
    ``hop_length * (n_frames - 1)`` samples (``center``, even ``n_fft``), as in librosa.
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
    """Raise an error for windows that leave samples between frames uncovered."""
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
    """Estimate a waveform with the given magnitudes (n_bins, n_frames).

    Griffin & Lim 1984 with the momentum of Perraudin, Balazs & Sondergaard 2013.

    Parameters
    ----------
    magnitude : ndarray of shape (n_bins, n_frames)
    analyse : callable
        Function from a waveform (n_times,) to its complex spectrum (n_bins, n_frames), with the
        same framing.
    framing : Framing
    n_iter : int
    seed : int
        Seed of the random initial phases.
    length : int, optional
        Number of samples to return.
    momentum : float
        Momentum. 0 is the original method.
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
    """Estimate non-negative spectra (n_bins, n_frames) from filter outputs.

    The solution is not unique. The multiplicative updates of Lee & Seung 2001 start from the output
    of each filter, spread over its bins, and stay near this start: the result is smooth. An exact
    non-negative least squares solver would return spikes, which differ more from real spectra.

    Parameters
    ----------
    filtered : ndarray of shape (n_filters, n_frames)
    weights : ndarray of shape (n_filters, n_bins)
    n_iter : int
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
