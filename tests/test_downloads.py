"""Fetching files and archives: resumed, checked, whole or not at all. The server is a local one."""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import random
import re
import socket
import threading
import time
import zipfile
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from skaudio._files import fetch_file, fetch_zip, transfer
from skaudio._files.archive import _unpack

CONTENT = b"PK\x03\x04" + np.random.default_rng(0).bytes(299_996)
SHA256 = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
BY_HAND = "Put it there by hand."


class Server(ThreadingHTTPServer):
    """Serves one file, in the way that ``behave`` says, and keeps a list of the requests."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = CONTENT
        self.behave = lambda handler, body: handler.wfile.write(body)
        self.ranges = True
        self.refuses_rest = False
        self.states_size = True
        self.states_length = True
        self.status = 200
        self.requests: list[str | None] = []
        self.headers: dict[str, str] = {}
        self.etag = ""
        self.redirect = ""
        self.replaced: dict[str, str] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/net.pt"

    def handle_error(self, request, client_address):
        """A client that went away is no news."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self):
        asked = self.headers.get("Range")
        self.server.requests.append(asked)
        if self.server.status != 200:
            self.send_error(self.server.status)
            return
        if self.server.redirect and "moved" not in self.path:
            self.send_response(302)
            self.send_header("Location", self.server.redirect)
            self.end_headers()
            return
        content, start = self.server.content, 0
        current = self.headers.get("If-Range") in (
            None,
            self.server.etag,
            self.server.headers.get("Last-Modified"),
        )
        current |= "X-Ignores" in self.server.headers
        if asked and self.server.ranges and current:
            start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])
            if start >= len(content) or self.server.refuses_rest:
                self.send_response(416)
                if self.server.states_size:
                    self.send_header("Content-Range", f"bytes */{len(content)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206)
            stated = f"bytes {start}-{len(content) - 1}/{len(content)}"
            self.send_header("Content-Range", self.server.replaced.get("Content-Range", stated))
        else:
            self.send_response(200)
        if self.server.etag:
            again = self.server.replaced if start else {}
            self.send_header("ETag", again.get("ETag", self.server.etag))
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        if self.server.states_length:
            self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.server.behave(self, content[start:])

    def log_message(self, format, *args):
        pass


def send_half_then_close(handler, body):
    handler.wfile.write(body[: len(body) // 2])
    handler.wfile.flush()
    handler.connection.shutdown(socket.SHUT_RDWR)


def send_half_then_nothing(handler, body):
    handler.wfile.write(body[: len(body) // 2])
    handler.wfile.flush()
    time.sleep(0.6)


def send_nothing(handler, body):
    handler.connection.shutdown(socket.SHUT_RDWR)


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(transfer, "TIMEOUT", 0.3)
    monkeypatch.setattr(transfer, "PAUSE", 0.01)
    monkeypatch.setattr(transfer, "BLOCK", 1000)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "pretrained" / "net.pt"


def fetch(server, path, known_hash=SHA256, size=300_000):
    fetch_file(server.url, path, known_hash=known_hash, size=size, by_hand=BY_HAND, verbose=0)


def files(path):
    return sorted(p.name for p in path.parent.iterdir()) if path.parent.exists() else []


def test_whole_file(server, path, capsys):
    fetch(server, path)
    assert path.read_bytes() == CONTENT
    assert files(path) == ["net.pt"]
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("size", [len(CONTENT), None])
def test_progress_bar(server, path, capsys, size):
    fetch_file(server.url, path, known_hash=SHA256, size=size, by_hand=BY_HAND)
    output = capsys.readouterr()
    assert output.out == ""
    assert f"Downloading {server.url}\n" in output.err
    assert re.search(r"100%.* 300k/300k .*B/s\]", output.err)


def test_md5(server, path):
    fetch(server, path, "md5:" + hashlib.md5(CONTENT).hexdigest())
    assert path.read_bytes() == CONTENT
    path.unlink()
    with pytest.raises(ValueError, match=r"not the expected file: md5 .*, expected 00"):
        fetch(server, path, "md5:00")


def test_unknown_hash_is_told_and_warned_of(server, path):
    with pytest.warns(
        UserWarning, match=f"no reference hash .* size was checked.*{SHA256}"
    ) as told:
        fetch(server, path, None)
    assert told[0].filename == __file__
    assert path.read_bytes() == CONTENT


class TestBrokenConnections:
    def test_goes_on_in_the_same_call(self, server, path):
        def once(handler, body):
            server.behave = lambda handler, body: handler.wfile.write(body)
            send_half_then_close(handler, body)

        server.behave = once
        fetch(server, path)
        assert path.read_bytes() == CONTENT
        assert server.requests == [None, "bytes=150000-"]

    def test_gives_up_but_keeps_what_has_come(self, server, path):
        def once(handler, body):
            server.behave = send_nothing
            send_half_then_close(handler, body)

        server.behave = once
        message = f"could not be downloaded .*150000 bytes are kept, .* {BY_HAND}"
        with pytest.raises(ConnectionError, match=message):
            fetch(server, path)
        assert files(path) == [".net.pt.part", ".net.pt.part.json"]

        server.requests.clear()
        server.behave = lambda handler, body: handler.wfile.write(body)
        fetch(server, path)
        assert server.requests == ["bytes=150000-"]
        assert path.read_bytes() == CONTENT
        assert files(path) == ["net.pt"]

    @pytest.mark.parametrize("n", [2, 5])
    def test_few_bytes_are_a_beginning(self, server, path, n):
        """Also fewer than those by which a file is recognised."""
        path.parent.mkdir()
        path.with_name(".net.pt.part").write_bytes(CONTENT[:n])
        fetch(server, path)
        assert path.read_bytes() == CONTENT
        assert server.requests == [f"bytes={n}-"]

    def test_always_half_of_the_rest_arrives_in_the_end(self, server, path):
        server.behave = lambda handler, body: (
            send_half_then_close(handler, body) if len(body) > 10_000 else handler.wfile.write(body)
        )
        fetch(server, path)
        assert path.read_bytes() == CONTENT
        assert len(server.requests) > 4

    def test_slow_server(self, server, path):
        server.behave = send_half_then_nothing
        server.ranges = False
        with pytest.raises(ConnectionError, match="timed out"):
            fetch(server, path)
        assert not path.exists()

    def test_nothing_arrives(self, server, path):
        server.behave = send_nothing
        with pytest.raises(ConnectionError, match=rf"net\.pt could not be downloaded .*{BY_HAND}"):
            fetch(server, path)
        assert files(path) == []

    def test_server_that_cannot_resume(self, server, path):
        path.parent.mkdir()
        path.with_name(".net.pt.part").write_bytes(CONTENT[:1000])
        server.ranges = False
        fetch(server, path)
        assert path.read_bytes() == CONTENT

    @pytest.mark.parametrize("size", [1000, None])
    def test_small_file_of_a_server_that_cannot_resume(self, server, path, size):
        server.ranges, server.content = False, CONTENT[:1000]
        path.parent.mkdir()
        path.with_name(".net.pt.part").write_bytes(b"x" * 500)
        fetch(server, path, "sha256:" + hashlib.sha256(CONTENT[:1000]).hexdigest(), size)
        assert path.read_bytes() == CONTENT[:1000]
        assert len(server.requests) == 1

    def test_rest_of_another_file_is_begun_anew(self, server, path):
        path.parent.mkdir()
        path.with_name(".net.pt.part").write_bytes(CONTENT[:4] + b"x" * 996)
        fetch(server, path)
        assert path.read_bytes() == CONTENT
        assert server.requests == ["bytes=1000-", None]

    def test_rest_of_a_page_is_not_asked_for(self, server, path):
        path.parent.mkdir()
        path.with_name(".net.pt.part").write_bytes(b"<html>" * 1000)
        fetch(server, path)
        assert path.read_bytes() == CONTENT
        assert server.requests == [None]

    def test_part_that_is_whole(self, server, path):
        path.parent.mkdir()
        path.with_name(".net.pt.part").write_bytes(CONTENT)
        fetch(server, path)
        assert path.read_bytes() == CONTENT
        assert files(path) == ["net.pt"]

    @pytest.mark.filterwarnings("ignore:no reference hash")
    @pytest.mark.parametrize("states_size", [True, False])
    def test_part_of_unknown_hash_that_is_whole(self, server, path, states_size):
        server.etag = '"1"'
        path.parent.mkdir()
        self.half(server, path)
        path.with_name(".net.pt.part").write_bytes(CONTENT)
        server.states_size = states_size
        fetch(server, path, None, None)
        assert path.read_bytes() == CONTENT
        # Where the server does not say how long the file is, that cannot be told: all of it again.
        assert server.requests == ["bytes=300000-", *([] if states_size else [None])]

    @pytest.mark.filterwarnings("ignore:no reference hash")
    @pytest.mark.parametrize("etag", ['"1"', ""])
    def test_part_of_unknown_hash_is_resumed_if_the_server_names_the_version(
        self, server, path, etag
    ):
        path.parent.mkdir()
        server.etag = etag
        server.headers = {} if etag else {"Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
        self.half(server, path)
        fetch(server, path, None, None)
        assert path.read_bytes() == CONTENT
        assert server.requests[-1] == "bytes=150000-"

    def half(self, server, path):
        def once(handler, body):
            server.behave = send_nothing
            send_half_then_close(handler, body)

        server.behave = once
        with pytest.raises(ConnectionError):
            fetch(server, path, None, None)
        server.behave = lambda handler, body: handler.wfile.write(body)
        server.requests.clear()

    @pytest.mark.filterwarnings("ignore:no reference hash")
    @pytest.mark.parametrize("etags", [('"1"', '"2"'), ("", "")])
    @pytest.mark.parametrize("heeds", [True, False])
    def test_part_of_an_older_version_is_not_resumed(self, server, path, etags, heeds):
        """Of unknown hash: two halves of two versions would be put in place."""
        server.etag = etags[0]
        self.half(server, path)
        server.content = CONTENT[::-1].replace(CONTENT[3::-1], b"PKPK") + b"!"
        server.content = CONTENT[:4] + server.content
        server.etag = etags[1]
        if not heeds:  # a server that answers a range of another version
            server.headers = {"X-Ignores": "If-Range"}
        fetch(server, path, None, None)
        assert path.read_bytes() == server.content
        assert files(path) == ["net.pt"]
        rest = ["bytes=150000-"] if etags[0] else []
        assert server.requests == (rest if rest and heeds else [*rest, None])

    @pytest.mark.filterwarnings("ignore:no reference hash")
    @pytest.mark.parametrize(
        "content", [b"", b"[]", b'{"url": 3}', b'{"validator": "x", "length": "y", "url": "z"}']
    )
    def test_damaged_side_file(self, server, path, content):
        path.parent.mkdir()
        path.with_name(".net.pt.part").write_bytes(CONTENT[:1000])
        path.with_name(".net.pt.part.json").write_bytes(content)
        fetch(server, path, None, None)
        assert path.read_bytes() == CONTENT
        assert server.requests == [None]
        assert files(path) == ["net.pt"]

    @pytest.mark.parametrize("states_size", [True, False])
    def test_half_of_unknown_size_and_no_rest(self, server, path, states_size):
        """Half a file is never put in place, whatever the server says of the rest."""
        server.behave = send_half_then_close
        server.refuses_rest = True
        server.states_size = states_size
        with pytest.raises(ConnectionError, match="could not be downloaded"):
            fetch(server, path, None, None)
        assert not path.exists()
        assert len(server.requests) < 10

    def test_offline(self, path):
        # The discard port: nobody listens there.
        url = "http://127.0.0.1:9/net.pt"
        with pytest.raises(ConnectionError, match=rf"{url} could not be .*{BY_HAND}"):
            fetch_file(url, path, known_hash=None, size=None, by_hand=BY_HAND, verbose=0)
        assert files(path) == []


class TestWrongFiles:
    def test_not_found(self, server, path):
        server.status = 404
        with pytest.raises(ConnectionError, match=rf"could not be .*404 .*{BY_HAND}"):
            fetch(server, path)
        assert files(path) == []
        assert len(server.requests) == 1  # it will not be there the next moment

    def test_other_size(self, server, path):
        server.content = b"<html>Please log in</html>"
        message = rf"not the expected file: 26 bytes, expected 300000\..*proxy.*{BY_HAND}"
        with pytest.raises(ValueError, match=message):
            fetch(server, path)
        assert files(path) == []

    def test_other_content(self, server, path):
        server.content = CONTENT[:4] + bytes(len(CONTENT) - 4)
        with pytest.raises(ValueError, match=f"not the expected file: sha256 .*{SHA256[7:]}"):
            fetch(server, path)
        assert files(path) == []

    def test_server_that_sends_on_and_on(self, server, path):
        sent = []

        def send_on(handler, body):
            handler.wfile.write(CONTENT[:4])
            for _ in range(1000):
                handler.wfile.write(bytes(100_000))
                sent.append(path.with_name(".net.pt.part").stat().st_size)

        server.behave = send_on
        server.states_length = False
        with pytest.raises(ValueError, match="not the expected file: it has more than 300000 byt"):
            fetch(server, path)
        assert max(sent) < 310_000
        assert files(path) == []

    def test_unknown_hash_and_other_size(self, server, path):
        server.content = CONTENT[:-1]
        with pytest.raises(ValueError, match="299999 bytes, expected 300000"):
            fetch(server, path, None)
        assert files(path) == []

    def test_folder_that_cannot_be_written_to(self, server, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(
            PermissionError, match=rf"cannot be downloaded to its folder.*{BY_HAND}"
        ):
            fetch(server, tmp_path / "file" / "net.pt")


class TestLyingServers:
    """What comes in place of a file of unknown hash and size is found out, or refused."""

    def refused(self, server, path, message, *, kind=ConnectionError, **facts):
        facts = {"known_hash": None, "size": None, "max_size": 1_000_000, **facts}
        with pytest.raises(kind, match=message):
            fetch_file(server.url, path, by_hand=BY_HAND, verbose=0, **facts)
        assert files(path) == []

    def test_page_to_log_in(self, server, path):
        sent = []

        def send_page(handler, body):
            for _ in range(1000):
                handler.wfile.write(b"<!DOCTYPE html>" * 1000)
                sent.append(1)

        server.behave, server.states_length = send_page, False
        message = rf"not the expected file: it begins with b'<!DOCTYPE.*proxy.*{BY_HAND}"
        self.refused(server, path, message, kind=ValueError)
        assert len(sent) < 900  # it was not waited for

    @pytest.mark.parametrize("announced", [4, 520_000_000])
    def test_other_length_is_announced(self, server, path, announced):
        server.headers = {"Content-Length": str(announced)}
        server.states_length = False
        facts = {"known_hash": SHA256, "size": len(CONTENT)}
        self.refused(server, path, "not the expected file", kind=ValueError, **facts)

    @pytest.mark.parametrize("announces", [True, False])
    def test_more_than_the_entry_allows(self, server, path, announces):
        server.states_length = announces
        message = "it has more than 299999 bytes"
        self.refused(server, path, message, kind=ValueError, max_size=299_999)

    def test_compressed(self, server, path):
        server.headers = {"Content-Encoding": "gzip"}
        server.content = gzip.compress(bytes(10_000_000))
        self.refused(server, path, r"it is sent compressed \(gzip\), which was not asked for")

    def test_neither_length_nor_end(self, server, path):
        server.states_length = False
        self.refused(server, path, "does not say how long it is")
        fetch(server, path, SHA256, None)  # the hash says

    @pytest.mark.filterwarnings("ignore:no reference hash")
    @pytest.mark.parametrize(
        "headers",
        [
            {"Content-Range": "bytes 0-149999/300000"},
            {"Content-Range": "bytes 150000-300000/300001"},
            {"Content-Range": "none"},
            {"ETag": '"2"'},
        ],
    )
    def test_rest_that_is_not_what_was_asked_for(self, server, path, headers):
        server.etag = '"1"'
        TestBrokenConnections().half(server, path)
        server.replaced = headers
        fetch(server, path, None, None)
        assert path.read_bytes() == CONTENT
        assert server.requests == ["bytes=150000-", None]

    def test_busy_server_keeps_what_has_come(self, server, path):
        server.etag = '"1"'
        TestBrokenConnections().half(server, path)
        for server.status in (503, 403):
            with pytest.raises(ConnectionError, match=f"{server.status}.*150000 bytes are kept"):
                fetch(server, path, None, None)

    def test_other_hosts_only_as_the_entry_allows(self, server, path):
        other = f"http://localhost:{server.server_port}/moved.pt"
        server.redirect = other
        self.refused(server, path, r"redirects to http://localhost, expected http://127\.0\.0\.1")
        fetch_file(
            server.url,
            path,
            known_hash=SHA256,
            size=None,
            by_hand="",
            verbose=0,
            hosts=("localhost",),
        )
        path.unlink()
        server.redirect = "/moved.pt"
        fetch(server, path)
        path.unlink()
        server.redirect = "file:///etc/passwd"
        self.refused(server, path, "redirects to file://")
        server.redirect = "/net.pt"
        self.refused(server, path, "more than 10 redirections")

    def test_offline(self, server, path, monkeypatch):
        monkeypatch.setenv("SKAUDIO_OFFLINE", "1")
        self.refused(server, path, rf"net\.pt is missing, and SKAUDIO_OFFLINE is set\. {BY_HAND}")
        assert not path.parent.exists()
        assert server.requests == []
        monkeypatch.setenv("SKAUDIO_OFFLINE", "0")
        fetch(server, path)


def test_many_at_once_download_once(server, path):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: fetch(server, path), range(4)))
    assert path.read_bytes() == CONTENT
    assert files(path) == ["net.pt"]
    assert server.requests == [None]


class TestArchives:
    @pytest.fixture
    def content(self):
        """A zip archive of five files, compressed."""
        stream = io.BytesIO()
        draw = random.Random(0)
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as made:
            made.writestr("./", "")
            for i in range(5):
                made.writestr(f"top/{i}.txt", draw.randbytes(20) * 20)
        return stream.getvalue()

    def fetch(self, server, folder, check=lambda folder: None):
        fetch_zip(
            server.url,
            folder,
            max_size=100_000,
            max_files=6,
            missing_from=folder,
            allowed=True,
            licence="CC0",
            check=check,
            by_hand=BY_HAND,
            verbose=0,
        )

    @pytest.mark.filterwarnings("ignore:no reference hash")
    def test_unpacks(self, server, content, tmp_path):
        server.content = content
        self.fetch(server, tmp_path / "set")
        assert [p.name for p in tmp_path.iterdir()] == ["set"]
        assert files(tmp_path / "set" / "0.txt") == [f"{i}.txt" for i in range(5)]

    @pytest.mark.filterwarnings("ignore:no reference hash")
    def test_resumes(self, server, content, tmp_path, monkeypatch):
        monkeypatch.setattr(transfer, "BLOCK", 1)
        server.content, server.etag = content, '"1"'
        half = len(content) // 2

        def once(handler, body):
            server.behave = send_nothing
            send_half_then_close(handler, body)

        server.behave = once
        with pytest.raises(ConnectionError, match=rf"{half} bytes are kept.*{BY_HAND}"):
            self.fetch(server, tmp_path / "set")
        server.requests.clear()
        server.behave = lambda handler, body: handler.wfile.write(body)
        self.fetch(server, tmp_path / "set")
        assert server.requests == [f"bytes={half}-"]
        assert [p.name for p in tmp_path.iterdir()] == ["set"]

    @pytest.mark.filterwarnings("ignore:no reference hash")
    def test_many_at_once_download_once(self, server, content, tmp_path):
        server.content = content
        (tmp_path / "set").mkdir()

        def check(folder):
            if len(list(folder.iterdir())) < 5:
                raise ValueError("not all")

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: self.fetch(server, tmp_path / "set", check), range(4)))
        assert server.requests == [None]
        assert [p.name for p in tmp_path.iterdir()] == ["set"]

    def test_what_a_folder_lacks_is_moved_into_it(self, server, tmp_path):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w") as made:
            for name in ("one/a", "two/b", "three/c", "readme"):
                made.writestr(f"top/{name}", "new")
        server.content = stream.getvalue()
        folder = tmp_path / "set"
        (folder / "one").mkdir(parents=True)
        (folder / "two").mkdir()
        (folder / "two" / "own").write_text("old")
        (folder / "readme").write_text("old")

        def check(folder):
            if not (folder / "three" / "c").exists():
                raise ValueError("incomplete")

        with pytest.warns(UserWarning, match=r"no reference hash .*sha256 [0-9a-f]{64}\)"):
            self.fetch(server, folder, check)
        files = {str(p.relative_to(folder)): p for p in folder.rglob("*") if p.is_file()}
        assert sorted(files) == ["one/a", "readme", "three/c", "two/own"]
        assert files["readme"].read_text() == "old"

    @pytest.mark.filterwarnings("ignore:no reference hash")
    def test_damage_is_a_value_error_with_advice(self, server, content, tmp_path):
        draw = random.Random(0)
        messages = []
        for i in range(60):
            damaged = bytearray(content)
            damaged[draw.randrange(len(content))] ^= draw.randrange(1, 256)
            server.content = bytes(damaged)
            try:
                self.fetch(server, tmp_path / str(i))
            except ValueError as error:
                messages.append(str(error))
                assert not (tmp_path / str(i)).exists()
        assert len(messages) > 20
        assert all("not the expected" in m and BY_HAND in m for m in messages)
        assert not [p.name for p in tmp_path.iterdir() if p.name.startswith(".")]

    @pytest.mark.parametrize("what", ["bytes", "files"])
    def test_bombs(self, server, tmp_path, what):
        """Refused before a byte is unpacked: a server may lie, the directory of a zip cannot."""
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as made:
            for i in range(7 if what == "files" else 1):
                made.writestr(f"top/{i}", bytes(10 if what == "files" else 1_000_000))
        server.content = stream.getvalue()
        message = f"not the expected archive.*it holds (7|1000000) {what}, expected at most"
        with pytest.raises(ValueError, match=message):
            self.fetch(server, tmp_path / "set")
        assert list(tmp_path.iterdir()) == []

    def test_an_entry_gives_no_more_than_the_directory_says(self, content, tmp_path):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as made:
            made.writestr("top/a", bytes(1_000_000))
        announced = (1_000_000).to_bytes(4, "little")
        raw = stream.getvalue().replace(announced, (100).to_bytes(4, "little"))
        (tmp_path / "a.zip").write_bytes(raw)
        with pytest.raises(ValueError, match=r"a\.zip cannot be unpacked"):
            _unpack(tmp_path / "a.zip", tmp_path / "x", 1000, 10)
        assert sum(p.stat().st_size for p in tmp_path.rglob("top/*")) <= 100

    @pytest.mark.filterwarnings("ignore:no reference hash")
    def test_what_a_killed_process_left_is_removed(self, server, content, tmp_path):
        server.content = content
        for left in (".set.unpacking-killed", ".other.unpacking-working"):
            (tmp_path / left / "top").mkdir(parents=True)
        (tmp_path / ".set.lock").touch()
        self.fetch(server, tmp_path / "set")
        assert sorted(p.name for p in tmp_path.iterdir()) == [".other.unpacking-working", "set"]

    @pytest.mark.parametrize(
        "error",
        [zlib.error("x"), NotImplementedError("x"), EOFError("x"), OSError("x"), RuntimeError("x")],
        ids=repr,
    )
    def test_whatever_unpacking_raises(self, server, content, tmp_path, monkeypatch, error):
        def fail(self, folder):
            raise error

        monkeypatch.setattr(zipfile.ZipFile, "extractall", fail)
        server.content = content
        with pytest.raises(ValueError, match=f"not the expected archive.*x.*{BY_HAND}"):
            self.fetch(server, tmp_path / "set")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.filterwarnings("ignore:no reference hash")
    def test_full_disk_is_no_damage(self, server, content, tmp_path, monkeypatch):
        def fail(self, folder):
            raise OSError(errno.ENOSPC, "No space left on device")

        server.content = content
        with monkeypatch.context() as full:
            full.setattr(zipfile.ZipFile, "extractall", fail)
            message = (
                r"the content of .*zip does not fit into .* \(No space left.*\): free some space"
            )
            with pytest.raises(OSError, match=message):
                self.fetch(server, tmp_path / "set")
        assert not (tmp_path / "set").exists()
        self.fetch(server, tmp_path / "set")  # what has come is used
        assert server.requests == [None]
