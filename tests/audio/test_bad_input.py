"""What a person is told about input that cannot work: which recording, what, why, what to do."""

from __future__ import annotations

import re
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from scipy import sparse

from skaudio.audio import AudioBatch
from skaudio.encoders import MFCC, STFT

CLIP = np.random.default_rng(0).uniform(-0.5, 0.5, 8000).astype(np.float32)


def with_value(value):
    clip = CLIP.copy()
    clip[5] = value
    return clip


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A working directory with files that are no audio, or hardly."""
    monkeypatch.chdir(tmp_path)
    sf.write("ok.wav", CLIP, 16000)
    sf.write("zero.wav", CLIP[:0], 16000)
    sf.write("nan.wav", with_value(np.nan), 16000, subtype="FLOAT")
    Path("text.wav").write_text("These are the notes of a field trip.\n")
    Path("page.mp3").write_text("<!DOCTYPE html><html><body>404</body></html>")
    Path("picture.wav").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    Path("nothing.wav").write_bytes(b"")
    Path("folder").mkdir()


# kind: (X, exception, what the message has to say)
FILES = {
    "missing": (
        ["ok.wav", "gone.wav"],
        ValueError,
        r"recording 1 \('gone.wav'\): no such file \(looked in /.*\)\. Check the path",
    ),
    "missing, in the home folder": (
        np.array(["~/gone.wav"]),
        ValueError,
        r"recording 0 \('~/gone.wav'\): no such file .*'~' is not expanded: pass os.path",
    ),
    "an address": (
        ["https://example.org/gone.wav"],
        ValueError,
        r"recording 0 \(.*\): no such file .*Addresses are not fetched: download the file first",
    ),
    "missing, absolute": (
        ["/nowhere/gone.wav"],
        ValueError,
        r"recording 0 \('/nowhere/gone.wav'\): no such file\. Check the path",
    ),
    "missing, in a mapping": (
        [{"path": "gone.wav", "bytes": None}],
        ValueError,
        r"recording 0 \('gone.wav'\): no such file",
    ),
    "folder": (
        ["ok.wav", "folder"],
        ValueError,
        r"recording 1 \('folder'\) is a folder, expected an audio file.*load_audio_files",
    ),
    "text": (
        ["text.wav"],
        ValueError,
        r"recording 0 \('text.wav'\) is not audio .*it looks like text.*Expected WAV, FLAC",
    ),
    "web page": (
        ["page.mp3"],
        ValueError,
        r"recording 0 \('page.mp3'\) is not audio that can be decoded: it looks like text",
    ),
    "picture": (
        ["picture.wav"],
        ValueError,
        r"\('picture.wav'\) is not audio that can be decoded: it begins with b'\\x89PNG",
    ),
    "no bytes": (
        ["nothing.wav"],
        ValueError,
        r"\('nothing.wav'\) is empty: 0 bytes. A failed download",
    ),
    "no samples": (
        ["zero.wav"],
        ValueError,
        r"recording 0 \('zero.wav'\) is empty: its WAV header announces 0 samples",
    ),
    "NaN in a file": (
        ["ok.wav", "nan.wav"],
        ValueError,
        r"recording 1 \('nan.wav'\) contains NaN at sample 5; expected",
    ),
    "bytes that are no audio": ([b"junk\x00\x01junk"], ValueError, "recording 0 is not audio"),
    "empty bytes": (
        [{"bytes": b"", "path": "q.wav"}],
        ValueError,
        r"\('q.wav'\) is empty: 0 bytes",
    ),
    "bare path": (
        "ok.wav",
        ValueError,
        r"X is a single path \('ok.wav'\), expected a sequence of recordings: pass \[path\]",
    ),
    "bare Path": (Path("ok.wav"), ValueError, r"single path \('ok.wav'\).*pass \[path\]"),
    "table of two columns": (
        pd.DataFrame({"path": ["ok.wav"], "age": [30]}),
        ValueError,
        r"the columns \['path', 'age'\], expected one column of recordings.*X\[\['path'\]\]",
    ),
    "missing value in a column": (
        pd.Series(["ok.wav", None]),
        TypeError,
        r"recording 1 is (nan|None) \(\w+\), expected a path.*A missing value in the table",
    ),
}

CONTAINERS = {
    "stereo, on its side": (
        np.zeros((16000, 2)),
        ValueError,
        r"16000 clips of 2 samples.*\(n_times, n_channels\)\? Pass \[X.T\]",
    ),
    "None": (None, ValueError, "X is None, expected a sequence of recordings"),
    "number": (3.0, ValueError, "X is 3.0, expected a sequence of recordings"),
    "generator": ((c for c in [CLIP]), TypeError, "X is a generator, .*list.* makes one"),
    "set": ({1, 2}, TypeError, "X is a set, expected a sequence of recordings: list"),
    "empty list": ([], ValueError, "X holds no recordings: .*expected at least one"),
    "empty column": (pd.Series([], dtype=object), ValueError, "X holds no recordings"),
    "empty array": (np.empty((0, 50)), ValueError, r"0 sample\(s\) \(shape=\(0, 50\)\)"),
    "bare waveform": (
        CLIP,
        ValueError,
        r"X is one waveform of 8000 samples\? Pass \[waveform\]",
    ),
    "bare list of numbers": ([0.1, 0.2], ValueError, "X is one waveform of 2 samples"),
    "column of numbers": (pd.Series([0.1, 0.2]), ValueError, "X is one waveform of 2 samples"),
    "bare mapping": (
        {"array": CLIP, "sampling_rate": 8000},
        ValueError,
        r"X is a single recording \(a dict\).*pass \[recording\]",
    ),
    "bare decoder": (
        types.SimpleNamespace(get_all_samples=None),
        ValueError,
        r"X is a single recording \(a SimpleNamespace\)",
    ),
    "bare bytes": (b"RIFF", ValueError, r"X is a single recording \(a bytes\)"),
    "mapping of columns": (
        {"audio": [CLIP], "label": [0]},
        ValueError,
        r"X is a mapping with the keys \['audio', 'label'\].*pass one column of it, X\[key\]",
    ),
    "table of text": (
        np.array([["a.wav", "b"], ["c.wav", "d"]], dtype=object),
        ValueError,
        r"X has shape \(2, 2\) and elements that are not numbers.*expected one column",
    ),
    "sparse": (sparse.eye(3, format="csr"), TypeError, "Sparse data was passed for X"),
    "three-dimensional": (
        np.zeros((2, 20, 51)),
        ValueError,
        r"X has shape \(2, 20, 51\).*Are these features\? Then skip the encoder.*list\(X\)",
    ),
    "one recording, axes swapped": (
        np.zeros((8000, 2)),
        ValueError,
        r"8000 clips of 2 samples.*A single recording, \(n_times, n_channels\)\? Pass \[X\.T\]",
    ),
    "complex, two-dimensional": (
        np.stack([CLIP, CLIP]) + 0j,
        ValueError,
        r"Complex data not supported: expected real waveforms \(did you pass an STFT",
    ),
    "bool, two-dimensional": (np.stack([CLIP > 0] * 2), TypeError, "X is an array of bool"),
    "NaN, two-dimensional": (
        np.stack([CLIP, with_value(np.nan)]),
        ValueError,
        "recording 1 contains NaN at sample 5",
    ),
}

RECORDINGS = {
    "waveform and rate": (
        (CLIP, 16000),
        ValueError,
        r"is a pair, \(waveform, sample_rate\)\? .* or a mapping: {'array': waveform",
    ),
    "few frames of MFCC": (
        np.zeros((20, 65)),
        ValueError,
        r"\(20, 65\): 20 channels of 65 samples.*features rather than audio: skip the encoder",
    ),
    "None": (
        None,
        TypeError,
        r"is None \(NoneType\), expected a path, a waveform.*A missing value in the table",
    ),
    "number": (3, TypeError, r"is 3 \(int\), expected a path, a waveform \(1-D array\)"),
    "no samples": (CLIP[:0], ValueError, "is empty: it has 0 samples, expected at least one"),
    "NaN": (with_value(np.nan), ValueError, r"contains NaN at sample 5; expected"),
    "NaNs": (CLIP * np.nan, ValueError, r"NaN at sample 0, and \d+ more that are not finite; exp"),
    "inf": (with_value(np.inf), ValueError, "contains infinity at sample 5.*expected finite"),
    "complex": (CLIP + 0j, ValueError, r"expected a real waveform \(did you pass an STFT\?\)"),
    "bool": (CLIP > 0, TypeError, "is an array of bool, expected floating point or integer"),
    "dates": (np.array(["2020-01-01"] * 9, "M8[D]"), TypeError, r"datetime64\[D\], expected float"),
    "strings": (np.array(["a", "b"]), TypeError, "is an array of <U1, expected floating point"),
    "object of strings": (
        np.array(["a", "b"], dtype=object),
        TypeError,
        "holds objects that are not numbers .*expected a waveform",
    ),
    "ragged list": ([[1, 2], [3]], ValueError, "is not an array of numbers"),
    "three-dimensional": (
        np.zeros((2, 3, 40)),
        ValueError,
        r"has shape \(2, 3, 40\), expected \(n_times,\) or \(n_channels, n_times\)",
    ),
    "features": (
        np.zeros((40, 100)),
        ValueError,
        r"shape \(40, 100\): 40 channels of 100 samples.*features rather than audio: skip",
    ),
    "axes swapped": (
        np.zeros((8000, 2)),
        ValueError,
        r"shape \(8000, 2\): 8000 channels of 2 samples.*\(n_times, n_channels\): transpose",
    ),
    "no channels": (np.zeros((0, 99)), ValueError, "0 channels of 99 samples.*at most 32 channels"),
    "short, axes swapped": (np.zeros((3, 2)), ValueError, "3 channels of 2 samples.*transpose"),
    "array without a rate": (
        {"array": CLIP},
        ValueError,
        "'array' but without 'sampling_rate', expected both.*Pass the bare array",
    ),
    "rate in kHz": (
        {"array": CLIP, "sampling_rate": 44.1},
        ValueError,
        r"sampling_rate=44.1: expected Hz \(did you pass kHz\? 44.1 kHz is 44100\)",
    ),
    "other keys": (
        {"audio": {"array": CLIP}, "label": 0},
        ValueError,
        r"a mapping with the keys \['audio', 'label'\], expected 'array' and .*pass the column",
    ),
    "too short to resample": (
        {"array": CLIP[:1], "sampling_rate": 96000},
        ValueError,
        "1 sample at 96000 Hz leave none at 16000 Hz",
    ),
}


@pytest.mark.parametrize("kind", FILES)
def test_files(files, kind):
    X, exception, message = FILES[kind]
    with pytest.raises(exception, match=message):
        MFCC().fit_transform(X)


@pytest.mark.parametrize("kind", CONTAINERS)
def test_containers(kind):
    X, exception, message = CONTAINERS[kind]
    with pytest.raises(exception, match=message):
        MFCC().fit_transform(X)


@pytest.mark.parametrize("kind", RECORDINGS)
def test_recordings(kind):
    """Whatever is wrong with it, the message begins with the recording's place."""
    item, exception, message = RECORDINGS[kind]
    with pytest.raises(exception, match=f"^recording 1.*{message}"):
        MFCC().fit_transform([CLIP, item])


