"""Every format, however its file is called, from a path and from bytes."""

from __future__ import annotations

import shutil
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

from skaudio.encoders import MFCC


def lag(decoded, samples):
    """Return by how many samples the decoded signal is late."""
    n = len(decoded) + len(samples)
    spectrum = np.fft.rfft(decoded, n) * np.fft.rfft(samples, n).conj()
    late = int(np.argmax(np.fft.irfft(spectrum, n)))
    return late if late < n // 2 else late - n


def test_format_decodes_to_what_was_written(short_file, read):
    kind, samples = short_file.kind, short_file.samples
    decoded, rate = read(short_file.path)
    assert rate == kind.sample_rate
    assert decoded.dtype == np.float32
    at_written_rate, _ = read(short_file.path, 16000)
    assert lag(at_written_rate, samples) == 0
    # AAC pads its last frame.
    assert len(samples) <= len(at_written_rate) <= len(samples) + 1024
    error = np.abs(at_written_rate[: len(samples)] - samples)
    if kind.tolerance is not None:
        assert error.max() <= kind.tolerance
    else:
        assert np.sqrt(np.mean(error**2)) < 0.1 * samples.std()


def test_bytes_and_path_are_one(short_file, read):
    from_path, rate = read(short_file.path)
    from_bytes, same_rate = read({"bytes": Path(short_file.path).read_bytes(), "path": None})
    assert rate == same_rate
    np.testing.assert_array_equal(from_path, from_bytes)


@pytest.mark.parametrize("ending", [".wav", ".mp3", ".txt", ""])
def test_ending_does_not_matter(short_file, ending, tmp_path, read):
    renamed = tmp_path / f"renamed{ending}"
    shutil.copyfile(short_file.path, renamed)
    np.testing.assert_array_equal(read(renamed)[0], read(short_file.path)[0])


@pytest.mark.parametrize("name", ["clip.wav", "Ärger mit Umlauten 音.wav", "a b'c\".wav"])
def test_any_file_name_will_do(name, tmp_path, write_audio, make_clip, read):
    path = write_audio(tmp_path / name, make_clip(0.1), subtype="FLOAT")
    np.testing.assert_array_equal(read(path)[0], make_clip(0.1))


@pytest.mark.parametrize("name", ["flac", "ogg-vorbis", "ogg-opus", "mp3", "m4a", "webm"])
def test_stereo_is_averaged(name, tmp_path, write_format, make_clip, read):
    left, right = make_clip(1.0, seed=1), make_clip(1.0, seed=2)
    path = write_format(tmp_path / "stereo", np.stack([left, right]), name)
    mono, _ = read(path, 16000)
    expected = (left + right) / 2
    assert np.sqrt(np.mean((mono[: len(expected)] - expected) ** 2)) < 0.2 * expected.std()


def test_six_channels_are_averaged(tmp_path, write_audio, rng, read):
    channels = rng.uniform(-0.5, 0.5, (6, 800)).astype(np.float32)
    path = write_audio(tmp_path / "six.wav", channels, subtype="FLOAT")
    np.testing.assert_allclose(read(path)[0], channels.mean(axis=0), atol=1e-7)


def test_mpeg4_without_pyav_names_format_and_extra(av_file, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)  # import av -> ImportError
    expected = {
        "ipod": r"M4A \(AAC in MP4\)",
        "3gp": "3GP",
        "mp4": "MP4/M4A",
        "webm": "WebM/Matroska",
    }[av_file.kind.container]
    message = rf'recording 0 \(.*\) is {expected}, .* pip install "skaudio\[ffmpeg\]"'
    with pytest.raises(ImportError, match=message):
        MFCC().fit_transform([av_file.path])


def test_other_formats_do_without_pyav(encode, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    for name in ("wav-pcm16", "flac", "ogg-vorbis", "ogg-opus", "mp3"):
        assert MFCC().fit_transform([encode(name, 1.3).path]).shape == (1, 20, 131)


def test_video_without_sound_is_refused(tmp_path, read):
    av = pytest.importorskip("av", reason="the extra ffmpeg is not installed")
    path = tmp_path / "silent.mp4"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mpeg4", rate=5)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        picture = np.zeros((32, 32, 3), np.uint8)
        file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(stream.encode(None))
    with pytest.raises(ValueError, match=r"silent\.mp4.* \(MP4/M4A\) has no audio stream"):
        read(path)


@pytest.mark.parametrize("rate", [1, 399, 20_000_000])
def test_a_rate_at_which_nothing_is_recorded(rate):
    """At 1 Hz, a file of 60 kB would become 960 million samples."""
    form = struct.pack("<IHHIIHH", 16, 1, 1, rate, rate, 1, 8)
    data = b"data" + struct.pack("<I", 60000) + b"\x90" * 60000
    content = b"RIFF" + struct.pack("<I", 60036) + b"WAVEfmt " + form + data
    with pytest.raises(ValueError, match=r"recording 0 states a sample rate of"):
        MFCC().fit_transform([{"bytes": content}])
