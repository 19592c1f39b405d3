"""Program: call the kernel for an analysis."""

from __future__ import annotations

import math
import threading
import warnings
from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from types import ModuleType
from typing import Any

import numpy as np

from skaudio.dsp._simd._plan import (
    MAGNITUDE,
    POWER,
    RECORDING,
    SPECTRUM,
    Bands,
    Cosines,
    FourierPlan,
    FramePlan,
    ScaleNumbers,
    fourier_plan,
    frame_plan,
)
from skaudio.dsp._stages import FLOOR_DB, FilterBank, Scale

# The shortest transform has two stages; the longest fills a usual second-level cache.
SHORTEST, LONGEST = 32, 1 << 15
# Smallest number for the logarithm of the kernel.
TINY = float(np.finfo(np.float32).tiny)
# Exponents of the magnitudes that the kernel computes.
KINDS = {None: SPECTRUM, 1.0: MAGNITUDE, 2.0: POWER}
# Largest workspace, in floats, that a thread keeps. Larger ones, for an hour of bands, are freed.
KEPT = 1 << 22
ALIGNMENT = 64  # bytes of a cache line, and of the widest vector


def address(array: np.ndarray) -> int:
    """Return the address of an array's first item, valid while something holds the array."""
    return int(array.__array_interface__["data"][0])


def numbers_of(plan: FramePlan | FourierPlan | Bands | Cosines) -> tuple[int, ...]:
    """Return a plan in the form of the kernel: with the addresses of its arrays.

    The caller must keep the arrays alive as long as the result is used.
    """
    return tuple(address(x) if isinstance(x, np.ndarray) else x for x in plan)


NO_BANDS = numbers_of(Bands(0, *[np.empty(0)] * 3))  # these addresses are not read
NO_SCALE = Scale()
NO_MATRIX = np.empty((0, 0), np.float32)

_local = threading.local()


def covers(framing: Any, power: float | None, scale: Scale) -> bool:
    """Whether the kernel computes such features."""
    n_fft = framing.n_fft
    return (
        SHORTEST <= n_fft <= LONGEST
        and n_fft & (n_fft - 1) == 0
        and power in KINDS
        and (scale.kind != "log" or scale.eps >= TINY)
    )


def prepare(
    framing: Any,
    power: float | None = 2.0,
    scale: Scale = NO_SCALE,
    dct: np.ndarray | None = None,
    target_frames: int | None = None,
) -> Program | None:
    """Return a `Program`, or None if the kernel does not support the features."""
    if not covers(framing, power, scale):
        return None
    kernel = _kernel()
    return None if kernel is None else Program(kernel, framing, power, scale, dct, target_frames)


@cache  # a failing compilation takes seconds, and is not repeated
def _kernel() -> ModuleType | None:
    """Import the kernel, which compiles it or loads it from numba's cache on disk."""
    try:
        from skaudio.dsp._simd import _kernel
    except Exception as error:  # any error of numba, LLVM or the disk
        warnings.warn(
            f"The fast CPU kernel does not compile here ({type(error).__name__}: {error}). "
            "Encoders fall back on torch, several times slower. Is numba broken or too old?",
            RuntimeWarning,
            stacklevel=2,
        )
        return None
    return _kernel


