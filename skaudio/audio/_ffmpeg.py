"""Recordings that libsndfile does not open: decoded by PyAV (the extra ``ffmpeg``), or an error.

PyAV decodes the formats of phones and cameras: AAC in MP4, 3GP, WebM and others.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import soundfile as sf

from skaudio.audio import _errors
from skaudio.audio._content import Content, Damaged, skip_id3

# Decoding starts so many seconds before the asked part, because lossy codecs keep state from frame
# to frame. Opus needs the most. Noise that a decoder draws (AAC at low bit rates) always differs.
PREROLL = 0.5

# So many seconds less than the header announces are no error.
SLACK = dict.fromkeys(("matroska", "asf", "flv", "avi", "mov"), 0.2)
SLACK.update(dict.fromkeys(("wv", "ape", "tta"), 0.001))

ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
MATROSKA_SEGMENT = bytes.fromhex("18538067")

# Frames of these codecs vary in length, but begin at multiples of so many samples.
GRID = {"opus": 120, "vorbis": 64}


# First bytes of a file: the name of the format in messages, and that of FFmpeg's demuxer. FFmpeg
# gets no other files, and does not choose the demuxer: some open the addresses in a playlist.
SIGNATURES = {
    b"\x1aE\xdf\xa3": ("WebM/Matroska", "matroska"),
    b"#!AMR": ("AMR", "amr"),
    b"0&\xb2u": ("WMA/ASF", "asf"),
    b"FLV": ("Flash video", "flv"),
    b"\x00\x00\x01\xba": ("MPEG video", "mpeg"),
    b"wvpk": ("WavPack", "wv"),
    b"MAC ": ("Monkey's Audio", "ape"),
    b"TTA1": ("True Audio", "tta"),
    b".RMF": ("RealMedia", "rm"),
    b"MPCK": ("Musepack", "mpc8"),
    b"MP+": ("Musepack", "mpc"),
    b"\x7f\xfe\x80\x01": ("DTS", "dts"),
}
# Demuxers for containers that libsndfile opens, where it does not know the codec.
NATIVE = {"RIFF": "wav", "RF64": "wav", "riff": "w64", "FORM": "aiff", "caff": "caf", ".snd": "au"}
# libsndfile's error codes for a container or a codec that it does not know: "not recognised",
# "unsupported encoding", "unimplemented format", "malformed fmt chunk".
UNKNOWN_TO_LIBSNDFILE = (1, 4, 18, 64)
FOREIGN_IN_OGG = {
    b"\x7fFLAC": "FLAC",
    b"Speex   ": "Speex",
    b"\x80theora": "Theora",
    b"fishead": "a skeleton",
}


def container_of(head: bytes) -> tuple[str, str] | None:
    """Recognise a container by its first bytes: its name in messages, and FFmpeg's demuxer."""
    if head[4:8] == b"ftyp":
        brand = head[8:12].decode("latin-1").strip()
        if brand.startswith("3g"):
            return "3GP", "mov"
        return "M4A (AAC in MP4)" if brand.startswith("M4") else "MP4/M4A", "mov"
    if head[4:8] in (b"moov", b"mdat", b"wide", b"free"):
        return "QuickTime", "mov"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "AVI", "avi"
    for signature, names in SIGNATURES.items():
        if head.startswith(signature):
            return names
    if head[:2] == b"\x0bw" and len(head) > 5:
        return ("E-AC-3", "eac3") if head[5] >> 3 > 10 else ("AC-3", "ac3")
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        return "AAC (ADTS)", "aac"
    if len(head) > 188 and head[0] == head[188] == 0x47:
        return "MPEG transport stream", "mpegts"
    return None


def _foreign_codec(head: bytes, error: sf.LibsndfileError) -> tuple[str, str] | None:
    """Name a container that libsndfile knows, with a codec that it does not know."""
    if head.startswith(b"OggS"):
        for mark, codec in FOREIGN_IN_OGG.items():
            if mark in head:
                return f"Ogg with {codec}", "ogg"
    names = NATIVE.get(head[:4].decode("latin-1"))
    if names is None or error.code not in UNKNOWN_TO_LIBSNDFILE:
        return None
    return f"{names.upper()} with another codec", names


