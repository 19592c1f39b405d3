"""Files as they are found: container by codec by trouble with the header, and what has to come out.

``python -m tests.audio.wild_files`` prints the table: what skaudio makes of each, and what
soundfile and PyAV make of it.
"""

from __future__ import annotations

import io
import struct
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile as sf

from skaudio.audio import Recording
from skaudio.audio._ffmpeg import MATROSKA_SEGMENT
from skaudio.audio._mpeg import mpeg_frame
from skaudio.audio._streams import ogg_checksum

RATE = 16000
N = 16001  # samples; odd, so that chunks need padding
DAMAGED, REFUSED, EMPTY = "truncated or damaged", "holds 2 recordings", "is empty"
# What messages call a container, where it is not its name here.
CALLED = {
    "MP3": "MPEG",
    "AIFC": "AIFF",
    "RF64": "WAV",
    "ipod": "M4A",
    "mov": "MP4",
    "asf": "WMA/ASF",
    "wv": "WavPack",
    "tta": "True Audio",
}


class WildFile(NamedTuple):
    """A file, and the number of samples in it or what its error says."""

    container: str
    codec: str
    trouble: str
    content: bytes
    expected: int | str
    slack: int = 0
    """How many more or fewer samples are right, where codecs pad."""

    @property
    def name(self) -> str:
        return f"{self.container} {self.codec}: {self.trouble}"


def clip(n: int = N, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    tone = 0.3 * np.sin(np.arange(n) / 9) * np.sin(np.arange(n) / n * 3)
    return (tone + 0.1 * rng.standard_normal(n)).astype(np.float32)


def by_libsndfile(
    container: str, codec: str | None = None, n: int = N, rate: int = RATE, seed: int = 0
) -> bytes:
    file = io.BytesIO()
    with sf.SoundFile(file, "w", rate, 1, format=container, subtype=codec) as out:
        for start in range(0, n, 16000):  # Ogg crashes libsndfile if much is written at once
            out.write(clip(n, seed)[start : start + 16000])
    return file.getvalue()


def by_av(
    container: str,
    codec: str,
    n: int = N,
    rate: int = RATE,
    bit_rate: int = 64000,
    title: str = "",
    **options: str,
) -> bytes:
    """Encode with PyAV, or return nothing where it is not installed."""
    try:
        import av
    except ImportError:
        return b""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "clip")
        _write_by_av(av, path, container, codec, n, rate, bit_rate, title, options)
        return path.read_bytes()


def _write_by_av(
    av: Any,
    path: Path,
    container: str,
    codec: str,
    n: int,
    rate: int,
    bit_rate: int,
    title: str,
    options: dict[str, str],
) -> None:
    with av.open(str(path), "w", format=container, options=options) as out:
        if title:
            out.metadata["title"] = title
        stream = out.add_stream(codec, rate=rate, layout="mono")
        stream.bit_rate = bit_rate
        for start in range(0, n, 4000):
            block = np.ascontiguousarray(clip(n)[np.newaxis, start : start + 4000])
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))


def cut(content: bytes, share: float = 0.6) -> bytes:
    return content[: int(share * len(content))]


def patched(content: bytes, at: int, value: bytes) -> bytes:
    return content[:at] + value + content[at + len(value) :]


def id3(size: int) -> bytes:
    return b"ID3\x03\0\0" + bytes([0, 0, size >> 7, size & 127]) + bytes(size)


def pages(ogg: bytes) -> list[bytes]:
    found, at = [], 0
    while at < len(ogg):
        n = ogg[at + 26]
        stop = at + 27 + n + sum(ogg[at + 27 : at + 27 + n])
        found.append(ogg[at:stop])
        at = stop
    return found


def changed(page: bytes, at: int, value: bytes) -> bytes:
    """Change a page and correct its checksum."""
    page = patched(page, at, value)
    return patched(page, 22, struct.pack("<I", ogg_checksum(page)))


def without_end(ogg: bytes) -> bytes:
    *rest, last = pages(ogg)
    return b"".join(rest) + changed(last, 5, bytes([last[5] & ~4]))


def later(ogg: bytes, n_times: int) -> bytes:
    """Let a stream begin at a later time, as what is recorded of a broadcast does."""
    out = []
    for page in pages(ogg):
        granule = int.from_bytes(page[6:14], "little")
        moved = (granule + n_times).to_bytes(8, "little")
        out.append(changed(page, 6, moved) if granule else page)
    return b"".join(out)


