"""make_soundscapes: mix events with backgrounds, with exact strong labels."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import soundfile as sf
from sklearn.utils import Bunch, check_random_state

from skaudio._steps import transform_plainly
from skaudio._validation import check_same_lengths
from skaudio.audio import AudioBatch, check_recordings
from skaudio.encoders import Waveform
from skaudio.events import check_events, find_runs

FRAME = 0.01  # seconds; levels are measured in frames of this length
ACTIVE_DB = 25.0  # an event includes frames down to this level below the loudest frame
BRIDGED = 0.2  # seconds; longest pause within an event
EVENT_FADE = 0.005
BACKGROUND_FADE = 0.05
TRIES = 100  # positions to try for an event, before it is left out


def make_soundscapes(
    recordings: Any,
    labels: Sequence[Any],
    background: Any,
    *,
    n_soundscapes: int = 100,
    duration: float = 10.0,
    n_events: tuple[int, int] = (1, 3),
    event_duration: tuple[float, float] = (0.3, 3.0),
    snr_db: tuple[float, float] = (6.0, 20.0),
    sample_rate: int = 16000,
    folder: str | os.PathLike[str] | None = None,
    random_state: Any = None,
) -> Any:
    """Mix recordings of single events into soundscapes, with tables of the events.

    Soundscapes are used to test detectors that were trained on weak labels: their strong labels are
    exact, and nobody needs to annotate them. Use different recordings and backgrounds for training
    and test.

    Parameters
    ----------
    recordings : sequence of n recordings
        Recordings of one event each. Their active part is used: the part around the loudest frame
        with levels of up to 25 dB below it, including pauses of up to 0.2 s.
    labels : sequence of length n
        Label of each recording.
    background : sequence of recordings
        Background recordings. One is drawn for each soundscape. It starts at a random position and
        is repeated if it is shorter.
    n_soundscapes : int, default=100
        Number of soundscapes.
    duration : float, default=10.0
        Duration of each soundscape in seconds.
    n_events : (int, int), default=(1, 3)
        Smallest and largest number of events per soundscape. A label, and then a recording of it,
        is drawn uniformly for each event.
    event_duration : (float, float), default=(0.3, 3.0)
        Shortest and longest duration of an event in seconds. Longer active parts are cut; shorter
        ones are extended if the recording is long enough.
    snr_db : (float, float), default=(6, 20)
        Range of the level of an event relative to the level of the whole background, in dB. One
        value per event is drawn uniformly.
    sample_rate : int, default=16000
        Sample rate of the soundscapes in Hz.
    folder : str or path-like, default=None
        Folder to which the soundscapes are written as 16-bit WAV; it is created if it is missing.
        None: they are returned in memory.
    random_state : int, RandomState instance or None, default=None
        Seed of all draws. With an integer, the first soundscapes do not depend on
        ``n_soundscapes``.

    Returns
    -------
    sklearn.utils.Bunch
        A dictionary with attributes:

        data : AudioBatch, or ndarray of str with ``folder``
            The soundscapes, named "soundscape_0000"..., or their paths.
        target : DataFrame of shape (n_soundscapes, n_labels)
            Weak labels, with a column per label: 1 if the label occurs, else 0. `EventDetector.fit`
            accepts this table as y.
        target_names : ndarray of shape (n_labels,)
            The labels, sorted.
        events : DataFrame
            Strong labels; see `skaudio.events.check_events`. Events of one label do not overlap. An
            event without a free position after 100 tries is left out.

    Raises
    ------
    ValueError
        If a recording or a background is silent, or if a range is not valid.

    Notes
    -----
    Events are faded in and out within 5 ms, to avoid clicks that a detector could learn. A
    soundscape whose peak exceeds 1 is scaled down as a whole.

    Examples
    --------
    >>> import numpy as np
    >>> from skaudio.datasets import make_soundscapes
    >>> beep = np.sin(np.arange(8000.0))
    >>> hiss = np.random.default_rng(0).normal(scale=0.01, size=32000)
    >>> scenes = make_soundscapes([beep], ["beep"], [hiss], n_soundscapes=2, random_state=0)
    >>> scenes.data
    AudioBatch(2 recordings, 16000 Hz, 160000 samples)
    >>> scenes.events.columns.tolist()
    ['file', 'onset', 'offset', 'event_label']
    """
    check_same_lengths(recordings=recordings, labels=labels)
    names = sorted(set(labels))
    fewest, most = _check_range("n_events", n_events, 0)
    shortest, longest = _check_range("event_duration", event_duration, FRAME)
    if longest > duration:
        raise ValueError(
            f"event_duration={event_duration!r}: longer than the soundscapes, "
            f"duration={duration!r}."
        )
    quietest, loudest = _check_range("snr_db", snr_db, -np.inf)
    reader = Waveform(sample_rate=sample_rate)
    by_label: dict[Any, list[np.ndarray]] = {name: [] for name in names}
    for i, (waveform, label) in enumerate(zip(_read(reader, recordings), labels, strict=True)):
        _check_sounds(waveform, f"recording {i} ({label!r})")
        by_label[label].append(active_part(waveform, sample_rate, shortest, longest))
    backgrounds = list(_read(reader, background))
    for i, waveform in enumerate(backgrounds):
        _check_sounds(waveform, f"background {i}")
    seed = int(check_random_state(random_state).randint(2**31 - 1))
    n_times = round(duration * sample_rate)
    waveforms, rows = [], []
    for i in range(n_soundscapes):
        rng = np.random.default_rng([seed, i])
        mixed = looped(backgrounds[rng.integers(len(backgrounds))], n_times, sample_rate, rng)
        level = _rms(mixed)
        taken: dict[Any, list[tuple[int, int]]] = {name: [] for name in names}
        for _ in range(rng.integers(fewest, most + 1)):
            label = names[rng.integers(len(names))]
            event = by_label[label][rng.integers(len(by_label[label]))]
            gain = level / _rms(event) * 10 ** (rng.uniform(quietest, loudest) / 20)
            start = _place(len(event), n_times, taken[label], rng)
            if start is None:
                continue
            stop = start + len(event)
            taken[label].append((start, stop))
            mixed[start:stop] += np.float32(gain) * event
            rows.append((i, start / sample_rate, stop / sample_rate, label))
        waveforms.append(mixed / max(float(np.abs(mixed).max()), 1.0))
    files = [f"soundscape_{i:04d}" for i in range(n_soundscapes)]
    data: Any = AudioBatch(waveforms, sample_rate, names=files)
    if folder is not None:
        files = _write(data, files, Path(folder), sample_rate)
        data = np.array(files)
    table = pd.DataFrame(rows, columns=["file", "onset", "offset", "event_label"])
    target = np.zeros((n_soundscapes, len(names)), dtype=np.int64)
    target[table["file"].to_numpy(int), [names.index(name) for name in table["event_label"]]] = 1
    table["file"] = [files[i] for i in table["file"]]
    return Bunch(
        data=data,
        target=pd.DataFrame(target, columns=names),
        target_names=np.array(names),
        events=check_events(table, files=files),
    )


def active_part(
    waveform: np.ndarray, sample_rate: float, shortest: float, longest: float
) -> np.ndarray:
    """Return the active part of a recording, faded in and out."""
    size = round(FRAME * sample_rate)
    levels = _levels(waveform, size)
    low = levels.max() * 10 ** (-ACTIVE_DB / 20)
    starts, stops = find_runs(levels, low, low, max_gap=BRIDGED / FRAME)
    energies = [np.square(levels[a:b]).sum() for a, b in zip(starts, stops, strict=True)]
    best = int(np.argmax(energies))
    start, stop = int(starts[best]) * size, min(int(stops[best]) * size, len(waveform))
    missing = max(round(shortest * sample_rate) - (stop - start), 0)
    start = max(min(start - missing // 2, len(waveform) - round(shortest * sample_rate)), 0)
    stop = min(max(stop, start + round(shortest * sample_rate)), len(waveform))
    stop = min(stop, start + round(longest * sample_rate))
    event = waveform[start:stop].copy()
    n_fade = min(round(EVENT_FADE * sample_rate), len(event) // 2)
    ramp = np.linspace(0, 1, n_fade, dtype=np.float32)
    event[:n_fade] *= ramp
    event[len(event) - n_fade :] *= ramp[::-1]
    return event


def looped(
    waveform: np.ndarray, n_times: int, sample_rate: float, rng: np.random.Generator
) -> np.ndarray:
    """Return n_times samples from a random position; repetitions are cross-faded."""
    n = len(waveform)
    if n >= n_times:
        skipped = int(rng.integers(n - n_times + 1))
        return waveform[skipped : skipped + n_times].copy()
    n_fade = min(round(BACKGROUND_FADE * sample_rate), n // 2)
    period = n - n_fade
    # The added parts are uncorrelated. With square roots as weights, the level is constant.
    ramp = np.sqrt(np.linspace(0, 1, n_fade, dtype=np.float32))
    piece = waveform.copy()
    piece[:n_fade] *= ramp
    piece[n - n_fade :] *= ramp[::-1]
    first = int(rng.integers(period))
    out = np.zeros(n_times + n + period, np.float32)
    for start in range(0, n_times + period, period):
        out[start : start + n] += piece
    # The first n_fade samples are not cross-faded with a previous repetition.
    return out[n_fade + first : n_fade + first + n_times]


def _read(reader: Waveform, X: Any) -> Any:
    return transform_plainly(reader, list(check_recordings(Waveform(), X, reset=True)))


def _levels(waveform: np.ndarray, size: int) -> np.ndarray:
    padded = np.pad(waveform, (0, -len(waveform) % size))
    power: np.ndarray = np.square(padded.reshape(-1, size), dtype=np.float64).mean(axis=1)
    levels: np.ndarray = np.sqrt(power)
    return levels


def _rms(waveform: np.ndarray) -> float:
    return float(np.sqrt(np.square(waveform, dtype=np.float64).mean()))


def _place(
    n: int, n_times: int, taken: list[tuple[int, int]], rng: np.random.Generator
) -> int | None:
    for _ in range(TRIES):
        start = int(rng.integers(n_times - n + 1))
        if all(start + n <= a or start >= b for a, b in taken):
            return start
    return None


def _write(data: AudioBatch, files: list[str], folder: Path, sample_rate: int) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [str(folder / f"{name}.wav") for name in files]
    for path, waveform in zip(paths, data, strict=True):
        sf.write(path, waveform, sample_rate, subtype="PCM_16")
    return paths


def _check_range(name: str, value: Any, minimum: float) -> tuple[Any, Any]:
    pair = tuple(np.atleast_1d(value).tolist())
    if len(pair) != 2 or not minimum <= pair[0] <= pair[1] < np.inf:
        raise ValueError(f"{name}={value!r}: expected (low, high), of {minimum:g} or more.")
    return pair


def _check_sounds(waveform: np.ndarray, name: str) -> None:
    if not waveform.any():
        raise ValueError(f"{name} is silent: expected a sound.")
