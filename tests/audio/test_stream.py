"""Reading piece by piece gives what reading at once gives."""

from __future__ import annotations

import re

import numpy as np
import pytest

from skaudio.audio import Recording, check_recordings, seconds_of, stream
from skaudio.encoders import Waveform


def recording(item):
    return check_recordings(Waveform(), [item], reset=True)[0]


def joined(item, rate, **params):
    pieces = list(stream(recording(item), rate, **params))
    assert all(p.dtype == np.float32 and p.ndim == 1 for p in pieces)
    return np.concatenate(pieces)


@pytest.mark.parametrize("rate", [16000, 22050, 8000])
@pytest.mark.parametrize(
    ("kind", "subtype"),
    [("wav", "PCM_16"), ("wav", "FLOAT"), ("flac", None), ("ogg", None), ("mp3", None)],
)
def test_files(tmp_path, make_clip, write_audio, kind, subtype, rate):
    clip = make_clip(2.3)
    both = np.stack([clip, clip[::-1]])
    path = write_audio(tmp_path / f"a.{kind}", both, subtype=subtype)
    whole, _ = recording(path).read(rate)
    np.testing.assert_allclose(joined(path, rate, block=7001), whole, atol=1e-6)
    part, _ = recording(path).read(rate, offset=0.5, duration=1.1)
    found = joined(path, rate, block=7001, offset=0.5, duration=1.1)
    assert len(found) == len(part)
    # Where decoding begins within a lossy file, the first samples may differ from a later seek's.
    np.testing.assert_allclose(found, part, atol=1e-6 if kind in ("wav", "flac") else 1e-3)
    assert seconds_of(recording(path), rate) == pytest.approx(2.3, abs=0.1)


def test_bytes_arrays_and_mappings(tmp_path, make_clip, write_audio):
    clip = make_clip(1.0)
    path = write_audio(tmp_path / "a.wav", clip)
    content = {"bytes": (tmp_path / "a.wav").read_bytes()}
    np.testing.assert_array_equal(joined(content, 16000, block=999), recording(path).read(16000)[0])
    assert seconds_of(recording(content), 16000) == pytest.approx(1.0)
    integers = np.round(clip * 32767).astype(np.int16)
    both = np.stack([integers, integers // 2])
    np.testing.assert_allclose(
        joined(both, 16000, block=1000), recording(both).read(16000)[0], atol=1e-7
    )
    fast = {"array": clip, "sampling_rate": 32000}
    np.testing.assert_allclose(
        joined(fast, 16000, block=1000), recording(fast).read(16000)[0], atol=1e-6
    )
    assert seconds_of(recording(fast), 16000) == 0.5
    assert seconds_of(recording(clip), 8000) == 2.0


def test_what_only_whole_decoding_knows():
    class Decoder:
        def get_all_samples(self):
            raise AssertionError

    assert seconds_of(Recording(Decoder(), "recording 0"), 16000) is None
    assert seconds_of(Recording(b"no audio", "recording 0"), 16000) is None
    assert seconds_of(Recording("missing.wav", "recording 0"), 16000) is None


def test_bad_recordings(tmp_path, make_clip, write_audio):
    clip = make_clip(1.0)
    with pytest.raises(ValueError, match=r"recording 0: offset=1 s is past the end"):
        joined(clip, 16000, block=100, offset=1.0)
    clip[9000] = np.nan
    with pytest.raises(ValueError, match="recording 0 contains NaN"):
        joined(clip, 16000, block=1000)
    path = write_audio(tmp_path / "a.wav", make_clip(1.0))
    content = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "a.wav").write_bytes(content[:-5000])
    with pytest.raises(ValueError, match=r"a\.wav'\) is truncated or damaged"):
        joined(path, 16000, block=1000)
    path = write_audio(tmp_path / "a.ogg", make_clip(1.0))
    content = (tmp_path / "a.ogg").read_bytes()
    (tmp_path / "a.ogg").write_bytes(content[:-500])
    assert seconds_of(recording(path), 16000) is None
    with pytest.raises(ValueError, match=r"a\.ogg'\) is truncated or damaged"):
        joined(path, 16000, block=1000)


@pytest.mark.parametrize("offset", [4.9, 4.99, 5.0])
def test_last_page_of_vorbis(tmp_path, write_audio, rng, offset):
    """There libsndfile by itself seeks up to a block too far."""
    noise = 0.3 * rng.normal(size=44100 * 5 + 1234)
    path = write_audio(tmp_path / "a.ogg", noise, 44100, format="OGG", subtype="VORBIS")
    part, _ = recording(path).read(44100, offset=offset)
    np.testing.assert_array_equal(joined(path, 44100, block=500, offset=offset), part)
    some = joined(path, 44100, block=50, offset=offset, duration=0.01)
    np.testing.assert_array_equal(some, part[:441])


def test_parts_shorter_than_a_sample(tmp_path, make_clip, write_audio):
    path = write_audio(tmp_path / "a.wav", make_clip(1.0))
    for item in (path, make_clip(1.0)):
        part, _ = recording(item).read(16000, offset=0.5, duration=1e-9)
        np.testing.assert_array_equal(joined(item, 16000, block=9, offset=0.5, duration=1e-9), part)
        assert len(part) == 1


def test_ending_does_not_matter(tmp_path, make_clip, write_audio):
    """By its ending, libsndfile would take this one for samples without a header."""
    path = write_audio(tmp_path / "a.raw", make_clip(1.0), format="WAV", subtype="FLOAT")
    assert seconds_of(recording(path), 16000) == 1.0
    np.testing.assert_array_equal(joined(path, 16000, block=999), make_clip(1.0))


def test_messages_are_those_of_reading_at_once(tmp_path, write_audio):
    (tmp_path / "none.wav").write_bytes(b"")
    empty = write_audio(tmp_path / "empty.wav", np.zeros(0))
    for item in (str(tmp_path / "none.wav"), str(tmp_path / "gone.wav"), empty, np.zeros(0)):
        with pytest.raises(ValueError, match=r"empty|no such file") as at_once:
            recording(item).read(16000)
        with pytest.raises(ValueError, match=re.escape(str(at_once.value))):
            joined(item, 16000, block=999)
