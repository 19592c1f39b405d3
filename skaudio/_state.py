"""State of the whole process, which is only changed in this module.

It consists of the random generators of torch, numpy and Python (`seeded`, `seeded_globals`), the
types that `torch.load` may build (`building`), and warning filters (`muted`). Limits of threads are
in `skaudio._parallel`. The state is restored afterwards, also if several threads change it at once.
Environment variables are read, never set.
"""

from __future__ import annotations

import contextlib
import os
import random
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from skaudio._parallel import holding


class _Locks:
    """The locks. A forked process creates new ones, since it has no threads to release these."""

    def __init__(self) -> None:
        # One lock for all generators, because a function that holds one may need the others.
        self.generators = threading.RLock()
        self.loading = threading.RLock()


_locks = _Locks()


def _after_fork() -> None:
    global _locks
    _locks = _Locks()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@contextlib.contextmanager
def seeded(seed: int, device: str = "cpu") -> Iterator[None]:
    """Seed torch's generators of the CPU and of a device, and restore them afterwards.

    Networks draw their weights and their dropout from these generators. Other devices keep theirs:
    ``torch.manual_seed`` would seed all of them, and only some could be restored. Only one thread
    at a time can use this context.
    """
    import torch

    kind = torch.device(device)
    devices = [kind] if kind.type == "cuda" else []
    with _locks.generators, holding(), torch.random.fork_rng(devices):
        torch.default_generator.manual_seed(seed)
        if kind.type == "cuda":
            with torch.cuda.device(kind):
                torch.cuda.manual_seed(seed)
        elif kind.type != "cpu":
            torch.get_device_module(kind).manual_seed(seed)
        yield


@contextlib.contextmanager
def seeded_globals(seed: int) -> Iterator[None]:
    """Seed the generators of ``random`` and ``np.random``, and restore them."""
    with _locks.generators, holding():
        state, array_state = random.getstate(), np.random.get_state()  # noqa: NPY002
        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        try:
            yield
        finally:
            random.setstate(state)
            np.random.set_state(array_state)  # noqa: NPY002


@contextlib.contextmanager
def building(types: list[Any]) -> Iterator[None]:
    """Allow more types in ``torch.load(weights_only=True)``, in one thread at a time.

    Without the lock, two threads would remove each other's types. Types that were allowed before
    remain allowed.
    """
    import torch

    with _locks.loading:
        allowed = torch.serialization.get_safe_globals()
        with torch.serialization.safe_globals([kind for kind in types if kind not in allowed]):
            yield


@contextlib.contextmanager
def muted() -> Iterator[None]:
    """Suppress warnings.

    Use it only for rare calls, because the filters belong to the process. If another thread changes
    them meanwhile, its change may be lost, or this one may remain.
    """
    with _locks.loading, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
