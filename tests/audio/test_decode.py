"""Parts: offset and duration give the slice of the whole, and the rest of reading is in order."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile as sf
import soxr

PARTS = [
    (0.0, 1.0),
    (0.013, 0.5),
    (1.0, 1.0),
    (1.7, 0.25),
    (30.0123, 1.0),
    (59.2, None),
    (59.5, 3.0),
    (59.99, None),
]


def slice_of(whole, rate, offset, duration):
    start = round(offset * rate)
    return whole[start:] if duration is None else whole[start : start + round(duration * rate)]


def test_part_is_the_slice_of_the_whole(long_file, read):
    whole, rate = read(long_file.path)
    for offset, duration in PARTS:
        part, part_rate = read(long_file.path, offset=offset, duration=duration)
        expected = slice_of(whole, rate, offset, duration)
        assert part_rate == rate
        assert part.shape == expected.shape, (offset, duration)
        error = np.abs(part - expected).max()
        assert error <= long_file.kind.part_tolerance, (offset, duration, error)


def test_offset_past_the_end_names_the_length(long_file, read):
    with pytest.raises(ValueError, match=r"offset=75 s is past the end, the recording lasts 60"):
        read(long_file.path, offset=75)


@pytest.mark.parametrize("bit_rate", [16000, 64000])
def test_part_of_foreign_opus(bit_rate, tmp_path, make_clip, read):
    """Opus as others write it; its speech mode never wholly forgets where decoding began."""
    av = pytest.importorskip("av", reason="the extra ffmpeg is not installed")
    path = tmp_path / "clip.opus"
    options = {"application": "voip" if bit_rate < 32000 else "audio"}
    samples = np.ascontiguousarray(make_clip(10, 48000)[np.newaxis])
    with av.open(str(path), "w", format="ogg", options={"page_duration": "20000"}) as file:
        stream = file.add_stream("libopus", rate=48000, options=options, layout="mono")
        stream.bit_rate = bit_rate
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, 0, Fraction(1, 48000)
        file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    whole, rate = read(path)
    part, _ = read(path, offset=5.3, duration=2)
    error = np.abs(part - slice_of(whole, rate, 5.3, 2)).max()
    assert error <= (0.02 * np.abs(whole).max() if bit_rate < 32000 else 1e-6)


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_part_in_the_last_page_of_vorbis(rate, tmp_path, write_audio, read):
    """There libsndfile by itself seeks up to a block too far."""
    t = np.arange(round(5.01 * rate)) / rate
    bursts = 0.3 * np.sin(2 * np.pi * 440 * t) * (5 * t % 1 < 0.2)
    path = write_audio(tmp_path / "clip.ogg", bursts, rate)
    whole, _ = read(path)
    for offset in np.arange(3.5, 5, 0.07):
        part, _ = read(path, offset=offset)
        np.testing.assert_array_equal(part, slice_of(whole, rate, offset, None))


def test_part_of_real_ogg(data_home, read):
    files = sorted((data_home / "esc10").rglob("*.ogg"))[::40]
    if not files:
        pytest.skip("SKAUDIO_DATA holds no esc10")
    for path in files:
        whole, rate = read(path)
        for offset in (0.2, 2.5, 4.2, 4.6, 4.9):
            part, _ = read(path, offset=offset)
            np.testing.assert_array_equal(part, slice_of(whole, rate, offset, None), path.name)


def test_vorbis_of_one_page(tmp_path, make_clip, write_audio, read):
    """There is no page before the last one to begin in."""
    path = write_audio(tmp_path / "short.ogg", 0.1 * make_clip(0.3, 8000), 8000)
    assert Path(path).read_bytes().count(b"OggS") <= 4
    whole, rate = read(path)
    for offset in (0.05, 0.1, 0.2, 0.29):
        part, _ = read(path, offset=offset)
        np.testing.assert_array_equal(part, slice_of(whole, rate, offset, None))


@pytest.mark.parametrize("container", ["matroska", "asf", "flv", "avi"])
def test_part_of_containers_with_coarse_times(container, tmp_path, make_clip, read):
    """Times in milliseconds are too coarse to count samples by.

    The bit rate is high, so that no codec puts noise of its own in place of the recording's.
    """
    av = pytest.importorskip("av", reason="the extra ffmpeg is not installed")
    path = tmp_path / "clip"
    codec = {"asf": "wmav2", "avi": "pcm_s16le"}.get(container, "aac")
    samples = make_clip(12, 44100)[np.newaxis]
    with av.open(str(path), "w", format=container) as file:
        stream = file.add_stream(codec, rate=44100, layout="mono")
        stream.bit_rate = 192000
        for start in range(0, samples.shape[1], 1000):
            block = np.ascontiguousarray(samples[:, start : start + 1000])
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = 44100, start, Fraction(1, 44100)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    whole, rate = read(path)
    for offset in (2.0, 5.4321, 7.0, 11.5):
        part, _ = read(path, offset=offset, duration=0.3)
        np.testing.assert_array_equal(part, slice_of(whole, rate, offset, 0.3))


@pytest.mark.parametrize("item", ["path", "bytes", "array", "mapping", "decoder"])
def test_part_of_every_kind_of_recording(item, wav, read, as_decoder):
    samples, rate = sf.read(wav, dtype="float32")
    items = {
        "path": wav,
        "bytes": Path(wav).read_bytes(),
        "array": samples,
        "mapping": {"array": samples, "sampling_rate": rate},
        "decoder": as_decoder(samples, rate),
    }
    part, _ = read(items[item], rate, offset=0.1, duration=0.2)
    np.testing.assert_array_equal(part, samples[1600:4800])


def test_part_is_taken_before_resampling(tmp_path, make_clip, write_audio, read):
    samples = make_clip(1.0, 44100)
    path = write_audio(tmp_path / "clip.wav", samples, 44100, subtype="FLOAT")
    part, rate = read(path, 16000, offset=0.25, duration=0.5)
    assert rate == 16000
    expected = soxr.resample(samples[11025:33075], 44100, 16000, quality="HQ")
    np.testing.assert_array_equal(part, expected)


def test_level_is_taken_of_the_part(make_clip, read):
    samples = make_clip(1.0) * np.linspace(0, 1, 16000, dtype=np.float32)
    peak, _ = read(samples, 16000, duration=0.5, normalize="max")
    assert np.abs(peak).max() == pytest.approx(1)
    level, _ = read(samples, 16000, duration=0.5, normalize="rms")
    assert np.sqrt(np.mean(level**2)) == pytest.approx(1)
    np.testing.assert_array_equal(read(np.zeros(99), 16000, normalize="max")[0], np.zeros(99))


@pytest.mark.parametrize("source", [8000, 11025, 44100, 96000])
def test_resampling_is_librosas(source, make_clip, read):
    samples = make_clip(0.5, source)
    ours, _ = read({"array": samples, "sampling_rate": source}, 16000)
    theirs = librosa.resample(samples, orig_sr=source, target_sr=16000, res_type="soxr_hq")
    np.testing.assert_allclose(ours, theirs[: len(ours)], atol=1e-6)
    assert abs(len(ours) - len(theirs)) <= 1
