"""Strong labels in y: tables of events, converted to targets of frames."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from skaudio._steps import steps_of
from skaudio.augmentation import RandomSegment, Speed, TimeShift
from skaudio.events import check_events, events_to_frames, events_to_target

TIMES = {"onset", "offset", "event_label"}
# Augmentations that change the times of events.
MOVING = (RandomSegment, Speed, TimeShift)
# Target of a frame without strong labels.
UNKNOWN = -1.0


def separate(X: Any, y: Any) -> tuple[Any, dict[int, pd.DataFrame]]:
    """Return the weak labels of all recordings, and the events of those with strong labels.

    y is a table of the events in X, or contains such a table for some recordings. Any other y is
    returned unchanged.
    """
    if isinstance(y, pd.DataFrame):
        if not set(y.columns) >= TIMES:
            return y, {}
        y = events_to_target(y, X)
    items = _items(y)
    if not any(isinstance(item, pd.DataFrame) for item in items):
        return y, {}
    strong, weak = {}, []
    for i, item in enumerate(items):
        if isinstance(item, pd.DataFrame):
            strong[i] = _checked(item, i)
            item = sorted(set(strong[i]["event_label"]), key=str)
        weak.append(item if isinstance(item, str) else list(item))
    return weak, strong


def _items(y: Any) -> list[Any]:
    """Return the items of y, if they can be tables; else an empty list."""
    is_objects = isinstance(y, (np.ndarray, pd.Series)) and y.dtype == object and y.ndim == 1
    return list(y) if isinstance(y, (list, tuple)) or is_objects else []


def _checked(table: pd.DataFrame, position: int) -> pd.DataFrame:
    missing = sorted(TIMES - set(table.columns))
    if missing:
        raise ValueError(
            f"y[{position}] has the columns {list(table.columns)!r:.80}, expected 'onset', "
            f"'offset' and 'event_label' of the events of recording {position}."
        )
    try:
        return check_events(table.assign(file=position))
    except ValueError as error:
        raise ValueError(f"y[{position}]: {error}") from None


class FrameTargets:
    """Targets of recordings and of their frames, to be indexed by recordings.

    Parameters
    ----------
    weak : ndarray of shape (n_recordings, n_labels)
    frames : dict
        Maps the position of a recording to the activity (n_labels, n_frames) of its labels.
    """

    def __init__(self, weak: np.ndarray, frames: dict[int, np.ndarray]):
        self.weak = weak
        self.frames = frames

    def __len__(self) -> int:
        return len(self.weak)

    def __getitem__(self, index: Any) -> np.ndarray:
        """Return targets (n, n_labels, 1 + n_frames) of recordings and of their frames.

        The targets are `UNKNOWN` for frames without strong labels and after the end of a recording.
        """
        positions = np.atleast_1d(index)
        known = [self.frames.get(int(i)) for i in positions]
        longest = max((f.shape[1] for f in known if f is not None), default=0)
        shape = (*self.weak[positions].shape, 1 + longest)
        out = np.full(shape, UNKNOWN, np.float32)
        out[..., 0] = self.weak[positions]
        for row, active in zip(out, known, strict=True):
            if active is not None:
                row[:, 1 : 1 + active.shape[1]] = active
        return out if np.ndim(index) else out[0]


def frame_targets(
    events: pd.DataFrame, labels: list[Any], times: np.ndarray, step: float
) -> np.ndarray:
    """Return the activity of the labels in frames; each event is active in at least one frame."""
    active = events_to_frames(events, times, labels)
    for label, onset, offset in events[["event_label", "onset", "offset"]].itertuples(index=False):
        middle = (onset + offset) / 2
        if middle < times[-1] + step:
            active[labels.index(label), np.abs(times - middle).argmin()] = True
    return active


def refuse_moved_events(encoder: Any) -> None:
    """Raise an error for an augmentation that changes the times of events."""
    for step in steps_of(encoder):
        if isinstance(step, MOVING):
            raise ValueError(
                f"y holds strong labels, and the encoder has {type(step).__name__}, which moves "
                "sounds in time: expected augmentations that keep onsets and offsets (Noise, "
                "Volume, Convolution, VTLP, TimeMask, FrequencyMask), or weak labels alone."
            )


def of_recordings(score: Callable[..., float]) -> Callable[..., float]:
    """Make a score of recordings accept outputs and targets that also contain frames."""

    def scored(outputs: list[np.ndarray], targets: list[np.ndarray]) -> float:
        return score([o[..., 0] for o in outputs], [t[..., 0] for t in targets])

    return scored
