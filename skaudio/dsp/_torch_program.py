"""Analysis by torch: for parameters that the kernel does not support, other devices, gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from skaudio.dsp._stages import FilterBank, Scale

# Number of frames per chunk. The frames and spectra of a chunk fit into the second-level cache.
CHUNK = 256

Product = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class TorchProgram:
    """An analysis by torch; threads can share it.

    Parameters are those of `skaudio.dsp.Analysis`.
    """

    chunk = CHUNK

    def __init__(
        self,
        framing: Any,
        power: float | None,
        scale: Scale,
        dct: np.ndarray | None,
        target_frames: int | None,
    ):
        self._framing = framing
        self._power = power
        self._scale = scale
        self._dct = None if dct is None else _tensor(dct)
        self._target_frames = target_frames
        self._window = _tensor(framing.weights)

    def encode(
        self, waveform: np.ndarray, bank: FilterBank | None, out: np.ndarray | None
    ) -> np.ndarray:
        """Return the features (n_features, n_frames) of one recording, on the CPU, in chunks."""
        signal = _tensor(self._framing.pad(waveform))
        n_frames = self._framing.n_frames(len(waveform))
        parts = []
        for start in range(0, n_frames, CHUNK):
            spectra = self._linear(signal, start, min(start + CHUNK, n_frames))
            if bank is not None:
                spectra = apply_bank(bank, spectra, _by_numpy)
            parts.append(self._scaled(spectra))
        # Each part is (frames, features). One transposing copy results in librosa's order of axes.
        frames = torch.cat(parts) if len(parts) > 1 else parts[0]
        features = self._finish(frames.T, lambda matrix, frames: _by_numpy(frames.T, matrix.T).T)
        if out is None:
            return features.contiguous().numpy()
        out[...] = features.numpy()
        return out

    def encode_batch(
        self,
        waveforms: Sequence[np.ndarray],
        banks: Sequence[FilterBank] | None,
        device: str | torch.device,
    ) -> list[torch.Tensor]:
        """Return the features of many recordings, computed together, each with its filter bank."""
        counts = [self._framing.n_frames(len(w)) for w in waveforms]
        padded = [_tensor(self._framing.pad(w)) for w in waveforms]
        signals = torch.nn.utils.rnn.pad_sequence(padded, batch_first=True).to(device)
        spectra = self._linear(signals, 0, max(counts))
        if banks is not None and all(bank is banks[0] for bank in banks):
            spectra = apply_bank(banks[0], spectra)
        elif banks is not None:
            rows = zip(banks, spectra, strict=True)
            spectra = torch.stack([apply_bank(bank, row) for bank, row in rows])
        return [
            self._finish(self._scaled(row[:n]).T) for row, n in zip(spectra, counts, strict=True)
        ]

    def _linear(self, signal: torch.Tensor, start: int, stop: int) -> torch.Tensor:
        """Spectra (..., stop - start, n_bins) of some frames of padded signals (..., n_times)."""
        framing = self._framing
        first = start * framing.hop_length + framing.lead
        last = (stop - 1) * framing.hop_length + framing.lead + framing.win_length
        frames = signal[..., first:last].unfold(-1, framing.win_length, framing.hop_length)
        frames = frames * self._window.to(signal.device)
        if self._power is None:  # for correct phases, the window is in the middle of its frame
            tail = framing.n_fft - framing.lead - framing.win_length
            frames = torch.nn.functional.pad(frames, (framing.lead, tail))
        spectrum: torch.Tensor = torch.fft.rfft(frames, n=framing.n_fft)
        if self._power is None:
            return spectrum
        # One pass over both parts. .real and .imag would be strided, and 1.5 times as slow.
        squares = torch.view_as_real(spectrum).square()
        power = squares[..., 0] + squares[..., 1]
        if self._power == 2.0:
            return power
        return power.sqrt() if self._power == 1.0 else power.pow(self._power / 2)

    def _scaled(self, spectra: torch.Tensor) -> torch.Tensor:
        return spectra if self._power is None else self._scale.apply(spectra)

    def _finish(self, features: torch.Tensor, product: Product = torch.matmul) -> torch.Tensor:
        """Apply the stages that need the whole recording (n_features, n_frames)."""
        missing = 0 if self._target_frames is None else self._target_frames - features.shape[1]
        if missing > 0:
            silence = self._scaled(features.new_zeros(len(features), missing))
            features = torch.cat([features, silence], dim=1)
        if self._power is not None:
            features = self._scale.clip(features)
        if self._dct is not None:
            features = product(self._dct.to(features.device), features)
        return features[:, : self._target_frames]


def apply_bank(
    bank: FilterBank, spectra: torch.Tensor, product: Product = torch.matmul
) -> torch.Tensor:
    """Map spectra of shape (..., n_bins) to (..., n_filters)."""
    parts = [
        product(spectra[..., start:stop], torch.from_numpy(weights).to(spectra.device))
        for start, stop, weights in bank.blocks
    ]
    return torch.cat(parts, dim=-1)


def _by_numpy(frames: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    """Matrix product of frames (n_frames, n), whose rounding does not depend on their number.

    The rounding of torch's product (MKL) depends on its number of threads, so numpy is used. The
    rounding of a product also depends on its shape and the position of a row, so all products have
    ``CHUNK`` frames.
    """
    rows, weights = frames.numpy(), matrix.numpy()
    out = np.empty((-(-len(rows) // CHUNK) * CHUNK, weights.shape[1]), np.float32)
    with np.errstate(over="ignore", invalid="ignore"):  # checked by encoders
        for start in range(0, len(rows), CHUNK):
            chunk = np.zeros((CHUNK, rows.shape[1]), np.float32)
            some = rows[start : start + CHUNK]
            chunk[: len(some)] = some
            np.matmul(chunk, weights, out=out[start : start + CHUNK])
    return torch.from_numpy(out[: len(rows)])


def _tensor(array: np.ndarray) -> torch.Tensor:
    """View an array as a tensor; read-only arrays (small) are copied, as torch warns about them."""
    return torch.from_numpy(array if array.flags.writeable else array.copy())
