"""Fetching a file: resumed, checked, in place whole or not at all. The server is a local one."""

from __future__ import annotations

import hashlib
import re
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from skaudio._files import download
from skaudio._files.download import fetch_file

CONTENT = np.random.default_rng(0).bytes(300_000)
SHA256 = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
BY_HAND = "Put it there by hand."


class Server(ThreadingHTTPServer):
    """Serves one file, in the way that ``behave`` says, and keeps a list of the requests."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = CONTENT
        self.behave = lambda handler, body: handler.wfile.write(body)
        self.ranges = True
        self.status = 200
        self.requests: list[str | None] = []

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
        content, start = self.server.content, 0
        if asked and self.server.ranges:
            start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])
            if start >= len(content):
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
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
    monkeypatch.setattr(download, "TIMEOUT", 0.3)
    monkeypatch.setattr(download, "PAUSE", 0.01)
    monkeypatch.setattr(download, "BLOCK", 1000)


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
    fetch_file(server.url, path, known_hash=known_hash, size=size, by_hand=BY_HAND, verbose=False)


def files(path):
    return sorted(p.name for p in path.parent.iterdir()) if path.parent.exists() else []


def test_whole_file(server, path, capsys):
    fetch(server, path)
    assert path.read_bytes() == CONTENT
    assert files(path) == ["net.pt"]
    assert capsys.readouterr() == ("", "")


def test_progress_bar(server, path, capsys):
    fetch_file(server.url, path, known_hash=SHA256, size=len(CONTENT), by_hand=BY_HAND)
    output = capsys.readouterr()
    assert output.out == f"Downloading {server.url}\n"
    assert "100%" in output.err


def test_md5(server, path):
    fetch(server, path, "md5:" + hashlib.md5(CONTENT).hexdigest())
    assert path.read_bytes() == CONTENT
    path.unlink()
    with pytest.raises(ValueError, match=r"not the expected file: md5 .*, expected 00"):
        fetch(server, path, "md5:00")


def test_unknown_hash_is_told_and_warned_of(server, path):
    with pytest.warns(UserWarning, match=f"no reference hash .* size was checked.*{SHA256}"):
        fetch(server, path, None)
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
        assert files(path) == [".net.pt.part"]

        server.requests.clear()
        server.behave = lambda handler, body: handler.wfile.write(body)
        fetch(server, path)
        assert server.requests == ["bytes=150000-"]
        assert path.read_bytes() == CONTENT
        assert files(path) == ["net.pt"]

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

    def test_rest_of_another_file_is_begun_anew(self, server, path):
        path.parent.mkdir()
        path.with_name(".net.pt.part").write_bytes(b"x" * 1000)
        fetch(server, path)
        assert path.read_bytes() == CONTENT
        assert server.requests == ["bytes=1000-", None]

    def test_part_that_is_whole(self, server, path):
        path.parent.mkdir()
        path.with_name(".net.pt.part").write_bytes(CONTENT)
        fetch(server, path)
        assert path.read_bytes() == CONTENT
        assert files(path) == ["net.pt"]

    def test_offline(self, path):
        # The discard port: nobody listens there.
        url = "http://127.0.0.1:9/net.pt"
        with pytest.raises(ConnectionError, match=rf"{url} could not be .*{BY_HAND}"):
            fetch_file(url, path, known_hash=None, size=None, by_hand=BY_HAND, verbose=False)
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
        server.content = bytes(len(CONTENT))
        with pytest.raises(ValueError, match=f"not the expected file: sha256 .*{SHA256[7:]}"):
            fetch(server, path)
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


def test_many_at_once_download_once(server, path):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: fetch(server, path), range(4)))
    assert path.read_bytes() == CONTENT
    assert files(path) == ["net.pt"]
    assert server.requests == [None]
