"""One reader for all routes: names, rates, memory, and codecs that libsndfile lacks."""

from __future__ import annotations

import http.server
import sys
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from skaudio.audio import AUDIO_EXTENSIONS, Recording, _reader, seconds_of
from skaudio.datasets import audit_recordings, load_audio_files
from skaudio.encoders import MFCC

from .wild_files import by_av, by_libsndfile, cut, patched, without_end

RATE = 16000


@pytest.fixture
def server():
    """A web server on this machine, and the requests that it gets."""
    requests = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            requests.append(self.path)
            self.send_error(404)

        def log_message(self, *arguments):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}", requests
        running.shutdown()
        thread.join()


class TestNames:
    @pytest.mark.parametrize("name", ["12:30.m4a", "file:a.m4a", "concat:a|b.m4a", "-i.m4a"])
    def test_relative_name_is_no_protocol(self, name, tmp_path, monkeypatch):
        pytest.importorskip("av")
        monkeypatch.chdir(tmp_path)
        Path(name).write_bytes(by_av("ipod", "aac"))
        assert len(Recording(name, "a").read()[0]) == 16384

    def test_relative_name_is_no_address(self, server, tmp_path, monkeypatch):
        pytest.importorskip("av")
        address, requests = server
        monkeypatch.chdir(tmp_path)
        path = Path(f"{address}/x.m4a")  # a folder "http:"
        path.parent.mkdir(parents=True)
        path.write_bytes(by_av("ipod", "aac"))
        assert len(Recording(f"{address}/x.m4a", "a").read()[0]) == 16384
        assert requests == []

    def test_lists_of_addresses_are_not_opened(self, server, tmp_path):
        address, requests = server
        playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{address}/x.ts\n#EXT-X-ENDLIST\n"
        concat = f"ffconcat version 1.0\nfile {address}/x.wav\n"
        for text in (playlist, concat):
            path = tmp_path / "list.m4a"
            path.write_text(text)
            with pytest.raises(ValueError, match=r"list\.m4a.* is not audio"):
                MFCC().fit_transform([path])
        assert requests == []

    def test_pipes_are_read(self, tmp_path, monkeypatch):
        import os

        path = tmp_path / "pipe"
        os.mkfifo(path)
        content = by_libsndfile("WAV")
        # A part of a pipe that was made long ago is not looked up in what is known of files.
        for part, n_times in (({}, 16001), ({"offset": 0.5}, 8001)):
            monkeypatch.setattr(_reader, "SETTLED", -(1 << 62))
            writer = threading.Thread(target=path.write_bytes, args=[content], daemon=True)
            writer.start()
            assert len(Recording(str(path), "a").read(**part)[0]) == n_times
            writer.join()


class TestRates:
    """A rate at which nothing is recorded is refused whoever decodes."""

    @pytest.mark.parametrize("rate", [100, 20_000_000])
    def test_by_libsndfile(self, rate):
        content = patched(by_libsndfile("WAV"), 24, rate.to_bytes(4, "little"))
        self.refuse(content)

    @pytest.mark.parametrize("rate", [100, 20_000_000])
    def test_by_ffmpeg(self, rate):
        pytest.importorskip("av")
        content = patched(by_av("tta", "tta"), 10, rate.to_bytes(4, "little"))
        self.refuse(content)

    def test_by_a_decoder(self, as_decoder):
        self.refuse(as_decoder(np.zeros(16000, np.float32), 20_000_000))

    def refuse(self, source):
        recording = Recording(source, "recording 7")
        with pytest.raises(ValueError, match=r"recording 7.*(sample rate of|truncated or damaged)"):
            recording.read()
        table = audit_recordings([source]).table
        assert not table["readable"][0]


