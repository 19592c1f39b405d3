"""What a second in the middle of a minute costs, against a file of one second.

For every format, the fastest of several runs of each and their ratio. The bar is 3.
Formats by PyAV need the extra ``ffmpeg``.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import soundfile as sf

from skaudio.audio import check_recordings
from skaudio.encoders import Waveform

SECONDS = 60
OFFSET = 30.0123
REPEATS = 25
# ending, container, codec; those in lower case are FFmpeg's names
FORMATS = [
    (".wav", "WAV", "PCM_16"),
    (".wav", "WAV", "FLOAT"),
    (".flac", "FLAC", "PCM_16"),
    (".ogg", "OGG", "VORBIS"),
    (".opus", "OGG", "OPUS"),
    (".mp3", "MP3", "MPEG_LAYER_III"),
    (".m4a", "ipod", "aac"),
    (".m4a", "ipod", "alac"),
    (".3gp", "3gp", "aac"),
    (".mp4", "mp4", "aac"),
    (".webm", "webm", "libopus"),
]


def glide(seconds: int, rate: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    t = np.arange(seconds * rate) / rate
    tone = np.sin(2 * np.pi * (300 * t + 40 * np.sin(2 * np.pi * 0.5 * t)))
    return (0.4 * tone + 0.05 * rng.standard_normal(len(t))).astype(np.float32)


def write(path: Path, samples: np.ndarray, rate: int, container: str, codec: str) -> None:
    blocks = [samples[i : i + rate] for i in range(0, len(samples), rate)]
    if container.isupper():
        with sf.SoundFile(path, "w", rate, 1, format=container, subtype=codec) as file:
            for block in blocks:
                file.write(block)
        return
    import av

    with av.open(str(path), "w", format=container) as file:
        stream = file.add_stream(codec, rate=rate, layout="mono")
        for i, block in enumerate(blocks):
            frame = av.AudioFrame.from_ndarray(block[np.newaxis], format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = rate, i * rate, Fraction(1, rate)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


def read(path: Path, **part: float) -> np.ndarray:
    (recording,) = check_recordings(Waveform(), [path], reset=True)
    return recording.read(**part)[0]


def milliseconds(call: Callable[[], object]) -> float:
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1e3 * min(times)


def main() -> None:
    print(f"{'format':24}{'rate':>7}{'1 s file':>12}{'1 s of 60 s':>14}{'ratio':>8}")
    with tempfile.TemporaryDirectory() as folder:
        for ending, container, codec in FORMATS:
            for rate in (16000, 48000):
                short, long = Path(folder, f"short{ending}"), Path(folder, f"long{ending}")
                write(short, glide(1, rate), rate, container, codec)
                write(long, glide(SECONDS, rate), rate, container, codec)
                alone = milliseconds(lambda path=short: read(path))
                part = milliseconds(lambda path=long: read(path, offset=OFFSET, duration=1.0))
                name = f"{ending[1:]} ({codec.lower()})"
                print(f"{name:24}{rate:7}{alone:9.2f} ms{part:11.2f} ms{part / alone:8.2f}")


if __name__ == "__main__":
    main()
