"""Read damaged recordings: each is read, or refused by an error that names it.

    python benchmarks/fuzz_recordings.py [RUNS] [SEED]

Each run damages a small file of one of 18 kinds (bits, fields of the header, cuts, holes, splices,
zeros) and reads it, at once and piece by piece, in a process that is watched. Prints counts, and
ends with status 1 if a process crashes, hangs for ten seconds or asks for more than a gigabyte, if
an exception of another kind escapes, or if what is read is not finite, differs piece by piece, or
is shorter than the recording was.
"""

from __future__ import annotations

import contextlib
import faulthandler
import io
import json
import resource
import subprocess
import sys
import tempfile
from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np
import soundfile as sf

RATE = 16000
SECONDS = 2.5
HANG = 10  # seconds
GIGABYTE = 1 << 30
# So many seconds may be lost without an error: headers are as coarse as that; MP3's tag tells how
# much padding there is; MP3 without one does not tell its length, frames may be missing; and AU
# states nothing twice (with another number of channels it describes another sound).
TOLERANCE = {"webm": 0.25, "wma": 0.25, "m4a": 0.25, "mp3": 8190 / RATE}
TOLERANCE.update({"mp3-untagged": SECONDS, "au": SECONDS})

BY_LIBSNDFILE = {
    "wav": ("WAV", "PCM_16"),
    "wav-float": ("WAV", "FLOAT"),
    "wav-adpcm": ("WAV", "IMA_ADPCM"),
    "flac": ("FLAC", "PCM_16"),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "aiff": ("AIFF", "PCM_16"),
    "w64": ("W64", "PCM_16"),
    "caf": ("CAF", "PCM_16"),
    "au": ("AU", "PCM_16"),
}
BY_FFMPEG = {
    "m4a": ("ipod", "aac"),
    "m4a-alac": ("ipod", "alac"),
    "webm": ("webm", "libopus"),
    "mp3-untagged": ("mp3", "libmp3lame"),
    "ogg-flac": ("ogg", "flac"),
    "wv": ("wv", "wavpack"),
    "wma": ("asf", "wmav2"),
}


def make_seeds() -> dict[str, bytes]:
    """Return a healthy file of each kind."""
    rng = np.random.default_rng(0)
    t = np.arange(int(SECONDS * RATE)) / RATE
    clip = (0.3 * np.sin(2 * np.pi * 300 * t) + 0.1 * rng.standard_normal(len(t))).astype("f4")
    seeds = {}
    for name, (container, codec) in BY_LIBSNDFILE.items():
        file = io.BytesIO()
        sf.write(file, clip, RATE, format=container, subtype=codec)
        seeds[name] = file.getvalue()
    with contextlib.suppress(ImportError):
        for name, (container, codec) in BY_FFMPEG.items():
            seeds[name] = encode(clip, container, codec)
    return seeds


def encode(clip: np.ndarray, container: str, codec: str, **options: str) -> bytes:
    """Encode mono samples with PyAV."""
    import av

    file = io.BytesIO()
    if container == "mp3":
        options = {"write_xing": "0", "id3v2_version": "0", **options}
    rate = 48000 if codec == "libopus" else RATE
    with av.open(file, "w", format=container, options=options) as out:
        stream = out.add_stream(codec, rate=rate, layout="mono")
        stream.bit_rate = 64000
        for start in range(0, len(clip), 4000):
            block = np.ascontiguousarray(clip[np.newaxis, start : start + 4000])
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = RATE, start, Fraction(1, RATE)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return file.getvalue()


def mutate(content: bytes, other: bytes, rng: np.random.Generator) -> tuple[str, bytes]:
    """Damage a file in one of the ways in which files are damaged."""
    kind = str(rng.choice(["bits", "header bits", "field", "cut", "hole", "splice", "zeros"]))
    data = bytearray(content)
    n = len(data)
    at, stop = sorted(rng.integers(0, n, 2).tolist())
    if kind in ("bits", "header bits"):
        for place in rng.integers(0, n if kind == "bits" else min(n, 200), rng.integers(1, 4)):
            data[place] ^= 1 << int(rng.integers(0, 8))
    elif kind == "field":
        width = int(rng.choice([1, 2, 4, 8]))
        place = int(rng.integers(0, min(n, 400)))
        value = int(rng.choice([0, 1, -1, 1 << 8 * width - 1, int(rng.integers(0, 1 << 31))]))
        field = (value % (1 << 8 * width)).to_bytes(width, str(rng.choice(["little", "big"])))
        data[place : place + width] = field
    elif kind == "cut":
        del data[at:]
    elif kind == "hole":
        del data[at : min(stop, at + 5000)]
    elif kind == "splice":
        data[at:stop] = other[at:stop] if rng.random() < 0.5 else content[:at]
    else:
        data[at : min(stop, at + 2000)] = bytes(min(stop - at, 2000))
    return kind, bytes(data)


