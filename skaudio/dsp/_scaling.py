"""Linear, logarithmic and decibel scales of spectra, and the way back."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

# librosa's floor: 1e-10 in power, 1e-5 in amplitude, -100 dB either way.
FLOOR_DB = -100.0


@dataclass(frozen=True)
class Scale:
    """How magnitudes to some ``power`` are written down.

    ``kind="log"`` is ``ln(S + eps)``; ``kind="db"`` is ``10 log10(max(S, 1e-10))`` for power 2 and
    ``20 log10(max(S, 1e-5))`` for power 1, with values more than ``top_db`` below the recording's
    maximum raised to that level.
    """

    kind: str = "linear"
    power: float = 2.0
    eps: float = 1e-6
    top_db: float | None = 80.0

    def apply(self, spectrum: torch.Tensor) -> torch.Tensor:
        """Scale a spectrum, except for what depends on a whole recording (`clip`)."""
        if self.kind == "log":
            return torch.log(spectrum + self.eps)
        if self.kind == "db":
            floor = 10.0 ** (FLOOR_DB * self.power / 20.0)
            return torch.log10(spectrum.clamp(min=floor)) * (20.0 / self.power)
        return spectrum

    @property
    def clips(self) -> bool:
        """Whether values depend on the maximum of their recording."""
        return self.kind == "db" and self.top_db is not None

    def clip(self, spectrum: torch.Tensor) -> torch.Tensor:
        """Raise what lies more than ``top_db`` below the maximum of one recording."""
        if not self.clips or self.top_db is None:
            return spectrum
        return torch.maximum(spectrum, spectrum.max() - self.top_db)

    def undo(self, spectrum: torch.Tensor) -> torch.Tensor:
        """Return linear values; never negative."""
        if self.kind == "log":
            return (torch.exp(spectrum) - self.eps).clamp(min=0.0)
        if self.kind == "db":
            return torch.exp(spectrum * (math.log(10.0) * self.power / 20.0))
        return spectrum.clamp(min=0.0)
