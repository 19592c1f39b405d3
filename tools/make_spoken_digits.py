"""Make the bundled spoken digits: ten espeak-ng voices say zero to nine, several takes each.

    python tools/make_spoken_digits.py [folder]

Writes one FLAC file (mono, 16 kHz, 16 bit) per recording, ``{digit}_{voice}_{take}.flac``, and
``metadata.csv`` with the settings of each, and removes recordings of an earlier run. Needs the
program espeak-ng (made with 1.51) and the Python packages numpy, scipy, soundfile and soxr.

Every draw comes from a generator seeded by (seed, voice, digit, take), so that the same version
of espeak-ng gives the same samples whatever the order, and a voice added later changes no other.
"""

from __future__ import annotations

import argparse
import csv
import io
import shutil
import subprocess
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf
import soxr
from scipy.signal import lfilter

SEED = 0
N_TAKES = 3
SAMPLE_RATE = 16000
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
FOLDER = Path(__file__).resolve().parents[1] / "skaudio" / "datasets" / "data" / "spoken_digits"

# name: (espeak-ng accent, espeak-ng variant, middle of the pitch 0..99, middle of the speed in wpm)
VOICES: dict[str, tuple[str, str, int, int]] = {
    "alba": ("en-gb-scotland", "f2", 55, 165),
    "brook": ("en-us", "f5", 45, 185),
    "clive": ("en-gb-x-rp", "klatt3", 45, 160),
    "dana": ("en-us", "steph", 50, 175),
    "ed": ("en-gb-x-gbclan", "ed", 40, 170),
    "floyd": ("en-us-nyc", "croak", 35, 190),
    "grace": ("en-029", "f1", 50, 160),
    "hank": ("en-us", "m1", 30, 150),
    "iris": ("en-gb", "f4", 60, 180),
    "jasper": ("en-gb-x-gbcwmd", "m5", 50, 175),
}


def speak(word: str, accent: str, variant: str, pitch: int, speed: int) -> tuple[np.ndarray, int]:
    """Let espeak-ng say ``word``; return the samples and their rate."""
    command = ["espeak-ng", "-v", f"{accent}+{variant}", "-p", str(pitch), "-s", str(speed)]
    done = subprocess.run([*command, "--stdout", word], capture_output=True, check=True)
    samples, sample_rate = sf.read(io.BytesIO(done.stdout), dtype="float64")
    return samples, sample_rate


def trim(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """Cut what is 40 dB below the peak off both ends, 10 ms left standing."""
    loud = np.flatnonzero(np.abs(samples) > 0.01 * np.abs(samples).max())
    margin = sample_rate // 100
    return samples[max(loud[0] - margin, 0) : loud[-1] + margin]


def make_recording(voice: str, digit: int, take: int) -> tuple[np.ndarray, dict[str, Any]]:
    """Synthesise one recording; return its samples at 16 kHz and its row of the metadata."""
    accent, variant, pitch_middle, speed_middle = VOICES[voice]
    voice_seed = zlib.crc32(voice.encode())
    tilt = round(float(np.random.default_rng([SEED, voice_seed]).uniform(-0.7, 0.7)), 2)
    rng = np.random.default_rng([SEED, voice_seed, digit, take])
    pitch = int(np.clip(pitch_middle + rng.integers(-12, 13), 0, 99))
    speed = int(speed_middle * rng.uniform(0.85, 1.2))
    level_db = round(float(rng.uniform(-30.0, -18.0)), 1)
    snr_db = round(float(rng.uniform(15.0, 35.0)), 1)
    silences = rng.integers(SAMPLE_RATE // 100, SAMPLE_RATE // 16, size=2)

    samples, sample_rate = speak(WORDS[digit], accent, variant, pitch, speed)
    speech = soxr.resample(trim(samples, sample_rate), sample_rate, SAMPLE_RATE, "HQ")
    speech = np.pad(speech, tuple(silences))
    # Each voice has its own microphone: a dull or a bright one, the same in all its takes.
    speech = lfilter([1.0, tilt], [1.0], speech)
    # Rooms rumble more than they hiss.
    noise = lfilter([1.0], [1.0, -0.97], rng.standard_normal(len(speech)))
    speech /= np.abs(speech).max()
    noise *= np.sqrt(np.mean(speech**2) / np.mean(noise**2)) * 10 ** (-snr_db / 20)
    recording = 10 ** (level_db / 20) * (speech + noise)
    row = {"digit": digit, "voice": voice, "take": take, "accent": accent, "variant": variant}
    row |= {"pitch": pitch, "speed": speed, "tilt": tilt, "level_db": level_db, "snr_db": snr_db}
    return recording, row


def main(folder: Path) -> None:
    """Write all recordings and the metadata into ``folder``."""
    if shutil.which("espeak-ng") is None:
        raise SystemExit("espeak-ng not found: install it (apt install espeak-ng)")
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.flac"):
        old.unlink()
    rows = []
    for digit in range(10):
        for voice in VOICES:
            for take in range(N_TAKES):
                recording, row = make_recording(voice, digit, take)
                name = f"{digit}_{voice}_{take}.flac"
                sf.write(folder / name, recording, SAMPLE_RATE, "PCM_16", compression_level=1.0)
                rows.append({"file": name, **row})
    with open(folder / "metadata.csv", "w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    size = sum(path.stat().st_size for path in folder.iterdir())
    print(f"{len(rows)} recordings, {size / 1e6:.2f} MB in {folder}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER, help="where to write")
    main(parser.parse_args().folder)