def decode(
    content: Content,
    name: str,
    error: sf.LibsndfileError,
    offset: float,
    duration: float | None,
) -> tuple[np.ndarray, int, dict[str, Any]]:
    """Decode a part of the first audio stream of a file that libsndfile did not open.

    Parameters
    ----------
    content : Content
    name : str
        Name of the recording in messages.
    error : LibsndfileError
        The error of libsndfile.
    offset, duration : float
        Part to decode, in seconds.

    Returns
    -------
    samples : ndarray of shape (n_channels, n_times), float32
        The asked part, as far as it exists, and often more samples on both sides of it.
    first : int
        Position of the first of these samples in the recording.
    header : dict
        The container, codec, sample_rate and channels that the file states.
    """
    start, head = skip_id3(content)
    names = container_of(head) or _foreign_codec(head, error)
    if names is None and error.code != 1:  # libsndfile's message on an incomplete header is no help
        found = "it begins like an audio file, but is not complete"
        raise Damaged("header", found) from error
    if names is None:
        raise _errors.not_audio(content.part(0, 16), name) from error
    container, demuxer = names
    announced = _size_of(head, demuxer)
    if announced is not None and announced > content.size - start:
        raise Damaged(container, f"{announced} bytes announced, {content.size - start} present")
    try:
        import av
    except ImportError as missing:
        raise ImportError(
            f"{name} is {container}, which libsndfile cannot decode. PyAV can: "
            'pip install "skaudio[ffmpeg]"; or convert the recording to WAV, FLAC or MP3.'
        ) from missing

    try:
        for seek in (True, False):
            # FFmpeg gets bytes, as it takes some file names for addresses. Titles may be any bytes.
            with (
                content.file(start) as bytes_of,
                av.open(bytes_of, format=demuxer, metadata_errors="replace") as file,
            ):
                if not file.streams.audio:
                    raise ValueError(f"{name} ({container}) has no audio stream.")
                decoded = _decode_stream(av, file, name, container, offset, duration, seek)
            if decoded is not None:
                break
    except (av.DecoderNotFoundError, av.PatchWelcomeError) as failure:
        raise _unknown_codec(name, container) from failure
    except av.FFmpegError as failure:
        raise Damaged(container, str(failure.strerror)) from failure
    assert decoded is not None
    return decoded


def _unknown_codec(name: str, container: str) -> ValueError:
    return ValueError(
        f"{name} ({container}) is of a codec that neither libsndfile nor FFmpeg decodes here. "
        "Convert it to WAV, FLAC or MP3."
    )


def _size_of(head: bytes, demuxer: str) -> int | None:
    """Return the size of the file in bytes that its header states; None if it states none."""
    if demuxer == "avi":
        return int.from_bytes(head[4:8], "little") + 8
    if demuxer == "asf":
        at = head.find(ASF_PROPERTIES)
        is_live = at < 0 or head[at + 88 : at + 89] != b"\x02"
        return None if is_live else int.from_bytes(head[at + 40 : at + 48], "little")
    if demuxer == "matroska" and (at := head.find(MATROSKA_SEGMENT) + 4) >= 4:
        width = 9 - int.from_bytes(head[at : at + 1]).bit_length()
        largest = (1 << 7 * width) - 1
        size = int.from_bytes(head[at : at + width]) & largest
        return None if size == largest else at + width + size
    return None


