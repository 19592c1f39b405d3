"""Frames of recordings for prediction: in memory, or in a temporary file for a long recording.

A long recording is decoded and encoded in pieces.
"""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from skaudio._neural.batches import as_frames, checked_frames, reads_audio
from skaudio._steps import is_augmentation, steps_of
from skaudio.audio import (
    READING_ERRORS,
    Recording,
    check_recordings,
    raise_all,
    read_through,
    seconds_of,
)
from skaudio.encoders import LongEncoding, can_stream

# Recordings with more than LONG_FRAMES frames are processed in blocks of BLOCK_FRAMES frames.
LONG_FRAMES = 1 << 14
BLOCK_FRAMES = 1 << 12

# Attributes of a network that can run in blocks: see `skaudio.nets.CRNN`.
PARTS = ("forward_local", "reach", "frame_stride", "classify")


class LongFrames:
    """Frames of one recording, (n_features, n_frames), that are read in pieces.

    Attributes
    ----------
    n_frames : int
    """

    def __init__(self, frames: np.ndarray) -> None:
        self._frames = frames
        self.n_frames = frames.shape[1]

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return frames (stop - start, n_features), float32."""
        piece = np.asarray(self._frames[:, start:stop], np.float32)
        return np.ascontiguousarray(piece.T)


class LongRecording:
    """A long recording, which is encoded into a temporary file when it is opened.

    Attributes
    ----------
    n_frames : int
        Number of frames; known after `open`.
    """

    n_frames: int

    def __init__(self, encoder: Any, recording: Recording) -> None:
        self._encoder = encoder
        self._recording = recording

    def open(self) -> EncodedFrames:
        """Encode the recording into a file, which is removed with the returned object."""
        frames = EncodedFrames(LongEncoding(self._encoder, self._recording))
        self.n_frames = frames.n_frames
        return frames


class EncodedFrames:
    """A recording encoded into a file, read in pieces like `LongFrames`."""

    def __init__(self, encoding: LongEncoding) -> None:
        self._encoding = encoding
        self._file = FrameFile(encoding.n_rows)
        for piece in encoding.pieces():
            self._file.write(self._file.n_frames, piece.T)
        self.n_frames = self._file.n_frames

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return frames (stop - start, n_features), float32."""
        return self._encoding.finish(np.ascontiguousarray(self._file.read(start, stop).T)).T


class FrameFile:
    """Rows of float32 in a temporary file that is removed with the object.

    The file is read and written by system calls and not memory-mapped, because mapped pages would
    count as memory of the process.
    """

    def __init__(self, width: int) -> None:
        self.n_frames = 0
        self._width = width
        self._file = tempfile.TemporaryFile()  # noqa: SIM115
        weakref.finalize(self, self._file.close)

    def write(self, start: int, rows: np.ndarray) -> None:
        """Write rows (n, width) from row number ``start`` on."""
        try:
            self._file.seek(4 * self._width * start)
            self._file.write(np.ascontiguousarray(rows, dtype=np.float32).tobytes())
            self._file.flush()
        except OSError as error:
            raise OSError(
                f"{4 * self._width * (start + len(rows))} bytes of frames of a long recording do "
                f"not fit into the temporary folder {tempfile.gettempdir()} ({error.strerror}). "
                "Free some space, or set TMPDIR to another folder."
            ) from error
        self.n_frames = max(self.n_frames, start + len(rows))

    def read(self, start: int, stop: int) -> np.ndarray:
        self._file.seek(4 * self._width * start)
        content = self._file.read(4 * self._width * (stop - start))
        return np.frombuffer(content, np.float32).reshape(-1, self._width).copy()


class PredictionFrames(list[Any]):
    """The frames of each recording: an array (n_features, n_frames), or a `LongRecording`.

    Parameters
    ----------
    frames : iterable
    recordings : sequence of Recording
        The recordings. Empty if X contains frames.

    Attributes
    ----------
    names : list of str
        Names of the recordings for messages. Empty if X contains frames.
    """

    def __init__(self, frames: Iterable[Any], recordings: Sequence[Recording] = ()) -> None:
        super().__init__(frames)
        self._recordings = recordings
        self.names = [recording.name for recording in recordings]

    def open(self, i: int) -> Any:
        """Return the frames of a long recording, which are read in pieces.

        If it cannot be read, the error lists all recordings that cannot be read.
        """
        try:
            return self[i].open()
        except READING_ERRORS as error:
            raise_all(self._recordings, error, read_through, first=i)


def prediction_frames(estimator: Any, X: Any, *, seconds: float | None = None) -> PredictionFrames:
    """Return the frames of X without augmentation; long recordings are encoded later.

    Parameters
    ----------
    estimator : neural estimator
    X : sequence of recordings, or of frames where ``encoder=None``
    seconds : float, optional
        Duration from which recordings are long, if the encoder can stream and the network can run
        in blocks. None: recordings with more than `LONG_FRAMES` frames are long.
    """
    if not reads_audio(estimator):
        return PredictionFrames(checked_frames(estimator, X))
    recordings = check_recordings(estimator, X, reset=False)
    frames: list[Any] = [None] * len(recordings)
    encoder = _only_encoder(estimator.encoder_)
    if encoder is not None and can_walk(estimator.net_.module_.net):
        if seconds is None:
            first, second = encoder.frame_times(2)
            seconds = LONG_FRAMES * float(second - first)
        for i, recording in enumerate(recordings):
            if _lasts_longer(encoder, recording, seconds):
                frames[i] = LongRecording(encoder, recording)
    short = [i for i, long in enumerate(frames) if long is None]
    if short:
        some = [recordings[i] for i in short]
        try:
            encoded = estimator.encoder_.transform(some)
        except READING_ERRORS as error:
            if len(short) < len(frames):  # the encoder has seen the short recordings only
                raise_all(recordings, error, read_through)
            raise
        for i, own in zip(short, as_frames(encoded, some), strict=True):
            frames[i] = own
    return PredictionFrames(frames, recordings)


def _only_encoder(encoder: Any) -> Any:
    """Return the step that acts in prediction, if there is only one and it can stream."""
    steps = [step for step in steps_of(encoder) if not is_augmentation(step)]
    return steps[0] if len(steps) == 1 and can_stream(steps[0]) else None


def _lasts_longer(encoder: Any, recording: Recording, limit: float) -> bool:
    """Whether a recording can be streamed, and lasts longer than ``limit`` seconds."""
    seconds = seconds_of(recording, encoder.sample_rate)
    if seconds is None:
        return False
    seconds -= encoder.offset
    if encoder.duration is not None:
        seconds = min(seconds, encoder.duration)
    return bool(seconds > limit)


def can_walk(net: Any) -> bool:
    """Whether a network can process a long recording in blocks.

    A subclass that overrides one of the methods below cannot, unless it overrides ``classify`` too.
    """

    def depth(name: str) -> int:
        kinds = enumerate(type(net).__mro__)
        return next((i for i, kind in kinds if name in vars(kind)), len(type(net).__mro__))

    methods = ("forward", "forward_features", "forward_frames")
    return all(hasattr(net, part) for part in PARTS) and all(
        depth(method) >= depth("classify") for method in methods
    )
