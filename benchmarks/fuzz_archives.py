"""Unpack damaged zip archives: every damage is a ValueError that names the file.

    python benchmarks/fuzz_archives.py [RUNS] [SEED]

Each run changes, cuts or repeats bytes of a small archive, honest or crafted (stored, deflated,
bzip2, LZMA, encrypted, unsafe paths, a bomb), unpacks it with bounds, and looks at what has
happened. Prints counts, and ends with status 1 if an exception of another kind escaped, a file
appeared outside the folder, or more bytes were unpacked than allowed.
"""

from __future__ import annotations

import io
import random
import shutil
import struct
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from skaudio._files.archive import _unpack

MAX_BYTES, MAX_FILES = 100_000, 20


def archives() -> Iterator[tuple[str, bytes]]:
    """Yield archives by name."""
    draw = random.Random(0)
    kinds = {
        "stored": zipfile.ZIP_STORED,
        "deflated": zipfile.ZIP_DEFLATED,
        "bzip2": zipfile.ZIP_BZIP2,
        "lzma": zipfile.ZIP_LZMA,
    }
    for name, compression in kinds.items():
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", compression) as made:
            made.writestr("top/", "")
            for i in range(5):
                made.writestr(f"top/{i}.txt", draw.randbytes(20) * 20)
        yield name, stream.getvalue()
        if name == "deflated":
            encrypted = bytearray(stream.getvalue())
            for magic, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
                start = encrypted.find(magic)
                while start >= 0:
                    encrypted[start + at] |= 1
                    start = encrypted.find(magic, start + 1)
            yield "encrypted", bytes(encrypted)
    for name in ("../up.txt", "/absolute.txt", "C:\\windows.txt", "top/../../up.txt", "..\\up.txt"):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as made:
            made.writestr("top/a", "a")
            made.writestr(name, "b")
        yield f"path {name}", stream.getvalue()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("top/bomb", bytes(1 << 24))
    yield "bomb", stream.getvalue()
    yield "bomb that lies", stream.getvalue().replace(struct.pack("<I", 1 << 24), b"\x10\0\0\0")


def damage(content: bytes, draw: random.Random) -> bytes:
    """Change some bytes; at times cut the end, or put a part in twice."""
    damaged = bytearray(content)
    for _ in range(draw.choice([0, 1, 1, 1, 2, 8, 40])):
        damaged[draw.randrange(len(damaged))] = draw.choice([draw.randrange(256), 0, 127, 255])
    if draw.random() < 0.1:
        del damaged[draw.randrange(len(damaged)) :]
    if draw.random() < 0.1:
        start = draw.randrange(len(damaged) + 1)
        damaged[start:start] = damaged[: draw.randrange(100)]
    return bytes(damaged)


def run(n_runs: int, seed: int = 0) -> dict[str, Counter[str]]:
    """Return how often what has happened, by archive. Names of faults end in "!"."""
    made = list(archives())
    counts: dict[str, Counter[str]] = {name: Counter() for name, _ in made}
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        for i in range(n_runs):
            name, content = made[i % len(made)]
            path, folder = home / "a.zip", home / "new"
            path.write_bytes(damage(content, random.Random(f"{seed}/{i}")))
            folder.mkdir()
            counts[name][outcome(path, folder)] += 1
            if sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) > MAX_BYTES:
                counts[name]["too much!"] += 1
            if sorted(p.name for p in home.iterdir()) != ["a.zip", "new"]:
                counts[name]["outside!"] += 1
            shutil.rmtree(folder)
    return counts


def outcome(path: Path, folder: Path) -> str:
    """Unpack, and return what has come of it."""
    try:
        _unpack(path, folder, MAX_BYTES, MAX_FILES)
    except ValueError as error:
        return "refused" if str(path) in str(error) else "unnamed!"
    except BaseException as error:
        return f"{type(error).__name__}!"
    return "unpacked"


def main(run: Callable[[int, int], dict[str, Counter[str]]], what: str) -> None:
    """Run what the command line asks for, print counts, and exit with 1 for any fault."""
    n_runs, seed = (int(word) for word in [*sys.argv[1:], "3000", "0"][:2])
    counts = run(n_runs, seed)
    for name, found in counts.items():
        print(f"{name:24} {dict(found)}")
    faults = sum(n for found in counts.values() for how, n in found.items() if how[-1] == "!")
    print(f"{n_runs} {what}, {faults} faults")
    sys.exit(faults > 0)


if __name__ == "__main__":
    main(run, "archives")