class Program:
    """An analysis for the kernel; threads can share it.

    Parameters are those of `skaudio.dsp._analysis.Analysis`.
    """

    def __init__(
        self,
        kernel: ModuleType,
        framing: Any,
        power: float | None,
        scale: Scale,
        dct: np.ndarray | None,
        target_frames: int | None,
    ):
        self._kernel = kernel
        self._framing = framing
        self._target_frames = target_frames
        self._kind = KINDS[power]
        self._clips = scale.clips and power is not None
        matrix = NO_MATRIX if dct is None else np.ascontiguousarray(dct, np.float32)
        self._cosines = Cosines(len(matrix), matrix)
        self._scale = tuple(_scale_numbers(NO_SCALE if power is None else scale))

        lanes = kernel.LANES
        self._pads = framing.center and framing.pad_mode != "constant"
        lead = framing.lead if power is None else 0  # the place of the window only affects phases
        self._frames = frame_plan(framing, lanes, padded=self._pads, lead=lead)
        self._fourier = fourier_plan(framing.n_fft // 2, lanes)
        self._last_bank: tuple[FilterBank | None, tuple[int, ...]] = None, NO_BANDS
        self._numbers = numbers_of(self._frames), numbers_of(self._fourier), self._kind
        self._cosine_numbers = numbers_of(self._cosines)
        self._offsets = _side_by_side(
            self._frames.width * self._frames.stride,
            self._fourier.size,
            framing.n_bins * lanes * (2 if power is None else 1),
            lanes * (self._frames.width + lanes),
        )

    def encode(
        self,
        waveforms: Sequence[np.ndarray],
        bank: FilterBank | None = None,
        outs: Sequence[np.ndarray | None] | None = None,
    ) -> tuple[list[np.ndarray], np.ndarray]:
        """Encode recordings in one call, which releases the GIL.

        Parameters
        ----------
        waveforms : sequence of 1-D arrays
        bank : FilterBank, optional
        outs : sequence of (ndarray of shape (n_features, n_frames), or None), optional
            Arrays to write to.

        Returns
        -------
        features : list of ndarray of shape (n_features, n_frames)
        has_nonfinite : ndarray of bool
            True for recordings with samples that are not finite, or so large that their squares may
            overflow. All other recordings are finite.
        """
        n_bands = self._framing.n_bins if bank is None else len(bank.weights)
        dtype = np.complex64 if self._kind == SPECTRUM else np.float32
        features, signals, table, unseen = [], [], [], []
        for i, waveform in enumerate(waveforms):
            waveform = np.require(waveform, np.float32, ["C_CONTIGUOUS", "ALIGNED"])
            n_frames, n_output_frames, sees_all = self._counts(len(waveform))
            if not sees_all:
                unseen.append(i)
            out = None if outs is None else outs[i]
            if out is None:
                out = np.empty((self._cosines.n_coefficients or n_bands, n_output_frames), dtype)
            signal = self._framing.pad(waveform) if self._pads else waveform
            table.append(
                (address(signal), len(signal), n_frames, address(out), n_output_frames, False)
            )
            signals.append(signal)  # the table contains only its address: keep the array alive
            features.append(out)
        recordings = np.array(table, RECORDING)
        size = self._offsets[-1]
        if self._cosines.n_coefficients:  # the longest recording's tiles
            lanes = self._kernel.LANES
            longest = max((max(row[2], row[4]) for row in table), default=0)
            size += n_bands * lanes * -(-longest // lanes)
        self._kernel.encode(
            recordings,
            *self._numbers,
            self._band_numbers(bank),
            self._scale,
            self._cosine_numbers,
            self._offsets,
            _workspace(size),
        )
        has_nonfinite = recordings["has_nonfinite"]
        for i in unseen:
            with np.errstate(over="ignore", invalid="ignore"):
                has_nonfinite[i] |= not math.isfinite(np.dot(waveforms[i], waveforms[i]))
        return features, has_nonfinite

    def _band_numbers(self, bank: FilterBank | None) -> tuple[int, ...]:
        """Return the bands in the form of the kernel; those of the last bank are cached.

        Looking up addresses takes 7 us, a tenth of a call for a recording of 0.25 s.
        """
        if bank is None:
            return NO_BANDS
        last, bands = self._last_bank
        if bank is not last:
            bands = numbers_of(Bands(len(bank.weights), *bank.bands))
            self._last_bank = bank, bands  # in one step: threads share the program
        return bands

    def _counts(self, n_samples: int) -> tuple[int, int, bool]:
        """Return the numbers of frames to compute and of the result; whether all samples count."""
        n_frames = self._framing.n_frames(n_samples)
        n_output_frames = n_frames if self._target_frames is None else self._target_frames
        if not self._clips:  # otherwise, frames that are cut off contribute to the maximum
            n_frames = min(n_frames, n_output_frames)
        return n_frames, n_output_frames, self._framing.sees_all(n_samples, n_frames)


def _scale_numbers(scale: Scale) -> ScaleNumbers:
    if scale.kind == "log":
        eps, floor, factor, silence = scale.eps, TINY, 1.0, math.log(scale.eps)
    elif scale.kind == "db":
        eps, floor = 0.0, 10.0 ** (FLOOR_DB * scale.power / 20.0)
        factor, silence = 20.0 / scale.power / math.log(10.0), FLOOR_DB
    else:
        eps, floor, factor, silence = 0.0, 0.0, 1.0, 0.0
    top_db = math.inf if not scale.clips or scale.top_db is None else scale.top_db
    numbers = map(np.float32, (eps, floor, factor, silence, top_db))
    return ScaleNumbers(np.bool_(scale.kind != "linear"), *numbers)


def _side_by_side(*sizes: int) -> tuple[int, ...]:
    """Lay out aligned areas of given sizes in floats; return their offsets and the total size."""
    per_line = ALIGNMENT // 4
    return tuple(accumulate((-(-size // per_line) * per_line for size in sizes), initial=0))


def _workspace(size: int) -> np.ndarray:
    """Return this thread's aligned workspace, after making it large enough.

    Allocating a workspace in each call would take 15 to 25 us, because its pages are mapped again.
    """
    kept: np.ndarray | None = getattr(_local, "workspace", None)
    if kept is None or len(kept) < size:
        raw = np.empty(size + ALIGNMENT // 4, np.float32)
        first = -raw.ctypes.data % ALIGNMENT // 4
        kept = raw[first : first + size]
        if size <= KEPT:
            _local.workspace = kept
    return kept
