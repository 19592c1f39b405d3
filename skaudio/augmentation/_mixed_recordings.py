"""Recordings that augmentations mix in: noises and impulse responses."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from skaudio._files import FileState, file_state
from skaudio._validation import is_number
from skaudio.audio import AUDIO_EXTENSIONS, AudioBatch, Recording, as_recording, check_recordings
from skaudio.audio import seconds_of as duration_of

# Sample rate assumed if neither recording has one. Any number would do: nothing is resampled.
NOMINAL_RATE = 16000


def find_sources(name: str, given: Any) -> list[Recording]:
    """Return the recordings given by a parameter: a recording, file, folder, or sequence of these.

    Parameters
    ----------
    name : str
        Name of the parameter, for messages.
    given : path, folder, waveform, mapping, AudioBatch, or a sequence of these
    """
    if isinstance(given, AudioBatch):
        found = check_recordings(None, given, reset=False)
        return [_called(f"{name}[{i}]", recording) for i, recording in enumerate(found)]
    if hasattr(given, "iloc") or (isinstance(given, np.ndarray) and given.dtype.kind in "UO"):
        given = given.tolist()
    if not isinstance(given, (list, tuple)) or (given and all(map(is_number, given))):
        return _find(given, name)
    if not given:
        raise ValueError(f"{name} is an empty list, expected at least one recording.")
    return [source for i, item in enumerate(given) for source in _find(item, f"{name}[{i}]")]


def _find(item: Any, called: str) -> list[Recording]:
    if isinstance(item, (str, os.PathLike)) and Path(item).is_dir():
        # Changes inside subfolders are not noticed: listing them for every batch would be slow.
        return list(_find_in_folder(os.fspath(item), called, file_state(item)))
    try:
        return [_called(called, as_recording(item, 0))]
    except (TypeError, ValueError) as error:
        raise type(error)(str(error).replace("recording 0", called)) from error


@lru_cache(maxsize=16)
def _find_in_folder(folder: str, called: str, state: FileState) -> tuple[Recording, ...]:
    paths = sorted(p for p in Path(folder).rglob("*") if p.suffix.lower() in AUDIO_EXTENSIONS)
    hidden = [any(part.startswith(".") for part in p.relative_to(folder).parts) for p in paths]
    found = [str(p) for p, hide in zip(paths, hidden, strict=True) if not hide and p.is_file()]
    if not found:
        raise ValueError(
            f"{called}: there are no recordings in the folder {folder!r}, expected at least one "
            "(.wav, .flac, .ogg, .mp3...)."
        )
    return tuple(_called(called, as_recording(path, 0)) for path in found)


def _called(called: str, recording: Recording) -> Recording:
    """Return a recording with another name; encoded samples (bytes) are decoded."""
    if not isinstance(recording.source, (str, np.ndarray)):
        waveform, rate = recording.read()
        return Recording(waveform, called, sample_rate=rate)
    name = called if recording.path is None else f"{called} ({recording.path!r})"
    return replace(recording, name=name)


def rate_of(source: Recording, rate: float | None, who: str) -> float:
    """Return the sample rate at which a source is mixed into a recording of a given rate."""
    if rate is not None:
        return rate
    if source.sample_rate is not None or isinstance(source.source, str):
        raise ValueError(
            f"{who} needs a sample rate for bare arrays, because {source.name} has one: pass "
            "sample_rate=."
        )
    return NOMINAL_RATE


def state_of_file(source: Recording) -> FileState:
    """Return the state of a file, by which a change of it is noticed."""
    try:
        return file_state(source.source)
    except OSError:
        source.read()  # raises the error of a missing file
        raise


def seconds_of(source: Recording, rate: float) -> float:
    """Return the duration of a source in seconds, at the given rate if it states none."""
    if isinstance(source.source, str):
        state = state_of_file(source)
        return _file_seconds(state, source.name, source.start, source.duration)
    seconds = duration_of(source, rate)
    assert seconds is not None  # always known for samples in memory
    return seconds


@lru_cache(maxsize=65536)
def _file_seconds(state: FileState, name: str, start: float, duration: float | None) -> float:
    recording = Recording(state.path, name, start=start, duration=duration)
    seconds = duration_of(recording, NOMINAL_RATE)
    if seconds is None:
        waveform, rate = recording.read()
        assert rate is not None
        return len(waveform) / rate
    return seconds
