"""Measurements of one recording for an audit: header, levels, spectrum, fingerprint."""

from __future__ import annotations

import hashlib
import math
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from scipy import fft

from skaudio.audio import Recording, open_blocks

# The window is long and the hop is short in comparison, so that a copy whose frames begin half a
# hop later has nearly the same spectra. Number of samples per channel in memory at a time.
BLOCK = 1 << 17
WINDOW = 0.128  # seconds
HOP = 0.016
LOWEST = -120.0  # dBFS; lower levels are set to it
# The fingerprint covers the frequencies that remain at 8 kHz, on a telephone, or after strong
# compression.
BANDS = np.geomspace(150.0, 3700.0, 34)  # the edges of 32 overlapping triangles, in Hz
LAG = 8  # frames; compared frames do not overlap
DEPTH = 50.0  # dB below the loudest band; lower levels are set to this floor
LOUD = 30.0  # dB below it; frames above this level are loud
LONGEST_FINGERPRINT = 600.0  # seconds, which take 150 kB
# A frame below this level is silent. The noise of a good microphone in a quiet room is above it,
# and that of 16-bit samples (-98 dBFS) below it.
SILENCE = -60.0  # dBFS
# Number of successive samples at the largest value from which they count as clipped.
FLAT_RUN = 3
# If samples have few bits, one peak can be flat by chance, but not several peaks of the same size.
MIN_RUNS = 3
LOWEST_CLIP = 0.1  # of full scale: quiet recordings have flat peaks below this

# The bandwidth ends where the spectrum falls by CLIFF to less than the noise of 16-bit samples.
N_STRIPES = 64  # of equal width, from 0 Hz to half the rate
CLIFF = 20.0  # dB
VOID = -100.0  # dBFS in each stripe above the cliff
CLIFF_WIDTH = 3  # stripes


@dataclass
class Measures:
    """The row of a recording in the table of an audit, and the data for finding duplicates."""

    row: dict[str, Any]
    digest: bytes = b""
    fingerprint: np.ndarray = field(default_factory=lambda: np.empty(0, np.uint32))


def measure(recording: Recording) -> Measures:
    """Measure a recording in blocks; if it cannot be read, its row contains the reason.

    Bare samples must have a sample rate.
    """
    row: dict[str, Any] = {"path": recording.path, "readable": True, "reason": None}
    try:
        opened = open_blocks(recording, None, 0.0, None, BLOCK)
        assert opened.rate is not None  # required for bare samples
        row.update(opened.header, bits=_bits(opened.header["codec"]))
        meter = Meter(opened.rate)
        for block in opened.blocks:
            meter.add(block)
        if not meter.n_times or not math.isfinite(meter.power):
            recording.read(opened.rate)  # raises an error that names the sample
            raise ValueError("the samples are too large to be squared")
        row.update(meter.numbers())
    # An audit reports every error of a decoder.
    except Exception as error:
        reason = str(error).removeprefix(recording.name).lstrip(": ") or type(error).__name__
        row.update(readable=False, reason=reason)
        return Measures(row)
    return Measures(row, meter.digest(), meter.fingerprint())


def _bits(codec: str) -> int | None:
    """Return the number of bits per sample, if the codec of a file has a fixed number."""
    found = re.search(r"_[SU]?(\d+)$", codec)
    return int(found[1]) if found else {"FLOAT": 32, "DOUBLE": 64, "ULAW": 8, "ALAW": 8}.get(codec)


