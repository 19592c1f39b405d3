"""Waveform -> features: what to compute, and its implementation on torch.

`Analysis` says what is computed. `encode` computes it for one recording on the CPU: by the kernel
of `skaudio.dsp._simd` where that covers it, else by torch in chunks of frames that stay in the
cache. `encode_batch` computes it for many at once on any device, differentiably.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
import torch

from skaudio.dsp._framing import Framing
from skaudio.dsp._mel import FilterBank, Product
from skaudio.dsp._scaling import Scale
from skaudio.dsp._simd import Program, prepare

# Frames per chunk: a chunk's frames and spectra together fit a core's second-level cache.
CHUNK = 256


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
    """

    framing: Framing
    power: float | None = 2.0
    filters: Callable[[float], FilterBank] | None = None
    scale: Scale = Scale()
    dct: np.ndarray | None = None
    target_frames: int | None = None

    @cached_property
    def n_features(self) -> int:
        """Rows of the result."""
        if self.dct is not None:
            return len(self.dct)
        return self.framing.n_bins if self.filters is None else self.filters(1.0).n_filters

    @property
    def dtype(self) -> type:
        """Complex where phases are kept."""
        return np.complex64 if self.power is None else np.float32

    @cached_property
    def caution(self) -> str:
        """What users should be warned of, if anything."""
        if self.filters is None:
            return ""
        bank = self.filters(1.0)
        if not len(bank.empty):
            return ""
        return (
            f"{len(bank.empty)} of n_mels={bank.n_filters} filters see no FFT bin (the first is "
            f"filter {bank.empty[0]}) and stay silent: use fewer mels, a longer n_fft (now "
            f"{self.framing.n_fft}) or a higher fmin."
        )

    def check_length(self, n_samples: int, name: str) -> None:
        """Refuse a recording too short for one frame."""
        self.framing.check_length(n_samples, name)

    def check_warp(self, warp_factor: float | None, name: str) -> float:
        """Return the warp factor of a recording, 1 if it is unmarked."""
        if warp_factor is not None and self.filters is None:
            raise ValueError(
                f"{name} is marked with the warp factor {warp_factor:g} by VTLP, which needs a mel "
                "filter bank: expected MelSpectrogram or MFCC after it."
            )
        return 1.0 if warp_factor is None else warp_factor

    def n_columns(self, n_samples: int) -> int:
        """Return the number of frames that a recording of so many samples is encoded to."""
        if self.target_frames is not None:
            return self.target_frames
        return self.framing.n_frames(n_samples)

    @cached_property
    def _program(self) -> Program | None:
        return prepare(self.framing, self.power, self.scale, self.dct, self.target_frames)

    @property
    def uses_torch(self) -> bool:
        """Whether `encode` computes by torch, which has threads of its own."""
        return self._program is None

    @property
    def finds_nan(self) -> bool:
        """Whether `encode_block` notices waveforms that are not finite."""
        return self._program is not None

    def __getstate__(self) -> dict[str, Any]:
        """Leave the program behind: it is made faster than it is sent."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

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
        doubtful : list of int
            Which waveforms may hold NaN or infinity, if `finds_nan`; else empty.
        """
        if self._program is None:
            facts = zip(waveforms, warp_factors, outs, strict=True)
            return [self._encode_by_torch(*one) for one in facts], []
        features: list[np.ndarray] = []
        doubtful: list[int] = []
        for warp_factor, group in groupby(
            zip(warp_factors, waveforms, outs, strict=True), itemgetter(0)
        ):
            _, some, places = zip(*group, strict=True)
            bank = None if self.filters is None else self.filters(warp_factor)
            found, doubts = self._program.encode(some, bank, places)
            if doubts.any():
                doubtful += [int(i) + len(features) for i in np.flatnonzero(doubts)]
            features += found
        return features, doubtful

    def _encode_by_torch(
        self, waveform: np.ndarray, warp_factor: float, out: np.ndarray | None
    ) -> np.ndarray:
        bank = None if self.filters is None else self.filters(warp_factor)
        signal = _tensor(self.framing.pad(waveform))
        n_frames = self.framing.n_frames(len(waveform))
        parts = []
        for start in range(0, n_frames, CHUNK):
            spectra = self._linear(signal, start, min(start + CHUNK, n_frames))
            parts.append(self._scaled(spectra if bank is None else bank.apply(spectra, _by_numpy)))
        # Each part is (frames, features); one transposing copy makes librosa's axis order.
        frames = torch.cat(parts) if len(parts) > 1 else parts[0]
        features = self._finish(frames.T, _by_numpy)
        if out is None:
            return features.contiguous().numpy()
        out[...] = features.numpy()
        return out

    def encode_batch(
        self,
        waveforms: Sequence[np.ndarray],
        warp_factors: Sequence[float] | None = None,
        device: str | torch.device = "cpu",
    ) -> list[torch.Tensor]:
        """Return the features of many recordings, computed together on a device."""
        counts = [self.framing.n_frames(len(w)) for w in waveforms]
        padded = [_tensor(self.framing.pad(w)) for w in waveforms]
        signals = torch.nn.utils.rnn.pad_sequence(padded, batch_first=True).to(device)
        spectra = self._linear(signals, 0, max(counts))
        if (
            self.filters is not None
            and warp_factors is not None
            and any(w != 1.0 for w in warp_factors)
        ):
            rows = zip(spectra, warp_factors, strict=True)
            spectra = torch.stack(
                [self.filters(warp_factor).apply(row) for row, warp_factor in rows]
            )
        elif self.filters is not None:
            spectra = self.filters(1.0).apply(spectra)
        return [
            self._finish(self._scaled(row[:n]).T) for row, n in zip(spectra, counts, strict=True)
        ]

    def _linear(self, signal: torch.Tensor, start: int, stop: int) -> torch.Tensor:
        """Spectra (..., stop - start, n_bins) of some frames of padded signals (..., n_times)."""
        framing = self.framing
        first = start * framing.hop_length + framing.lead
        last = (stop - 1) * framing.hop_length + framing.lead + framing.win_length
        window = _tensor(framing.weights).to(signal.device)
        frames = signal[..., first:last].unfold(-1, framing.win_length, framing.hop_length)
        frames = frames * window
        if self.power is None:  # phases count: the window sits in the middle of its frame
            tail = framing.n_fft - framing.lead - framing.win_length
            frames = torch.nn.functional.pad(frames, (framing.lead, tail))
            return torch.fft.rfft(frames)
        spectrum = torch.fft.rfft(frames, n=framing.n_fft)
        # Both parts in one pass: .real and .imag would be strided, and half again as slow.
        squares = torch.view_as_real(spectrum).square()
        power = squares[..., 0] + squares[..., 1]
        if self.power == 2.0:
            return power
        return power.sqrt() if self.power == 1.0 else power.pow(self.power / 2)

    def _scaled(self, spectra: torch.Tensor) -> torch.Tensor:
        return spectra if self.power is None else self.scale.apply(spectra)

    def _finish(self, features: torch.Tensor, product: Product = torch.matmul) -> torch.Tensor:
        """Do what needs the whole recording (n_features, n_frames): length, clip, cosines."""
        missing = 0 if self.target_frames is None else self.target_frames - features.shape[1]
        if missing > 0:
            silence = self._scaled(features.new_zeros(len(features), missing))
            features = torch.cat([features, silence], dim=1)
        if self.power is not None:
            features = self.scale.clip(features)
        if self.dct is not None:
            features = product(_tensor(self.dct).to(features.device), features)
        return features[:, : self.target_frames]


def _by_numpy(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Matrix product whose bits depend on no thread count; those of torch's (MKL) do."""
    return torch.from_numpy(x.numpy() @ y.numpy())


def _tensor(array: np.ndarray) -> torch.Tensor:
    """View an array as a tensor; torch warns of read-only ones: they are small, and copied."""
    return torch.from_numpy(array if array.flags.writeable else array.copy())
