"""Sound files in every format, written when a test first asks for them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from skaudio.audio import check_recordings
from skaudio.encoders import Waveform

# Every recording here is at this rate, which all of these codecs know.
RATE = 16000


@dataclass(frozen=True)
class Format:
    """How to write a format, and how true it is.

    Attributes
    ----------
    ending : str
    container, codec : str
        Names in libsndfile, or, for ``by_av``, in FFmpeg.
    tolerance : float or None
        Largest error of a sample; None where the codec is lossy.
    part_tolerance : float
        Largest difference between a part that is decoded alone and the slice of the whole.
    sample_rate : int
        Of what comes out: WebM's Opus is always decoded at 48 kHz.
    """

    ending: str
    container: str
    codec: str
    tolerance: float | None = None
    part_tolerance: float = 0.0
    by_av: bool = False
    video: bool = False
    sample_rate: int = RATE


FORMATS = {
    "wav-pcm16": Format(".wav", "WAV", "PCM_16", tolerance=2**-15),
    "wav-pcm24": Format(".wav", "WAV", "PCM_24", tolerance=2**-23),
    "wav-float": Format(".wav", "WAV", "FLOAT", tolerance=0.0),
    "wav-u8": Format(".wav", "WAV", "PCM_U8", tolerance=2**-7),
    "aiff": Format(".aiff", "AIFF", "PCM_16", tolerance=2**-15),
    "flac": Format(".flac", "FLAC", "PCM_16", tolerance=2**-15),
    "ogg-vorbis": Format(".ogg", "OGG", "VORBIS"),
    "ogg-opus": Format(".opus", "OGG", "OPUS"),
    "mp3": Format(".mp3", "MP3", "MPEG_LAYER_III", part_tolerance=1e-6),
    "m4a": Format(".m4a", "ipod", "aac", by_av=True),
    "m4a-alac": Format(".m4a", "ipod", "alac", tolerance=2**-15, by_av=True),
    "3gp": Format(".3gp", "3gp", "aac", by_av=True),
    "mp4-video": Format(".mp4", "mp4", "aac", by_av=True, video=True),
    "webm": Format(".webm", "webm", "libopus", part_tolerance=1e-6, by_av=True, sample_rate=48000),
}


@pytest.fixture(scope="session")
def write_format(write_audio):
    """Write samples in one of FORMATS."""

    def write(path: Path, samples: np.ndarray, name: str) -> str:
        kind = FORMATS[name]
        if kind.by_av:
            return write_by_av(path, samples, kind)
        return write_audio(path, samples, RATE, format=kind.container, subtype=kind.codec)

    return write


def write_by_av(path: Path, samples: np.ndarray, kind: Format) -> str:
    av = pytest.importorskip("av", reason="the extra ffmpeg is not installed")
    samples = np.atleast_2d(samples)
    layout = "mono" if len(samples) == 1 else "stereo"
    with av.open(str(path), "w", format=kind.container) as file:
        stream = file.add_stream(kind.codec, rate=RATE, layout=layout)
        if kind.video:
            add_video(av, file, seconds=samples.shape[1] / RATE)
        for start in range(0, samples.shape[1], RATE):
            block = np.ascontiguousarray(samples[:, start : start + RATE])
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
            frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return str(path)


def add_video(av, file, seconds: float) -> None:
    stream = file.add_stream("mpeg4", rate=5)
    stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
    for i in range(int(5 * seconds)):
        picture = np.full((32, 32, 3), 20 * i % 256, np.uint8)
        file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
    file.mux(stream.encode(None))


@dataclass(frozen=True)
class Encoded:
    kind: Format
    path: str
    samples: np.ndarray


@pytest.fixture(scope="session")
def encode(tmp_path_factory, make_clip, write_format):
    """Write some seconds in a format, once."""
    written: dict[tuple[str, float], Encoded] = {}

    def encode(name: str, seconds: float) -> Encoded:
        if (name, seconds) not in written:
            samples = make_clip(seconds, RATE)
            path = tmp_path_factory.mktemp(name) / f"clip{FORMATS[name].ending}"
            path_written = write_format(path, samples, name)
            written[name, seconds] = Encoded(FORMATS[name], path_written, samples)
        return written[name, seconds]

    return encode


@pytest.fixture(params=FORMATS)
def short_file(request, encode) -> Encoded:
    """A short recording in each format."""
    return encode(request.param, 1.3)


@pytest.fixture(params=[name for name, kind in FORMATS.items() if kind.by_av])
def av_file(request, encode) -> Encoded:
    """A short recording in each format that needs PyAV."""
    return encode(request.param, 1.3)


@pytest.fixture(params=FORMATS)
def long_file(request, encode) -> Encoded:
    """A minute in each format."""
    return encode(request.param, 60)


@pytest.fixture
def read():
    """Read a part of one recording, as an encoder would."""

    def read(item, sample_rate=None, **part):
        (recording,) = check_recordings(Waveform(), [item], reset=True)
        return recording.read(sample_rate, **part)

    return read


class Decoded:
    def __init__(self, data, sample_rate):
        self.data, self.sample_rate = data, sample_rate


class Decoder:
    """What torchcodec's AudioDecoder looks like from here."""

    def __init__(self, samples, sample_rate):
        self.samples, self.sample_rate = np.atleast_2d(samples), sample_rate

    def get_all_samples(self):
        return Decoded(torch.from_numpy(self.samples), self.sample_rate)


@pytest.fixture
def as_decoder():
    """Wrap samples as torchcodec does."""
    return Decoder
