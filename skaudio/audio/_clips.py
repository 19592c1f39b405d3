"""Clips: parts of recordings, in seconds."""

from __future__ import annotations

from typing import Any

import numpy as np


def part_of(recording: Any, offset: float, duration: float | None) -> tuple[float, float | None]:
    """Return the start and duration of a part of a clip in its source, in seconds."""
    if recording.duration is not None:
        left = recording.duration - offset
        if left <= 0:
            raise ValueError(
                f"{recording.name}: offset={offset:g} s is past the end, the clip lasts "
                f"{recording.duration:g} s. Expected seconds from the beginning of the clip."
            )
        duration = left if duration is None else min(duration, left)
    return recording.start + offset, duration


def item_of(recording: Any) -> Any:
    """Return the simplest element of X that is a recording: a path, samples, a mapping."""
    source = recording.source
    is_array = isinstance(source, np.ndarray)
    is_bare = recording.sample_rate is None and recording.warp_factor is None
    if not recording.is_clip and (is_bare or not is_array):
        return source
    facts = {
        "sampling_rate": recording.sample_rate,
        "path": recording.path,
        "warp_factor": recording.warp_factor,
        "start": recording.start or None,
        "duration": recording.duration,
        "array" if is_array else "bytes" if isinstance(source, bytes) else "path": source,
    }
    return {key: fact for key, fact in facts.items() if fact is not None}
