"""From the description of an analysis to a call of the kernel."""

from __future__ import annotations

import math
import threading
import warnings
from functools import cache
from types import ModuleType

import numpy as np

from skaudio.dsp.framing import Framing
from skaudio.dsp.mel import FilterBank
from skaudio.dsp.scaling import FLOOR_DB, Scale
from skaudio.dsp.simd._plan import fourier_plan, frame_plan

# The shortest transform has two stages; the longest fills a usual second-level cache.
SHORTEST, LONGEST = 32, 1 << 15
# The kernel's logarithm knows no smaller numbers.
TINY = float(np.finfo(np.float32).tiny)
# The kernel's names for exponents of the magnitudes.
KINDS = {None: 0, 1.0: 1, 2.0: 2}
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
        from skaudio.dsp.simd import _kernel
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

    Parameters are those of `skaudio.dsp.analysis.Analysis`.
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
        spare = max(lanes * (frames.width + lanes), self._dct.shape[1] * lanes)
        self._places, self._room = _side_by_side(rows, fourier.size, bins, spare)

    def encode(
        self, waveform: np.ndarray, bank: FilterBank | None = None, out: np.ndarray | None = None
    ) -> np.ndarray:
        """Return the features of one recording, (n_features, n_frames), in ``out`` if given."""
        waveform = np.require(waveform, np.float32, ["C_CONTIGUOUS", "ALIGNED"])
        n_frames = self._framing.n_frames(len(waveform))
        n_columns = n_frames if self._target_frames is None else self._target_frames
        n_rows = self._framing.n_bins if bank is None else bank.n_filters
        if out is None:
            dtype = np.complex64 if self._complex else np.float32
            out = np.empty((len(self._dct) or n_rows, n_columns), dtype)
        # What is cut off counts for the maximum.
        trims = self._clips and n_frames > n_columns
        result = np.empty((len(out), n_frames), np.float32) if trims else out.view(np.float32)
        bands = result
        if self._dct.size:
            bands = np.empty(n_rows * result.shape[1] + self._kernel.LANES, np.float32)
            bands = bands[: n_rows * result.shape[1]].reshape(n_rows, -1)
        self._kernel.encode(
            self._framing.pad(waveform) if self._pads else waveform,
            n_frames if trims else min(n_frames, n_columns),
            self._framing.hop_length,
            self._sizes,
            self._places,
            *self._tables,
            *(NO_BANDS if bank is None else bank.bands),
            self._scale,
            self._dct,
            _workspace(self._room),
            bands,
            result,
        )
        if trims:
            out[...] = result[:, :n_columns]
        return out


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
    """Places of aligned areas in one workspace, and its size, all in floats."""
    per_line = ALIGNMENT // 4
    ends = np.cumsum([-(-size // per_line) * per_line for size in sizes])
    return (0, *map(int, ends[:-1])), int(ends[-1])


def _workspace(size: int) -> np.ndarray:
    """Return this thread's aligned workspace, made larger where it has to be."""
    kept = getattr(_local, "workspace", None)
    if kept is None or len(kept) < size:
        raw = np.empty(size + ALIGNMENT // 4, np.float32)
        first = -raw.ctypes.data % ALIGNMENT // 4
        kept = _local.workspace = raw[first : first + size]
    return kept
