"""Waveform -> features: what to compute, and by which implementation.

`Analysis.encode` computes on the CPU: by the kernel of `skaudio.dsp._simd` where that covers the
analysis, else by torch. `Analysis.encode_batch` computes many recordings at once by torch, on any
device, differentiably.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np

from skaudio.dsp._framing import Framing
from skaudio.dsp._simd import Program, prepare
from skaudio.dsp._stages import FilterBank, Scale

if TYPE_CHECKING:  # slow to import: only for those whose analysis needs it
    import torch

    from skaudio.dsp._torch_program import TorchProgram


@dataclass(frozen=True)
class Analysis:
    """What to compute from a waveform; each stage but the first may be absent.

    Attributes
    ----------
    framing : Framing
    power : float or None
        Exponent of the magnitudes; None leaves the complex spectrum.
    filters : callable or None
        Maps a vocal-tract warp factor to a `FilterBank`.
    scale : Scale
    dct : ndarray of shape (n_mfcc, n_filters) or None
    target_frames : int or None
        Trim to, or pad with frames of silence to, this number of frames.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio.dsp import Analysis, Framing, Scale, mel_filterbank
    >>> framing = Framing(n_fft=512, win_length=400, hop_length=160)
    >>> def filters(warp_factor):
    ...     return mel_filterbank(16000, 512, 40, 0, 8000, warp_factor=warp_factor)
    >>> analysis = Analysis(framing, power=2.0, filters=filters, scale=Scale("db"))
    >>> analysis.encode(np.ones(16000, np.float32)).shape
    (40, 101)
    """

    framing: Framing
    power: float | None = 2.0
    filters: Callable[[float], FilterBank] | None = None
    scale: Scale = Scale()
    dct: np.ndarray | None = None
    target_frames: int | None = None

    @property
    def n_features(self) -> int:
        """Rows of the result."""
        if self.dct is not None:
            return len(self.dct)
        bank = self._bank(1.0)
        return self.framing.n_bins if bank is None else len(bank.weights)

    @property
    def dtype(self) -> type:
        """Complex where phases are kept."""
        return np.complex64 if self.power is None else np.float32

    @property
    def warning(self) -> str:
        """What users should be warned of, or an empty string."""
        bank = self._bank(1.0)
        if bank is None or not len(bank.empty):
            return ""
        return (
            f"{len(bank.empty)} of n_mels={len(bank.weights)} filters see no FFT bin (the first is "
            f"filter {bank.empty[0]}) and stay silent: use fewer mels, a longer n_fft (now "
            f"{self.framing.n_fft}) or a higher fmin."
        )

    def check_warp(self, warp_factor: float | None, name: str) -> float:
        """Return the warp factor of a recording, 1 if it is unmarked."""
        if warp_factor is not None and self.filters is None:
            raise ValueError(
                f"{name} is marked with the warp factor {warp_factor:g} by VTLP, which needs a mel "
                "filter bank: expected MelSpectrogram or MFCC after it."
            )
        return 1.0 if warp_factor is None else warp_factor

    def n_output_frames(self, n_samples: int) -> int:
        """Return the number of frames of the result for a recording of so many samples."""
        if self.target_frames is not None:
            return self.target_frames
        return self.framing.n_frames(n_samples)

    @property
    def uses_torch(self) -> bool:
        """Whether `encode` computes by torch, which has threads of its own."""
        return self._program is None

    @property
    def period(self) -> int:
        """The bits of a frame depend on its number modulo this, and on what it sees."""
        return 1 if self._program is not None else self._torch_program.chunk

    def encode(
        self, waveform: np.ndarray, warp_factor: float = 1.0, out: np.ndarray | None = None
    ) -> np.ndarray:
        """Return the features of one recording, (n_features, n_frames), in ``out`` if given."""
        return self.encode_block([waveform], [warp_factor], [out])[0][0]

    def encode_block(
        self,
        waveforms: Sequence[np.ndarray],
        warp_factors: Sequence[float],
        outs: Sequence[np.ndarray | None],
    ) -> tuple[list[np.ndarray], list[int]]:
        """Encode some recordings, on the CPU.

        Returns
        -------
        features : list of ndarray of shape (n_features, n_frames)
            Those of ``outs`` that are given.
        perhaps_not_finite : list of int
            Which waveforms may hold NaN or infinity. Always empty with `uses_torch`: torch does
            not look.
        """
        features: list[np.ndarray] = []
        if self._program is None:
            for waveform, warp_factor, out in zip(waveforms, warp_factors, outs, strict=True):
                features.append(self._torch_program.encode(waveform, self._bank(warp_factor), out))
            return features, []
        perhaps_not_finite: list[int] = []
        for warp_factor, group in groupby(
            zip(warp_factors, waveforms, outs, strict=True), itemgetter(0)
        ):
            _, some, places = zip(*group, strict=True)
            found, flags = self._program.encode(some, self._bank(warp_factor), places)
            if flags.any():
                perhaps_not_finite += [int(i) + len(features) for i in np.flatnonzero(flags)]
            features += found
        return features, perhaps_not_finite

    def encode_batch(
        self,
        waveforms: Sequence[np.ndarray],
        warp_factors: Sequence[float] | None = None,
        device: str | torch.device = "cpu",
    ) -> list[torch.Tensor]:
        """Return the features of many recordings, computed together on a device."""
        banks = None
        if self.filters is not None:
            banks = [self.filters(warp) for warp in warp_factors or [1.0] * len(waveforms)]
        return self._torch_program.encode_batch(waveforms, banks, device)

    def _bank(self, warp_factor: float) -> FilterBank | None:
        return None if self.filters is None else self.filters(warp_factor)

    @cached_property  # making its tables takes 0.03 ms, for each recording otherwise
    def _program(self) -> Program | None:
        return prepare(self.framing, self.power, self.scale, self.dct, self.target_frames)

    @cached_property
    def _torch_program(self) -> TorchProgram:
        from skaudio.dsp._torch_program import TorchProgram

        return TorchProgram(self.framing, self.power, self.scale, self.dct, self.target_frames)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the programs behind: they are made faster than they are sent."""
        return {field.name: getattr(self, field.name) for field in fields(self)}
