"""From the description of an analysis to a call of the kernel."""

from __future__ import annotations

import math
import threading
import warnings
from collections.abc import Sequence
from functools import cache
from itertools import accumulate
from types import ModuleType

import numpy as np

from skaudio.dsp._description import FLOOR_DB, FilterBank, Framing, Scale
from skaudio.dsp._simd._plan import fourier_plan, frame_plan

# The shortest transform has two stages; the longest fills a usual second-level cache.
SHORTEST, LONGEST = 32, 1 << 15
# The kernel's logarithm knows no smaller numbers.
TINY = float(np.finfo(np.float32).tiny)
# The kernel's names for exponents of the magnitudes.
KINDS = {None: 0, 1.0: 1, 2.0: 2}
# Floats of a workspace that a thread keeps; an hour's bands are given back.
KEPT = 1 << 22
ALIGNMENT = 64  # bytes of a line of the cache, and of the widest vector

NO_INDICES = np.empty(0, np.intp)
NO_BANDS = (NO_INDICES, NO_INDICES, np.empty(0, np.float32))
NO_SCALE = Scale()
NO_MATRIX = np.empty((0, 0), np.float32)

_local = threading.local()


def covers(framing: Framing, power: float | None, scale: Scale) -> bool:
    """Whether the kernel computes such features."""
    n_fft = framing.n_fft
    return (
        SHORTEST <= n_fft <= LONGEST
        and n_fft & (n_fft - 1) == 0
        and power in KINDS
        and (scale.kind != "log" or scale.eps >= TINY)
    )


def prepare(
    framing: Framing,
    power: float | None = 2.0,
    scale: Scale = NO_SCALE,
    dct: np.ndarray | None = None,
    target_frames: int | None = None,
) -> Program | None:
    """Return a `Program`, or None where torch has to compute the features."""
    if not covers(framing, power, scale):
        return None
    kernel = _kernel()
    return None if kernel is None else Program(kernel, framing, power, scale, dct, target_frames)


@cache
def _kernel() -> ModuleType | None:
    """Import the kernel, which compiles it, or loads what a former process compiled."""
    try:
        from skaudio.dsp._simd import _kernel
    except Exception as error:  # whatever numba, LLVM or the disk may say
        warnings.warn(
            f"The fast CPU kernel does not compile here ({type(error).__name__}: {error}). "
            "Encoders fall back on torch, several times slower. Is numba broken or too old?",
            RuntimeWarning,
            stacklevel=2,
        )
        return None
    return _kernel