@pytest.mark.parametrize("name", ["wav-pcm16", "wav-float", "aiff", "flac", "ogg-vorbis"])
@pytest.mark.parametrize("kept", [0.97, 0.5, 0.05])
def test_truncated(name, kept, encode, tmp_path):
    refuse_truncated(name, kept, encode, tmp_path)


@pytest.mark.parametrize("name", ["ogg-opus", "mp3", "m4a", "3gp", "webm"])
@pytest.mark.parametrize("kept", [0.9, 0.5])
def test_truncated_lossy(name, kept, encode, tmp_path):
    refuse_truncated(name, kept, encode, tmp_path)


def refuse_truncated(name, kept, encode, tmp_path):
    whole = Path(encode(name, 5.0).path)
    part = tmp_path / f"part{whole.suffix}"
    part.write_bytes(whole.read_bytes()[: int(kept * whole.stat().st_size)])
    message = rf"recording 1 \({re.escape(repr(str(part)))}\).* is truncated or damaged.*Copy or"
    with pytest.raises(ValueError, match=message):
        MFCC().fit_transform([whole, part])


def test_wav_from_a_pipe_is_no_truncated_one(wav, tmp_path):
    """Programs that write to a pipe cannot know the size, and announce the largest or none."""
    whole = bytearray(Path(wav).read_bytes())
    place = whole.index(b"data") + 4
    for announced in (b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f"):
        whole[place : place + 4] = announced
        assert MFCC().fit_transform([bytes(whole)]).shape == (1, 20, 51)


def test_clips_of_another_length():
    mfcc = MFCC().fit(np.zeros((2, 8000)))
    message = "X has 4000 features, but MFCC is expecting 8000.*Pass a list of arrays"
    with pytest.raises(ValueError, match=message):
        mfcc.transform(np.zeros((2, 4000)))


def test_wide_integers_warn():
    message = r"recording 0 holds int64 samples up to 99: .*np.asarray\(x, dtype=np.int16\)"
    with pytest.warns(UserWarning, match=message):
        MFCC().fit([np.arange(100)])


def test_audio_batch_of_paths():
    with pytest.raises(TypeError, match=r"Waveform 0 is a str.*which Waveform\(\).fit_transform"):
        AudioBatch(["a.wav"])


def test_magnitudes_are_no_spectra():
    with pytest.raises(TypeError, match=r"recording 0 has .* phases are missing.*Spectrogram"):
        STFT().inverse_transform(np.ones((1, 257, 5)))
    with pytest.raises(ValueError, match=r"shape \(5,\).*goes in as \[spectrum\]"):
        STFT().inverse_transform(np.ones((257, 5), np.complex64))


def test_warped_recording_needs_a_mel_bank():
    batch = AudioBatch([CLIP], warp_factors=[0.9])
    with pytest.raises(ValueError, match=r"recording 0 .*warp factor 0\.9 by VTLP.*expected Mel"):
        STFT().fit_transform(batch)