def try_one(content: bytes, n_whole: int, tolerance: float = 0.0) -> str:
    """Read one file in both ways; return what came of it.

    Up to ``tolerance`` seconds of ``n_whole`` samples may be missing.
    """
    from skaudio.audio import Recording, stream
    from skaudio.audio._recording import blocks

    recording = Recording(content, "recording 7")
    try:
        waveform, rate = recording.read()
    except MemoryError:
        return "too much memory"
    except (ValueError, TypeError) as error:
        return "refused" if "recording 7" in str(error) else f"unnamed error: {error!r}"
    except Exception as error:  # of another kind: reported
        return f"foreign error: {error!r}"
    if not np.isfinite(waveform).all():
        return "not finite"
    try:
        pieces = list(blocks(recording, None, 0.0, None, 7001)[1])
    except ValueError as error:
        return "refused" if "recording 7" in str(error) else f"unnamed error: {error!r}"
    again = np.concatenate(pieces, axis=1).mean(axis=0)
    if again.shape != waveform.shape or np.abs(again - waveform).max() > 1e-4 * max(
        1.0, np.abs(waveform).max()
    ):
        return "other samples piece by piece"
    assert rate is not None
    if sum(map(len, stream(recording, rate, block=7001))) != len(waveform):
        return "other length as a stream"
    return "short" if len(waveform) < n_whole - tolerance * rate else "read"


def work(seeds: dict[str, bytes], first: int, last: int, seed: int, report: Path) -> None:
    """Try files one after another; what is being tried is on disk when the process dies."""
    from skaudio.audio import Recording

    names = list(seeds)
    lengths = {name: len(Recording(seeds[name], name).read()[0]) for name in names}
    with contextlib.suppress(ImportError):
        import av

        av.logging.set_level(None)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + GIGABYTE,) * 2)
    with report.open("a") as log:
        for i in range(first, last):
            rng = np.random.default_rng([seed, i])
            name, other = str(rng.choice(names)), str(rng.choice(names))
            kind, content = mutate(seeds[name], seeds[other], rng)
            faulthandler.dump_traceback_later(HANG, exit=True)
            log.write(json.dumps([i, name, kind]))
            log.flush()
            outcome = try_one(content, lengths[name], TOLERANCE.get(name, 0.0))
            faulthandler.cancel_dump_traceback_later()
            log.write(" " + json.dumps(outcome) + "\n")


def run(n: int, seed: int = 0) -> dict[str, Counter[str]]:
    """Try so many files, and count what comes of each kind."""
    counts: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report")
        for name, content in make_seeds().items():
            Path(folder, f"{name}.seed").write_bytes(content)
        first = 0
        while first < n:
            arguments = ["--work", str(report), str(first), str(n), str(seed)]
            command = [sys.executable, "-W", "ignore", __file__, *arguments]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            lines = report.read_text().splitlines() if report.exists() else []
            if done.returncode == 0:
                break
            if not lines or len(lines[-1].split("] ")) > 1:
                raise RuntimeError(done.stderr)
            i, name, kind = json.loads(lines[-1])
            how = "hangs" if "Timeout" in done.stderr else f"crashes ({done.returncode})"
            with report.open("a") as log:
                log.write(" " + json.dumps(how) + "\n")
            first = i + 1
        for line in report.read_text().splitlines():
            what, outcome = line.split("] ", 1)
            i, name, kind = json.loads(what + "]")
            outcome = json.loads(outcome)
            counts.setdefault(name, Counter())[outcome] += 1
            if outcome not in ("read", "refused"):
                print(f"seed {seed}, file {i}: {name}, {kind}: {outcome}", flush=True)
    return counts


def main() -> int:
    if sys.argv[1:2] == ["--work"]:
        report = Path(sys.argv[2])
        seeds = {file.stem: file.read_bytes() for file in sorted(report.parent.glob("*.seed"))}
        work(seeds, *map(int, sys.argv[3:]), report)
        return 0
    given = [int(argument) for argument in sys.argv[1:]]
    counts = run(*given, *(20000, 0)[len(given) :])
    for name, found in counts.items():
        print(f"{name}: {dict(found)}")
    outcomes = sum(counts.values(), Counter())
    print(f"{outcomes.total()} damaged recordings: {dict(outcomes)}")
    return int(bool(set(outcomes) - {"read", "refused"}))


if __name__ == "__main__":
    sys.exit(main())
