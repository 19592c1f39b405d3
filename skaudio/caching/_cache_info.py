"""CacheInfo: statistics of a cache."""

from __future__ import annotations

from typing import NamedTuple


class CacheInfo(NamedTuple):
    """Statistics of a cache for a transformer with its parameters.

    The counts are over all processes and runs since the folder was created.
    """

    hits: int
    """Results that were found."""
    misses: int
    """Results that were not there, and were computed."""
    evicted: int
    """Results removed to make room."""
    currsize: int
    """Recordings whose results are there now."""
    n_bytes: int
    """Disk space of these results."""
    max_bytes: float | None
    """Limit on the disk space of the results of all transformers in the folder."""