class TestCodecs:
    """What libsndfile lacks is named, with the extra that decodes it."""

    @pytest.mark.parametrize(
        ("container", "codec", "named"),
        [
            ("ogg", "flac", "Ogg with FLAC"),
            ("wav", "pcm_s64le", "WAV with another codec"),
            ("wav", "ac3", "WAV with another codec"),
            ("ac3", "ac3", "AC-3"),
            ("eac3", "eac3", "E-AC-3"),
            ("tta", "tta", "True Audio"),
            ("caf", "alac", "CAF with another codec"),
        ],
    )
    def test_without_pyav(self, container, codec, named, monkeypatch):
        pytest.importorskip("av")
        content = by_av(container, codec, rate=48000)
        monkeypatch.setitem(sys.modules, "av", None)
        message = rf'recording 7 is {named}, which .* pip install "skaudio\[ffmpeg\]"'
        with pytest.raises(ImportError, match=message):
            Recording(content, "recording 7").read()

    @pytest.mark.parametrize(
        ("extension", "container", "codec"),
        [
            (".8svx", "SVX", None),
            (".avr", "AVR", None),
            (".voc", "VOC", None),
            (".ac3", "ac3", "ac3"),
            (".eac3", "eac3", "eac3"),
            (".tta", "tta", "tta"),
            (".mka", "matroska", "aac"),
            (".wv", "wv", "wavpack"),
        ],
    )
    def test_what_a_folder_lists_is_decoded(self, extension, container, codec, tmp_path):
        if codec is None:
            content = by_libsndfile(container, "PCM_16")
        else:
            pytest.importorskip("av")
            content = by_av(container, codec, rate=48000)
        assert extension in AUDIO_EXTENSIONS
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / f"a{extension}").write_bytes(content)
        (path,) = load_audio_files(tmp_path).data
        assert len(Recording(path, "a").read()[0]) >= 16000

    def test_codecs_that_nobody_decodes(self):
        pytest.importorskip("av")
        content = bytearray(by_libsndfile("WAV"))
        content[20:22] = b"\x23\x45"
        with pytest.raises(
            ValueError, match=r"recording 7.*(neither libsndfile nor FFmpeg|damaged)"
        ):
            Recording(bytes(content), "recording 7").read()


class TestMemory:
    """Memory is that of what is there, whatever a header announces."""

    def flac(self):
        return patched(by_libsndfile("FLAC"), 21, b"\xff\xff\xff\xff\xff")

    def test_announced_lengths_take_none(self):
        wav = by_libsndfile("WAV")
        caf = by_libsndfile("CAF", "PCM_16")
        tracemalloc.start()
        with pytest.raises(ValueError, match="68719476735 samples announced, 16001 present"):
            Recording(self.flac(), "recording 7").read()
        size = caf.find(b"data") + 4
        for content in (
            patched(patched(wav, 4, b"\xff" * 4), 40, b"\xff" * 4),
            patched(caf, size, b"\xff" * 8),
        ):
            assert len(Recording(content, "recording 7").read()[0]) == 16001
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 10 << 20


def test_a_damaged_ogg_is_damaged_for_all(tmp_path):
    ogg = by_libsndfile("OGG", "VORBIS", n=80001)
    (tmp_path / "a").mkdir()
    files = {"whole": ogg, "unmarked": without_end(ogg), "cut": cut(ogg)}
    files["bit"] = patched(ogg, len(ogg) // 2, bytes([ogg[len(ogg) // 2] ^ 1]))
    for name, content in files.items():
        (tmp_path / "a" / f"{name}.ogg").write_bytes(content)
    with pytest.warns(UserWarning, match="2 of 4 recordings cannot be"):
        paths = load_audio_files(tmp_path, on_error="skip").data
    assert [Path(path).stem for path in paths] == ["unmarked", "whole"]
    every = [str(tmp_path / "a" / f"{name}.ogg") for name in files]
    assert audit_recordings(every).table["readable"].tolist() == [True, True, False, False]
    assert [seconds_of(Recording(path, "a"), RATE) is None for path in every] == [
        False,
        False,
        True,
        True,
    ]
    for path in every[2:]:
        with pytest.raises(ValueError, match="truncated or damaged"):
            Recording(path, "a").read(duration=0.1)


def test_a_file_that_changes_is_looked_at_again(tmp_path):
    """What is remembered of a file, for its parts, belongs to a size and a time of change."""
    import os

    path = tmp_path / "a.ogg"
    for n in (40000, 80000):
        path.write_bytes(by_libsndfile("OGG", "VORBIS", n=n))
        os.utime(path, (n, n))
        assert len(Recording(str(path), "a").read(offset=1.0)[0]) == n - RATE


def test_an_audit_hears_all_channels_of_a_decoder(as_decoder):
    rng = np.random.default_rng(0)
    one, two = 0.1 * rng.standard_normal((2, RATE)).astype(np.float32)
    stereo = [as_decoder(np.stack(channels), RATE) for channels in ([one, two], [two, one])]
    audit = audit_recordings(stereo)
    assert audit.table["channels"].tolist() == [2, 2]
    assert audit.table["identical_to"].isna().all()
