"""The encoders' fast path on the CPU: a numba kernel with SIMD lanes across frames.

A vector register holds the same sample of 16 frames (8 with AVX2, 4 with SSE or NEON), so that a
Fourier transform written for numbers transforms 16 frames, without a shuffle. Windowing happens
on the way into the first butterflies, magnitudes on the way out of the last, and filters and
logarithms follow while the spectra are in the cache.

numba is imported, and the kernel compiled, at the first use; numba keeps the result on disk.

To read it, begin with `_kernel`, whose docstring draws how data lies in memory and lists the
stages. `_rows`, `_fft` and `_output` are the stages, `_butterflies`, `_lanes` and `_log` the
instructions they consist of. `_program` calls the kernel with the tables of `_plan`. The tests
(tests/dsp/test_simd_stages.py) have a twin of each stage in numpy.

Program
    An analysis as the kernel runs it.
prepare
    Make a Program of an analysis the kernel covers.
"""

from skaudio.dsp._simd._program import Program, prepare

__all__ = ["Program", "prepare"]