class Meter:
    """Measure one recording from successive blocks.

    Parameters
    ----------
    rate : float
        Sample rate in Hz.
    """

    def __init__(self, rate: float):
        self.rate = rate
        self.n_times = 0
        self.power = 0.0  # sum of squares of the mono mix
        self._sums: Any = 0.0
        self._tops: list[tuple[Top, Top]] = []  # of each channel, for both signs
        self._hash = hashlib.blake2b(f"{rate:g}".encode(), digest_size=16)
        self._size = max(round(WINDOW * rate), 1)
        self._rest = np.empty(0, np.float32)  # samples from the start of the next frame
        self._rest_start = 0
        self._n_frames = 0
        self._levels: list[np.ndarray] = []
        self._bands: list[np.ndarray] = []
        self._stripes = np.zeros(N_STRIPES)  # sum over frames, in dB
        self._n_stripes = 0

    def add(self, block: np.ndarray) -> None:
        """Take the next samples, ``(n_channels, n_times)`` float32."""
        block = np.ascontiguousarray(block)
        if not self._tops:
            self._tops = [(Top(), Top()) for _ in block]
            self._hash.update(bytes([len(block)]))
        self._hash.update(np.ascontiguousarray(block.T).data)
        self._sums = self._sums + block.sum(axis=1, dtype=np.float64)
        for samples, (top, bottom) in zip(block, self._tops, strict=True):
            top.add(samples, float(samples.max()))
            bottom.add(samples, float(samples.min()))
        mono = block[0] if len(block) == 1 else block.mean(axis=0)
        self.power += float(np.dot(mono, mono))
        self.n_times += len(mono)
        self._rest = np.concatenate([self._rest, mono]) if len(self._rest) else mono
        self._take_frames(self._size)

    def _take_frames(self, size: int) -> None:
        """Analyse the complete frames of ``size`` samples."""
        end = self._rest_start + len(self._rest)
        n_new = math.floor((end - size) / (HOP * self.rate) + 1e-9) + 1 - self._n_frames
        if end < size or n_new <= 0:
            return
        # Frames are placed in seconds, so that copies at different sample rates stay aligned.
        starts = np.round((self._n_frames + np.arange(n_new + 1)) * HOP * self.rate).astype(int)
        starts = starts[starts - self._rest_start + size <= len(self._rest)]
        starts = starts[:n_new] - self._rest_start
        frames = np.lib.stride_tricks.sliding_window_view(self._rest, size)[starts]
        hop = max(round(HOP * self.rate), 1)
        # The level is that of the middle of each frame, so that neighbouring frames do not overlap.
        middle = frames[:, (size - hop) // 2 :][:, :hop]
        levels = decibels(np.einsum("ij,ij->i", middle, middle) / middle.shape[1])
        spectra = _Spectra.of(size, self.rate)
        power = spectra.power(frames)
        self._levels.append(levels)
        if self._n_frames * HOP < LONGEST_FINGERPRINT:
            self._bands.append(decibels(power @ spectra.bands))
        self._add_stripes(decibels(spectra.stripes(power)), levels)
        self._n_frames += len(starts)
        following = round(self._n_frames * HOP * self.rate) - self._rest_start
        self._rest = self._rest[following:]
        self._rest_start += following

    def _add_stripes(self, stripes: np.ndarray, levels: np.ndarray) -> None:
        # Only the louder half of the frames is used, because in the others, noise may mask the
        # signal below the cutoff. Decibels are averaged, so that a few clicks, which contain all
        # frequencies, do not hide the cutoff.
        loud = levels >= max(float(np.median(levels)), SILENCE)
        self._stripes += stripes[loud].sum(axis=0)
        self._n_stripes += int(loud.sum())

    def numbers(self) -> dict[str, Any]:
        """Return the columns of the table that are computed from the samples."""
        if not self._n_frames:  # shorter than a window
            self._size = len(self._rest)
            self._take_frames(self._size)
        levels = np.concatenate(self._levels)
        tops = [top for pair in self._tops for top in pair]
        clipped = sum(top.n_clipped for top in tops)
        if sum(top.n_runs for top in tops) < MIN_RUNS:
            clipped = 0
        return {
            "duration": self.n_times / self.rate,
            "peak": float(decibels(max(top.size for top in tops) ** 2)),
            "level": float(decibels(self.power / self.n_times)),
            "noise_floor": float(np.percentile(levels, 10)),
            "clipped": clipped / (self.n_times * len(self._tops)),
            "silent": float(np.mean(levels < SILENCE)),
            "dc_offset": float(np.abs(self._sums).max() / self.n_times),
            "bandwidth": self._bandwidth(),
        }

    def _bandwidth(self) -> float:
        if not self._n_stripes:
            return self.rate / 2
        stripes = self._stripes / self._n_stripes
        above = np.maximum.accumulate(stripes[::-1])[::-1]  # largest from here upwards
        below, above = stripes[:-CLIFF_WIDTH], above[CLIFF_WIDTH:]
        (cliffs,) = np.nonzero((above < VOID) & (below - above > CLIFF))
        if not len(cliffs):
            return self.rate / 2
        return float((cliffs[-1] + 1) * self.rate / 2 / N_STRIPES)

    def digest(self) -> bytes:
        """Return a hash of the samples, the sample rate and the channels."""
        return self._hash.digest()

    def fingerprint(self) -> np.ndarray:
        """Return 32 bits per frame, uint32.

        Bits 0 to 30 are set if the difference between two neighbouring bands is larger than `LAG`
        frames before (Haitsma and Kalker, "A highly robust audio fingerprinting system", 2002).
        They do not depend on gain or filters. Bit 31 is set if the frame is loud.
        """
        bands = np.concatenate(self._bands)
        loudest = bands.max()
        differences = np.diff(np.maximum(bands, loudest - DEPTH), axis=1)
        before = np.zeros((LAG, differences.shape[1]))  # as if preceded by silence
        bits = np.empty((len(bands), 32), bool)
        bits[:, :31] = differences > np.concatenate([before, differences])[: len(bands)]
        bits[:, 31] = bands.max(axis=1) > max(loudest - LOUD, SILENCE)
        return np.packbits(bits, axis=1, bitorder="little").view("<u4")[:, 0].astype(np.uint32)


@dataclass
class Top:
    """Count the samples in flat runs at the largest value of one sign."""

    size: float = 0.0
    n_clipped: int = 0
    n_runs: int = 0

    def add(self, samples: np.ndarray, extreme: float) -> None:
        """Take the next samples and their maximum or minimum."""
        size = abs(extreme)
        if size < self.size:
            return
        if size > self.size and self.size < 1:
            self.n_clipped = self.n_runs = 0
        self.size = size
        if size < LOWEST_CLIP:
            return
        # Decoders of lossy formats can exceed full scale, where players clip.
        limit = math.copysign(min(size, 1.0), extreme)
        at_top = np.flatnonzero(samples >= limit if extreme > 0 else samples <= limit)
        if len(at_top) < FLAT_RUN:
            return
        ends = np.flatnonzero(np.diff(at_top, append=-1) != 1)
        runs = np.diff(ends, prepend=-1)
        runs = runs[runs >= FLAT_RUN]
        self.n_clipped += int(runs.sum())
        self.n_runs += len(runs)


class _Spectra:
    """Power spectra of frames of a given size, scaled so that the sum over bins is the power."""

    def __init__(self, size: int, rate: float):
        self.n_fft = fft.next_fast_len(size, real=True)
        n_bins = self.n_fft // 2 + 1
        window = np.hanning(size + 2)[1:-1]
        self.window = (window * math.sqrt(2 / self.n_fft / np.sum(window**2))).astype(np.float32)
        frequencies = np.arange(n_bins) * rate / self.n_fft
        place = np.interp(frequencies, BANDS, np.arange(len(BANDS)), left=-2, right=-2)
        centres = np.arange(1, len(BANDS) - 1)
        self.bands = np.maximum(1 - np.abs(place[:, np.newaxis] - centres), 0).astype(np.float32)
        self.edges = np.linspace(0, n_bins, N_STRIPES, endpoint=False).astype(int)

    @staticmethod
    @lru_cache(maxsize=16)
    def of(size: int, rate: float) -> _Spectra:
        return _Spectra(size, rate)

    def power(self, frames: np.ndarray) -> np.ndarray:
        spectra = fft.rfft(frames * self.window, self.n_fft, axis=1)
        power: np.ndarray = np.square(spectra.real) + np.square(spectra.imag)
        return power

    def stripes(self, power: np.ndarray) -> np.ndarray:
        return np.add.reduceat(power, self.edges, axis=1)


def decibels(power: Any) -> Any:
    """Return the level in dB of a power."""
    return 10 * np.log10(np.maximum(power, 10 ** (LOWEST / 10)))
