"""What users would run instead: librosa, and torchaudio's sequence of torch operations.

torchaudio itself is used where it is installed; the functions below are what its transforms do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import joblib
import librosa
import numpy as np
import soundfile as sf
import soxr
import torch

BATCH = 8


@dataclass(frozen=True)
class Setting:
    """One set of parameters, by librosa's names."""

    sample_rate: int
    n_fft: int
    win_length: int
    hop_length: int
    n_mels: int
    n_mfcc: int = 20

    @property
    def frames(self) -> dict[str, int]:
        return {
            "n_fft": self.n_fft,
            "win_length": self.win_length,
            "hop_length": self.hop_length,
            "n_mels": self.n_mels,
        }


def librosa_mel(clip: np.ndarray, s: Setting) -> np.ndarray:
    return librosa.feature.melspectrogram(y=clip, sr=s.sample_rate, pad_mode="constant", **s.frames)


def librosa_mfcc(clip: np.ndarray, s: Setting) -> np.ndarray:
    return librosa.feature.mfcc(
        y=clip, sr=s.sample_rate, n_mfcc=s.n_mfcc, pad_mode="constant", **s.frames
    )


def librosa_file(path: str, s: Setting) -> np.ndarray:
    return librosa_mel(librosa.load(path, sr=s.sample_rate)[0], s)


def librosa_processes(
    function: Callable, items: Sequence, s: Setting, n_jobs: int
) -> list[np.ndarray]:
    """Blocks for the workers, as one would tune it."""
    size = -(-len(items) // (4 * n_jobs))
    blocks = [items[i : i + size] for i in range(0, len(items), size)]
    done = joblib.Parallel(n_jobs=n_jobs)(
        joblib.delayed(_each)(function, block, s) for block in blocks
    )
    return [frames for block in done for frames in block]


def _each(function: Callable, items: Sequence, s: Setting) -> list[np.ndarray]:
    return [function(item, s) for item in items]


class TorchAudio:
    """MelSpectrogram and MFCC as torchaudio computes them, on batches of waveforms."""

    def __init__(self, s: Setting):
        self.s = s
        self.window = torch.hann_window(s.win_length)
        bank = librosa.filters.mel(sr=s.sample_rate, n_fft=s.n_fft, n_mels=s.n_mels)
        self.bank = torch.from_numpy(bank.T.copy())
        n, k = torch.arange(float(s.n_mels)), torch.arange(float(s.n_mfcc))[:, None]
        dct = torch.cos(torch.pi / s.n_mels * (n + 0.5) * k)
        dct[0] *= 2**-0.5
        self.dct = (dct * (2 / s.n_mels) ** 0.5).T.contiguous()

    def mel(self, waveforms: torch.Tensor) -> torch.Tensor:
        s = self.s
        spectrum = torch.stft(
            waveforms,
            s.n_fft,
            s.hop_length,
            s.win_length,
            self.window,
            center=True,
            pad_mode="constant",
            return_complex=True,
        )
        power = spectrum.abs().pow(2.0)
        return torch.matmul(power.transpose(-1, -2), self.bank).transpose(-1, -2)

    def mfcc(self, waveforms: torch.Tensor) -> torch.Tensor:
        db = 10.0 * torch.log10(torch.clamp(self.mel(waveforms), min=1e-10))
        db = torch.maximum(db, db.amax(dim=(-2, -1), keepdim=True) - 80.0)
        return torch.matmul(db.transpose(-1, -2), self.dct).transpose(-1, -2)

    def in_batches(self, function: Callable, clips: np.ndarray) -> None:
        """Batches of 8, torch's own threads inside."""
        for i in range(0, len(clips), BATCH):
            function(torch.from_numpy(clips[i : i + BATCH]))

    def in_threads(self, function: Callable, clips: np.ndarray, n_threads: int) -> None:
        """Batches of 8 in threads of one torch thread each."""

        def run(i: int) -> None:
            function(torch.from_numpy(clips[i : i + BATCH]))

        with ThreadPoolExecutor(n_threads, initializer=torch.set_num_threads, initargs=(1,)) as p:
            list(p.map(run, range(0, len(clips), BATCH)))

    def of_files(self, paths: Sequence[str], n_threads: int) -> None:
        """Decode, mean of the channels, resample by soxr (its own resampler is slower), encode."""

        def run(path: str) -> torch.Tensor:
            samples, rate = sf.read(path, dtype="float32", always_2d=True)
            mono = torch.from_numpy(samples).mean(dim=1).numpy()
            return self.mel(torch.from_numpy(soxr.resample(mono, rate, self.s.sample_rate)))

        with ThreadPoolExecutor(n_threads, initializer=torch.set_num_threads, initargs=(1,)) as p:
            list(p.map(run, paths))