def speex(n_packets: int = 50) -> bytes:
    """Return Ogg with Speex that is silent: 20 ms per packet, in its mode of no bits.

    Nothing where FFmpeg is older than 8.1 (PyAV 18), which does not know this mode.
    """
    try:
        import av
    except ImportError:
        return b""
    if av.library_versions["libavcodec"] < (62, 28):
        return b""
    head = struct.pack(
        "<8s20s13i", b"Speex   ", b"1.2", 1, 80, 8000, 0, 4, 1, -1, 160, 0, 1, 0, 0, 0
    )
    packets = [head, struct.pack("<II", 0, 0)] + [b"\x07\xff"] * n_packets
    out = []
    for i, packet in enumerate(packets):
        flags = 2 * (i == 0) + 4 * (i == len(packets) - 1)
        granule = max(i - 1, 0) * 160
        start = struct.pack("<4sBBqIIIB", b"OggS", 0, flags, granule, 7, i, 0, 1)
        out.append(changed(start + bytes([len(packet)]) + packet, 22, bytes(4)))
    return b"".join(out)


def mp3_files() -> Iterator[WildFile]:
    def untagged(n: int = N, rate: int = RATE, bit_rate: int = 64000) -> bytes:
        options = {"write_xing": "0", "id3v2_version": "0"}
        return by_av("mp3", "libmp3lame", n, rate, bit_rate, **options)

    def frames(content: bytes, length: int = 576) -> int:
        """Return the samples that PyAV decodes: without a tag, no padding is known."""
        return sum(map(len, decoded_by_av(content)))

    tagged = by_libsndfile("MP3")
    yield WildFile("MP3", "CBR and VBR", "none", tagged, N)
    for rate, bit_rate in ((44100, 64000), (48000, 320000), (16000, 8000), (11025, 32000)):
        content = untagged(rate, rate, bit_rate)
        name = f"no tag, {rate} Hz, {bit_rate // 1000} kbit/s"
        yield WildFile("MP3", "CBR", name, content, frames(content))
    variable = untagged(44100, 44100, 320000) + untagged(3 * 44100, 44100, 32000)
    yield WildFile(
        "MP3", "VBR", "no tag, the first frame is the largest", variable, frames(variable)
    )
    variable = untagged(3 * 44100, 44100, 32000) + untagged(44100, 44100, 320000)
    yield WildFile(
        "MP3", "VBR", "no tag, the first frame is the smallest", variable, frames(variable)
    )
    plain = untagged()
    n_plain = frames(plain)
    first = 4 * 144  # the size of a frame of 64 kbit/s at 16 kHz, in bytes: 72 * 64000 / 16000
    first = 288
    n_frames = len(plain) // first
    vbri = plain[:4] + bytes(32) + b"VBRI" + bytes(6)
    vbri += struct.pack(">II", len(plain) + first, n_frames)
    vbri = vbri.ljust(first, b"\0")
    yield WildFile("MP3", "CBR", "tag of Fraunhofer (VBRI)", vbri + plain, n_plain)
    yield WildFile("MP3", "CBR", "VBRI, cut to 60 %", cut(vbri + plain), DAMAGED)
    count = tagged.find(b"Xing") + 8 if b"Xing" in tagged else tagged.find(b"Info") + 8
    number = int.from_bytes(tagged[count : count + 4])
    fewer, more = (number // 2).to_bytes(4), (number + 9).to_bytes(4)
    yield WildFile("MP3", "VBR", "tag announces too few frames", patched(tagged, count, fewer), N)
    yield WildFile("MP3", "VBR", "tag announces more", patched(tagged, count, more), DAMAGED)
    itself = patched(tagged, count, (number + 1).to_bytes(4))
    yield WildFile("MP3", "VBR", "tag counts its own frame", itself, N)
    size, _ = mpeg_frame(tagged[:4])
    alone = patched(tagged[:size], count, bytes(4))
    yield WildFile("MP3", "VBR", "two tags without frames", alone + alone, DAMAGED)
    yield WildFile("MP3", "VBR", "cut to 60 %", cut(tagged), DAMAGED)
    yield WildFile("MP3", "CBR", "no tag, cut within a frame", plain[:-100], DAMAGED)
    yield WildFile("MP3", "CBR", "a hole", plain[:3000] + plain[3100:], DAMAGED)
    other = by_libsndfile("MP3", n=2 * N, seed=1)
    yield WildFile("MP3", "VBR", "joined", tagged + other, 3 * N)
    yield WildFile("MP3", "VBR", "joined, with tags", id3(99) + tagged + id3(300) + other, 3 * N)
    yield WildFile("MP3", "VBR", "joined with one without tag", tagged + plain, N + n_plain)
    faster = by_libsndfile("MP3", rate=44100)
    yield WildFile("MP3", "VBR", "joined, rates differ", tagged + faster, REFUSED)
    yield WildFile("MP3", "VBR", "ID3v1 behind", tagged + b"TAG" + b"x" * 125, N)
    lyrics = b"LYRICSBEGININD0000200000200LYRICS200TAG" + b"x" * 125
    yield WildFile("MP3", "VBR", "Lyrics3 behind, joined", 3 * (tagged + lyrics), 3 * N)
    ape = b"APETAGEX" + struct.pack("<4I8x", 2000, 32, 1, 0xA0000000) + b"x" * 32
    yield WildFile("MP3", "CBR", "APE tag behind", plain + ape, n_plain)
    foot = b"APETAGEX" + struct.pack("<4I8x", 2000, 32, 1, 0x80000000)
    yield WildFile("MP3", "VBR", "APE foot behind, joined", 3 * (tagged + foot), 3 * N)
    yield WildFile("MP3", "CBR", "zeros behind", plain + bytes(5000), n_plain)
    yield WildFile("MP3", "VBR", "joined, zeros between", tagged + bytes(999) + other, 3 * N)
    yield WildFile("MP3", "VBR", "zeros between tag and frames", id3(50) + bytes(3000) + tagged, N)
    layer_2 = by_av("mp2", "mp2")
    yield WildFile("MPEG", "Layer II", "no tag", layer_2, frames(layer_2))
    yield WildFile("MPEG", "Layer II", "ID3 in front", id3(77) + layer_2, frames(layer_2))


def flac_files() -> Iterator[WildFile]:
    flac = by_libsndfile("FLAC")

    def total(n: int, content: bytes = flac) -> bytes:
        known = bytes([content[21] & 0xF0 | n >> 32]) + (n & 0xFFFFFFFF).to_bytes(4)
        return patched(content, 21, known)

    yield WildFile("FLAC", "16 bits", "none", flac, N)
    yield WildFile("FLAC", "16 bits", "length unknown", total(0), N)
    high = by_libsndfile("FLAC", "PCM_24")
    yield WildFile("FLAC", "24 bits", "length unknown", total(0, high), N)
    yield WildFile("FLAC", "16 bits", "length unknown, cut", cut(total(0)), DAMAGED)
    yield WildFile("FLAC", "16 bits", "length too small", total(5000), N)
    yield WildFile("FLAC", "16 bits", "length too large", total(N + 1), DAMAGED)
    yield WildFile("FLAC", "16 bits", "length 2 to the 36", total((1 << 36) - 1), DAMAGED)
    yield WildFile("FLAC", "16 bits", "cut to 60 %", cut(flac), DAMAGED)
    yield WildFile("FLAC", "16 bits", "ID3 in front", id3(333) + flac, N)
    yield WildFile("FLAC", "16 bits", "ID3v1 behind", flac + b"TAG" + bytes(125), N)
    other = by_libsndfile("FLAC", n=2 * N, seed=1)
    yield WildFile("FLAC", "16 bits", "joined", flac + other, 3 * N)
    yield WildFile("FLAC", "16 bits", "joined with itself", flac + flac, 2 * N)
    bare = flac[:4] + b"\x80" + flac[5:42] + flac[flac.find(b"\xff\xf8") :]
    yield WildFile("FLAC", "16 bits", "joined, without other metadata", bare + bare, 2 * N)


def many_flac_files() -> Iterator[WildFile]:
    short = by_libsndfile("FLAC", n=10)
    yield WildFile("FLAC", "16 bits", "2000 joined", short * 2000, 20000)


def wav_files() -> Iterator[WildFile]:
    wav = by_libsndfile("WAV")[: 44 + 2 * N]  # without the padding
    size = struct.pack("<I", len(wav))
    unknown = b"\xff" * 4

    def sizes(riff: bytes, data: bytes, content: bytes = wav) -> bytes:
        return patched(patched(content, 4, riff), 40, data)

    riff, data = wav[4:8], wav[40:44]
    more = struct.pack("<I", 2 * N + 1000)
    listed = b"LIST" + struct.pack("<I", 12) + b"INFOISFT\0\0\0\0"
    whole = struct.pack("<I", len(wav) + 20 - 8)
    for codec in ("PCM_16", "PCM_U8", "PCM_24", "FLOAT", "DOUBLE", "ULAW"):
        content = by_libsndfile("WAV", codec)
        yield WildFile("WAV", codec, "none", content, N)
        yield WildFile("WAV", codec, "cut to 60 %", cut(content), DAMAGED)
    yield WildFile("WAV", "IMA_ADPCM", "cut", cut(by_libsndfile("WAV", "IMA_ADPCM")), DAMAGED)
    yield WildFile("WAV", "PCM_16", "size of the samples 0", sizes(riff, bytes(4)), N)
    yield WildFile("WAV", "PCM_16", "both sizes 0", sizes(bytes(4), bytes(4)), N)
    yield WildFile("WAV", "PCM_16", "both sizes 0xFFFFFFFF", sizes(unknown, unknown), N)
    piped = struct.pack("<I", 0x7FFFF000)
    yield WildFile("WAV", "PCM_16", "size of the samples 0x7FFFF000", sizes(piped, piped), N)
    yield WildFile("WAV", "PCM_16", "size of the file as that of the samples", sizes(riff, size), N)
    yield WildFile("WAV", "PCM_16", "size too large, RIFF's is right", sizes(riff, more), N)
    yield WildFile("WAV", "PCM_16", "both sizes too large", sizes(more, more), DAMAGED)
    small = struct.pack("<I", 5000)
    yield WildFile("WAV", "PCM_16", "size of the samples too small", sizes(riff, small), DAMAGED)
    yield WildFile("WAV", "PCM_16", "ID3 in front", id3(33) + wav, N)
    yield WildFile("WAV", "PCM_16", "a list behind", sizes(whole, data) + listed, N)
    yield WildFile("WAV", "PCM_16", "zeros behind", wav + bytes(700), N)
    empty = sizes(struct.pack("<I", 56), bytes(4))[:44] + listed
    yield WildFile("WAV", "PCM_16", "no samples, a list behind", empty, EMPTY)
    text = b"fmt " + bytes(4) + struct.pack("<HHIH", 1, 3, RATE, 7)
    note = b"LIST" + struct.pack("<I", 12 + len(text)) + b"INFOICMT"
    note = wav[:12] + note + struct.pack("<I", len(text)) + text + wav[12:]
    note = patched(note, 4, struct.pack("<I", len(note) - 8))
    yield WildFile("WAV", "PCM_16", "a text in front that names chunks", note, N)
    odd = by_libsndfile("WAV", "PCM_U8")[: 44 + N]
    odd = patched(odd, 4, struct.pack("<I", len(odd) + 20 - 8))
    yield WildFile("WAV", "PCM_U8", "no padding before a list", odd + listed, N)
    twice = wav + b"" + patched(wav, 4, riff)
    yield WildFile("WAV", "PCM_16", "joined", twice, 2 * N)
    lying = patched(wav, 34, struct.pack("<H", 24))
    yield WildFile("WAV", "PCM_16", "more bits than bytes", lying, DAMAGED)
    slow = patched(wav, 24, struct.pack("<I", 100))
    yield WildFile("WAV", "PCM_16", "100 Hz", slow, "states a sample rate of 100 Hz")
    wide = by_av("wav", "pcm_s64le")
    yield WildFile("WAV", "64 bits", "none", wide, N)
    yield WildFile("WAV", "64 bits", "cut to 60 %", cut(wide), DAMAGED)
    inner = by_av("wav", "libmp3lame")
    yield WildFile("WAV", "MP3", "none", inner, sum(map(len, decoded_by_av(inner))))
    surround = by_av("wav", "ac3", rate=48000)
    yield WildFile("WAV", "AC-3", "none", surround, N, slack=1536)


def other_libsndfile_files() -> Iterator[WildFile]:
    kinds = ("RF64", "W64", "AU", "NIST", "VOC", "AVR", "IRCAM", "SVX", "MAT4", "MAT5", "AIFF")
    for kind in (*kinds, "CAF", "MPC2K"):
        content = by_libsndfile(kind, "PCM_16")
        yield WildFile(kind, "PCM_16", "none", content, N)
        # IRCAM announces nothing: half a sample at the end tells it.
        length = int(0.6 * len(content)) | 1
        yield WildFile(kind, "PCM_16", "cut to 60 %", content[:length], DAMAGED)
    wve = by_libsndfile("WVE", "ALAW", rate=8000)
    yield WildFile("WVE", "ALAW", "cut to 60 %", cut(wve), DAMAGED)
    au = by_libsndfile("AU", "PCM_16")
    yield WildFile("AU", "PCM_16", "size unknown", patched(au, 8, b"\xff" * 4), N)
    aiff = by_libsndfile("AIFF", "PCM_16")
    at = aiff.find(b"SSND") + 4
    yield WildFile("AIFF", "PCM_16", "size of the samples 0", patched(aiff, at, bytes(4)), N, 1)
    yield WildFile("AIFF", "PCM_16", "no samples", by_libsndfile("AIFF", n=0), EMPTY)
    yield from aiff_files(aiff)
    caf = by_libsndfile("CAF", "PCM_16")
    at = caf.find(b"data") + 4
    yield WildFile("CAF", "PCM_16", "size unknown", patched(caf, at, b"\xff" * 8), N)
    brief = patched(caf[:40] + caf[52:], 12, (20).to_bytes(8))
    yield WildFile("CAF", "PCM_16", "without channels and bits", brief, DAMAGED)


def aiff_files(aiff: bytes) -> Iterator[WildFile]:
    """Yield files whose chunks disagree with the number of samples in COMM."""

    def changed_sizes(content: bytes, less: int, offset: int = 0, whole: int = 0) -> bytes:
        at = content.find(b"SSND")
        size = struct.pack(">I", int.from_bytes(content[at + 4 : at + 8]) - less)
        form = struct.pack(">I", len(content) - 8 - whole)
        return patched(
            patched(patched(content, at + 4, size), 4, form), at + 8, bytes([0, 0, 0, offset])
        )

    compressed = by_av("aiff", "pcm_s16le")  # AIFC, of the codec sowt
    for kind, content in (("AIFF", aiff), ("AIFC", compressed)):
        if not content:
            continue
        yield WildFile(kind, "PCM_16", "whole", content, N)
        less = changed_sizes(content, 100, whole=100)
        yield WildFile(kind, "PCM_16", "both sizes too small", less, DAMAGED)
        later = changed_sizes(content, 0, offset=100)
        yield WildFile(kind, "PCM_16", "the samples begin too late", later, DAMAGED)
        both = changed_sizes(content, 100, offset=100, whole=100)
        yield WildFile(kind, "PCM_16", "too late, sizes too small", both, DAMAGED)
    text = b"COMMENT: recommended!!!!"
    note = aiff[:12] + b"ANNO" + struct.pack(">I", len(text)) + text + aiff[12:]
    note = patched(note, 4, struct.pack(">I", len(note) - 8))
    yield WildFile("AIFF", "PCM_16", "a text in front that names chunks", note, N)


def ogg_files() -> Iterator[WildFile]:
    for codec, rate in (("VORBIS", RATE), ("OPUS", 48000)):
        ogg, other = (by_libsndfile("OGG", codec, 80001 * (i + 1), rate, i) for i in range(2))
        n = 80001
        yield WildFile("Ogg", codec, "none", ogg, n)
        yield WildFile("Ogg", codec, "no mark of the end", without_end(ogg), n)
        yield WildFile("Ogg", codec, "chained", ogg + other, 3 * n)
        yield WildFile("Ogg", codec, "chained with itself", ogg + ogg, 2 * n)
        yield WildFile("Ogg", codec, "chained, no mark of an end", without_end(ogg) + other, 3 * n)
        different = by_libsndfile("OGG", codec, n, rate // 2)
        yield WildFile("Ogg", codec, "chained, rates differ", ogg + different, REFUSED)
        yield WildFile("Ogg", codec, "cut to 60 %", cut(ogg), DAMAGED)
        split = pages(ogg)
        lost = b"".join(split[:3] + split[4:])
        yield WildFile("Ogg", codec, "a page is missing", lost, DAMAGED)
        flipped = patched(ogg, len(ogg) // 2, bytes([ogg[len(ogg) // 2] ^ 4]))
        yield WildFile("Ogg", codec, "a bit is wrong", flipped, DAMAGED)
        yield WildFile("Ogg", codec, "begins at a later time", later(ogg, 1_000_000), n)
        yield WildFile(
            "Ogg", codec, "ID3 in front, ID3v1 behind", id3(9) + ogg + b"TAG".ljust(128), n
        )
    flac = by_av("ogg", "flac")
    yield WildFile("Ogg", "FLAC", "none", flac, N)
    yield WildFile("Ogg", "FLAC", "cut to 60 %", cut(flac), DAMAGED)
    yield WildFile("Ogg", "Speex", "none", speex(), 8000)


def ffmpeg_files() -> Iterator[WildFile]:
    for container, codec in (("ipod", "aac"), ("mov", "alac"), ("mp4", "aac")):
        content = by_av(container, codec, movflags="faststart")
        yield WildFile(container, codec, "none", content, N, 1024)
        yield WildFile(container, codec, "cut to 60 %", cut(content, 0.6), DAMAGED)
        last = content[: last_packet(content)]
        yield WildFile(container, codec, "the last packet is missing", last, DAMAGED)
    for container, codec in (("ipod", "aac"), ("mov", "aac"), ("avi", "aac"), ("matroska", "aac")):
        content = by_av(container, codec, title="GrXYe")
        title = content.replace(b"GrXYe", "Gr\xfc\xdfe".encode("latin-1"))
        yield WildFile(container, codec, "title is not UTF-8", title, N, 3072)
    rate = 48000
    for container, codec in (("webm", "libopus"), ("matroska", "aac"), ("asf", "wmav2")):
        content = by_av(container, codec, 3 * rate, rate, bit_rate=192000)
        yield WildFile(container, codec, "none", content, 3 * rate, 4096)
        yield WildFile(container, codec, "cut to 60 %", cut(content), DAMAGED)
    for container, codec in (("wv", "wavpack"), ("tta", "tta")):
        content = by_av(container, codec, 3 * rate, rate)
        yield WildFile(container, codec, "none", content, 3 * rate)
        yield WildFile(container, codec, "cut to 60 %", cut(content), DAMAGED)
    for container, codec in (("ac3", "ac3"), ("eac3", "eac3"), ("adts", "aac")):
        content = by_av(container, codec, rate, rate)
        yield WildFile(container, codec, "none", content, rate, 2048)
    for container, codec in (("adts", "aac"), ("tta", "tta"), ("wv", "wavpack")):
        content = by_av(container, codec, rate, rate)
        yield WildFile(container, codec, "ID3 in front", content and id3(99) + content, rate, 2048)
    content = by_av("webm", "libopus", 3 * rate, rate)
    size = content.find(MATROSKA_SEGMENT) + 4
    unknown = cut(patched(content, size, b"\x01" + 7 * b"\xff"))
    yield WildFile("webm", "libopus", "cut to 60 %, size unknown", content and unknown, DAMAGED)
    stub = b"\x1aE\xdf\xa3" + bytes(20) + bytes.fromhex("18538067")
    yield WildFile("matroska", "aac", "ends behind the head", stub, DAMAGED)


MAKERS = (
    *(mp3_files, flac_files, many_flac_files, wav_files, other_libsndfile_files, ogg_files),
    ffmpeg_files,
)


def wild_files() -> list[WildFile]:
    """Make all files; those that need PyAV are left out where it is not installed."""
    return [file for make in MAKERS for file in make() if file.content]


def decoded_by_av(content: bytes) -> list[np.ndarray]:
    if not content:
        return []
    import av

    with av.open(io.BytesIO(content), metadata_errors="replace") as file:
        return [frame.to_ndarray()[0] for frame in file.decode(audio=0)]


def last_packet(content: bytes) -> int:
    """Return the position of the last packet in a file."""
    if not content:
        return 0
    import av

    with av.open(io.BytesIO(content)) as file:
        return max(packet.pos for packet in file.demux(audio=0) if packet.size)


def outcomes(content: bytes) -> Iterator[str]:
    """Yield what becomes of a file here, with soundfile and with PyAV."""
    for read in (
        lambda: len(Recording(content, "file").read()[0]),
        lambda: len(sf.read(io.BytesIO(content))[0]),
        lambda: sum(map(len, decoded_by_av(content))),
    ):
        try:
            yield str(read())
        except Exception as error:
            yield f"{type(error).__name__}: {error}"


def main() -> None:
    head = ("container", "codec", "trouble", "expected", "skaudio", "soundfile", "PyAV")
    widths = (9, 12, 40, 21, 60, 30, 30)
    files = wild_files()
    rows = ((*file[:3], str(file.expected), *outcomes(file.content)) for file in files)
    for row in (head, *rows):
        cells = (text.replace("\n", " ")[:width] for text, width in zip(row, widths, strict=True))
        print(" | ".join(text.ljust(width) for text, width in zip(cells, widths, strict=True)))
    print(f"{len(files)} files")


if __name__ == "__main__":
    main()