class Program:
    """An analysis as the kernel runs it; threads may share it.

    Parameters are those of `skaudio.dsp._analysis.Analysis`.
    """

    def __init__(
        self,
        kernel: ModuleType,
        framing: Framing,
        power: float | None,
        scale: Scale,
        dct: np.ndarray | None,
        target_frames: int | None,
    ):
        self._kernel = kernel
        self._framing = framing
        self._target_frames = target_frames
        self._complex = power is None
        self._clips = scale.clips and not self._complex
        self._dct = NO_MATRIX if dct is None else dct
        self._scale = _scale_numbers(NO_SCALE if self._complex else scale)

        lanes = kernel.LANES
        self._pads = framing.center and framing.pad_mode != "constant"
        lead = framing.lead if self._complex else 0  # only phases tell where the window sits
        frames = frame_plan(framing, lanes, padded=self._pads, lead=lead)
        fourier = fourier_plan(framing.n_fft // 2, lanes)
        self._sizes = (
            frames.start,
            frames.width,
            frames.reach,
            frames.stride,
            fourier.gap,
            framing.n_bins,
        )
        self._tables = (
            frames.where,
            frames.window,
            fourier.radices,
            fourier.twiddles,
            fourier.blocks,
            fourier.turns,
            KINDS[power],
        )
        rows = frames.width * frames.stride
        bins = framing.n_bins * lanes * (2 if self._complex else 1)
        spare = lanes * (frames.width + lanes)
        self._places, self._room = _side_by_side(rows, fourier.size, bins, spare)

    def encode(
        self,
        waveforms: Sequence[np.ndarray],
        bank: FilterBank | None = None,
        outs: Sequence[np.ndarray | None] | None = None,
    ) -> tuple[list[np.ndarray], np.ndarray]:
        """Encode recordings in one call, during which other threads may run.

        Parameters
        ----------
        waveforms : sequence of 1-D arrays
        bank : FilterBank, optional
        outs : sequence of (ndarray of shape (n_features, n_frames), or None), optional
            Where to write.

        Returns
        -------
        features : list of ndarray of shape (n_features, n_frames)
        doubtful : ndarray of bool
            Which recordings have samples that are not finite, or so large that their squares
            may overflow. All others are finite.
        """
        n_bands = self._framing.n_bins if bank is None else bank.n_filters
        features, signals, table, unseen = [], [], [], []
        for i, waveform in enumerate(waveforms):
            waveform = np.require(waveform, np.float32, ["C_CONTIGUOUS", "ALIGNED"])
            n_frames, n_columns, sees_all = self._counts(len(waveform))
            if not sees_all:
                unseen.append(i)
            out = None if outs is None else outs[i]
            if out is None:
                dtype = np.complex64 if self._complex else np.float32
                out = np.empty((len(self._dct) or n_bands, n_columns), dtype)
            signal = self._framing.pad(waveform) if self._pads else waveform
            table.append((_address(signal), len(signal), n_frames, _address(out), n_columns))
            signals.append(signal)  # the kernel knows the address alone: somebody has to hold it
            features.append(out)
        recordings = np.array(table, np.intp).reshape(-1, 5)
        room = self._room
        if self._dct.size:  # the bands of the longest one have to wait for its maximum
            lanes = self._kernel.LANES
            room += n_bands * lanes * -(-int(recordings[:, [2, 4]].max(initial=0)) // lanes)
        doubtful = np.empty(len(table), bool)
        self._kernel.encode(
            recordings,
            doubtful,
            self._framing.hop_length,
            self._sizes,
            self._places,
            *self._tables,
            *(NO_BANDS if bank is None else bank.bands),
            self._scale,
            self._dct,
            _workspace(room),
        )
        for i in unseen:
            with np.errstate(over="ignore", invalid="ignore"):
                doubtful[i] |= not math.isfinite(np.dot(waveforms[i], waveforms[i]))
        return features, doubtful

    def _counts(self, n_samples: int) -> tuple[int, int, bool]:
        """Frames to compute, columns to fill, and whether the frames see every sample."""
        n_frames = self._framing.n_frames(n_samples)
        n_columns = n_frames if self._target_frames is None else self._target_frames
        if not self._clips:  # else what is cut off counts for the maximum
            n_frames = min(n_frames, n_columns)
        return n_frames, n_columns, self._framing.sees_all(n_samples, n_frames)


def _address(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]


def _scale_numbers(scale: Scale) -> tuple[bool, float, float, float, float, float]:
    """Whether to take ``factor * ln(max(S + eps, floor))``; those; silence; the range to keep."""
    if scale.kind == "log":
        eps, floor, factor, silence = scale.eps, TINY, 1.0, math.log(scale.eps)
    elif scale.kind == "db":
        eps, floor = 0.0, 10.0 ** (FLOOR_DB * scale.power / 20.0)
        factor, silence = 20.0 / scale.power / math.log(10.0), FLOOR_DB
    else:
        eps, floor, factor, silence = 0.0, 0.0, 1.0, 0.0
    top_db = math.inf if not scale.clips or scale.top_db is None else scale.top_db
    return scale.kind != "linear", eps, floor, factor, silence, top_db


def _side_by_side(*sizes: int) -> tuple[tuple[int, ...], int]:
    """Places of aligned areas in a workspace, that of what comes after them, and their size."""
    per_line = ALIGNMENT // 4
    places = tuple(accumulate((-(-size // per_line) * per_line for size in sizes), initial=0))
    return places, places[-1]


def _workspace(size: int) -> np.ndarray:
    """Return an aligned workspace: this thread's own, made larger where it has to be."""
    kept = getattr(_local, "workspace", None)
    if kept is None or len(kept) < size:
        raw = np.empty(size + ALIGNMENT // 4, np.float32)
        first = -raw.ctypes.data % ALIGNMENT // 4
        kept = raw[first : first + size]
        if size <= KEPT:
            _local.workspace = kept
    return kept
