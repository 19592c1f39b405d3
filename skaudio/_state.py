"""What belongs to the whole process: torch's random generators."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

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