def _decode_stream(
    av: Any, file: Any, name: str, container: str, offset: float, duration: float | None, seek: bool
) -> tuple[np.ndarray, int, dict[str, Any]] | None:
    """Decode the asked part, or return None if seeking went past its beginning."""
    stream = file.streams.audio[0]
    if stream.codec_context is None:  # PyAV before 18 crashes when it decodes a packet
        raise _unknown_codec(name, container)
    stream.thread_type = "NONE"  # the caller decodes several recordings in threads
    packets = _Packets(file, stream, container)
    frames = packets.frames()
    first = next(frames, None)
    if first is None:
        raise ValueError(f"{name} is empty: its audio stream holds 0 samples.")
    rate = first.sample_rate
    header = {
        "container": file.format.name.partition(",")[0].upper(),
        "codec": stream.codec_context.name.upper(),
        "sample_rate": rate,
        "channels": first.layout.nb_channels,
    }
    start = round(offset * rate)
    stop = math.inf if duration is None else start + max(round(duration * rate), 1)
    position = 0  # of the first decoded sample in the stream
    frames = itertools.chain([first], frames)
    lead = PREROLL + first.samples / rate
    if seek and offset > 2 * lead and first.pts is not None:
        frames = packets.frames_from(first, offset - lead)
        here = next(frames, None)
        if here is None or here.pts is None:
            return None
        position = _position(here, first, stream)
        frames = itertools.chain([here], frames)
    if position > start:
        return None
    to_float = av.AudioResampler(format="fltp")
    parts: list[np.ndarray] = []
    total = 0
    for frame in frames:
        if frame.sample_rate != rate or frame.layout.nb_channels != first.layout.nb_channels:
            raise Damaged(container, "the sample rate or the number of channels changes")
        for converted in to_float.resample(frame):
            block = converted.to_ndarray()
            parts.append(block)
            total += block.shape[1]
        if position + total >= stop:
            break
    else:
        packets.check_end((position + total) / rate)
    samples = np.concatenate(parts, axis=1) if parts else np.empty((1, 0), np.float32)
    return samples, position, header


class _Packets:
    """The packets of an audio stream, counted."""

    def __init__(self, file: Any, stream: Any, container: str):
        self.file, self.stream, self.container = file, stream, container
        self.n_packets = 0

    def frames(self) -> Iterator[Any]:
        """Decode from the beginning."""
        for packet in self.file.demux(self.stream):
            if packet.is_corrupt:
                raise Damaged(self.container, "a packet is cut")
            self.n_packets += packet.size > 0
            yield from packet.decode()

    def frames_from(self, first: Any, seconds: float) -> Iterator[Any]:
        """Decode from a time in seconds after the first frame on."""
        self.n_packets = -1
        target = first.pts + int(seconds / self.stream.time_base)
        self.file.seek(target, stream=self.stream)
        for packet in self.file.demux(self.stream):
            if packet.pts is None or packet.pts >= target:  # seeking may go to earlier packets
                yield from packet.decode()

    def check_end(self, seconds: float) -> None:
        """Compare what was decoded with the header: FFmpeg raises no error for a truncated file."""
        kind = self.file.format.name.partition(",")[0]
        announced = self.stream.frames
        if kind == "mov" and 0 <= self.n_packets < announced:
            found = f"{announced} packets announced, {self.n_packets} present"
            raise Damaged(self.container, found)
        longest = [stream for stream in self.file.streams if stream.type in ("audio", "video")]
        if kind not in SLACK or (kind == "matroska" and len(longest) > 1):
            return
        duration = None
        if self.stream.duration is not None:
            duration = float(self.stream.duration * self.stream.time_base)
        elif self.file.duration is not None:
            duration = self.file.duration / 1e6  # of the longest stream, padding included
        if duration is not None and seconds < duration - SLACK[kind]:
            found = f"{duration:g} s announced, {seconds:g} s present"
            raise Damaged(self.container, found)


def _position(frame: Any, first: Any, stream: Any) -> int:
    """Return the position of a frame in samples, from its time.

    WebM, ASF and Flash state times in milliseconds. There the time is rounded to a whole number of
    frames (Opus: of 2.5 ms) after the end of the first frame.
    """
    rate, tick = first.sample_rate, stream.time_base
    guess: int = round((frame.pts - first.pts) * tick * rate)
    step = GRID.get(stream.codec_context.name, frame.samples)
    snapped: int = first.samples + round((guess - first.samples) / step) * step
    return snapped if abs(snapped - guess) < tick * rate else guess
