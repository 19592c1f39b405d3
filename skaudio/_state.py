"""State that belongs to the whole process: torch's random generators, what `torch.load` may build.

Networks draw their weights and their dropout from torch's global generators. `seeded` is the only
way to seed them: it lets one thread at a time draw from them, and restores them afterwards.
Augmentations draw from generators of their own. `building` extends, for one thread at a time, the
types that ``torch.load(weights_only=True)`` accepts.
"""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import torch

# Held by the thread that draws from the seeded generators. Re-entrant, so that one `seeded` may be
# inside another.
_RANDOM_STATE = threading.RLock()


@contextlib.contextmanager
def seeded(seed: int, device: str = "cpu") -> Iterator[None]:
    """Seed torch's generators of the CPU and of a device, and restore them afterwards."""
    kind = torch.device(device)
    with _RANDOM_STATE, torch.random.fork_rng([kind] if kind.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


# Held by the thread that has changed the types that torch.load may build, and the warning filters.
_LOADING = threading.Lock()


@contextlib.contextmanager
def building(types: list[Any]) -> Iterator[None]:
    """Let ``torch.load(weights_only=True)`` build more types, without warnings; in one thread.

    Two threads would take each other's types away.
    """
    with _LOADING, torch.serialization.safe_globals(types), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pickle's version, before a file is refused
        yield
