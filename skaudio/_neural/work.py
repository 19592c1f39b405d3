"""How many torch threads the work of a network is worth: by a fixed rule, never by timing.

Results are bit-equal at one number of threads only, and a timing differs with what else is running.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

from torch import nn

from skaudio._parallel import n_threads, torch_threads

# Multiplications between two points at which threads wait for each other. With fewer, a second
# thread gains little on an idle machine, and costs up to thirty times the work on a busy one:
# docs/benchmarks.md.
WORTH_THREADS = 1 << 27


def working_threads(module: nn.Module, n_rows: int, n_frames: int) -> AbstractContextManager[Any]:
    """Let torch use one thread for small work, and as many as it would for large.

    The work is the number of parameters, times the frames of a batch; where there are recurrent
    layers, which go from frame to frame, times its rows.

    Parameters
    ----------
    module : torch module
    n_rows, n_frames : int
        Of a batch.
    """
    n_parameters = sum(parameter.numel() for parameter in module.parameters())
    recurs = any(isinstance(part, nn.RNNBase) for part in module.modules())
    work = n_parameters * n_rows * (1 if recurs else n_frames)
    return torch_threads(1 if work < WORTH_THREADS else n_threads())
