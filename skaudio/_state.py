"""What belongs to the whole process: torch's random generators, and what `torch.load` may build."""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import torch

# torch's random state belongs to the process: one at a time may hold it.
_RANDOM_STATE = threading.RLock()


@contextlib.contextmanager
def seeded(seed: int, device: str = "cpu") -> Iterator[None]:
    """Run with torch's generators seeded, and leave them as they were."""
    kind = torch.device(device)
    with _RANDOM_STATE, torch.random.fork_rng([kind] if kind.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


# So do the types that torch.load may build, and the filters of warnings.
_LOADING = threading.Lock()


@contextlib.contextmanager
def building(types: list[Any]) -> Iterator[None]:
    """Let ``torch.load(weights_only=True)`` build more types, without warnings; in one thread.

    Two threads would take each other's types away.
    """
    with _LOADING, torch.serialization.safe_globals(types), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pickle's version, before a file is refused
        yield
