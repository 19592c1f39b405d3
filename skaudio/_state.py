"""State that belongs to the whole process: torch's global random generators.

Networks draw their weights and their dropout from these generators. `seeded` is the only way to
seed them: it lets one thread at a time draw from them, and restores them afterwards. Augmentations
draw from generators of their own.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

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
