"""The stages of an analysis after the Fourier transform: filters and scales."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

# Floor of librosa: 1e-10 in power or 1e-5 in amplitude, both -100 dB.
FLOOR_DB = -100.0


@dataclass(frozen=True)
class Scale:
    """Scale of magnitudes to some power.

    ``kind="log"`` is ``ln(S + eps)``. ``kind="db"`` is ``10 log10(max(S, 1e-10))`` for power 2 and
    ``20 log10(max(S, 1e-5))`` for power 1; values more than ``top_db`` below the maximum of the
    recording are raised to that level.

    Parameters
    ----------
    kind : {"linear", "log", "db"}, default="linear"
        The scale.
    power : float, default=2.0
        Exponent of the magnitudes: 2 for power, 1 for amplitude.
    eps : float, default=1e-6
        Added before the logarithm of ``kind="log"``.
    top_db : float or None, default=80.0
        Range of ``kind="db"``, in dB. None: no limit.

    References
    ----------
    "db" is ``librosa.power_to_db`` and ``librosa.amplitude_to_db`` with a reference of 1.

    Examples
    --------
    >>> import torch
    >>> from skaudio.dsp import Scale
    >>> Scale("db").apply(torch.tensor([1.0, 0.1, 0.0])).tolist()
    [0.0, -10.0, -100.0]
    """

    kind: str = "linear"
    power: float = 2.0
    eps: float = 1e-6
    top_db: float | None = 80.0

    def apply(self, spectrum: torch.Tensor) -> torch.Tensor:
        """Scale a spectrum, except for `clip`, which needs the whole recording."""
        if self.kind == "log":
            return (spectrum + self.eps).log()
        if self.kind == "db":
            floor = 10.0 ** (FLOOR_DB * self.power / 20.0)
            return spectrum.clamp(min=floor).log10() * (20.0 / self.power)
        return spectrum

    @property
    def clips(self) -> bool:
        """Whether values depend on the maximum of their recording."""
        return self.kind == "db" and self.top_db is not None

    def clip(self, spectrum: torch.Tensor) -> torch.Tensor:
        """Raise values more than ``top_db`` below the maximum of one recording."""
        if not self.clips or self.top_db is None:
            return spectrum
        return spectrum.maximum(spectrum.max() - self.top_db)

    def undo(self, spectrum: torch.Tensor) -> torch.Tensor:
        """Return linear values; never negative."""
        if self.kind == "log":
            return (spectrum.exp() - self.eps).clamp(min=0.0)
        if self.kind == "db":
            return (spectrum * (math.log(10.0) * self.power / 20.0)).exp()
        return spectrum.clamp(min=0.0)


@dataclass(frozen=True)
class FilterBank:
    """Triangular filters over FFT bins, as a dense matrix, in blocks, and as bands.

    Attributes
    ----------
    weights : ndarray of shape (n_mels, n_bins), float32
    blocks : tuple of (start, stop, ndarray of shape (stop - start, n_filters))
        Groups of filters, each restricted to its bins.
    bands : tuple of three ndarrays
        First bin of each filter, the bin after its last one, and the weights of all filters in
        sequence.
    empty : ndarray of int
        Numbers of the filters without a bin.
    """

    weights: np.ndarray
    blocks: tuple[tuple[int, int, np.ndarray], ...]
    bands: tuple[np.ndarray, np.ndarray, np.ndarray]
    empty: np.ndarray
