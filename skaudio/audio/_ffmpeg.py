"""What phones and cameras record (AAC in MP4, 3GP, WebM ...), by PyAV, the extra ``ffmpeg``."""

from __future__ import annotations

import io

import numpy as np

# Decoding starts this much before the asked part, in seconds: lossy codecs carry state over.
PREROLL = 0.5


def container_of(head: bytes) -> str | None:
    """Name the container format whose signature the first bytes bear, or None."""
    if head[4:8] == b"ftyp":
        brand = head[8:12].decode("latin-1").strip()
        if brand.startswith("3g"):
            return "3GP"
        return "M4A (AAC in MP4)" if brand.startswith("M4") else "MP4/M4A"
    if head[4:8] in (b"moov", b"mdat", b"wide", b"free"):
        return "QuickTime"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "AVI"
    signatures = {
        b"\x1aE\xdf\xa3": "WebM/Matroska",
        b"#!AMR": "AMR",
        b"0&\xb2u": "WMA/ASF",
        b"FLV": "Flash video",
        b"\x00\x00\x01\xba": "MPEG video",
        b"wvpk": "WavPack",
        b"MAC ": "Monkey's Audio",
    }
    for signature, container in signatures.items():
        if head.startswith(signature):
            return container
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        return "AAC (ADTS)"
    return None


def decode(
    source: str | bytes, name: str, container: str, offset: float, duration: float | None
) -> tuple[np.ndarray, int]:
    """Decode a part of the first audio stream to ``(n_channels, n_times)`` float32 and its rate."""
    try:
        import av
    except ImportError as error:
        raise ImportError(
            f"{name} is {container}, which libsndfile cannot decode. PyAV can: "
            'pip install "skaudio[ffmpeg]"; or convert the recording to WAV, FLAC or MP3.'
        ) from error

    try:
        with av.open(io.BytesIO(source) if isinstance(source, bytes) else source) as file:
            if not file.streams.audio:
                raise ValueError(f"{name} ({container}) has no audio stream.")
            return _decode_stream(av, file, name, offset, duration)
    except av.FFmpegError as error:
        raise ValueError(
            f"{name} ({container}) is truncated or damaged: {error.strerror}. Copy or download it "
            "again, or repair it by re-encoding what is there."
        ) from error


def _decode_stream(av, file, name: str, offset: float, duration: float | None):
    stream = file.streams.audio[0]
    stream.thread_type = "NONE"  # threads are the caller's: one per block of recordings
    rate = stream.codec_context.sample_rate
    start = round(offset * rate)
    stop = None if duration is None else start + max(round(duration * rate), 1)
    origin = float((stream.start_time or 0) * stream.time_base)
    if offset > PREROLL:
        file.seek(int((origin + offset - PREROLL) / stream.time_base), stream=stream)
    to_float = av.AudioResampler(format="fltp")
    parts: list[np.ndarray] = []
    position = None  # of the first decoded sample, counted from the beginning of the stream
    total = 0
    for frame in file.decode(stream):
        if position is None:
            position = round((frame.time - origin) * rate) if frame.pts is not None else 0
        for converted in to_float.resample(frame):
            block = converted.to_ndarray()
            parts.append(block)
            total += block.shape[1]
        if stop is not None and position + total >= stop:
            break
    if position is None or position + total <= start:
        lasts = 0.0 if position is None else (position + total) / rate
        if position is None and offset == 0:
            raise ValueError(f"{name} is empty: its audio stream holds 0 samples.")
        raise ValueError(
            f"{name}: offset={offset:g} s is past the end, the recording lasts {lasts:g} s."
        )
    samples = np.concatenate(parts, axis=1)[:, max(start - position, 0) :]
    return samples if stop is None else samples[:, : stop - max(start, position)], rate
