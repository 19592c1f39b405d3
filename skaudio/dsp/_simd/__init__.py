"""The fast kernel of the encoders on the CPU: numba code with SIMD lanes across frames.

A vector register holds the same sample of 16 frames (8 with AVX2, 4 with SSE or NEON). A Fourier
transform that is written for single numbers then transforms 16 frames, without shuffles. The window
is applied when the first butterflies load samples, and magnitudes are computed when the last
butterflies store them. Filters and logarithms follow while the spectra are in the cache.

numba is imported, and the kernel compiled, at the first use; numba keeps the result on disk.

To read the code, begin with `_kernel`, whose docstring shows the layout of data in memory and lists
the stages. `_rows`, `_fft` and `_output` are the stages, `_butterflies`, `_lanes` and `_log` the
instructions they consist of. `_program` calls the kernel with the tables of `_plan`. The tests
(tests/dsp/test_simd_stages.py) have a twin of each stage in numpy.

Program
    An analysis for the kernel.
prepare
    Make a Program of an analysis that the kernel supports.
"""

from skaudio.dsp._simd._program import Program, prepare

__all__ = ["Program", "prepare"]
