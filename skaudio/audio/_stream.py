"""A long recording piece by piece: the samples that reading it at once would give."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator

import numpy as np
import soundfile as sf
import soxr

from skaudio.audio import _signal
from skaudio.audio._decode import _check_is_whole, _last_ogg_page, _truncated
from skaudio.audio._recording import Recording


def seconds_of(recording: Recording, sample_rate: float) -> float | None:
    """Return how long a recording lasts; None where that, or a part of it, takes decoding it all.

    Samples that state no rate are taken to be at ``sample_rate``.
    """
    source = recording.source
    if isinstance(source, np.ndarray):
        return source.shape[-1] / (recording.sample_rate or sample_rate)
    if not isinstance(source, (str, bytes)):
        return None
    try:
        return sf.info(source if isinstance(source, str) else io.BytesIO(source)).duration
    except (sf.LibsndfileError, OSError):
        return None  # for PyAV, or for nobody: whoever decodes it says why


def stream(
    recording: Recording,
    sample_rate: float,
    *,
    block: int,
    offset: float = 0.0,
    duration: float | None = None,
    resample_quality: str = "HQ",
) -> Iterator[np.ndarray]:
    """Yield a recording for which `seconds_of` returns a number, piece by piece.

    Together the pieces are what ``recording.read(sample_rate, ...)`` returns, up to the rounding
    of the resampler, with no more than a piece in memory.

    Parameters
    ----------
    recording : Recording
    sample_rate : float
        Rate to resample to, in Hz.
    block : int
        Samples per piece, at the recording's own rate.
    offset, duration : float
        Part to read, in seconds.
    resample_quality : str
        Name of soxr.

    Yields
    ------
    waveform : ndarray of shape (n_times,), float32
    """
    if isinstance(recording.source, np.ndarray):
        rate = recording.sample_rate or sample_rate
        pieces = _from_array(recording, rate, offset, duration, block)
    else:
        rate, pieces = _from_file(recording, offset, duration, block)
    resampler = None
    if rate != sample_rate:
        resampler = soxr.ResampleStream(rate, sample_rate, 1, "float32", resample_quality)
    for piece in pieces:
        waveform = np.ascontiguousarray(_signal.to_mono(piece))
        _signal.check_samples(waveform, recording.name)
        if resampler is not None:
            waveform = resampler.resample_chunk(waveform)
        if len(waveform):
            yield waveform
    if resampler is not None:
        tail = resampler.resample_chunk(np.empty(0, np.float32), last=True)
        if len(tail):
            yield tail


def _from_array(
    recording: Recording, rate: float, offset: float, duration: float | None, block: int
) -> Iterator[np.ndarray]:
    channels = _signal.channels_first(recording.source, recording.name)
    start, stop = _part(channels.shape[1], rate, offset, duration, recording.name)
    for i in range(start, stop, block):
        yield _signal.to_float(channels[:, i : min(i + block, stop)], recording.name)


def _from_file(
    recording: Recording, offset: float, duration: float | None, block: int
) -> tuple[float, Iterator[np.ndarray]]:
    source, name = recording.source, recording.name
    handle = io.BytesIO(source) if isinstance(source, bytes) else os.open(source, os.O_RDONLY)
    file = sf.SoundFile(handle, closefd=True)

    def pieces() -> Iterator[np.ndarray]:
        with file:
            _check_is_whole(file, name)
            start, stop = _part(file.frames, file.samplerate, offset, duration, name)
            if start:
                file.seek(start)
            dtype = "int16" if file.subtype == "PCM_16" else "float32"
            for i in range(start, stop, block):
                wanted = min(block, stop - i)
                try:
                    samples = file.read(wanted, dtype=dtype, always_2d=True)
                except sf.LibsndfileError as error:
                    raise _truncated(name, file.format, f"decoding fails ({error})") from error
                if len(samples) < wanted:
                    found = f"{file.frames} samples announced, {i + len(samples)} could be decoded"
                    raise _truncated(name, file.format, found)
                yield _signal.to_float(samples, name).T
            if file.format == "OGG" and stop == file.frames and not _last_ogg_page(source)[0]:
                raise _truncated(name, "Ogg", "the stream has no last page")

    return file.samplerate, pieces()


def _part(
    n_times: int, rate: float, offset: float, duration: float | None, name: str
) -> tuple[int, int]:
    start = round(offset * rate)
    if start >= n_times:
        raise ValueError(
            f"{name}: offset={offset:g} s is past the end, the recording lasts "
            f"{n_times / rate:g} s."
        )
    return start, n_times if duration is None else min(start + round(duration * rate), n_times)
